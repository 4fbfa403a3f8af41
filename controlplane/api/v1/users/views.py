"""Routes of the users of the platform, for operators and auditors."""

from django.db.models import Q
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ActorView
from controlplane.api.v1.users.schemas import STATES, AccountActionOut, AccountOut, AccountWithActionsOut, SuspendIn
from controlplane.identity.models import User
from controlplane.identity.roles import PLATFORM
from controlplane.kernel.listing import Listing, chosen, created_after, exactly
from controlplane.kernel.views import Body, route
from controlplane.signin import selectors, users

PLATFORM_ROLES = {role: Q(**{f"is_{role}": True}) for role in PLATFORM}
USERS = Listing(
    {
        "created_after": created_after(),
        "email": exactly("email__iexact", "The user with this e-mail address."),
        "duty": chosen(PLATFORM_ROLES | {"none": Q(**{f"is_{role}": False for role in PLATFORM})}),
        "state": chosen(STATES),
    },
    sorts=("created_at", "-created_at", "email", "-email"),
)


class UserList(ActorView):
    @route("user_list", AccountOut, listing=USERS)
    def get(self, request: Request) -> Response:
        return USERS.page(request, selectors.accounts()).answer(AccountOut)


class UserView(ActorView):
    """View of a user, by id or e-mail address."""

    def account(self) -> User:
        return selectors.user_get(self.kwargs["user"])

    def versioned(self) -> User:
        return self.account()

    def shown(self, user: User) -> Response:
        document = AccountOut(selectors.accounts().get(pk=user.pk)).data
        actions = AccountActionOut(users.allowed(self.actor, user), many=True).data
        return Response({**document, "allowed_actions": actions})


class UserDetail(UserView):
    @route("user_get", AccountWithActionsOut)
    def get(self, request: Request) -> Response:
        return self.shown(self.account())

    @route("user_end", status=204)
    def delete(self, request: Request) -> Response:
        """End a user account permanently. Its resources stay, and the audit log keeps its name."""
        users.user_end(self.actor, self.account())
        return Response(status=204)


class UserSuspend(UserView):
    @route("user_suspend", AccountWithActionsOut, body=SuspendIn)
    def post(self, request: Request, body: Body) -> Response:
        """Suspend a user: sessions end, and tokens get 401, until the user is reinstated. Nothing else is lost."""
        return self.shown(users.user_suspend(self.actor, self.account(), **body))


class UserReinstate(UserView):
    @route("user_reinstate", AccountWithActionsOut)
    def post(self, request: Request) -> Response:
        """Reinstate a user.

        A suspended user can sign in as before. An ended user keeps the address and nothing else.
        """
        return self.shown(users.user_reinstate(self.actor, self.account()))


class UserDuty(UserView):
    @route("user_duty_remove", status=204)
    def delete(self, request: Request) -> Response:
        """Remove the platform role of a user, and the tokens for it."""
        users.user_duty_remove(self.actor, self.account())
        return Response(status=204)


class OwnDuty(ActorView):
    @route("own_duty_remove", status=204)
    def delete(self, request: Request) -> Response:
        """Give up the caller's own platform role, if there is one, with the tokens for it."""
        user = User.objects.filter(Q(pk=self.actor.user_id)).first()
        if user is not None:
            users.user_duty_remove(self.actor, user)
        return Response(status=204)
