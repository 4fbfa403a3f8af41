"""Schemas of sessions."""

from rest_framework import serializers

from controlplane.api.v1.passkeys.schemas import PasskeyAnswerIn
from controlplane.kernel.fields import Flag, In, Out, Text
from controlplane.signin.passwords import LENGTH_MAX
from controlplane.signin.totp import DIGITS

EMAIL_MAX = 254


def code_field() -> Text:
    return Text(max_length=DIGITS, default="", help_text="Six digits of the application that shows codes.")


def recovery_code_field() -> Text:
    return Text(max_length=40, default="", help_text="One of the recovery codes, in place of such a code.")


class SignInIn(In):
    """With a second factor, if the account has one."""

    example = {"email": "ada@acme.example", "password": "three small green doors"}

    email = Text(max_length=EMAIL_MAX)
    password = Text(max_length=LENGTH_MAX)
    totp = code_field()
    recovery_code = recovery_code_field()
    passkey = PasskeyAnswerIn(default=None)


class VerifyIn(In):
    """A second factor; of somebody who has none, the password."""

    example = {"totp": "123456"}

    password = Text(max_length=LENGTH_MAX, default="")
    totp = code_field()
    recovery_code = recovery_code_field()
    passkey = PasskeyAnswerIn(default=None)


class SessionOut(Out):
    """`methods`: what it was proved with. `address` and `user_agent`: from where it began. `is_current`: the one that
    asks. It ends at `expires_at`, and earlier when it is not used."""

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
    """`secret` is in this answer alone: it is not kept. `needs_second_factor`: the session is good for nothing but to
    enrol or prove one."""

    secret = serializers.CharField()
    needs_second_factor = serializers.BooleanField()


class EndOthersIn(In):
    """`revoke_tokens`: also revoke the API tokens that were issued in your sessions."""

    example = {"revoke_tokens": True}

    revoke_tokens = Flag(default=False)
