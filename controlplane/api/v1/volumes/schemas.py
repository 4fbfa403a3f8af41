"""Schemas of volumes."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from controlplane.api.v1.classifications.schemas import CLASSIFICATIONS_MAX
from controlplane.api.v1.policies.schemas import clauses_field
from controlplane.api.v1.volume_types.schemas import IoLimitsOut
from controlplane.api.v1.zones.schemas import ZONES_MAX
from controlplane.compute import representations
from controlplane.compute.models import Instance
from controlplane.compute.volume_actions import VOLUME_ACTIONS
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
    Whole,
    classified,
    references,
)
from controlplane.storage.models import VOLUME, Volume

SIZE_MAX_GIB = 64 * 1024
MAX_MB_PER_S = 100_000


class VolumeIn(In):
    """A new volume.

    `snapshot`: its content, in place of an image's; size and type are then those of the snapshot's volume, unless
    others are given. Without it the size is required, and the type is `local` unless another is given.
    `near_instance`: on the node of that instance, so that it can be attached there; not needed for a type in a pool.
    The clauses of `classifications` and `policy_atoms` apply to the volume's data as long as it exists. `host`: the
    only allowed node, for operators. `exemption`: allows the creation once, although a policy refuses it.

    A volume of a type whose `binding` is `first_use` has no place and no data until it is first attached to an
    instance, unless the request has `snapshot`, `zones`, `near_instance`, `host` or `exemption`.
    """

    example = {"name": "data", "size_gib": 10, "zones": ["fr-idf-1"], "labels": {"env": "prod"}}

    name = Name()
    size_gib = Whole(min_value=1, max_value=SIZE_MAX_GIB, required=False)
    volume_type = Reference(required=False)
    image = Reference(required=False)
    snapshot = Reference(required=False)
    zones = references(max_length=ZONES_MAX, default=list)
    near_instance = Reference(required=False)
    host = Reference(required=False)
    exemption = Reference(required=False)
    classifications = references(max_length=CLASSIFICATIONS_MAX, default=list)
    policy_atoms = clauses_field(default=list)
    labels = Labels(default=dict)

    def validate(self, attrs: Any) -> Any:
        if "size_gib" not in attrs and "snapshot" not in attrs:
            text = str(self.fields["size_gib"].error_messages["required"])
            raise ValidationError({"size_gib": [ErrorDetail(text, code="required")]})
        return attrs


class VolumePatch(In):
    example = {"name": "archive", "labels": {"env": None, "tier": "cold"}}

    name = Name(required=False)
    labels = LabelsPatch(required=False)


class GrowIn(In):
    example = {"size_gib": 20}

    size_gib = Whole(min_value=1, max_value=SIZE_MAX_GIB)


class RetypeIn(In):
    """Another type. The present one gives the volume that type's present limits.

    A type of another place, a pool or the own disk of a node, moves the data there: the volume has no snapshots then,
    and its instance, if it has one, is off, or runs on where the node can do that and one of the places is its own
    disk. `max_mb_per_s`: of the copy, in MB per second; without it there is no limit.
    """

    example = {"volume_type": "local"}

    volume_type = Reference()
    max_mb_per_s = Whole(min_value=1, max_value=MAX_MB_PER_S, required=False)


class RetypePlanOut(Out):
    """The effect of another type. `copied_gib` are copied to its place, and then erased where they are now; 0: the
    volume stays in its place, and gets other limits.

    `pool`, `new_pool`: empty for the own disk of a node. Id, name, labels and attachment of the volume stay, and so do
    its policies. `instance` has the volume. `is_online`: it runs on while the data is copied, and is paused for an
    instant at the end; otherwise one that is moved is not started until the end.
    """

    volume = NamedOut()
    volume_type = serializers.CharField(source="volume.volume_type_id")
    new_volume_type = serializers.CharField(source="volume_type.pk")
    pool = serializers.CharField(allow_blank=True)
    new_pool = serializers.CharField(source="volume_type.pool", allow_blank=True)
    copied_gib = serializers.IntegerField()
    is_online = serializers.BooleanField()
    max_mb_per_s = serializers.IntegerField()
    instance = NamedOut(allow_null=True)


class RevertIn(In):
    """The snapshot of this volume to which it is reverted."""

    example = {"snapshot": "before-upgrade"}

    snapshot = Reference()


class YoungerSnapshotOut(NamedOut):
    taken_at = serializers.DateTimeField()


class RevertPlanOut(Out):
    """The effect of a revert: all that was written to the volume after `lost_since` is lost.

    `size_gib`: the volume's size, which stays; `snapshot_size_gib`: its size when the snapshot was taken.
    `younger_snapshots` of the volume stay. `instance` has the volume, and is off.
    """

    volume = NamedOut()
    snapshot = NamedOut()
    lost_since = serializers.DateTimeField(source="snapshot.taken_at")
    size_gib = serializers.IntegerField(source="volume.size_gib")
    snapshot_size_gib = serializers.IntegerField(source="snapshot.size_gib")
    younger_snapshots = YoungerSnapshotOut(source="younger", many=True)
    instance = NamedOut(allow_null=True)


class StoredVolumeOut(ResourceOut):
    state = serializers.ChoiceField(list(VOLUME.moves))
    size_gib = serializers.IntegerField()
    volume_type = serializers.CharField(source="volume_type_id")
    limits = IoLimitsOut()
    image = NamedOut(allow_null=True)
    snapshot = serializers.UUIDField(source="snapshot_id", allow_null=True)
    classifications = classified()
    zone = serializers.CharField(source="node.zone_id", default=None, allow_null=True)


class VolumeOut(StoredVolumeOut):
    """A volume. `snapshot`: it was made from it. `instance` has it attached, or is getting it; `is_multi_attach`:
    several can have it at once, and `instances` are all of them, `instance` the first.

    `zone` null, and the condition `bound` false: it has no place yet, and gets one when it is first attached.
    """

    # Context: the result of compute.representations.volume_details().
    is_multi_attach = serializers.BooleanField()
    instance = serializers.SerializerMethodField()
    instances = serializers.SerializerMethodField()

    @extend_schema_field(ConditionOut(many=True))
    def get_conditions(self, row: Volume) -> list[dict[str, Any]]:
        return representations.volume_conditions(row, self.context["language"])

    @extend_schema_field(NamedOut(allow_null=True))
    def get_instance(self, row: Volume) -> dict[str, Any] | None:
        return next(iter(self.get_instances(row)), None)

    @extend_schema_field(NamedOut(many=True))
    def get_instances(self, row: Volume) -> list[dict[str, Any]]:
        instances: list[Instance] = self.context["instances"].get(row.pk, [])
        return [{"id": str(each.pk), "name": each.name} for each in instances]


class VolumeActionOut(Out):
    """An action. `problem`: the error that the action would give now."""

    name = serializers.ChoiceField(VOLUME_ACTIONS)
    is_allowed = serializers.BooleanField()
    problem = ErrorOut(allow_null=True)


class VolumeWithActionsOut(VolumeOut):
    """A volume. `snapshot`: it was made from it. `instance` has it attached, or is getting it; `is_multi_attach`:
    several can have it at once, and `instances` are all of them, `instance` the first.

    `zone` null, and the condition `bound` false: it has no place yet, and gets one when it is first attached.
    `allowed_actions`: some of the actions, and whether they are possible in its state; the caller also needs
    permission.
    """

    allowed_actions = VolumeActionOut(many=True)
