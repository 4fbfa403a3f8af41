"""Routes of policy proposals, the changes that need a second person."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ActorView
from controlplane.api.v1.policies.schemas import ProposalOut
from controlplane.api.v1.policy_proposals.schemas import ProposalIn
from controlplane.identity import selectors as identity
from controlplane.kernel.db import by_id
from controlplane.kernel.listing import Listing, among, created_after, exactly
from controlplane.kernel.views import Body, created, resolve_reference, route
from controlplane.placement import classifications, policies, proposals, selectors
from controlplane.placement.errors import NothingLoosened, ProposalNotFound
from controlplane.placement.models import PROPOSAL, PolicyProposal
from controlplane.placement.policies import AT_ONCE, PolicyChange
from controlplane.placement.policy_owners import PolicyOwner

PROPOSALS = Listing(
    {
        "state": among("state", PROPOSAL.moves),
        "level": exactly("level", "platform, organization, project or classification."),
        "created_after": created_after(),
    },
    sorts=("-created_at", "created_at"),
)


class ProposalList(ActorView):
    @route("policy_proposal_list", ProposalOut, listing=PROPOSALS)
    def get(self, request: Request) -> Response:
        return PROPOSALS.page(request, selectors.proposals(self.actor)).answer(ProposalOut)

    @route("policy_proposal_create", ProposalOut, body=ProposalIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        owner = self._owner(body)
        policies.may_propose(self.actor, owner)
        change = PolicyChange(body["atoms"], body["reason"])
        if policies.review_change(self.actor, owner, change).change in AT_ONCE:
            raise NothingLoosened(field="atoms")
        outcome = policies.policy_change(self.actor, owner, change)
        return created(ProposalOut(outcome.proposal).data, request=request)

    def _owner(self, body: Body) -> PolicyOwner:
        """Return the policy owner that the body names; of several the most specific."""
        actor = self.actor
        if ref := body.get("classification"):
            rows = classifications.visible_to(actor)
            return PolicyOwner(
                classification=resolve_reference(
                    lambda name: classifications.classification_get(rows, name), ref, at="classification"
                )
            )
        if ref := body.get("project"):
            return PolicyOwner(
                project=resolve_reference(lambda name: identity.project_get(actor, name), ref, at="project")
            )
        if ref := body.get("organization"):
            return PolicyOwner(
                organization=resolve_reference(
                    lambda name: identity.organization_get(actor, name), ref, at="organization"
                )
            )
        return PolicyOwner()


class ProposalView(ActorView):
    def proposal(self) -> PolicyProposal:
        ref = self.kwargs["proposal"]
        proposal = by_id(selectors.proposals(self.actor), ref)
        if proposal is None:
            raise ProposalNotFound(name=ref)
        return proposal


class ProposalDetail(ProposalView):
    @route("policy_proposal_get", ProposalOut)
    def get(self, request: Request) -> Response:
        return Response(ProposalOut(self.proposal()).data)


class ProposalApprove(ProposalView):
    @route("policy_proposal_approve", ProposalOut)
    def post(self, request: Request) -> Response:
        return Response(ProposalOut(proposals.proposal_approve(self.actor, self.proposal())).data)


class ProposalWithdraw(ProposalView):
    @route("policy_proposal_withdraw", ProposalOut)
    def post(self, request: Request) -> Response:
        return Response(ProposalOut(proposals.proposal_withdraw(self.actor, self.proposal())).data)
