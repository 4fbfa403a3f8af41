"""Schemas of snapshots."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controlplane.compute import representations
from controlplane.compute.volume_actions import SNAPSHOT_ACTIONS
from controlplane.kernel.fields import (
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
)
from controlplane.kernel.moment_field import Moment
from controlplane.storage.models import SNAPSHOT, Snapshot


class SnapshotIn(In):
    """A snapshot to take of a volume. `expires_at`: when it is deleted; without it, it is kept."""

    example = {"volume": "data", "name": "before-upgrade", "labels": {"env": "prod"}}

    volume = Reference()
    name = Name()
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
    moment. `consistency`: `crash`, as after a power cut. `taken_at`: null until the storage cluster has taken it.
    `expires_at`: when it is deleted; null: never.
    """

    # Context: the result of compute.representations.snapshot_details().
    state = serializers.ChoiceField(list(SNAPSHOT.moves))
    volume = NamedOut()
    schedule = NamedOut(allow_null=True)
    zone = serializers.CharField(source="pool.zone_id")
    size_gib = serializers.IntegerField()
    consistency = serializers.CharField()
    classifications = classified()
    taken_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    created_by = serializers.UUIDField(allow_null=True)

    @extend_schema_field(ConditionOut(many=True))
    def get_conditions(self, row: Snapshot) -> list[dict[str, Any]]:
        return representations.snapshot_conditions(row)


class SnapshotActionOut(Out):
    """An action. `problem`: the error that the action would give now."""

    name = serializers.ChoiceField(SNAPSHOT_ACTIONS)
    is_allowed = serializers.BooleanField()
    problem = ErrorOut(allow_null=True)


class SnapshotWithActionsOut(SnapshotOut):
    """A snapshot of a volume.

    `schedule`: what took it; null: a request, or a schedule that is deleted. `size_gib`: of the volume at that
    moment. `consistency`: `crash`, as after a power cut. `taken_at`: null until the storage cluster has taken it.
    `expires_at`: when it is deleted; null: never. `allowed_actions`: the actions possible in its state and its
    volume's; the caller also needs permission.
    """

    allowed_actions = SnapshotActionOut(many=True)
