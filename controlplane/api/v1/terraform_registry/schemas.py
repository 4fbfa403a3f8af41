"""Schemas of the Terraform provider registry."""

from typing import Any

from rest_framework import serializers

from controlplane.kernel.fields import Out


class PlatformOut(Out):
    os = serializers.CharField()
    arch = serializers.CharField()


class ProviderVersionOut(Out):
    version = serializers.CharField()
    protocols = serializers.ListField(child=serializers.CharField())
    platforms = PlatformOut(many=True)


class ProviderVersionsOut(Out):
    versions = ProviderVersionOut(many=True)


class PublicKeyOut(Out):
    key_id = serializers.CharField()
    ascii_armor = serializers.CharField()


class SigningKeysOut(Out):
    gpg_public_keys = PublicKeyOut(many=True)


class ProviderPackageOut(Out):
    protocols = serializers.ListField(child=serializers.CharField())
    os = serializers.CharField()
    arch = serializers.CharField()
    filename = serializers.CharField()
    download_url = serializers.CharField()
    shasums_url = serializers.CharField()
    shasums_signature_url = serializers.CharField()
    shasum = serializers.CharField()
    signing_keys = SigningKeysOut()


class ServicesOut(Out):
    def get_fields(self) -> dict[str, Any]:
        return {"providers.v1": serializers.CharField()}
