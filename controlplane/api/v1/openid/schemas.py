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
    """Begin of a sign-in.

    `redirect_uri`: where the provider sends the browser afterwards; one of those that the operator has listed.
    """

    example = {"redirect_uri": "https://console.example/signed-in"}

    redirect_uri = Text(max_length=URI_MAX)


class BegunOut(Out):
    """A sign-in that has begun.

    Send the browser to `authorization_url`. Keep `binding` private to this sign-in: it is in this response only, and
    completes the sign-in.
    """

    authorization_url = serializers.CharField()
    binding = serializers.CharField()
    expires_at = serializers.DateTimeField()


class CompleteIn(In):
    """Completion of a sign-in.

    `state`, `code` and `iss` (if present, RFC 9207) are the parameters that the browser returned with, `binding` is
    from the beginning.
    """

    example = {"state": "8yPqkW…", "code": "Z0FBQUFB…", "binding": "andromede_binding_…"}

    state = Text(max_length=200)
    code = Text(max_length=CODE_MAX)
    binding = Text(max_length=200)
    iss = Text(max_length=URI_MAX, default="")


class IdentityOut(Out):
    """A linked identity: the caller is `subject` at the provider `issuer`."""

    id = serializers.UUIDField()
    issuer = serializers.CharField()
    subject = serializers.CharField()
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
