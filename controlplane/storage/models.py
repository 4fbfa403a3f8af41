from django.db import models
from django.db.models import Q

from controlplane.catalog.io_limits import IoLimits
from controlplane.catalog.models import Image, VolumeType, Zone
from controlplane.identity.models import ProjectResource
from controlplane.kernel.db import BaseModel
from controlplane.kernel.states import machine
from controlplane.nodes.models import Node, Pool
from controlplane.storage.schedule_times import ScheduleTimes

VOLUME = machine(
    "volume",
    {
        "building": "available error deleted",
        "available": "in-use error deleted",
        "in-use": "available error deleted",
        "error": "building deleted",
        "deleted": "",
    },
)


SNAPSHOT = machine(
    "snapshot",
    {
        "building": "available error deleted",
        "available": "error deleted",
        "error": "deleted",
        "deleted": "",
    },
)


VOLUME_MOVE = machine(
    "volume-move",
    {
        "placing": "copying failed cancelled",
        "copying": "switched failed cancelled",
        "switched": "done",
        "done": "",
        "failed": "",
        "cancelled": "",
    },
)
MOVING_VOLUME = ("placing", "copying", "switched")


class Volume(ProjectResource):
    """A disk. `node`: where it is open, or may be opened.

    One without a `pool` is a file on that node alone, so the instance that it is attached to runs there; one in a pool
    can be opened by any other node that has the pool.

    Its limits, 0 for none, are those of its type at its creation, last growth or retype. `next_type`: the type that a
    retype under way gives it.

    `snapshot`: the volume was made from it, in place of an image.

    `is_whole`: it was moved, and is no layer over its image any more, wherever it is.

    `is_multi_attach`: it is of a type whose volumes several instances can have attached at once. It is open where these
    are, and `node`, of its allocation, is where operations on it are permitted.

    `is_unbound`: it has never been used, and has no place and no data until an instance first needs it.

    `is_deleting`: a deletion was accepted; nothing else is any more.
    """

    state = models.CharField(max_length=16, default=VOLUME.initial)
    volume_type = models.ForeignKey(VolumeType, models.PROTECT)
    size_gib = models.PositiveIntegerField()
    image = models.ForeignKey(Image, models.PROTECT, null=True)
    node = models.ForeignKey(Node, models.PROTECT, null=True)
    pool = models.ForeignKey(Pool, models.PROTECT, null=True)
    iops_limit = models.PositiveIntegerField(default=0, db_default=0)
    mb_per_s_limit = models.PositiveIntegerField(default=0, db_default=0)
    next_type = models.ForeignKey(VolumeType, models.PROTECT, null=True, related_name="+", db_index=False)
    snapshot = models.ForeignKey("Snapshot", models.PROTECT, null=True, related_name="+", db_index=False)
    is_whole = models.BooleanField(default=False, db_default=False)
    is_multi_attach = models.BooleanField(default=False, db_default=False)
    is_unbound = models.BooleanField(default=False, db_default=False)
    is_deleting = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "name"], condition=~Q(state="deleted"), name="storage_volume_name_taken"
            ),
            models.CheckConstraint(condition=Q(state__in=VOLUME.moves), name="storage_volume_state"),
            models.CheckConstraint(condition=Q(size_gib__gte=1), name="storage_volume_has_size"),
            models.CheckConstraint(
                condition=~Q(state__in=["available", "in-use"])
                | Q(node__isnull=False)
                | Q(state="available", is_unbound=True),
                name="storage_volume_usable_has_node",
            ),
        ]
        indexes = [
            models.Index(
                fields=["project", "created_at", "id"], condition=~Q(state="deleted"), name="storage_volume_by_age"
            ),
            models.Index(fields=["snapshot"], condition=Q(snapshot__isnull=False), name="storage_volume_by_snapshot"),
        ]

    @property
    def limits(self) -> IoLimits:
        return IoLimits(self.iops_limit, self.mb_per_s_limit)


class VolumeMove(BaseModel):
    """A volume that changes its place: the pool, or the node's own disk, of another volume type. Pools are of clusters.

    With a `requested_zone` it is relocated: from the own disk of a node to that of a node of this zone. Its type stays.

    Until the switch the volume is at its source, and everything it has at the destination belongs to this row: its id
    is the consumer of the second allocation.

    | state     | means |
    |-----------|-------|
    | placing   | has no destination yet |
    | copying   | the node `destination`, which reaches both places, copies the data, or the source sends it there |
    | switched  | the volume is at its destination; the source is erased |
    | done      | nothing of it is left at the source, or its removal is pending |
    | failed    | the volume is at its source as before (`error`) |
    | cancelled | the same, on request |

    `source_pool`, `destination_pool`: none is the own disk of the node. `generation`: of the copy. `max_mb_per_s` 0: no
    limit of bandwidth. `is_online`: a guest runs with the volume meanwhile.
    """

    volume = models.ForeignKey(Volume, models.PROTECT, related_name="moves")
    volume_type = models.ForeignKey(VolumeType, models.PROTECT, related_name="+", db_index=False)
    operation_id = models.UUIDField(unique=True)
    source = models.ForeignKey(Node, models.PROTECT, related_name="+", db_index=False)
    source_pool = models.ForeignKey(Pool, models.PROTECT, null=True, related_name="+", db_index=False)
    destination = models.ForeignKey(Node, models.PROTECT, null=True, related_name="+", db_index=False)
    destination_pool = models.ForeignKey(Pool, models.PROTECT, null=True, related_name="+", db_index=False)
    state = models.CharField(max_length=16, default=VOLUME_MOVE.initial)
    generation = models.PositiveBigIntegerField()
    requested_zone = models.ForeignKey(
        Zone, models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    max_mb_per_s = models.PositiveIntegerField(default=0)
    is_online = models.BooleanField(default=False, db_default=False)
    total_bytes = models.PositiveBigIntegerField(default=0)
    moved_bytes = models.PositiveBigIntegerField(default=0)
    error = models.JSONField(null=True)
    switched_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["volume"], condition=Q(state__in=MOVING_VOLUME), name="storage_volume_move_one_at_a_time"
            ),
            models.CheckConstraint(condition=Q(state__in=list(VOLUME_MOVE.moves)), name="storage_volume_move_state"),
            models.CheckConstraint(
                condition=Q(state="placing") | Q(state__in=["failed", "cancelled"]) | Q(destination__isnull=False),
                name="storage_volume_move_under_way_has_place",
            ),
        ]


