"""Routes of an organization's members."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import OrganizationView
from controlplane.api.v1.invitations.views import BY_TIME
from controlplane.api.v1.members.schemas import MemberOut, MemberPatch
from controlplane.identity import selectors, services
from controlplane.identity.models import Membership, Role
from controlplane.kernel.listing import Listing, among, created_after, exactly
from controlplane.kernel.views import Body, route

MEMBERS = Listing(
    {
        "created_after": created_after(),
        "role": among("role", Role.values),
        "email": exactly("user__email", "The member with this e-mail address."),
    },
    sorts=BY_TIME,
)


class MemberList(OrganizationView):
    @route("member_list", MemberOut, listing=MEMBERS)
    def get(self, request: Request) -> Response:
        rows = selectors.members(self.organization).select_related("organization")
        return MEMBERS.page(request, rows).answer(MemberOut)


class MemberDetail(OrganizationView):
    """A member. The path has the user's id or e-mail address."""

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
        """Remove a member. All members may leave, except the last owner."""
        services.member_remove(self.actor, self.member())
        return Response(status=204)
