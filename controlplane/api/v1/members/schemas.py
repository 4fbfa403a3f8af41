"""Schemas of members."""

from rest_framework import serializers

from controlplane.api.v1.organizations.schemas import UserOut
from controlplane.identity.models import Role
from controlplane.kernel.fields import (
    Choice,
    In,
    NamedOut,
    Out,
)


class MemberOut(Out):
    user = UserOut()
    organization = NamedOut()
    role = serializers.ChoiceField(Role.values)
    generation = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class MemberPatch(In):
    example = {"role": "admin"}

    role = Choice(Role.values)
