from rest_framework import serializers

from controlplane.identity.models import Role
from controlplane.identity.services import TOKEN_LIFETIME_MAX_DAYS
from controlplane.kernel.fields import Choice, In, Name, NamedOut, Out, Whole

LIFETIME_DEFAULT_DAYS = 90


class ProjectOut(Out):
    id = serializers.UUIDField()
    name = serializers.CharField()
    organization = NamedOut()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class TokenIn(In):
    example = {"name": "ci", "role": "member", "lifetime_days": 30}

    name = Name()
    role = Choice(Role.values, default=Role.MEMBER)
    lifetime_days = Whole(min_value=1, max_value=TOKEN_LIFETIME_MAX_DAYS, default=LIFETIME_DEFAULT_DAYS)


class TokenOut(Out):
    """`prefix` is the visible head of the secret."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    role = serializers.ChoiceField(Role.values)
    prefix = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)


class TokenWithSecretOut(TokenOut):
    """`secret` is in this answer alone: it is not kept."""

    secret = serializers.CharField()
