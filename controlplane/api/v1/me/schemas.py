"""Schemas of the caller's own account."""

from rest_framework import serializers

from controlplane.api.v1.organizations.schemas import GrantOut, UserOut
from controlplane.kernel.fields import (
    NamedOut,
    Out,
)


class CredentialOut(Out):
    """A credential. `kind`: token or session."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    name = serializers.CharField(allow_blank=True)
    expires_at = serializers.DateTimeField(allow_null=True)


class MembershipOut(Out):
    organization = NamedOut()
    role = serializers.CharField()


class ScopeOut(Out):
    """Limits of the credential; null: no limit."""

    verbs = serializers.ListField(child=serializers.CharField(), allow_null=True)
    kinds = serializers.ListField(child=serializers.CharField(), allow_null=True)
    projects = serializers.ListField(child=serializers.UUIDField(), allow_null=True)


class MeOut(Out):
    """The caller: a user or a service account.

    `duty`: the platform role. `project`: the only project of the credential; null: all in `memberships` and `grants`.
    """

    user = UserOut(allow_null=True)
    service_account = NamedOut(allow_null=True)
    duty = serializers.CharField(allow_blank=True)
    credential = CredentialOut()
    project = NamedOut(allow_null=True)
    memberships = MembershipOut(many=True)
    grants = GrantOut(many=True)
    scope = ScopeOut()
