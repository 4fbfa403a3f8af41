"""The users of the platform, for whoever runs or audits it."""

from django.db.models import Q
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.identity.api import ActorView
from controlplane.identity.models import User
from controlplane.identity.roles import PLATFORM
from controlplane.kernel.fields import ErrorOut, Flag, In, Out, Text
from controlplane.kernel.listing import Listing, chosen, created_after, exactly
from controlplane.kernel.rest import Body, route
from controlplane.signin import selectors, users

REASON_MAX = 200
STATES = {
    "active": Q(suspended_at=None, ended_at=None),
    "suspended": Q(suspended_at__isnull=False, ended_at=None),
    "ended": Q(ended_at__isnull=False),
}
DUTIES = {duty: Q(**{f"is_{duty}": True}) for duty in PLATFORM}
USERS = Listing(
    {
        "created_after": created_after(),
        "email": exactly("email__iexact", "The user with this e-mail address."),
        "duty": chosen(DUTIES | {"none": Q(**{f"is_{duty}": False for duty in PLATFORM})}),
        "state": chosen(STATES),
    },
    sorts=("created_at", "-created_at", "email", "-email"),
)


class SuspendIn(In):
    """`reason`: for the audit of the platform. `revoke_tokens`: also revoke the API tokens that were issued in the
    user's sessions, such as those of service accounts."""

    example = {"reason": "the laptop was stolen", "revoke_tokens": True}

    reason = Text(max_length=REASON_MAX, default="")
    revoke_tokens = Flag(default=False)


class AccountOut(Out):
    """`duty`: for the platform; empty: none. `state`: nobody gets in as a user who is suspended or has ended.
    `has_second_factor`: an application for codes or a passkey. `tokens`: how many that are good the user has."""

    id = serializers.UUIDField()
    email = serializers.CharField()
    duty = serializers.ChoiceField(["", *PLATFORM])
    state = serializers.ChoiceField(list(STATES))
    has_second_factor = serializers.BooleanField()
    last_sign_in_at = serializers.DateTimeField(allow_null=True)
    tokens = serializers.IntegerField()
    suspended_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    generation = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class AccountActionOut(Out):
    """`problem`: with which it would be refused now."""

    name = serializers.ChoiceField(["suspend", "reinstate", "end", "duty-remove"])
    is_allowed = serializers.BooleanField()
    problem = ErrorOut(allow_null=True)


class AccountWithActionsOut(AccountOut):
    """`allowed_actions`: what can be done to the user in the state that they are in; who may is another matter."""

    allowed_actions = AccountActionOut(many=True)


class UserList(ActorView):
    @route("user_list", AccountOut, listing=USERS)
    def get(self, request: Request) -> Response:
        return USERS.page(request, selectors.accounts()).answer(AccountOut)


class UserView(ActorView):
    """A user is named by id or e-mail address."""

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
        """For somebody who leaves. What they have made stays, and the audit goes on naming them."""
        users.user_end(self.actor, self.account())
        return Response(status=204)


class UserSuspend(UserView):
    @route("user_suspend", AccountWithActionsOut, body=SuspendIn)
    def post(self, request: Request, body: Body) -> Response:
        """Sessions end, and tokens answer 401, until the user is reinstated. Nothing else is lost."""
        return self.shown(users.user_suspend(self.actor, self.account(), **body))


class UserReinstate(UserView):
    @route("user_reinstate", AccountWithActionsOut)
    def post(self, request: Request) -> Response:
        """Whoever was suspended gets in as before. Whoever has ended has the address and nothing else."""
        return self.shown(users.user_reinstate(self.actor, self.account()))


class UserDuty(UserView):
    @route("user_duty_remove", status=204)
    def delete(self, request: Request) -> Response:
        """The duty for the platform, and the tokens for it."""
        users.user_duty_remove(self.actor, self.account())
        return Response(status=204)


class OwnDuty(ActorView):
    @route("own_duty_remove", status=204)
    def delete(self, request: Request) -> Response:
        """Lay down your own duty for the platform, if you have one, with the tokens for it."""
        user = User.objects.filter(Q(pk=self.actor.user_id)).first()
        if user is not None:
            users.user_duty_remove(self.actor, user)
        return Response(status=204)
