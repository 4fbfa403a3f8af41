"""Schemas of relocations of volumes."""

from rest_framework import serializers

from controlplane.api.v1.instance_relocations.schemas import RelocationZoneOut
from controlplane.api.v1.volumes.schemas import MAX_MB_PER_S
from controlplane.kernel.fields import In, NamedOut, Out, Reference, Whole


class VolumeRelocateIn(In):
    """A request for a relocation. The detached volume moves to a node's own disk in this zone.

    `max_mb_per_s`: of the copy, in MB per second; without it there is no limit.
    """

    example = {"zone": "fr-idf-2"}

    zone = Reference()
    max_mb_per_s = Whole(min_value=1, max_value=MAX_MB_PER_S, required=False)


class VolumeRelocationPlanOut(Out):
    """Preview of a relocation.

    `zone`: the present one; null: none. `zones`: all others. `copied_gib` are sent to the other zone and then erased in
    this one; the volume cannot be used meanwhile. Its id, name, type, labels, classifications and policies stay.
    """

    volume = NamedOut()
    zone = serializers.CharField(allow_null=True)
    copied_gib = serializers.IntegerField()
    zones = RelocationZoneOut(many=True)
