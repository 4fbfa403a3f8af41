"""Schemas of sign-in methods: TOTP (RFC 6238) and recovery codes."""

from rest_framework import serializers

from controlplane.kernel.fields import In, Out, Text
from controlplane.signin.totp import DIGITS, RECOVERY_CODES


class TotpOut(Out):
    """A new TOTP secret; both members are in this response only.

    `secret` is in base32; `otpauth_uri` is for the QR code.
    """

    secret = serializers.CharField()
    otpauth_uri = serializers.CharField()


class TotpConfirmIn(In):
    example = {"code": "123456"}

    code = Text(max_length=DIGITS)


class RecoveryCodesOut(Out):
    """Recovery codes, in this response only. Each is valid once, in place of a code. Keep them apart from the phone."""

    recovery_codes = serializers.ListField(
        child=serializers.CharField(), min_length=RECOVERY_CODES, max_length=RECOVERY_CODES
    )


class MethodsOut(Out):
    """Sign-in methods of the user. `is_second_factor_demanded`: by a role of the user."""

    has_password = serializers.BooleanField()
    has_totp = serializers.BooleanField()
    passkeys = serializers.IntegerField()
    recovery_codes_left = serializers.IntegerField()
    is_second_factor_demanded = serializers.BooleanField()
