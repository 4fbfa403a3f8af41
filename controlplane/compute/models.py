from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from controlplane.catalog.io_limits import IoLimits
from controlplane.catalog.models import DEFAULT_MAX_VOLUMES, LOCAL, Image, VolumeType, Zone
from controlplane.identity.models import ProjectResource
from controlplane.kernel.db import BaseModel
from controlplane.kernel.states import machine
from controlplane.nodes.models import Node, Pool
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


ON_FAILURE, NEVER = "on-failure", "never"
RESTART_POLICIES = (ON_FAILURE, NEVER)
METADATA_ACCESS = ("token", "open", "off")
GUEST_AGENTS = ("unknown", "connected", "disconnected")


class SshKey(ProjectResource):
    """A public key that guests accept."""

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
    | building | requested; an operation creates it |
    | active   | it is to run |
    | stopped  | it is to be off; its disk, ports and allocation on the node stay |
    | error    | its creation failed, or its last change failed half-way (`last_error`); it can be deleted |
    | deleted  | gone; the row remains for history |

    `power_state` is its node's last report, of `power_state_at`, and `power_reason` its cause; `guest_agent` that of
    qemu-guest-agent in the guest, which counts while the guest runs. `restart_count` is the desired number of restarts
    so far. Sizes, and the limit of volumes, are copied from the flavor: a change of the flavor changes no instance. The
    limits of its root disk are copied from the volume type in the same way. The id is the libvirt UUID too.
    `root_pool`: the pool that has its root disk; none: its node alone has it, as with a `root_volume_type` that names
    no pool (none: created before volume types). `boot_volume`: the volume that is its root disk, in place of one of its
    own; `disk_gib` is then that volume's size, and no node has `root_volume_id`: the previous release, which erases the
    root disk of a deleted instance, finds nothing to erase. `keep_root_volume`: this volume stays when the instance is
    deleted; None: also, since the instance is older than root volumes (compute/root_volumes.py).

    `encrypted_user_data` is decrypted by compute/user_data.py alone; `user_data` has the plain text of the previous
    release, until it is encrypted.

    `metadata`: who in the guest may read its metadata: programs that get a token first, all of them, or none.

    `restart_policy`: if a failed guest is started again (compute/guest_restarts.py). `restarts`: how often in a row,
    last at `restarted_at`.
    """

    state = models.CharField(max_length=16, default=INSTANCE.initial)
    power_state = models.CharField(max_length=16, default="unknown")
    power_state_at = models.DateTimeField(null=True)
    power_reason = models.CharField(max_length=200, blank=True)
    guest_agent = models.CharField(max_length=16, default=GUEST_AGENTS[0], db_default=GUEST_AGENTS[0])
    flavor = models.CharField(max_length=63)
    vcpus = models.PositiveSmallIntegerField()
    memory_mib = models.PositiveIntegerField()
    disk_gib = models.PositiveIntegerField()
    max_volumes = models.PositiveSmallIntegerField(default=DEFAULT_MAX_VOLUMES, db_default=DEFAULT_MAX_VOLUMES)
    image = models.ForeignKey(Image, models.PROTECT)
    node = models.ForeignKey(Node, models.PROTECT, null=True)
    root_volume_id = models.UUIDField()
    root_volume_type = models.ForeignKey(VolumeType, models.PROTECT, null=True)
    root_pool = models.ForeignKey(Pool, models.PROTECT, null=True)
    boot_volume = models.ForeignKey(Volume, models.PROTECT, null=True, related_name="+", db_index=False)
    keep_root_volume = models.BooleanField(null=True)
    root_iops_limit = models.PositiveIntegerField(default=0, db_default=0)
    root_mb_per_s_limit = models.PositiveIntegerField(default=0, db_default=0)
    ssh_public_keys = ArrayField(models.TextField(), default=list)
    user_data = models.BinaryField(max_length=65536, default=bytes)
    encrypted_user_data = models.BinaryField(null=True, db_column="sealed_user_data")
    affinity_group = models.ForeignKey(AffinityGroup, models.PROTECT, null=True)
    restart_count = models.PositiveBigIntegerField(default=0)
    metadata = models.CharField(max_length=8, default=METADATA_ACCESS[0], db_default=METADATA_ACCESS[0])
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
            models.CheckConstraint(condition=Q(metadata__in=METADATA_ACCESS), name="compute_instance_metadata"),
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

    @property
    def present_guest_agent(self) -> str:
        """The state of its guest agent: of a guest that does not run, it is unknown."""
        return self.guest_agent if self.power_state == "running" else GUEST_AGENTS[0]

    @property
    def root_type(self) -> str:
        """The volume type of its root disk."""
        return self.root_volume_type_id or LOCAL

    @property
    def root_id(self) -> UUID:
        """The id of its root disk, as nodes know it."""
        return self.boot_volume_id or self.root_volume_id

    @property
    def keeps_root_volume(self) -> bool:
        """Tell if its root disk is a volume that stays when the instance is deleted."""
        return self.boot_volume_id is not None if self.keep_root_volume is None else self.keep_root_volume

    @property
    def own_disk_gib(self) -> int:
        """The disk that it takes of its node or pool itself: a boot volume has an allocation of its own."""
        return 0 if self.boot_volume_id else self.disk_gib

    @property
    def root_limits(self) -> IoLimits:
        """The limits of its root disk; of a boot volume, a copy of that volume's."""
        return IoLimits(self.root_iops_limit, self.root_mb_per_s_limit)


