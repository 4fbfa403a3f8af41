"""Schemas of passwords and their resets."""

from rest_framework import serializers

from controlplane.api.v1.organizations.schemas import UserOut
from controlplane.kernel.fields import Flag, In, Out, Text
from controlplane.signin.passwords import LENGTH_MAX


class PasswordChangeIn(In):
    """A change of password.

    `old_password` may be omitted by a user without a password. `revoke_tokens`: also revoke the API tokens that were
    issued in the user's sessions.
    """

    example = {"old_password": "three small green doors", "new_password": "four large blue windows"}

    old_password = Text(max_length=LENGTH_MAX, default="")
    new_password = Text(max_length=LENGTH_MAX)
    revoke_tokens = Flag(default=False)


class PasswordSetIn(In):
    """A new password. `secret` is from the link for a first or a forgotten password."""

    example = {
        "secret": "andromede_link_mRkV0sPlvR1Rz6pUXzq2m3Qy3vTn6CkYw0lqk1y2b4g",
        "new_password": "four blue windows",
    }

    secret = Text(max_length=100)
    new_password = Text(max_length=LENGTH_MAX)


class PasswordLinkOut(Out):
    """A password link.

    `secret` is in this response only: it is not stored. Give it to the user, and to no other person.
    """

    secret = serializers.CharField()
    expires_at = serializers.DateTimeField()


class PasswordResetOut(Out):
    """A password reset.

    `confirmed_by` null: it waits for a second person. The link is valid from `good_from` until `expires_at`.
    """

    id = serializers.UUIDField()
    user = UserOut()
    asked_by = UserOut(source="requested_by")
    confirmed_by = UserOut(allow_null=True)
    created_at = serializers.DateTimeField()
    confirmed_at = serializers.DateTimeField(allow_null=True)
    good_from = serializers.DateTimeField(source="valid_from", allow_null=True)
    expires_at = serializers.DateTimeField()


class PasswordResetLinkOut(PasswordResetOut):
    """The link of a reset.

    `secret` is in this response only: it is not stored. Give it to the user, and to no other person.
    """

    secret = serializers.CharField()
