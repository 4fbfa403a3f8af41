from rest_framework import serializers

from controlplane.catalog.models import LOCAL
from controlplane.kernel.fields import (
    In,
    Labels,
    LabelsPatch,
    Name,
    NamedOut,
    Reference,
    ResourceOut,
    Whole,
    classified,
    references,
)
from controlplane.placement.serializers import CLASSIFICATIONS_MAX, atoms_field
from controlplane.storage.models import VOLUME

SIZE_MAX_GIB = 64 * 1024
ZONES_MAX = 64


class VolumeIn(In):
    """`near_instance`: on the node of that instance, so that it can be attached there; a volume whose type is kept in
    shared storage needs no such thing. What `classifications` and
    `policy_atoms` demand holds for the volume's data as long as it exists. `host`: on this node and no other, for
    operators. `exemption`: by which it may be created though a policy refuses it, once."""

    example = {"name": "data", "size_gib": 10, "zones": ["fr-idf-1"], "labels": {"env": "prod"}}

    name = Name()
    size_gib = Whole(min_value=1, max_value=SIZE_MAX_GIB)
    volume_type = Reference(default=LOCAL)
    image = Reference(required=False)
    zones = references(max_length=ZONES_MAX, default=list)
    near_instance = Reference(required=False)
    host = Reference(required=False)
    exemption = Reference(required=False)
    classifications = references(max_length=CLASSIFICATIONS_MAX, default=list)
    policy_atoms = atoms_field(default=list)
    labels = Labels(default=dict)


class VolumePatch(In):
    example = {"name": "archive", "labels": {"env": None, "tier": "cold"}}

    name = Name(required=False)
    labels = LabelsPatch(required=False)


class GrowIn(In):
    example = {"size_gib": 20}

    size_gib = Whole(min_value=1, max_value=SIZE_MAX_GIB)


class StoredVolumeOut(ResourceOut):
    state = serializers.ChoiceField(list(VOLUME.moves))
    size_gib = serializers.IntegerField()
    volume_type = serializers.CharField(source="volume_type_id")
    image = NamedOut(allow_null=True)
    classifications = classified()
    zone = serializers.CharField(source="node.zone_id", default=None, allow_null=True)