class MetadataDocument(BaseModel):
    """The newest signed metadata of an instance, for its node: its labels, and its identity document.

    `key_id`: the key that signed them. `renew_at`: when the identity document is signed anew. `sent_version`: the
    version that the node has, by its last report.
    """

    instance = models.OneToOneField(Instance, models.CASCADE, related_name="metadata_document")
    node = models.ForeignKey(Node, models.CASCADE)
    version = models.PositiveBigIntegerField()
    labels = models.JSONField()
    key_id = models.CharField(max_length=64, blank=True)
    document = models.BinaryField()
    renew_at = models.DateTimeField()
    sent_version = models.PositiveBigIntegerField(default=0)


class Rebuild(BaseModel):
    """The fields of an instance after its rebuild succeeds. The row exists while the rebuild is under way.

    `root_volume_id`: of the new disk, or of the volume that becomes its root volume.

    `generation` is the instance's with its new disk; the one below defines the guest with it. `is_defining`: its node
    may have that generation already.
    """

    instance = models.OneToOneField(Instance, models.PROTECT)
    image = models.ForeignKey(Image, models.PROTECT)
    root_volume_id = models.UUIDField()
    ssh_public_keys = ArrayField(models.TextField(), default=list)
    user_data = models.BinaryField(max_length=65536, default=bytes)
    encrypted_user_data = models.BinaryField(null=True, db_column="sealed_user_data")
    generation = models.PositiveBigIntegerField()
    is_defining = models.BooleanField(default=False)


MIGRATION = machine(
    "migration",
    {
        "placing": "preparing failed cancelled",
        "preparing": "moving done failed cancelled",
        "moving": "arrived failed cancelled",
        "arrived": "done",
        "done": "",
        "failed": "",
        "cancelled": "",
    },
)
MOVING = ("placing", "preparing", "moving", "arrived")


MIGRATE, EVACUATE, RELOCATE = "migrate", "evacuate", "relocate"


