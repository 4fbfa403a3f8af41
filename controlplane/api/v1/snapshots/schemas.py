"""Schemas of snapshots."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controlplane.compute import representations
from controlplane.compute.volume_actions import SNAPSHOT_ACTIONS
from controlplane.kernel.fields import (
    Choice,
    ConditionOut,
    ErrorOut,
    In,
    Labels,
    LabelsPatch,
    Name,
    NamedOut,
    Out,
    Reference,
    ResourceOut,
    classified,
    references,
)
from controlplane.kernel.moment_field import Moment
from controlplane.storage.models import CONSISTENCIES, CRASH, SNAPSHOT, Snapshot

VOLUMES_MAX = 64


class SnapshotIn(In):
    """A snapshot to take of a volume. `expires_at`: when it is deleted; without it, it is kept.

    `consistency`: `crash`, as after a power cut, or `filesystem`: the file systems of the guest that has the volume are
    frozen meanwhile, by its guest agent.
    """

    example = {"volume": "data", "name": "before-upgrade", "labels": {"env": "prod"}}

    volume = Reference()
    name = Name()
    consistency = Choice(CONSISTENCIES, default=CRASH)
    expires_at = Moment(required=False, allow_null=True)
    labels = Labels(default=dict)


class InstanceSnapshotIn(In):
    """Snapshots to take of the disks of an instance at one moment.

    `name`: of the snapshot of a single disk; those of several have the names of their volumes appended. `consistency`:
    `crash`, as after a power cut: the guest is paused while snapshots of several disks are taken; or `filesystem`: its
    guest agent freezes the file systems meanwhile. `volumes`: the disks; without it, all of them. `expires_at`: when
    the snapshots are deleted; without it, they are kept.
    """

    example = {"name": "before-upgrade", "consistency": "filesystem", "volumes": ["data"], "labels": {"env": "prod"}}

    name = Name()
    consistency = Choice(CONSISTENCIES, default=CRASH)
    volumes = references(min_length=1, max_length=VOLUMES_MAX, required=False)
    expires_at = Moment(required=False, allow_null=True)
    labels = Labels(default=dict)


class SnapshotPatch(In):
    """Changes of a snapshot. `expires_at` null: it is kept."""

    example = {"name": "release-41", "expires_at": None}

    name = Name(required=False)
    expires_at = Moment(required=False, allow_null=True)
    labels = LabelsPatch(required=False)


class SnapshotOut(ResourceOut):
    """A snapshot of a volume.

    `schedule`: what took it; null: a request, or a schedule that is deleted. `size_gib`: of the volume at that
    moment. `consistency`: `crash`, as after a power cut, or `filesystem`: file systems were frozen, or unmounted by a
    shutdown. `group`: common to the snapshots of an instance's disks that were taken at one moment; null: it was taken
    alone. `instance`: the id of the instance that had the disk then, if the snapshot was taken of the instance or with
    its file systems frozen. `taken_at`: null until the storage cluster has taken it. `expires_at`: when it is deleted;
    null: never.
    """

    # Context: the result of compute.representations.snapshot_details().
    state = serializers.ChoiceField(list(SNAPSHOT.moves))
    volume = NamedOut()
    schedule = NamedOut(allow_null=True)
    zone = serializers.CharField(source="pool.zone_id")
    size_gib = serializers.IntegerField()
    consistency = serializers.CharField()
    group = serializers.UUIDField(allow_null=True)
    instance = serializers.UUIDField(source="instance_id", allow_null=True)
    classifications = classified()
    taken_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    created_by = serializers.UUIDField(allow_null=True)

    @extend_schema_field(ConditionOut(many=True))
    def get_conditions(self, row: Snapshot) -> list[dict[str, Any]]:
        return representations.snapshot_conditions(row, self.context["language"])


class InstanceSnapshotsOut(Out):
    """Snapshots of the disks of an instance that are taken at one moment: all of them, or none."""

    group = serializers.UUIDField()
    consistency = serializers.CharField()
    snapshots = SnapshotOut(many=True)


class SnapshotActionOut(Out):
    """An action. `problem`: the error that the action would give now."""

    name = serializers.ChoiceField(SNAPSHOT_ACTIONS)
    is_allowed = serializers.BooleanField()
    problem = ErrorOut(allow_null=True)


class SnapshotWithActionsOut(SnapshotOut):
    """A snapshot of a volume.

    `schedule`: what took it; null: a request, or a schedule that is deleted. `size_gib`: of the volume at that
    moment. `consistency`: `crash`, as after a power cut, or `filesystem`: file systems were frozen, or unmounted by a
    shutdown. `group`: common to the snapshots of an instance's disks that were taken at one moment; null: it was taken
    alone. `instance`: the id of the instance that had the disk then, if the snapshot was taken of the instance or with
    its file systems frozen. `taken_at`: null until the storage cluster has taken it. `expires_at`: when it is deleted;
    null: never. `allowed_actions`: the actions possible in its state and its volume's; the caller also needs
    permission.
    """

    allowed_actions = SnapshotActionOut(many=True)
