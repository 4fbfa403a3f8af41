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
    """`owner`: the e-mail address of a user, who becomes its first member."""

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
    """`permissions`: the ids of the operations that you may do here, by your role and the limits of your credential.
    What is not there is refused with 403; what is there may be refused for what it is about, such as its state."""

    permissions = serializers.ListField(child=serializers.CharField())


class OrganizationWithPermissionsOut(OrganizationOut, PermissionsOut):
    __doc__ = PermissionsOut.__doc__


class GrantIn(In):
    """`project`: its id or name; without one, everywhere in the organization."""

    example = {"project": "web", "role": "member"}

    project = Reference(required=False)
    role = Choice(Role.values)


class GrantOut(Out):
    project = NamedOut(allow_null=True)
    role = serializers.ChoiceField(Role.values)
