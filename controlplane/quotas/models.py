"""Limits other than the defaults, usage of resources, and quota requests."""

from django.db import models
from django.db.models import Q

from controlplane.identity.models import Organization, Project
from controlplane.kernel.db import BaseModel
from controlplane.kernel.states import machine

QUOTA_REQUEST = machine(
    "quota request", {"pending": "approved refused withdrawn", "approved": "", "refused": "", "withdrawn": ""}
)
OF_ONE = Q(project__isnull=False, organization=None) | Q(project=None, organization__isnull=False)


class Quota(BaseModel):
    """A limit of a project or of an organization that differs from the default (settings.QUOTA_DEFAULTS)."""

    project = models.ForeignKey(Project, models.CASCADE, null=True)
    organization = models.ForeignKey(Organization, models.CASCADE, null=True)
    dimension = models.CharField(max_length=32)
    limit = models.PositiveBigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "dimension"], name="quotas_quota_once"),
            models.UniqueConstraint(fields=["organization", "dimension"], name="quotas_quota_of_organization_once"),
            models.CheckConstraint(condition=OF_ONE, name="quotas_quota_of_one"),
        ]


class QuotaSet(BaseModel):
    """Version of the limits of one quota owner; without a row it is 0, the defaults."""

    project = models.OneToOneField(Project, models.CASCADE, null=True)
    organization = models.OneToOneField(Organization, models.CASCADE, null=True)
    version = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=OF_ONE, name="quotas_set_of_one")]


class QuotaUse(models.Model):
    """Usage of one live resource; written in the transactions that create and end the resource."""

    project = models.ForeignKey(Project, models.CASCADE)
    resource_id = models.UUIDField()
    dimension = models.CharField(max_length=32)
    amount = models.PositiveBigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["resource_id", "dimension"], name="quotas_use_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="quotas_use_is_positive"),
        ]
        indexes = [
            # All summed columns are in the index.
            models.Index(fields=["project", "dimension"], include=["resource_id", "amount"], name="quotas_use_sum")
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.dimension} of {self.resource_id}"


class QuotaPart(models.Model):
    """A part of a project's usage: the parts of a dimension add up to its rows of QuotaUse.

    A trigger on QuotaUse writes one part for each statement (migration 0004), in the same transaction, so that a reader
    sees a change together with its part; claims merge parts. No transaction ever waits for a part.
    """

    project_id = models.UUIDField()
    dimension = models.CharField(max_length=32)
    amount = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["project_id", "dimension"], include=["amount"], name="quotas_part_sum")]

    def __str__(self) -> str:
        return f"{self.amount} {self.dimension}"


class QuotaRequest(BaseModel):
    """A request of an organization for a higher limit. `answer`: the reason of the approval or refusal."""

    organization = models.ForeignKey(Organization, models.CASCADE)
    dimension = models.CharField(max_length=32)
    limit = models.PositiveBigIntegerField()
    reason = models.CharField(max_length=500)
    requested_by = models.UUIDField(null=True)
    state = models.CharField(max_length=16, default=QUOTA_REQUEST.initial)
    answer = models.CharField(max_length=500, blank=True)
    decided_by = models.UUIDField(null=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "dimension"], condition=Q(state="pending"), name="quotas_request_pending_once"
            ),
            models.CheckConstraint(condition=Q(state__in=list(QUOTA_REQUEST.moves)), name="quotas_request_state"),
            models.CheckConstraint(
                condition=Q(state="pending", decided_at=None) | (~Q(state="pending") & Q(decided_at__isnull=False)),
                name="quotas_request_decided_whole",
            ),
        ]
        indexes = [models.Index(fields=["organization", "created_at"])]
