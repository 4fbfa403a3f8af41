from django.db import models
from django.db.models import Q

from controlplane.identity.models import Project
from controlplane.kernel.db import BaseModel


class TerraformState(BaseModel):
    """A state of the project by name. `lock` is Terraform's description of the holder of the state lock, or null."""

    project = models.ForeignKey(Project, models.PROTECT)
    name = models.CharField(max_length=63)
    lock = models.JSONField(null=True)
    locked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="terraform_state_name_taken"),
            models.CheckConstraint(
                condition=Q(lock__isnull=True, locked_at__isnull=True) | Q(lock__isnull=False, locked_at__isnull=False),
                name="terraform_state_lock_has_moment",
            ),
        ]


class TerraformStateVersion(BaseModel):
    """One version as Terraform wrote it, encrypted (kernel/encryption.py): states contain secrets of the described
    resources.

    `number` counts the versions of a state from 1; `serial` is Terraform's own count, which may begin anew.
    """

    state = models.ForeignKey(TerraformState, models.CASCADE)
    number = models.PositiveIntegerField()
    serial = models.BigIntegerField()
    size_bytes = models.PositiveIntegerField()
    encrypted_content = models.BinaryField(db_column="sealed")
    user_id = models.UUIDField(null=True)
    credential_id = models.UUIDField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["state", "number"], name="terraform_stateversion_number_once")]
