"""Schemas of passkeys (WebAuthn)."""

from rest_framework import serializers

from controlplane.kernel.fields import In, Out, Text
from controlplane.kernel.names import NAME_MAX


class PasskeyAnswerIn(In):
    """A response of a passkey. `credential` is the result of navigator.credentials, as its toJSON() writes it."""

    example = {"ceremony": "01890000-0000-7000-8000-000000000000", "credential": {"id": "…", "type": "public-key"}}

    ceremony = Text(max_length=36)
    credential = serializers.DictField()


class ChallengeOut(Out):
    """A challenge.

    `options` are for the browser's navigator.credentials.create() or .get(); bytes in them are base64url. Send the
    result together with `ceremony`.
    """

    ceremony = serializers.UUIDField()
    options = serializers.DictField()
    expires_at = serializers.DateTimeField()


class PasskeyIn(PasskeyAnswerIn):
    """A new passkey. `name`: chosen by the user."""

    example = {**PasskeyAnswerIn.example, "name": "the key on my ring"}

    name = Text(max_length=NAME_MAX)


class PasskeyOut(Out):
    """A passkey. `is_backed_up`: its maker keeps a copy, so that the user's other devices have it."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    is_backed_up = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
