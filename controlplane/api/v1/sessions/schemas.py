"""Schemas of sessions."""

from rest_framework import serializers

from controlplane.api.v1.organizations.schemas import EMAIL_MAX
from controlplane.api.v1.passkeys.schemas import PasskeyAnswerIn
from controlplane.kernel.fields import Flag, In, Out, Text
from controlplane.signin.passwords import LENGTH_MAX
from controlplane.signin.totp import DIGITS


def code_field() -> Text:
    return Text(max_length=DIGITS, default="", help_text="The six digits of the TOTP application.")


def recovery_code_field() -> Text:
    return Text(max_length=40, default="", help_text="A recovery code, in place of a TOTP code.")


class SignInIn(In):
    """A sign-in, with a second factor if the account has one."""

    example = {"email": "ada@acme.example", "password": "three small green doors"}

    email = Text(max_length=EMAIL_MAX)
    password = Text(max_length=LENGTH_MAX)
    totp = code_field()
    recovery_code = recovery_code_field()
    passkey = PasskeyAnswerIn(default=None)


class VerifyIn(In):
    """A proof of identity: a second factor; for a user without one, the password."""

    example = {"totp": "123456"}

    password = Text(max_length=LENGTH_MAX, default="")
    totp = code_field()
    recovery_code = recovery_code_field()
    passkey = PasskeyAnswerIn(default=None)


class SessionOut(Out):
    """A session.

    `methods`: how it was authenticated. `address` and `user_agent`: of its beginning. `is_current`: the session of this
    request. It ends at `expires_at`, and earlier when it is not used.
    """

    id = serializers.UUIDField()
    is_current = serializers.SerializerMethodField()
    methods = serializers.ListField(child=serializers.CharField())
    is_two_factor = serializers.BooleanField()
    address = serializers.CharField(allow_null=True)
    user_agent = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    proved_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()

    def get_is_current(self, session: object) -> bool:
        return session == self.context.get("current")


class SessionWithSecretOut(SessionOut):
    """A new session.

    `secret` is in this response only: it is not stored. `needs_second_factor`: the session can only add or prove a
    second factor.
    """

    secret = serializers.CharField()
    needs_second_factor = serializers.BooleanField()


class EndOthersIn(In):
    """End the other sessions. `revoke_tokens`: also revoke the API tokens that were issued in the user's sessions."""

    example = {"revoke_tokens": True}

    revoke_tokens = Flag(default=False)
