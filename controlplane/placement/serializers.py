"""Policies, classifications and decisions, as they come in and go out."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from andromede_core.facts.attributes import PARTY_ROLES
from andromede_core.facts.world import ASSERTIONS
from andromede_core.placement import decision as core
from andromede_core.placement import explanation
from andromede_core.placement.decision import spelt_out
from andromede_core.policy.clauses import ROLES, Atom, Policy
from andromede_core.policy.document import ATOM_ID, MAX_ATOMS_PER_LAYER, MAX_DAYS, VALUES, as_document
from andromede_core.policy.order import Change
from andromede_core.policy.roles import ASKED_WHEN_UNDONE, ROLES_OF
from controlplane.kernel.fields import Choice, ErrorOut, In, Name, NamedOut, Out, Reference, Text, Whole, references
from controlplane.kernel.wording import language
from controlplane.placement import effective
from controlplane.placement.decisions import Taken
from controlplane.placement.impact import Drifting
from controlplane.placement.models import DRIFT_ACTIONS, PROPOSAL, Classification, Decision
from controlplane.placement.standing import clauses

REASON_MAX = 500
TITLE_MAX = 120
LIST_MAX = 64
AMOUNT_MAX = 2**31 - 1
CLASSIFICATIONS_MAX = 16
CHANGES = get_args(Change)
EU = {"id": "loc", "attr": "location.territory", "op": "in", "value": ["@EU"]}

ATOM = {
    "type": "object",
    "description": "One clause of the policy language; which members it has depends on `op`.",
    "required": ["id", "op"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "pattern": f"^{ATOM_ID.pattern}$"},
        "op": {"enum": list(VALUES)},
        "attr": {"type": "string"},
        "value": {},
        "scheme": {"type": "string"},
        **{name: {"type": ["string", "null"]} for name in ("min_version", "level", "scope")},
        "min_remaining_days": {"type": "integer", "minimum": 0, "maximum": MAX_DAYS},
        "roles": {"type": "array", "items": {"enum": list(ROLES)}, "minItems": 1},
        "party_roles": {"type": "array", "items": {"enum": list(PARTY_ROLES)}, "minItems": 1},
        "only_with_technical_access": {"type": "boolean"},
        "assertion_min": {"enum": list(ASSERTIONS)},
        "waivable": {"type": "boolean"},
    },
}


class AtomOut(Out):
    """One clause; which members it has depends on `op`."""

    id = serializers.CharField()
    op = serializers.CharField()
    attr = serializers.CharField(required=False)
    value = serializers.JSONField(required=False)
    scheme = serializers.CharField(required=False)
    min_version = serializers.CharField(required=False)
    level = serializers.CharField(required=False)
    scope = serializers.CharField(required=False)
    min_remaining_days = serializers.IntegerField(required=False)
    roles = serializers.ListField(child=serializers.CharField(), required=False)
    party_roles = serializers.ListField(child=serializers.CharField(), required=False)
    only_with_technical_access = serializers.BooleanField(required=False)
    assertion_min = serializers.CharField(required=False)
    waivable = serializers.BooleanField(required=False)

    def to_representation(self, instance: Any) -> Any:
        return instance


class LayerOut(Out):
    """The clauses of one policy, among those that hold together."""

    id = serializers.CharField()
    level = serializers.CharField()
    atoms = AtomOut(many=True)
    unsupported = serializers.BooleanField(required=False)

    def to_representation(self, instance: Any) -> Any:
        return instance


def atoms_of(atoms: Sequence[Atom]) -> object:
    """As AtomOut has them."""
    return as_document(Policy("-", "resource", tuple(atoms)))["atoms"]


@extend_schema_field(ATOM)
class AtomField(serializers.DictField):
    """One clause as the policy language has it, which core.policy_document reads."""


def atoms_field(**kwargs: Any) -> serializers.ListField:
    return serializers.ListField(child=AtomField(), max_length=MAX_ATOMS_PER_LAYER, **kwargs)


class PolicyIn(In):
    """All atoms of the policy, in place of those before. What demands less becomes a proposal, for the given reason."""

    example = {"atoms": [{"id": "home", "attr": "zone.id", "op": "in", "value": ["fr-idf-1", "de-rhein-1"]}]}

    atoms = atoms_field()
    reason = Text(max_length=REASON_MAX, allow_blank=True, default="")


class PolicyActionOut(Out):
    """`problem`: with which it would be refused now. `until`: the last moment of what is allowed."""

    name = serializers.ChoiceField(["undo"])
    is_allowed = serializers.BooleanField()
    problem = ErrorOut(allow_null=True)
    until = serializers.DateTimeField(allow_null=True)


class PolicyOut(Out):
    """`version` 0: nothing was ever demanded. `inherited` are the policies of higher levels, which hold as well.
    `allowed_actions`: whether the caller may undo the last change, and until when."""

    level = serializers.CharField()
    version = serializers.IntegerField()
    atoms = AtomOut(many=True)
    inherited = LayerOut(many=True)
    created_at = serializers.DateTimeField(allow_null=True)
    allowed_actions = PolicyActionOut(many=True)


class LintOut(Out):
    code = serializers.CharField()
    atom = serializers.CharField()


class ProposalOut(Out):
    """`base_version`: the one that was in force when it was made; when another one comes into force, the proposal is
    overtaken. `not_before`: when it comes into force, once it is approved. With a `resource_id` it is about no policy,
    but about what the resource's data loses: `classifications` and entries of its `lineage`."""

    id = serializers.UUIDField()
    level = serializers.CharField()
    organization = NamedOut(allow_null=True)
    project = NamedOut(allow_null=True)
    classification = serializers.CharField(source="classification_id", allow_null=True)
    resource_id = serializers.UUIDField(allow_null=True)
    classifications = serializers.ListField(child=serializers.CharField())
    lineage = serializers.ListField(child=serializers.UUIDField(), source="lineage_ids")
    base_version = serializers.IntegerField()
    change = serializers.ChoiceField(CHANGES)
    atoms = AtomOut(many=True)
    reason = serializers.CharField()
    state = serializers.ChoiceField(list(PROPOSAL.moves))
    proposed_by = serializers.UUIDField()
    approved_by = serializers.UUIDField(allow_null=True)
    not_before = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class ClauseOut(Out):
    """A clause that does not hold, and why (`code` and what was found)."""

    level = serializers.CharField()
    policy = serializers.CharField()
    atom = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField(allow_blank=True)

    def to_representation(self, instance: Any) -> Any:
        return instance


