"""Schemas of service accounts."""

from typing import Any

from rest_framework import serializers

from controlplane.api.v1.organizations.schemas import GrantIn, GrantOut
from controlplane.identity.models import ServiceAccount
from controlplane.kernel.fields import (
    Flag,
    In,
    Name,
    NamedOut,
    Out,
)

SCOPE_MAX = 100


class ServiceAccountIn(In):
    """A new service account. `grants`: its roles, one for each project, or one for all projects."""

    example = {"name": "ci", "grants": [{"project": "web", "role": "member"}]}

    name = Name()
    grants = serializers.ListField(child=GrantIn(), max_length=SCOPE_MAX, default=list)


class ServiceAccountPatch(In):
    example = {"is_disabled": True}

    name = Name(required=False)
    is_disabled = Flag(required=False)
    grants = serializers.ListField(child=GrantIn(), max_length=SCOPE_MAX, required=False)


class ServiceAccountOut(Out):
    id = serializers.UUIDField()
    name = serializers.CharField()
    organization = NamedOut()
    is_disabled = serializers.SerializerMethodField()
    grants = GrantOut(many=True)
    generation = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def get_is_disabled(self, account: ServiceAccount) -> bool:
        return account.disabled_at is not None

    def to_representation(self, instance: Any) -> Any:
        document = super().to_representation(instance)
        document["grants"] = GrantOut(instance.grants.all(), many=True).data
        return document
