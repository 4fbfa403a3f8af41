"""Why things are where they are, and what a project demands of places."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.identity.actor import Actor
from controlplane.identity.api import ProjectView
from controlplane.kernel.fields import In, Out
from controlplane.kernel.names import as_uuid
from controlplane.kernel.rest import Body, route
from controlplane.kernel.wording import language
from controlplane.placement import policies, selectors
from controlplane.placement.core import explain
from controlplane.placement.core.policy_document import MAX_ATOMS_PER_LAYER
from controlplane.placement.errors import DecisionNotFound
from controlplane.placement.models import Decision, PolicyVersion


class DecisionOut(Out):
    """`explanation`: sentences in the caller's language. `document` is the decision itself, and names nodes to
    operators alone."""

    id = serializers.UUIDField()
    operation = serializers.CharField()
    resource = serializers.UUIDField(source="consumer_id")
    is_admitted = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    explanation = serializers.SerializerMethodField()
    document = serializers.SerializerMethodField()

    def get_explanation(self, decision: Decision) -> list[str]:
        tell = explain.operator if self.context["is_operator"] else explain.tenant
        return tell(decision.document, language())

    def get_document(self, decision: Decision) -> dict[str, Any]:
        document: dict[str, Any] = decision.document
        return document if self.context["is_operator"] else explain.tenant_view(document)


def decision_document(actor: Actor, decision: Decision) -> dict[str, Any]:
    document: dict[str, Any] = DecisionOut(decision, context={"is_operator": actor.is_operator}).data
    return document


class AtomOut(Out):
    id = serializers.CharField()
    attr = serializers.CharField()
    op = serializers.CharField()
    value = serializers.JSONField()

    def to_representation(self, instance: Any) -> Any:
        return instance


class PolicyIn(In):
    """All atoms of the project's policy, in place of those before."""

    example = {"atoms": [{"id": "eu", "attr": "zone.id", "op": "in", "value": ["fr-idf-1", "de-rhein-1"]}]}

    atoms = serializers.ListField(child=serializers.DictField(), max_length=MAX_ATOMS_PER_LAYER)


class PolicyOut(Out):
    """`version` 0: nothing was ever demanded. `inherited_atoms` are the organization's and hold as well."""

    version = serializers.IntegerField()
    atoms = AtomOut(many=True)
    inherited_atoms = AtomOut(many=True)
    created_at = serializers.DateTimeField(allow_null=True)


class DecisionDetail(ProjectView):
    @route("decision_get", DecisionOut)
    def get(self, request: Request) -> Response:
        ref = self.kwargs["decision"]
        as_id = as_uuid(ref)
        decision = selectors.decisions(self.actor, self.project).filter(pk=as_id).first() if as_id else None
        if decision is None:
            raise DecisionNotFound(name=ref)
        return Response(decision_document(self.actor, decision))


class Policy(ProjectView):
    @route("policy_get", PolicyOut)
    def get(self, request: Request) -> Response:
        return self._answer(selectors.policy_head("project", self.project))

    @route("policy_set", PolicyOut, body=PolicyIn)
    def put(self, request: Request, body: Body) -> Response:
        return self._answer(policies.policy_set(self.actor, atoms=body["atoms"], project=self.project).version)

    def _answer(self, head: PolicyVersion | None) -> Response:
        above = selectors.policy_head("organization", self.project.organization)
        policy = {
            "version": head.version if head else 0,
            "atoms": head.atoms if head else [],
            "inherited_atoms": above.atoms if above else [],
            "created_at": head.created_at if head else None,
        }
        return Response(PolicyOut(policy).data)