class ConflictingAtomOut(Out):
    level = serializers.CharField()
    atom = serializers.CharField()


class ContradictedOut(Out):
    """A policy, by its level and its owner's id, and the clauses that no zone can satisfy together."""

    level = serializers.CharField(source="owner.level")
    id = serializers.CharField(source="owner.id")
    atoms = ConflictingAtomOut(many=True)


class DriftedOut(Out):
    """A resource that may be where it is by what was in force, and may not by this policy."""

    resource_id = serializers.UUIDField(source="allocation.consumer_id")
    kind = serializers.CharField(source="allocation.kind")
    project = serializers.UUIDField(source="allocation.project_id")
    zone = serializers.CharField(source="allocation.node.zone_id")
    failing = serializers.SerializerMethodField()

    @extend_schema_field(ClauseOut(many=True))
    def get_failing(self, drifting: Drifting) -> list[dict[str, str]]:
        return clauses(drifting.evaluation.results)


class PolicySetOut(PolicyOut):
    """The policy that is in force now, and what the request does to it: `change`; `atoms_added`, `atoms_removed`;
    `lint`, clauses without effect (`NO_EFFECT`), about copies that no operation makes yet (`NOT_ASKED`) or about
    measures that the operator claims to take and the platform does not enforce (`CLAIMED`);
    `newly_refused_zones`, in which an instance or a volume could be made until now; `contradicted`, policies that
    nothing can satisfy any more; `drifted`, resources that may not be where they are any more; `proposal`, when it
    needs a second person."""

    change = serializers.ChoiceField(CHANGES)
    atoms_added = AtomOut(many=True)
    atoms_removed = AtomOut(many=True)
    lint = LintOut(many=True)
    newly_refused_zones = serializers.ListField(child=serializers.CharField())
    contradicted = ContradictedOut(many=True)
    drifted = DriftedOut(many=True)
    proposal = ProposalOut(allow_null=True)


class ProposalIn(In):
    """Whose policy: one of these; none: the platform's."""

    example = {"project": "web", "atoms": [EU], "reason": "Berlin is needed for the second site."}

    organization = Reference(required=False)
    project = Reference(required=False)
    classification = Reference(required=False)
    atoms = atoms_field()
    reason = Text(max_length=REASON_MAX)


class DeclassificationIn(In):
    """What the data of one resource is to lose."""

    example = {
        "resource": "019abc00-0000-7000-8000-000000000000",
        "classifications": ["acme.trade-secret"],
        "lineage": [],
        "reason": "The patent is published.",
    }

    resource = Reference()
    classifications = references(max_length=CLASSIFICATIONS_MAX, default=list)
    lineage = serializers.ListField(child=serializers.UUIDField(), max_length=LIST_MAX, default=list)
    reason = Text(max_length=REASON_MAX)


class LineageOut(Out):
    """Data of `source_id`, since when, and the policies that came with it."""

    id = serializers.UUIDField()
    source_id = serializers.UUIDField()
    classifications = serializers.ListField(child=serializers.CharField())
    policies = LayerOut(many=True, source="policies.document")
    created_at = serializers.DateTimeField()


