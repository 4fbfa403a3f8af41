"""Schemas of sign-in methods: TOTP (RFC 6238) and recovery codes."""

from rest_framework import serializers

from controlplane.kernel.fields import In, Out, Text
from controlplane.signin.totp import DIGITS, RECOVERY_CODES


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
