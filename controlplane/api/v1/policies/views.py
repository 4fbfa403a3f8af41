"""Routes of placement policies: of the platform, an organization, a project and a classification."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from controlplane.api.base_views import ActorView, OrganizationView, ProjectView
from controlplane.api.v1.policies.schemas import PolicyIn, PolicyOut, PolicySetOut, clause_documents
from controlplane.identity.actor import Actor
from controlplane.kernel.request_transaction import is_dry_run
from controlplane.kernel.views import Body, etag, route, version_to_replace
from controlplane.placement import classifications, effective_policies, policies, policy_undo
from controlplane.placement.policies import Outcome, PolicyChange
from controlplane.placement.policy_owners import PolicyOwner

# Common declaration of the routes that set a policy.
REPLACES: dict[str, Any] = {"answers": {202: PolicySetOut}, "is_versioned": True}


class PolicyView(APIView):
    """Base of the views of policies of all levels."""

    actor: Actor

    def answered(self, owner: PolicyOwner) -> Response:
        document = PolicyOut(_in_force(self.actor, owner)).data
        return Response(document, headers=etag(document["version"]))

    def changed(self, request: Request, owner: PolicyOwner, body: Body) -> Response:
        policies.may_tighten(self.actor, owner)
        change = PolicyChange(body["atoms"], body["reason"], version_to_replace(request))
        if is_dry_run(request):
            review = policies.review_change(self.actor, owner, change)
            outcome = Outcome(review, policies.version_in_force(owner))
        else:
            outcome = policies.policy_change(self.actor, owner, change)
        document = _set_document(self.actor, owner, outcome)
        return Response(document, status=202 if outcome.proposal else 200, headers=etag(document["version"]))

    def undone(self, owner: PolicyOwner) -> Response:
        document = _set_document(self.actor, owner, policy_undo.policy_undo(self.actor, owner))
        return Response(document, headers=etag(document["version"]))


def _in_force(actor: Actor, owner: PolicyOwner) -> dict[str, Any]:
    version = policies.version_in_force(owner)
    until, problem = policy_undo.until_when(actor, owner, version)
    why_not = problem.as_document() if problem is not None else None
    undoing = {"name": "undo", "is_allowed": problem is None, "problem": why_not, "until": until}
    return {
        "level": owner.level,
        "version": version.version if version else 0,
        "atoms": version.clauses if version else [],
        "inherited": effective_policies.policy_documents(policies.policies_above(owner)),
        "created_at": version.created_at if version else None,
        "allowed_actions": [undoing],
    }


def _set_document(actor: Actor, owner: PolicyOwner, outcome: Outcome) -> dict[str, Any]:
    review = outcome.review
    document: dict[str, Any] = PolicySetOut(
        {
            **_in_force(actor, owner),
            "change": review.change,
            "lint": [
                *({"code": "NO_EFFECT", "atom": ref.clause} for ref in review.lint),
                *({"code": "NOT_ASKED", "atom": clause} for clause in review.not_asked),
                *({"code": "CLAIMED", "atom": clause} for clause in review.claimed),
            ],
            "atoms_added": clause_documents(review.added),
            "atoms_removed": clause_documents(review.removed),
            "newly_refused_zones": review.newly_refused,
            "contradicted": review.contradicted,
            "drifted": review.drifting,
            "proposal": outcome.proposal,
        }
    ).data
    return document


class ProjectPolicy(PolicyView, ProjectView):
    """The policy of a project, which applies together with its organization's."""

    @route("policy_get", PolicyOut)
    def get(self, request: Request) -> Response:
        return self.answered(PolicyOwner(project=self.project))

    @route("policy_set", PolicySetOut, body=PolicyIn, **REPLACES)
    def put(self, request: Request, body: Body) -> Response:
        return self.changed(request, PolicyOwner(project=self.project), body)


class ProjectPolicyUndo(PolicyView, ProjectView):
    """Undo the caller's own last change, as long as no placement used it."""

    @route("policy_undo", PolicySetOut)
    def post(self, request: Request) -> Response:
        return self.undone(PolicyOwner(project=self.project))


class OrganizationPolicy(PolicyView, OrganizationView):
    """The policy of an organization, which applies to all its projects."""

    @route("organization_policy_get", PolicyOut)
    def get(self, request: Request) -> Response:
        return self.answered(PolicyOwner(organization=self.organization))

    @route("organization_policy_set", PolicySetOut, body=PolicyIn, **REPLACES)
    def put(self, request: Request, body: Body) -> Response:
        return self.changed(request, PolicyOwner(organization=self.organization), body)


class OrganizationPolicyUndo(PolicyView, OrganizationView):
    """Undo the caller's own last change, as long as no placement used it."""

    @route("organization_policy_undo", PolicySetOut)
    def post(self, request: Request) -> Response:
        return self.undone(PolicyOwner(organization=self.organization))


class PlatformPolicy(PolicyView, ActorView):
    """The platform's own policy, which applies to all organizations."""

    @route("platform_policy_get", PolicyOut)
    def get(self, request: Request) -> Response:
        return self.answered(PolicyOwner())

    @route("platform_policy_set", PolicySetOut, body=PolicyIn, **REPLACES)
    def put(self, request: Request, body: Body) -> Response:
        return self.changed(request, PolicyOwner(), body)


class PlatformPolicyUndo(PolicyView, ActorView):
    """Undo the caller's own last change, as long as no placement used it."""

    @route("platform_policy_undo", PolicySetOut)
    def post(self, request: Request) -> Response:
        return self.undone(PolicyOwner())


class ClassificationPolicyView(PolicyView, ActorView):
    def owner(self) -> PolicyOwner:
        rows = classifications.visible_to(self.actor)
        return PolicyOwner(classification=classifications.classification_get(rows, self.kwargs["classification"]))


class ClassificationPolicy(ClassificationPolicyView):
    """The policy of a classification."""

    @route("classification_policy_get", PolicyOut)
    def get(self, request: Request) -> Response:
        return self.answered(self.owner())

    @route("classification_policy_set", PolicySetOut, body=PolicyIn, **REPLACES)
    def put(self, request: Request, body: Body) -> Response:
        return self.changed(request, self.owner(), body)


class ClassificationPolicyUndo(ClassificationPolicyView):
    """Undo the caller's own last change, as long as no placement used it."""

    @route("classification_policy_undo", PolicySetOut)
    def post(self, request: Request) -> Response:
        return self.undone(self.owner())
