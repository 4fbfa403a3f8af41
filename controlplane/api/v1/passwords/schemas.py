"""Schemas of passwords and their resets."""

from rest_framework import serializers

from controlplane.api.v1.organizations.schemas import UserOut
from controlplane.kernel.fields import Flag, In, Out, Text
from controlplane.signin.passwords import LENGTH_MAX


class PasswordChangeIn(In):
    """`old_password` may be left out by somebody who has none. `revoke_tokens`: also revoke the API tokens that were
    issued in your sessions."""

    example = {"old_password": "three small green doors", "new_password": "four large blue windows"}

    old_password = Text(max_length=LENGTH_MAX, default="")
    new_password = Text(max_length=LENGTH_MAX)
    revoke_tokens = Flag(default=False)


class PasswordSetIn(In):
    """`secret` is that of a link for a first or a forgotten password."""

    example = {
        "secret": "andromede_link_mRkV0sPlvR1Rz6pUXzq2m3Qy3vTn6CkYw0lqk1y2b4g",
        "new_password": "four blue windows",
    }

    secret = Text(max_length=100)
    new_password = Text(max_length=LENGTH_MAX)


class PasswordLinkOut(Out):
    """`secret` is in this answer alone: it is not kept. Give it to the user, and to nobody else."""

    secret = serializers.CharField()
    expires_at = serializers.DateTimeField()


class PasswordResetOut(Out):
    """`confirmed_by` null: it waits for a second person. The link is good from `good_from` on, until `expires_at`."""

    id = serializers.UUIDField()
    user = UserOut()
    asked_by = UserOut()
    confirmed_by = UserOut(allow_null=True)
    created_at = serializers.DateTimeField()
    confirmed_at = serializers.DateTimeField(allow_null=True)
    good_from = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField()


class PasswordResetLinkOut(PasswordResetOut):
    """`secret` is in this answer alone: it is not kept. Give it to the user, and to nobody else."""

    secret = serializers.CharField()
