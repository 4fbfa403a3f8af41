from rest_framework import serializers

from controlplane.identity.serializers import UserOut
from controlplane.kernel.fields import Flag, In, Out, Text
from controlplane.signin.passwords import LENGTH_MAX
from controlplane.signin.totp import DIGITS, RECOVERY_CODES

EMAIL_MAX = 254
NAME_MAX = 63


def code_field() -> Text:
    return Text(max_length=DIGITS, default="", help_text="Six digits of the application that shows codes.")


def recovery_code_field() -> Text:
    return Text(max_length=40, default="", help_text="One of the recovery codes, in place of such a code.")


class PasskeyAnswerIn(In):
    """`credential` is what navigator.credentials has answered, as its toJSON() writes it."""

    example = {"ceremony": "01890000-0000-7000-8000-000000000000", "credential": {"id": "…", "type": "public-key"}}

    ceremony = Text(max_length=36)
    credential = serializers.DictField()


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


class PasswordChangeIn(In):
    """`old_password` may be left out by somebody who has none. `revoke_tokens`: also revoke the API tokens that were
    issued in your sessions."""

    example = {"old_password": "three small green doors", "new_password": "four large blue windows"}

    old_password = Text(max_length=LENGTH_MAX, default="")
    new_password = Text(max_length=LENGTH_MAX)
    revoke_tokens = Flag(default=False)


class EndOthersIn(In):
    """`revoke_tokens`: also revoke the API tokens that were issued in your sessions."""

    example = {"revoke_tokens": True}

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


class TotpOut(Out):
    """Both are in this answer alone. `secret` is in base32; `otpauth_uri` is what applications read from a QR code."""

    secret = serializers.CharField()
    otpauth_uri = serializers.CharField()


class TotpConfirmIn(In):
    example = {"code": "123456"}

    code = Text(max_length=DIGITS)


class RecoveryCodesOut(Out):
    """In this answer alone. Each is good once, in place of a code. Keep them where the phone is not."""

    recovery_codes = serializers.ListField(
        child=serializers.CharField(), min_length=RECOVERY_CODES, max_length=RECOVERY_CODES
    )


class MethodsOut(Out):
    """What one can prove oneself with. `is_second_factor_demanded`: by one's duties."""

    has_password = serializers.BooleanField()
    has_totp = serializers.BooleanField()
    passkeys = serializers.IntegerField()
    recovery_codes_left = serializers.IntegerField()
    is_second_factor_demanded = serializers.BooleanField()
