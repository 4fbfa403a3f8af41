"""Schemas of users."""

from django.db.models import Q
from rest_framework import serializers

from controlplane.identity.roles import PLATFORM
from controlplane.kernel.fields import ErrorOut, Flag, In, Out, Text

REASON_MAX = 200


STATES = {
    "active": Q(suspended_at=None, ended_at=None),
    "suspended": Q(suspended_at__isnull=False, ended_at=None),
    "ended": Q(ended_at__isnull=False),
}


class SuspendIn(In):
    """A suspension.

    `reason`: for the audit log of the platform. `revoke_tokens`: also revoke the API tokens that were issued in the
    user's sessions, such as those of service accounts.
    """

    example = {"reason": "the laptop was stolen", "revoke_tokens": True}

    reason = Text(max_length=REASON_MAX, default="")
    revoke_tokens = Flag(default=False)


class AccountOut(Out):
    """A user account.

    `duty`: the platform role; empty: none. `state`: suspended and ended users cannot sign in. `has_second_factor`: TOTP
    or a passkey. `tokens`: number of valid tokens.
    """

    id = serializers.UUIDField()
    email = serializers.CharField()
    duty = serializers.ChoiceField(["", *PLATFORM], source="platform_role")
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
    """An action. `problem`: the error that the action would give now."""

    name = serializers.ChoiceField(["suspend", "reinstate", "end", "duty-remove"])
    is_allowed = serializers.BooleanField()
    problem = ErrorOut(allow_null=True)


class AccountWithActionsOut(AccountOut):
    """A user account. `allowed_actions`: the actions possible in its state; the caller also needs permission."""

    allowed_actions = AccountActionOut(many=True)
