"""Schemas of passkeys (WebAuthn)."""

from rest_framework import serializers

from controlplane.kernel.fields import In, Out, Text

NAME_MAX = 63


class PasskeyAnswerIn(In):
    """`credential` is what navigator.credentials has answered, as its toJSON() writes it."""

    example = {"ceremony": "01890000-0000-7000-8000-000000000000", "credential": {"id": "…", "type": "public-key"}}

    ceremony = Text(max_length=36)
    credential = serializers.DictField()


class ChallengeOut(Out):
    """`options` go to the browser's navigator.credentials.create() or .get(); bytes in them are base64url. What it
    answers is sent with `ceremony`."""

    ceremony = serializers.UUIDField()
    options = serializers.DictField()
    expires_at = serializers.DateTimeField()


class PasskeyIn(PasskeyAnswerIn):
    """`name`: by which you recognise it."""

    example = {**PasskeyAnswerIn.example, "name": "the key on my ring"}

    name = Text(max_length=NAME_MAX)


class PasskeyOut(Out):
    """`is_backed_up`: its maker keeps a copy, so that other devices of yours have it."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    is_backed_up = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
