"""Schemas of API tokens."""

from typing import Any

from rest_framework import serializers

from controlplane.api.v1.organizations.schemas import UserOut
from controlplane.api.v1.service_accounts.schemas import SCOPE_MAX
from controlplane.identity.authorization_rules import KINDS
from controlplane.identity.authorization_terms import VERBS
from controlplane.identity.models import Role
from controlplane.identity.tokens import TOKEN_LIFETIME_MAX_DAYS
from controlplane.kernel.fields import (
    Choice,
    Flag,
    In,
    Name,
    NamedOut,
    Out,
    Whole,
    references,
)

LIFETIME_DEFAULT_DAYS = 90


def several(values: Any) -> serializers.ListField:
    """Return a field for several of these words; null or absent: no limit."""
    return serializers.ListField(
        child=Choice(values), min_length=1, max_length=SCOPE_MAX, default=None, allow_null=True
    )


class TokenIn(In):
    """A new token. `verbs` and `kinds` limit its actions and kinds of resources; without them only its role does."""

    example = {"name": "ci", "role": "member", "lifetime_days": 30, "verbs": ["read"], "kinds": ["instances"]}

    name = Name()
    role = Choice(Role.values, default=Role.MEMBER)
    lifetime_days = Whole(min_value=1, max_value=TOKEN_LIFETIME_MAX_DAYS, default=LIFETIME_DEFAULT_DAYS)
    verbs = several(list(VERBS))
    kinds = several(KINDS)


class WideTokenIn(TokenIn):
    """A token for several projects.

    `projects`: only these. `role`: the highest role in any project; without it, the token has all roles of its owner,
    also later ones.
    """

    example = {"name": "terraform", "lifetime_days": 30, "projects": ["web"]}

    role = Choice(Role.values, required=False)
    projects = references(min_length=1, max_length=SCOPE_MAX, default=None, allow_null=True)


class OwnTokenIn(WideTokenIn):
    """The caller's own token. `is_platform`: also for the caller's platform role."""

    example = {"name": "terraform", "lifetime_days": 30, "projects": ["web"]}

    is_platform = Flag(default=False)


class TokenOut(Out):
    """A token.

    `prefix` is the visible beginning of the secret. `role` empty: the roles of its owner. `verbs`, `kinds`, `projects`
    null: no limit. `project`: the only project; null: all projects where its owner has a role. `follows_owner`: it has
    no role of its own, and so also gets roles that its owner is given later.
    """

    id = serializers.UUIDField()
    name = serializers.CharField()
    user = UserOut(allow_null=True)
    service_account = NamedOut(allow_null=True)
    project = NamedOut(allow_null=True)
    role = serializers.CharField(allow_blank=True)
    follows_owner = serializers.BooleanField()
    is_platform = serializers.BooleanField()
    verbs = serializers.ListField(child=serializers.CharField(), allow_null=True)
    kinds = serializers.ListField(child=serializers.CharField(), allow_null=True)
    projects = serializers.ListField(child=serializers.UUIDField(), source="project_ids", allow_null=True)
    prefix = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
    last_used_from = serializers.CharField(allow_null=True)


class TokenWithSecretOut(TokenOut):
    """A new token. `secret` is in this response only: it is not stored."""

    secret = serializers.CharField()
