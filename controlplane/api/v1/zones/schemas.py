"""Schemas of zones, their capacity, and simulated placements."""

from typing import Any

from rest_framework import serializers

from andromede_core.placement import decision as core
from andromede_core.placement import explanation
from andromede_core.policy.clauses import ROLES
from andromede_core.policy.roles import CHECKED_WHEN_UNDONE, ROLES_OF
from controlplane.api.v1.classifications.schemas import CLASSIFICATIONS_MAX
from controlplane.api.v1.decisions.schemas import explanation_lines, shown
from controlplane.api.v1.policies.schemas import LayerOut, clauses_field
from controlplane.kernel.error_messages import language
from controlplane.kernel.fields import Choice, In, Out, Reference, Whole, references
from controlplane.placement import effective_policies
from controlplane.placement.decisions import PlacementResult

ZONES_MAX = 64
AMOUNT_MAX = 2**31 - 1


class PlacementSimulationIn(In):
    """A placement request to simulate.

    `roles`: other than the operation's; `policy_atoms`: additional clauses. `project` is required when the credential
    is for none.
    """

    example = {
        "operation": "instance.create",
        "vcpus": 2,
        "memory_mib": 4096,
        "disk_gib": 20,
        "policy_atoms": [{"id": "home", "attr": "zone.id", "op": "in", "value": ["fr-idf-1"]}],
    }

    operation = Choice(tuple(name for name, roles in ROLES_OF.items() if roles and name not in CHECKED_WHEN_UNDONE))
    project = Reference(required=False)
    roles = serializers.ListField(child=Choice(ROLES), max_length=len(ROLES), default=list)
    vcpus = Whole(min_value=0, max_value=AMOUNT_MAX, default=0)
    memory_mib = Whole(min_value=0, max_value=AMOUNT_MAX, default=0)
    disk_gib = Whole(min_value=0, max_value=AMOUNT_MAX, default=0)
    zones = references(max_length=ZONES_MAX, default=list)
    classifications = references(max_length=CLASSIFICATIONS_MAX, default=list)
    policy_atoms = clauses_field(default=list)


class PlacementSimulationOut(Out):
    """Result of a simulated placement, which reserves nothing.

    `admitted_zones` also have free capacity; `policies` are all that were evaluated. `fits`: how many more of the same
    could be placed in each of these zones now, one after the other, if no other zone were requested; empty where no
    capacity is requested.
    """

    operation = serializers.CharField()
    roles = serializers.ListField(child=serializers.CharField())
    is_admitted = serializers.BooleanField()
    explanation = serializers.ListField(child=serializers.CharField())
    admitted_zones = serializers.ListField(child=serializers.CharField())
    fits = serializers.DictField(child=serializers.IntegerField())
    classifications = serializers.ListField(child=serializers.CharField())
    policies = LayerOut(many=True)
    facts_epoch = serializers.IntegerField()
    valid_until = serializers.DateTimeField(allow_null=True)
    document = serializers.DictField()


def simulation_document(taken: PlacementResult, operation: str, *, sees_all: bool) -> dict[str, Any]:
    """Return the PlacementSimulationOut of a decision that was not stored."""
    decision, fits = taken.decision, taken.fits()
    admitted = [zone.zone for zone in decision.zones if zone.admitted]
    document, policies = core.as_document(decision), effective_policies.policy_documents(decision.request.policies)
    answer: dict[str, Any] = PlacementSimulationOut(
        {
            "operation": operation,
            "roles": decision.request.roles,
            "is_admitted": decision.is_admitted,
            "explanation": [
                *explanation_lines(document, sees_all=sees_all),
                *explanation.missed(taken.missed_traits if decision.is_admitted else (), language()),
                *explanation.claimed(policies, language()),
            ],
            "admitted_zones": admitted,
            "fits": {zone: fits[zone] for zone in admitted if zone in fits},
            "classifications": taken.demand.classifications,
            "policies": policies,
            "facts_epoch": taken.standing.facts_epoch,
            "valid_until": taken.valid_until,
            "document": shown(document, sees_all=sees_all),
        }
    ).data
    return answer


class CapacityOut(Out):
    """Capacity of a zone.

    `fits`: how many more of this flavor could be placed in the zone now, one after the other. `largest`: the largest
    possible instance; null: none.
    """

    zone = serializers.CharField()
    flavor = serializers.CharField()
    fits = serializers.IntegerField()
    largest = serializers.DictField(child=serializers.IntegerField(), allow_null=True)
