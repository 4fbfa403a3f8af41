"""Routes of invitations to an organization."""

from typing import Any, cast

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ActorView, OrganizationView, PublicView
from controlplane.api.v1.invitations.schemas import AcceptIn, InvitationIn, InvitationOut, InvitationWithTokenOut
from controlplane.api.v1.members.schemas import MemberOut
from controlplane.identity import invitations, selectors
from controlplane.identity.actor import Actor
from controlplane.identity.authorization import authorize
from controlplane.kernel.listing import Listing, created_after, exactly
from controlplane.kernel.views import Body, created, route

BY_TIME = ("created_at", "-created_at")


INVITATIONS = Listing(
    {"created_after": created_after(), "email": exactly("email", "Those for this e-mail address.")}, sorts=BY_TIME
)


class InvitationList(OrganizationView):
    @route("invitation_list", InvitationOut, listing=INVITATIONS)
    def get(self, request: Request) -> Response:
        return INVITATIONS.page(request, selectors.invitations(self.organization)).answer(InvitationOut)

    @route("invitation_create", InvitationWithTokenOut, body=InvitationIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        invitation, secret = invitations.invitation_create(self.actor, self.organization, **body)
        return created(InvitationOut(invitation).data | {"token": secret}, request=request)


class InvitationDetail(OrganizationView):
    @route("invitation_revoke", status=204)
    def delete(self, request: Request) -> Response:
        invitation = selectors.invitation_get(self.organization, self.kwargs["invitation"])
        invitations.invitation_revoke(self.actor, invitation)
        return Response(status=204)


class InvitationAccept(PublicView):
    """Accept an invitation with its token.

    A signed-in user becomes a member, if the invitation is for the user's address; otherwise a user with that address
    is created, if there is none. A credential in the request is checked as on other routes: a session needs its second
    factor, a token the scope `invitations:act`.
    """

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.user is not None:
            for permission in (each() for each in ActorView.permission_classes):
                permission.has_permission(request, self)
            cast(Any, request).user = authorize(cast(Actor, request.user), "invitation_accept")

    @route("invitation_accept", MemberOut, body=AcceptIn, error_statuses=(403,))
    def post(self, request: Request, body: Body) -> Response:
        actor = cast(Actor | None, request.user)
        return Response(MemberOut(invitations.invitation_accept(actor, body["token"])).data)
