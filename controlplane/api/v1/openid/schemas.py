"""Schemas of sign-in by OpenID Connect."""

from rest_framework import serializers

from controlplane.kernel.fields import In, Out, Text

URI_MAX = 500


CODE_MAX = 4000


class ProviderOut(Out):
    name = serializers.CharField()
    title = serializers.CharField()


class ProvidersOut(Out):
    items = ProviderOut(many=True)


class BeginIn(In):
    """`redirect_uri`: where the provider sends the browser afterwards; one of those that the operator has listed."""

    example = {"redirect_uri": "https://console.example/signed-in"}

    redirect_uri = Text(max_length=URI_MAX)


class BegunOut(Out):
    """Send the browser to `authorization_url`. Keep `binding` where only this sign-in reaches it: it is in this answer
    alone, and completes it."""

    authorization_url = serializers.CharField()
    binding = serializers.CharField()
    expires_at = serializers.DateTimeField()


class CompleteIn(In):
    """`state`, `code` and `iss` (if there is one, RFC 9207) are what the browser came back with, `binding` is that of
    the beginning."""

    example = {"state": "8yPqkW…", "code": "Z0FBQUFB…", "binding": "andromede_binding_…"}

    state = Text(max_length=200)
    code = Text(max_length=CODE_MAX)
    binding = Text(max_length=200)
    iss = Text(max_length=URI_MAX, default="")


class IdentityOut(Out):
    """Whom the provider `issuer` calls `subject` is you."""

    id = serializers.UUIDField()
    issuer = serializers.CharField()
    subject = serializers.CharField()
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
