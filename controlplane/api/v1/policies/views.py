"""Routes of placement policies: of the platform, an organization, a project and a classification."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from controlplane.api.base_views import ActorView, OrganizationView, ProjectView
from controlplane.api.v1.policies.schemas import PolicyIn, PolicyOut, PolicySetOut, atoms_of
from controlplane.identity.actor import Actor
from controlplane.kernel.rest import Body, etag, route, version_to_replace
from controlplane.kernel.writes import is_dry_run
from controlplane.placement import classifications, effective, policies, undo
from controlplane.placement.owners import Owner
from controlplane.placement.policies import Outcome, Wanted

# What the routes that set a policy have in common.
REPLACES: dict[str, Any] = {"answers": {202: PolicySetOut}, "is_versioned": True}


class PolicyView(APIView):
    """What the policies of all levels have in common."""

    actor: Actor

    def answered(self, owner: Owner) -> Response:
        document = PolicyOut(_in_force(self.actor, owner)).data
        return Response(document, headers=etag(document["version"]))

    def changed(self, request: Request, owner: Owner, body: Body) -> Response:
        policies.may_tighten(self.actor, owner)
        wanted = Wanted(body["atoms"], body["reason"], version_to_replace(request))
        if is_dry_run(request):
            review = policies.reviewed(self.actor, owner, wanted)
            outcome = Outcome(review, policies.version_in_force(owner))
        else:
            outcome = policies.policy_change(self.actor, owner, wanted)
        document = _set_document(self.actor, owner, outcome)
        return Response(document, status=202 if outcome.proposal else 200, headers=etag(document["version"]))

    def undone(self, owner: Owner) -> Response:
        document = _set_document(self.actor, owner, undo.policy_undo(self.actor, owner))
        return Response(document, headers=etag(document["version"]))


def _in_force(actor: Actor, owner: Owner) -> dict[str, Any]:
    version = policies.version_in_force(owner)
    until, problem = undo.until_when(actor, owner, version)
    why_not = problem.as_document() if problem is not None else None
    undoing = {"name": "undo", "is_allowed": problem is None, "problem": why_not, "until": until}
    return {
        "level": owner.level,
        "version": version.version if version else 0,
        "atoms": version.atoms if version else [],
        "inherited": effective.documents(policies.above(owner)),
        "created_at": version.created_at if version else None,
        "allowed_actions": [undoing],
    }


def _set_document(actor: Actor, owner: Owner, outcome: Outcome) -> dict[str, Any]:
    review = outcome.review
    document: dict[str, Any] = PolicySetOut(
        {
            **_in_force(actor, owner),
            "change": review.change,
            "lint": [
                *({"code": "NO_EFFECT", "atom": ref.atom} for ref in review.lint),
                *({"code": "NOT_ASKED", "atom": atom} for atom in review.not_asked),
                *({"code": "CLAIMED", "atom": atom} for atom in review.claimed),
            ],
            "atoms_added": atoms_of(review.added),
            "atoms_removed": atoms_of(review.removed),
            "newly_refused_zones": review.newly_refused,
            "contradicted": review.contradicted,
            "drifted": review.drifting,
            "proposal": outcome.proposal,
        }
    ).data
    return document


class ProjectPolicy(PolicyView, ProjectView):
    """A project's policy, which holds on top of its organization's."""

    @route("policy_get", PolicyOut)
    def get(self, request: Request) -> Response:
        return self.answered(Owner(project=self.project))

    @route("policy_set", PolicySetOut, body=PolicyIn, **REPLACES)
    def put(self, request: Request, body: Body) -> Response:
        return self.changed(request, Owner(project=self.project), body)


class ProjectPolicyUndo(PolicyView, ProjectView):
    """Take back one's own last change, as long as nothing was placed by it."""

    @route("policy_undo", PolicySetOut)
    def post(self, request: Request) -> Response:
        return self.undone(Owner(project=self.project))


class OrganizationPolicy(PolicyView, OrganizationView):
    """An organization's policy, which holds for all its projects."""

    @route("organization_policy_get", PolicyOut)
    def get(self, request: Request) -> Response:
        return self.answered(Owner(organization=self.organization))

    @route("organization_policy_set", PolicySetOut, body=PolicyIn, **REPLACES)
    def put(self, request: Request, body: Body) -> Response:
        return self.changed(request, Owner(organization=self.organization), body)


class OrganizationPolicyUndo(PolicyView, OrganizationView):
    """Take back one's own last change, as long as nothing was placed by it."""

    @route("organization_policy_undo", PolicySetOut)
    def post(self, request: Request) -> Response:
        return self.undone(Owner(organization=self.organization))


class PlatformPolicy(PolicyView, ActorView):
    """The platform's own policy, which holds for everybody."""

    @route("platform_policy_get", PolicyOut)
    def get(self, request: Request) -> Response:
        return self.answered(Owner())

    @route("platform_policy_set", PolicySetOut, body=PolicyIn, **REPLACES)
    def put(self, request: Request, body: Body) -> Response:
        return self.changed(request, Owner(), body)


class PlatformPolicyUndo(PolicyView, ActorView):
    """Take back one's own last change, as long as nothing was placed by it."""

    @route("platform_policy_undo", PolicySetOut)
    def post(self, request: Request) -> Response:
        return self.undone(Owner())


class ClassificationPolicyView(PolicyView, ActorView):
    def owner(self) -> Owner:
        rows = classifications.seen_by(self.actor)
        return Owner(classification=classifications.classification_get(rows, self.kwargs["classification"]))


class ClassificationPolicy(ClassificationPolicyView):
    """What a classification demands."""

    @route("classification_policy_get", PolicyOut)
    def get(self, request: Request) -> Response:
        return self.answered(self.owner())

    @route("classification_policy_set", PolicySetOut, body=PolicyIn, **REPLACES)
    def put(self, request: Request, body: Body) -> Response:
        return self.changed(request, self.owner(), body)


class ClassificationPolicyUndo(ClassificationPolicyView):
    """Take back one's own last change, as long as nothing was placed by it."""

    @route("classification_policy_undo", PolicySetOut)
    def post(self, request: Request) -> Response:
        return self.undone(self.owner())
