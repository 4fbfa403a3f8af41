"""Schemas of impact simulations."""

from rest_framework import serializers

from controlplane.compliance.impact_simulation import AffectedResource
from controlplane.kernel.fields import In, Out, Text
from controlplane.placement.drift_clauses import failed_clauses


class ChangeIn(In):
    """A changed fact. `value` null: unknown."""

    example = {
        "subject_kind": "party",
        "subject_id": "op-alpha",
        "attribute": "party.controlled_by_non_eu",
        "value": True,
    }

    subject_kind = serializers.ChoiceField(["zone", "party"])
    subject_id = Text(max_length=63)
    attribute = Text(max_length=64)
    value = serializers.JSONField(allow_null=True)


class LostIn(In):
    example = {"zone": "fr-est-1", "number": "FICTIF-SNC-4"}

    zone = Text(max_length=63)
    number = Text(max_length=200)


class SimulateIn(In):
    """Assumptions of a simulation: withdrawn certificates, other facts, or another time (`at`)."""

    example = {"lost_certificates": [{"zone": "fr-est-1", "number": "FICTIF-SNC-4"}]}

    lost_certificates = LostIn(many=True, default=list)
    changes = ChangeIn(many=True, default=list)
    at = serializers.DateTimeField(default=None, allow_null=True)


class BrokenOut(Out):
    """An affected resource. `targets`: the zones that would still be admissible for it."""

    resource_id = serializers.UUIDField(source="allocation.consumer_id")
    kind = serializers.CharField(source="allocation.kind")
    project = serializers.UUIDField(source="allocation.project_id")
    zone = serializers.CharField(source="allocation.node.zone_id")
    failing = serializers.SerializerMethodField()
    targets = serializers.ListField(child=serializers.CharField())

    def get_failing(self, broken: AffectedResource) -> list[dict[str, str]]:
        return failed_clauses(broken.evaluation.results)


class LostZonesOut(Out):
    project = serializers.UUIDField()
    zones = serializers.ListField(child=serializers.CharField())


class SimulationOut(Out):
    """Result of a simulation.

    `broken`: resources whose location is admissible now and would not be. `lost_zones`: zones that a project's policies
    would no longer admit.
    """

    broken = BrokenOut(many=True)
    lost_zones = LostZonesOut(many=True)
