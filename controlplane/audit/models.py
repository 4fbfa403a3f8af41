from django.db import models

from controlplane.kernel.db import BaseModel


class AuditRecord(BaseModel):
    """One deed. The database refuses to change or delete a record (migration 0002)."""

    verb = models.CharField(max_length=64)
    resource_id = models.UUIDField()
    project_id = models.UUIDField(null=True)
    user_id = models.UUIDField(null=True)
    credential_id = models.UUIDField(null=True)
    request_id = models.CharField(max_length=64, blank=True)
    facts = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["resource_id"]), models.Index(fields=["project_id", "created_at"])]
