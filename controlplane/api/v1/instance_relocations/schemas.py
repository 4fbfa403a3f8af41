"""Schemas of relocations."""

from rest_framework import serializers

from controlplane.kernel.fields import ErrorOut, In, NamedOut, Out, Reference


class RelocateIn(In):
    """A request for a relocation. The stopped instance moves to this zone, with its volumes, and stays off."""

    example = {"zone": "fr-idf-2"}

    zone = Reference()


class RelocationZoneOut(Out):
    """A possible zone. `reasons`: why it does not admit the instance now; empty where it does."""

    zone = serializers.CharField(source="zone.pk")
    is_admitted = serializers.BooleanField()
    reasons = ErrorOut(many=True)


class RelocationPlanOut(Out):
    """Preview of a relocation.

    `zone`: the present one; null: none. `zones`: all others. `copied_gib`: of disks that are sent to the other zone
    and then erased in this one; the instance stays off meanwhile. Its id, name, labels, classifications, policies,
    volumes and addresses in private networks stay. In the other zone it reaches only those on its networks that are
    there, too: no frame goes from zone to zone. `egress_networks`: its networks with an egress address in the present
    zone, which it leaves.
    """

    instance = NamedOut()
    zone = serializers.CharField(allow_null=True)
    copied_gib = serializers.IntegerField()
    egress_networks = serializers.ListField(child=serializers.CharField())
    zones = RelocationZoneOut(many=True)
