"""Schemas of placement policies."""

from collections.abc import Sequence
from typing import Any, get_args

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from andromede_core.facts.attributes import PARTY_ROLES
from andromede_core.facts.world import ASSERTIONS
from andromede_core.policy.clauses import ROLES, Clause, Policy
from andromede_core.policy.document import ATOMS, CLAUSE_ID, MAX_CLAUSES_PER_LAYER, MAX_DAYS, VALUES, as_document
from andromede_core.policy.order import Change
from controlplane.kernel.fields import ErrorOut, In, NamedOut, Out, Text
from controlplane.placement.drift_clauses import failed_clauses
from controlplane.placement.impact import Drifting
from controlplane.placement.models import PROPOSAL

REASON_MAX = 500
CHANGES = get_args(Change)

CLAUSE = {
    "type": "object",
    "description": "A clause of the policy language; its members depend on `op`.",
    "required": ["id", "op"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "pattern": f"^{CLAUSE_ID.pattern}$"},
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
    """A clause of a policy; its members depend on `op`."""

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
    """The clauses of one policy, among those that apply together."""

    id = serializers.CharField()
    level = serializers.CharField()
    atoms = AtomOut(many=True)
    unsupported = serializers.BooleanField(required=False)

    def to_representation(self, instance: Any) -> Any:
        return instance


def clause_documents(clauses: Sequence[Clause]) -> object:
    """Return the clauses in the form of AtomOut."""
    return as_document(Policy("-", "resource", tuple(clauses)))[ATOMS]


@extend_schema_field(CLAUSE)
class ClauseField(serializers.DictField):
    """A clause in the policy language, parsed by core.policy_document."""


def clauses_field(**kwargs: Any) -> serializers.ListField:
    return serializers.ListField(child=ClauseField(), max_length=MAX_CLAUSES_PER_LAYER, **kwargs)


class PolicyIn(In):
    """A new version of the policy.

    `atoms` replace all former ones. A change that demands less becomes a proposal, with the given reason.
    """

    example = {"atoms": [{"id": "home", "attr": "zone.id", "op": "in", "value": ["fr-idf-1", "de-rhein-1"]}]}

    atoms = clauses_field()
    reason = Text(max_length=REASON_MAX, allow_blank=True, default="")


class PolicyActionOut(Out):
    """An action.

    `problem`: the error that the action would give now. `until`: the end of the time in which it is possible.
    """

    name = serializers.ChoiceField(["undo"])
    is_allowed = serializers.BooleanField()
    problem = ErrorOut(allow_null=True)
    until = serializers.DateTimeField(allow_null=True)


class PolicyOut(Out):
    """A policy.

    `version` 0: no policy was ever set. `inherited` are the policies of higher levels, which apply as well.
    `allowed_actions`: whether the caller may undo the last change, and until when.
    """

    level = serializers.CharField()
    version = serializers.IntegerField()
    atoms = AtomOut(many=True)
    inherited = LayerOut(many=True)
    created_at = serializers.DateTimeField(allow_null=True)
    allowed_actions = PolicyActionOut(many=True)


class LintOut(Out):
    code = serializers.CharField()
    atom = serializers.CharField()


class ClauseOut(Out):
    """A clause that is not satisfied, and why (`code` and the observed value)."""

    level = serializers.CharField()
    policy = serializers.CharField()
    atom = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField(allow_blank=True)

    def to_representation(self, instance: Any) -> Any:
        return instance


class ConflictingAtomOut(Out):
    level = serializers.CharField()
    atom = serializers.CharField(source="clause")


class ContradictedOut(Out):
    """A policy, by its level and its owner's id, and the clauses that no zone can satisfy together."""

    level = serializers.CharField(source="owner.level")
    id = serializers.CharField(source="owner.id")
    atoms = ConflictingAtomOut(source="clauses", many=True)


class DriftedOut(Out):
    """A resource whose location satisfies the present policy, but not this one."""

    resource_id = serializers.UUIDField(source="allocation.consumer_id")
    kind = serializers.CharField(source="allocation.kind")
    project = serializers.UUIDField(source="allocation.project_id")
    zone = serializers.CharField(source="allocation.node.zone_id")
    failing = serializers.SerializerMethodField()

    @extend_schema_field(ClauseOut(many=True))
    def get_failing(self, drifting: Drifting) -> list[dict[str, str]]:
        return failed_clauses(drifting.evaluation.results)


class ProposalOut(Out):
    """A proposal.

    `base_version`: the version in force when it was created; when another one comes into force, the proposal is
    superseded. `not_before`: the earliest time at which it comes into force after its approval. With a `resource_id` it
    does not change a policy, but removes from the resource's data `classifications` and entries of its `lineage`.
    """

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
    atoms = AtomOut(source="clauses", many=True)
    reason = serializers.CharField()
    state = serializers.ChoiceField(list(PROPOSAL.moves))
    proposed_by = serializers.UUIDField()
    approved_by = serializers.UUIDField(allow_null=True)
    not_before = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class PolicySetOut(PolicyOut):
    """The present policy, and the effect of the request on it: `change`; `atoms_added`, `atoms_removed`; `lint`,
    clauses without effect (`NO_EFFECT`), about copies that no operation makes yet (`NOT_ASKED`) or about measures that
    the operator declares and the platform does not enforce (`CLAIMED`); `newly_refused_zones`, where an instance or a
    volume could be created until now; `contradicted`, policies that can no longer be satisfied; `drifted`, resources
    whose location is no longer admissible; `proposal`, when it needs a second person.
    """

    change = serializers.ChoiceField(CHANGES)
    atoms_added = AtomOut(many=True)
    atoms_removed = AtomOut(many=True)
    lint = LintOut(many=True)
    newly_refused_zones = serializers.ListField(child=serializers.CharField())
    contradicted = ContradictedOut(many=True)
    drifted = DriftedOut(many=True)
    proposal = ProposalOut(allow_null=True)
