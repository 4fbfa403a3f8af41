"""Schemas of the keys of officers."""

from rest_framework import serializers

from controlplane.catalog import signing_keys
from controlplane.catalog.models import OfficerKey
from controlplane.kernel.fields import In, Out, Text


class OfficerKeyIn(In):
    """An officer's key. `public_key`: PEM, or the base64 of its SubjectPublicKeyInfo; Ed25519, or ECDSA on P-256."""

    example = {
        "officer": "Ada Martin",
        "public_key": "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    }

    officer = Text(max_length=200)
    public_key = Text(max_length=2000, is_multiline=True)
    key_id = Text(max_length=64, required=False)
    user_id = serializers.UUIDField(required=False)
    not_before = serializers.DateTimeField(required=False)
    not_after = serializers.DateTimeField(required=False)


class OfficerKeyOut(Out):
    id = serializers.CharField(source="key_id")
    officer = serializers.CharField()
    public_key = serializers.CharField()
    algorithm = serializers.SerializerMethodField()
    not_before = serializers.DateTimeField()
    not_after = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()

    def get_algorithm(self, key: OfficerKey) -> str:
        return signing_keys.algorithm_of(key.public_key)
