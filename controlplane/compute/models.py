from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from controlplane.catalog.models import Image
from controlplane.identity.models import ProjectResource
from controlplane.kernel.db import BaseModel
from controlplane.kernel.states import machine
from controlplane.nodes.models import Node
from controlplane.storage.models import Volume

INSTANCE = machine(
    "instance",
    {
        "building": "active stopped error deleted",
        "active": "stopped error deleted",
        "stopped": "active error deleted",
        "error": "building active stopped deleted",
        "deleted": "",
    },
)


RESTART_POLICIES = ("on-failure", "never")


class SshKey(ProjectResource):
    """A public key that guests let in."""

    public_key = models.TextField(max_length=8192)
    fingerprint = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="compute_ssh_key_name_taken")]


class AffinityGroup(ProjectResource):
    """Instances that are to be on one node (affinity) or each on its own (anti-affinity).

    `is_strict`: an instance that cannot keep the rule is refused; else the rule is a preference.
    """

    rule = models.CharField(max_length=16)
    is_strict = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="compute_affinity_group_name_taken"),
            models.CheckConstraint(
                condition=Q(rule__in=["affinity", "anti-affinity"]), name="compute_affinity_group_rule"
            ),
        ]


class Instance(ProjectResource):
    """A virtual machine.

    | state    | means |
    |----------|-------|
    | building | was asked for; an operation makes it |
    | active   | it is to run |
    | stopped  | it is to be off; its disk, ports and place on the node stay |
    | error    | it could not be made or its last change failed half-way; `last_error` says why; it can be deleted |
    | deleted  | gone; the row remains for history |

    `power_state` is what its node last said, at `power_state_at`, and `power_reason` why. `restart_count` is the wish
    "has been restarted so many times". Sizes are copied from the flavor: a change of the flavor changes no instance.
    The id is the libvirt UUID too.

    `restart_policy`: whether a guest that has failed is started again (compute/restarts.py); `restarts` is how often
    that was done in a row, last at `restarted_at`.
    """

    state = models.CharField(max_length=16, default=INSTANCE.initial)
    power_state = models.CharField(max_length=16, default="unknown")
    power_state_at = models.DateTimeField(null=True)
    power_reason = models.CharField(max_length=200, blank=True)
    flavor = models.CharField(max_length=63)
    vcpus = models.PositiveSmallIntegerField()
    memory_mib = models.PositiveIntegerField()
    disk_gib = models.PositiveIntegerField()
    image = models.ForeignKey(Image, models.PROTECT)
    node = models.ForeignKey(Node, models.PROTECT, null=True)
    root_volume_id = models.UUIDField()
    ssh_public_keys = ArrayField(models.TextField(), default=list)
    user_data = models.BinaryField(max_length=65536, default=bytes)
    affinity_group = models.ForeignKey(AffinityGroup, models.PROTECT, null=True)
    restart_count = models.PositiveBigIntegerField(default=0)
    restart_policy = models.CharField(max_length=16, default=RESTART_POLICIES[0], db_default=RESTART_POLICIES[0])
    restarts = models.PositiveSmallIntegerField(default=0, db_default=0)
    restarted_at = models.DateTimeField(null=True)
    is_deleting = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "name"], condition=~Q(state="deleted"), name="compute_instance_name_taken"
            ),
            models.CheckConstraint(condition=Q(state__in=INSTANCE.moves), name="compute_instance_state"),
            models.CheckConstraint(
                condition=Q(restart_policy__in=RESTART_POLICIES), name="compute_instance_restart_policy"
            ),
            models.CheckConstraint(
                condition=Q(vcpus__gte=1, memory_mib__gte=64, disk_gib__gte=1),
                name="compute_instance_has_size",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["active", "stopped"]) | Q(node__isnull=False),
                name="compute_instance_live_needs_node",
            ),
        ]
        indexes = [
            models.Index(
                fields=["project", "created_at", "id"], condition=~Q(state="deleted"), name="compute_instance_by_age"
            )
        ]


class Rebuild(BaseModel):
    """What an instance becomes when its rebuild succeeds. The row is there while that is under way.

    `generation` is the instance's with its new disk; the one below defines the guest with it. `is_defining`: its node
    may have heard of that.
    """

    instance = models.OneToOneField(Instance, models.PROTECT)
    image = models.ForeignKey(Image, models.PROTECT)
    root_volume_id = models.UUIDField()
    ssh_public_keys = ArrayField(models.TextField(), default=list)
    user_data = models.BinaryField(max_length=65536, default=bytes)
    generation = models.PositiveBigIntegerField()
    is_defining = models.BooleanField(default=False)


class Attachment(BaseModel):
    """A volume in an instance. The row is made with the wish; `is_plugged` once the node has done it."""

    instance = models.ForeignKey(Instance, models.PROTECT)
    volume = models.ForeignKey(Volume, models.PROTECT)
    is_read_only = models.BooleanField(default=False)
    is_plugged = models.BooleanField(default=False)
    generation = models.PositiveBigIntegerField(default=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["volume"], name="compute_attachment_volume_taken")]
