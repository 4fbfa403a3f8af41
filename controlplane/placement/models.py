from django.db import models
from django.db.models import Q

from controlplane.identity.models import Organization, Project
from controlplane.kernel.db import BaseModel
from controlplane.nodes.models import Node


class PolicyVersion(BaseModel):
    """What an organization or a project demands of places; the highest version is in force, older ones are history.

    `atoms` are those of placement.core.policy. A project's policy can only add to its organization's.
    """

    organization = models.ForeignKey(Organization, models.PROTECT, null=True)
    project = models.ForeignKey(Project, models.PROTECT, null=True)
    version = models.PositiveIntegerField()
    atoms = models.JSONField()
    user_id = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(organization__isnull=True) ^ Q(project__isnull=True),
                name="placement_policy_has_one_owner",
            ),
            models.UniqueConstraint(
                fields=["organization", "project", "version"],
                nulls_distinct=False,
                name="placement_policy_version_once",
            ),
        ]


class Decision(BaseModel):
    """An answer of placement, kept with everything it rests on: placement.core.explain renders `document`."""

    operation = models.CharField(max_length=64)
    project = models.ForeignKey(Project, models.PROTECT)
    consumer_id = models.UUIDField()
    is_admitted = models.BooleanField()
    document = models.JSONField()

    class Meta:
        indexes = [models.Index(fields=["consumer_id", "created_at"])]


class Allocation(BaseModel):
    """Who uses how much where. A trigger adds it to the node's inventory in the same transaction (migration 0002)."""

    consumer_id = models.UUIDField()
    kind = models.CharField(max_length=16)
    project = models.ForeignKey(Project, models.PROTECT)
    node = models.ForeignKey(Node, models.PROTECT)
    decision = models.ForeignKey(Decision, models.PROTECT)
    group_id = models.UUIDField(null=True)
    vcpus = models.PositiveIntegerField(default=0)
    memory_mib = models.PositiveIntegerField(default=0)
    disk_gib = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["consumer_id"], name="placement_allocation_once"),
            models.CheckConstraint(condition=Q(kind__in=["instance", "volume"]), name="placement_allocation_kind"),
        ]
        indexes = [models.Index(fields=["group_id"])]
