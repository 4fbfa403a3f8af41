from django.db import models
from django.db.models import Q

from controlplane.identity.models import Project
from controlplane.kernel.db import BaseModel


class Quota(BaseModel):
    """A limit that differs from the default (settings.QUOTA_DEFAULTS)."""

    project = models.ForeignKey(Project, models.CASCADE)
    dimension = models.CharField(max_length=32)
    limit = models.PositiveBigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "dimension"], name="quotas_quota_once")]


class QuotaUse(models.Model):
    """What one live resource uses; the row lives and dies in the transactions that make and end the resource."""

    project = models.ForeignKey(Project, models.CASCADE)
    resource_id = models.UUIDField()
    dimension = models.CharField(max_length=32)
    amount = models.PositiveBigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["resource_id", "dimension"], name="quotas_use_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="quotas_use_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.dimension} of {self.resource_id}"