class ClassificationIn(In):
    """The id will be the organization's name, a dot, and `name`."""

    example = {
        "name": "trade-secret",
        "title": "Trade secrets",
        "title_fr": "Secrets d’affaires",
        "drift_action": "freeze",
        "atoms": [{"id": "home", "attr": "zone.id", "op": "in", "value": ["fr-idf-1"]}],
    }

    name = Name()
    title = Text(max_length=TITLE_MAX)
    title_fr = Text(max_length=TITLE_MAX)
    description = Text(max_length=REASON_MAX, allow_blank=True, default="")
    description_fr = Text(max_length=REASON_MAX, allow_blank=True, default="")
    drift_action = Choice(DRIFT_ACTIONS, default="flag")
    atoms = atoms_field()


class ClassificationOut(Out):
    """`title` and `description` in the caller's language. `organization` null: the platform's. One that is not
    supported admits no place at all. `drift_action`: what happens when a place does not satisfy it any more."""

    id = serializers.CharField()
    organization = NamedOut(allow_null=True)
    title = serializers.SerializerMethodField()
    description = serializers.SerializerMethodField()
    drift_action = serializers.ChoiceField(DRIFT_ACTIONS)
    is_supported = serializers.BooleanField()

    def get_title(self, row: Classification) -> str:
        return row.title_fr if language() == "fr" else row.title

    def get_description(self, row: Classification) -> str:
        return row.description_fr if language() == "fr" else row.description


class DecisionOut(Out):
    """`explanation`: sentences in the caller's language. `document` is the decision itself, and names nodes to
    operators alone."""

    id = serializers.UUIDField()
    operation = serializers.CharField()
    resource = serializers.UUIDField(source="consumer_id")
    is_admitted = serializers.BooleanField()
    classifications = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    explanation = serializers.SerializerMethodField()
    document = serializers.SerializerMethodField()

    def get_explanation(self, decision: Decision) -> list[str]:
        sentences = told(decision.document, sees_all=self.context["sees_all"])
        return [*sentences, *explanation.claimed(decision.policies.document, language())]

    def get_document(self, decision: Decision) -> dict[str, Any]:
        return shown(decision.document, sees_all=self.context["sees_all"])


class PlacementSimulationIn(In):
    """What would be decided now. `roles`: others than the operation's; `policy_atoms`: clauses on top of those in
    force. `project` is needed when the credential is for none."""

    example = {
        "operation": "instance.create",
        "vcpus": 2,
        "memory_mib": 4096,
        "disk_gib": 20,
        "policy_atoms": [{"id": "home", "attr": "zone.id", "op": "in", "value": ["fr-idf-1"]}],
    }

    operation = Choice(tuple(name for name, roles in ROLES_OF.items() if roles and name not in ASKED_WHEN_UNDONE))
    project = Reference(required=False)
    roles = serializers.ListField(child=Choice(ROLES), max_length=len(ROLES), default=list)
    vcpus = Whole(min_value=0, max_value=AMOUNT_MAX, default=0)
    memory_mib = Whole(min_value=0, max_value=AMOUNT_MAX, default=0)
    disk_gib = Whole(min_value=0, max_value=AMOUNT_MAX, default=0)
    zones = references(max_length=LIST_MAX, default=list)
    classifications = references(max_length=CLASSIFICATIONS_MAX, default=list)
    policy_atoms = atoms_field(default=list)


class PlacementSimulationOut(Out):
    """A decision that nothing rests on. `admitted_zones` have room as well; `policies` are all that was asked. `fits`:
    so many more of the same could be placed in each of these zones now, one after the other, if no other zone were
    asked for; empty where no room is asked for."""

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


def simulation_document(taken: Taken, operation: str, *, sees_all: bool) -> dict[str, Any]:
    """What PlacementSimulationOut says of a decision that was not stored."""
    decision, fits = taken.decision, taken.fits()
    admitted = [zone.zone for zone in decision.zones if zone.admitted]
    document, policies = core.as_document(decision), effective.documents(decision.request.policies)
    answer: dict[str, Any] = PlacementSimulationOut(
        {
            "operation": operation,
            "roles": decision.request.roles,
            "is_admitted": decision.is_admitted,
            "explanation": [*told(document, sees_all=sees_all), *explanation.claimed(policies, language())],
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


def told(document: Mapping[str, Any], *, sees_all: bool) -> list[str]:
    tell = explanation.operator if sees_all else explanation.tenant
    return tell(document, language())


def shown(document: Mapping[str, Any], *, sees_all: bool) -> dict[str, Any]:
    return spelt_out(document) if sees_all else explanation.tenant_view(document)


class CapacityOut(Out):
    """`fits`: so many more of this flavor could be placed in the zone now, one after the other. `largest`: the most
    that one instance could get there; null: nothing."""

    zone = serializers.CharField()
    flavor = serializers.CharField()
    fits = serializers.IntegerField()
    largest = serializers.DictField(child=serializers.IntegerField(), allow_null=True)