CONSISTENCIES = CRASH, FILESYSTEM = ("crash", "filesystem")


class Snapshot(ProjectResource):
    """The content of a volume at one moment, in the pool of the volume.

    `size_gib`: of the volume at that moment. `consistency`: `crash`, as after a power cut, or `filesystem`: the file
    systems were frozen, or unmounted by a shutdown. `taken_at`: when the cluster took it; none until then.
    `expires_at`: when it is deleted; none: never. `schedule`, `planned_at`: which schedule took it, for which of its
    times.

    `group`: common to the snapshots of an instance's disks that were taken at one moment; none: it was taken alone.
    `instance_id`: the instance whose disks they were, or whose file systems were frozen for this one.

    `is_deleting`: a deletion was accepted; nothing else is any more.
    """

    state = models.CharField(max_length=16, default=SNAPSHOT.initial)
    volume = models.ForeignKey(Volume, models.PROTECT, related_name="snapshots")
    pool = models.ForeignKey(Pool, models.PROTECT)
    size_gib = models.PositiveIntegerField()
    consistency = models.CharField(max_length=16, default=CRASH)
    group = models.UUIDField(null=True)
    instance_id = models.UUIDField(null=True)
    taken_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    created_by = models.UUIDField(null=True)
    schedule = models.ForeignKey("SnapshotSchedule", models.SET_NULL, null=True, related_name="snapshots")
    planned_at = models.DateTimeField(null=True)
    is_deleting = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "name"], condition=~Q(state="deleted"), name="storage_snapshot_name_taken"
            ),
            models.UniqueConstraint(
                fields=["schedule", "volume", "planned_at"], name="storage_snapshot_taken_once_per_time"
            ),
            models.CheckConstraint(condition=Q(state__in=SNAPSHOT.moves), name="storage_snapshot_state"),
            models.CheckConstraint(
                condition=~Q(state="available") | Q(taken_at__isnull=False), name="storage_snapshot_available_is_taken"
            ),
        ]
        indexes = [
            models.Index(
                fields=["project", "created_at", "id"], condition=~Q(state="deleted"), name="storage_snapshot_by_age"
            ),
            models.Index(fields=["expires_at"], condition=~Q(state="deleted"), name="storage_snapshot_by_expiry"),
            models.Index(
                fields=["schedule", "volume", "planned_at"],
                condition=Q(state="available", schedule__isnull=False),
                name="storage_snapshot_by_schedule",
            ),
            models.Index(fields=["group"], condition=Q(group__isnull=False), name="storage_snapshot_by_group"),
        ]


class SnapshotSchedule(ProjectResource):
    """Times at which snapshots are taken: of one volume, or of those whose labels `selector` selects.

    `at`: local time in `timezone`; see schedule_times.py for `frequency`, `weekday` and `day`. `keep`: the newest
    snapshots of each volume that are not deleted. `next_at`: the time that is due next; none: the schedule is paused.
    `last_at`: the last time for which snapshots were taken, or should have been: `last_error` has the reason.
    `tried_at`: when that was.
    """

    volume = models.ForeignKey(Volume, models.PROTECT, null=True, related_name="snapshot_schedules")
    selector = models.CharField(max_length=1000, blank=True)
    frequency = models.CharField(max_length=16)
    at = models.TimeField()
    timezone = models.CharField(max_length=64)
    weekday = models.CharField(max_length=16, blank=True)
    day = models.PositiveSmallIntegerField(default=0)
    keep = models.PositiveSmallIntegerField()
    next_at = models.DateTimeField(null=True)
    last_at = models.DateTimeField(null=True)
    tried_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="storage_snapshot_schedule_name_taken"),
            models.CheckConstraint(condition=Q(keep__gte=1), name="storage_snapshot_schedule_keeps_one"),
            models.CheckConstraint(
                condition=Q(volume__isnull=True) ^ Q(selector=""), name="storage_snapshot_schedule_of_something"
            ),
        ]
        indexes = [models.Index(fields=["next_at"], name="storage_snapshot_schedule_due")]

    @property
    def times(self) -> ScheduleTimes:
        return ScheduleTimes(self.frequency, self.at, self.timezone, self.weekday, self.day)
