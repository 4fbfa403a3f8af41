"""Schemas of organizations and users."""

from rest_framework import serializers

from controlplane.identity.models import Role
from controlplane.kernel.fields import (
    Choice,
    In,
    Labels,
    LabelsPatch,
    Name,
    NamedOut,
    Out,
    Reference,
    Text,
)

EMAIL_MAX = 254


class UserOut(Out):
    id = serializers.UUIDField()
    email = serializers.CharField()


class OrganizationIn(In):
    """A new organization. `owner`: the e-mail address of a user, who becomes its first member."""

    example = {"name": "acme", "owner": "ada@acme.example"}

    name = Name()
    labels = Labels(default=dict)
    owner = Text(max_length=EMAIL_MAX, required=False)


class NamedPatch(In):
    example = {"labels": {"team": "web", "old": None}}

    name = Name(required=False)
    labels = LabelsPatch(required=False)


class OrganizationOut(Out):
    id = serializers.UUIDField()
    name = serializers.CharField()
    labels = serializers.DictField(child=serializers.CharField())
    generation = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class PermissionsOut(Out):
    """Permissions of the caller.

    `permissions`: the ids of the operations that the caller may do here, by role and by the limits of the credential.
    Other operations give 403; listed ones may still fail, for example because of a resource's state.
    """

    permissions = serializers.ListField(child=serializers.CharField())


class OrganizationWithPermissionsOut(OrganizationOut, PermissionsOut):
    __doc__ = PermissionsOut.__doc__


class GrantIn(In):
    """A role grant. `project`: its id or name; without it, in the whole organization."""

    example = {"project": "web", "role": "member"}

    project = Reference(required=False)
    role = Choice(Role.values)


class GrantOut(Out):
    project = NamedOut(allow_null=True)
    role = serializers.ChoiceField(Role.values)