class Migration(BaseModel):
    """A guest that changes its node: sent live or cold (`kind` migrate), sent cold to another zone (relocate), or
    evacuated from a fenced node (evacuate).

    Until the guest has arrived, everything it has at the destination belongs to this row: its id is the consumer of the
    allocation there, and MigratedVolume.id that of a volume's. Triggers allow no evacuation from a node that is not
    fenced, and no change of an instance's node without such a row (migration 0008).

    | state     | means |
    |-----------|-------|
    | placing   | has no destination yet |
    | preparing | the destination gets all that the guest needs there |
    | moving    | memory and disks are sent; the guest runs at its source |
    | arrived   | the guest runs at its destination, and has its allocation there; the source is cleared |
    | done      | nothing of it is left at the source, or its removal is pending |
    | failed    | the guest runs at its source as before, or is still down (`error`) |
    | cancelled | the same, on request |

    `requested_destination`: the only node allowed by the request. `requested_zone`: of a relocation. `generation`:
    above all that any node knows of the guest and its resources; everything at the destination has it, and at the end
    all of their rows. `uri`: where the source connects to the destination. `pause_ms`: how long the guest was paused.
    Sizes are of memory and disks together.
    """

    kind = models.CharField(max_length=8, default=MIGRATE, db_default=MIGRATE)
    instance = models.ForeignKey(Instance, models.PROTECT, related_name="migrations")
    operation_id = models.UUIDField(unique=True)
    source = models.ForeignKey(Node, models.PROTECT, related_name="+")
    destination = models.ForeignKey(Node, models.PROTECT, null=True, related_name="+")
    requested_destination = models.ForeignKey(Node, models.PROTECT, null=True, related_name="+", db_column="wished_id")
    requested_zone = models.ForeignKey(
        Zone, models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    state = models.CharField(max_length=16, default=MIGRATION.initial)
    generation = models.PositiveBigIntegerField()
    uri = models.CharField(max_length=255, blank=True)
    total_bytes = models.PositiveBigIntegerField(default=0)
    moved_bytes = models.PositiveBigIntegerField(default=0)
    pause_ms = models.PositiveIntegerField(null=True)
    reason = models.CharField(max_length=200, blank=True)
    error = models.JSONField(null=True)
    arrived_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["instance"], condition=Q(state__in=MOVING), name="compute_migration_one_at_a_time"
            ),
            models.CheckConstraint(condition=Q(state__in=MIGRATION.moves), name="compute_migration_state"),
            models.CheckConstraint(
                condition=Q(kind__in=[MIGRATE, RELOCATE]) | Q(kind=EVACUATE) & ~Q(state__in=["moving", "arrived"]),
                name="compute_migration_kind",
            ),
            models.CheckConstraint(
                condition=Q(kind=RELOCATE, requested_zone__isnull=False)
                | ~Q(kind=RELOCATE) & Q(requested_zone__isnull=True),
                name="compute_migration_requested_zone",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["placing", "failed", "cancelled"]) | Q(destination__isnull=False),
                name="compute_migration_has_destination",
            ),
            models.CheckConstraint(
                condition=~Q(destination=models.F("source")), name="compute_migration_to_another_node"
            ),
            models.CheckConstraint(
                condition=Q(state__in=MOVING) | Q(ended_at__isnull=False), name="compute_migration_ended_has_time"
            ),
        ]
        indexes = [models.Index(fields=["created_at"], name="compute_migration_by_age")]


class MigratedVolume(BaseModel):
    """A volume that migrates with its instance. Its allocation at the destination has this row's id."""

    migration = models.ForeignKey(Migration, models.PROTECT, related_name="volumes")
    volume = models.ForeignKey(Volume, models.PROTECT)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["migration", "volume"], name="compute_migrated_volume_once")]


class Attachment(BaseModel):
    """A volume in an instance.

    The request creates the row; `is_plugged` is set once the node has attached the volume. `is_boot`: it is the
    instance's root disk, which its node gets with the instance and not as an attachment. `is_shared`: other instances
    can have the volume, too, each on a node of its own. The attachment has an allocation there, under its own id, which
    takes no space.
    """

    instance = models.ForeignKey(Instance, models.PROTECT)
    volume = models.ForeignKey(Volume, models.PROTECT)
    is_read_only = models.BooleanField(default=False)
    is_plugged = models.BooleanField(default=False)
    is_boot = models.BooleanField(default=False, db_default=False)
    is_shared = models.BooleanField(default=False, db_default=False)
    generation = models.PositiveBigIntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["volume"], condition=Q(is_shared=False), name="compute_attachment_volume_alone"
            ),
            models.UniqueConstraint(fields=["volume", "instance"], name="compute_attachment_volume_once"),
        ]

    @property
    def holder_id(self) -> UUID:
        """Return the id that has the volume's allocation on the instance's node, and that operations of the instance
        lock: the volume's, or that of the attachment if other instances share the volume.
        """
        return self.pk if self.is_shared else self.volume_id
