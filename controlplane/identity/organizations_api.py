"""Organizations, their projects, members and invitations."""

from typing import Any, cast

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.identity import invitations, selectors, services
from controlplane.identity.actor import Actor
from controlplane.identity.api import ActorView, OrganizationView, PublicView
from controlplane.identity.authorization import admitted
from controlplane.identity.errors import UserNotFound
from controlplane.identity.models import Membership, Organization, Role, User
from controlplane.identity.serializers import (
    AcceptIn,
    InvitationIn,
    InvitationOut,
    InvitationWithTokenOut,
    MemberOut,
    MemberPatch,
    NamedPatch,
    OrganizationIn,
    OrganizationOut,
    OrganizationWithPermissionsOut,
    ProjectIn,
    ProjectOut,
)
from controlplane.kernel.fields import merged
from controlplane.kernel.listing import Listing, among, created_after, exactly, labelled
from controlplane.kernel.rest import Body, created, route

ORGANIZATIONS = Listing(
    {"created_after": created_after(), "name": exactly("name", "The organization of this name."), "labels": labelled()}
)
BY_TIME = ("created_at", "-created_at")
MEMBERS = Listing(
    {
        "created_after": created_after(),
        "role": among("role", Role.values),
        "email": exactly("user__email", "The member with this e-mail address."),
    },
    sorts=BY_TIME,
)
INVITATIONS = Listing(
    {"created_after": created_after(), "email": exactly("email", "Those for this e-mail address.")}, sorts=BY_TIME
)


class OrganizationList(ActorView):
    @route("organization_list", OrganizationOut, listing=ORGANIZATIONS)
    def get(self, request: Request) -> Response:
        return ORGANIZATIONS.page(request, selectors.organizations(self.actor)).answer(OrganizationOut)

    @route("organization_create", OrganizationOut, body=OrganizationIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        made = services.organization_create(
            name=body["name"], labels=body["labels"], owner=_owner(body), actor=self.actor
        )
        return created(OrganizationOut(made).data, request=request)


def _owner(body: Body) -> User | None:
    email = body.get("owner")
    if email is None:
        return None
    owner = User.objects.filter(email__iexact=email).first()
    if owner is None:
        raise UserNotFound(field="owner", name=email)
    return owner


class OrganizationDetail(OrganizationView):
    def versioned(self) -> Organization:
        return self.organization

    @route("organization_get", OrganizationWithPermissionsOut)
    def get(self, request: Request) -> Response:
        return Response({**OrganizationOut(self.organization).data, "permissions": self.permissions})

    @route("organization_update", OrganizationOut, body=NamedPatch)
    def patch(self, request: Request, body: Body) -> Response:
        old = self.organization
        changed: dict[str, Any] = {
            "name": body.get("name", old.name),
            "labels": merged(old.labels, body.get("labels", {})),
        }
        return Response(OrganizationOut(services.organization_update(self.actor, old, **changed)).data)

    @route("organization_delete", status=204)
    def delete(self, request: Request) -> Response:
        """Refused while it has projects."""
        services.organization_delete(self.actor, self.organization)
        return Response(status=204)


class OrganizationProjects(OrganizationView):
    @route("project_create", ProjectOut, body=ProjectIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        made = services.project_create(self.organization, actor=self.actor, **body)
        return Response(ProjectOut(made).data, status=201, headers={"Location": f"/v1/projects/{made.pk}"})


class MemberList(OrganizationView):
    @route("member_list", MemberOut, listing=MEMBERS)
    def get(self, request: Request) -> Response:
        rows = selectors.members(self.organization).select_related("organization")
        return MEMBERS.page(request, rows).answer(MemberOut)


class MemberDetail(OrganizationView):
    """A member is named by the user's id or e-mail address."""

    def member(self) -> Membership:
        return selectors.member_get(self.organization, self.kwargs["member"])

    def versioned(self) -> Membership:
        return self.member()

    @route("member_get", MemberOut)
    def get(self, request: Request) -> Response:
        return Response(MemberOut(self.member()).data)

    @route("member_update", MemberOut, body=MemberPatch)
    def patch(self, request: Request, body: Body) -> Response:
        return Response(MemberOut(services.member_update(self.actor, self.member(), role=body["role"])).data)

    @route("member_remove", status=204)
    def delete(self, request: Request) -> Response:
        """Everybody may leave, but for the last owner."""
        services.member_remove(self.actor, self.member())
        return Response(status=204)


class InvitationList(OrganizationView):
    @route("invitation_list", InvitationOut, listing=INVITATIONS)
    def get(self, request: Request) -> Response:
        return INVITATIONS.page(request, selectors.invitations(self.organization)).answer(InvitationOut)

    @route("invitation_create", InvitationWithTokenOut, body=InvitationIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        made, secret = invitations.invitation_create(self.actor, self.organization, **body)
        return created(InvitationOut(made).data | {"token": secret}, request=request)


class InvitationDetail(OrganizationView):
    @route("invitation_revoke", status=204)
    def delete(self, request: Request) -> Response:
        invitation = selectors.invitation_get(self.organization, self.kwargs["invitation"])
        invitations.invitation_revoke(self.actor, invitation)
        return Response(status=204)


class InvitationAccept(PublicView):
    """With the token that the inviter passed on. Signed in, you become a member as who you are, if the invitation is
    for your address; otherwise a user of that address is made, if there is none. A credential that is sent counts as on
    other routes: a session with the second factor that it owes, a token with the scope `invitations:act`."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.user is not None:
            for permission in (each() for each in ActorView.permission_classes):
                permission.has_permission(request, self)
            cast(Any, request).user = admitted(cast(Actor, request.user), "invitation_accept")

    @route("invitation_accept", MemberOut, body=AcceptIn, refusals=(403,))
    def post(self, request: Request, body: Body) -> Response:
        actor = cast(Actor | None, request.user)
        return Response(MemberOut(invitations.invitation_accept(actor, body["token"])).data)
