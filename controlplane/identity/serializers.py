from typing import Any

from rest_framework import serializers

from controlplane.identity.invitations import LIFETIME_DEFAULT_DAYS as INVITATION_DEFAULT_DAYS
from controlplane.identity.invitations import LIFETIME_MAX_DAYS as INVITATION_MAX_DAYS
from controlplane.identity.models import Role, ServiceAccount
from controlplane.identity.rights import VERBS
from controlplane.identity.rules import KINDS
from controlplane.identity.tokens import TOKEN_LIFETIME_MAX_DAYS
from controlplane.kernel.fields import (
    Choice,
    Flag,
    In,
    Labels,
    LabelsPatch,
    Name,
    NamedOut,
    Out,
    Reference,
    Text,
    Whole,
    references,
)

LIFETIME_DEFAULT_DAYS = 90
SCOPE_MAX = 100
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


class ProjectIn(In):
    example = {"name": "web", "labels": {"env": "prod"}}

    name = Name()
    labels = Labels(default=dict)


class ProjectOut(OrganizationOut):
    organization = NamedOut()


class PermissionsOut(Out):
    """`permissions`: the ids of the operations that you may do here, by your role and the limits of your credential.
    What is not there is refused with 403; what is there may be refused for what it is about, such as its state."""

    permissions = serializers.ListField(child=serializers.CharField())


class OrganizationWithPermissionsOut(OrganizationOut, PermissionsOut):
    __doc__ = PermissionsOut.__doc__


class ProjectWithPermissionsOut(ProjectOut, PermissionsOut):
    __doc__ = PermissionsOut.__doc__


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


class InvitationIn(In):
    example = {"email": "bob@acme.example", "role": "member", "lifetime_days": 7}

    email = Text(max_length=EMAIL_MAX)
    role = Choice(Role.values, default=Role.MEMBER)
    lifetime_days = Whole(min_value=1, max_value=INVITATION_MAX_DAYS, default=INVITATION_DEFAULT_DAYS)


class InvitationOut(Out):
    id = serializers.UUIDField()
    organization = NamedOut()
    email = serializers.CharField()
    role = serializers.ChoiceField(Role.values)
    invited_by = UserOut(allow_null=True)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()


class InvitationWithTokenOut(InvitationOut):
    """`token` is in this answer alone. No mail is sent: pass it on to whom you invite."""

    token = serializers.CharField()


class AcceptIn(In):
    example = {"token": "andromede_invitation_…"}

    token = Text(max_length=200)


class GrantIn(In):
    """`project`: its id or name; without one, everywhere in the organization."""

    example = {"project": "web", "role": "member"}

    project = Reference(required=False)
    role = Choice(Role.values)


class GrantOut(Out):
    project = NamedOut(allow_null=True)
    role = serializers.ChoiceField(Role.values)


class ServiceAccountIn(In):
    """`grants`: its roles, one for each project, or one for all of them."""

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


def several(values: Any) -> serializers.ListField:
    """Some of these words; null or absent: no limit."""
    return serializers.ListField(
        child=Choice(values), min_length=1, max_length=SCOPE_MAX, default=None, allow_null=True
    )


class TokenIn(In):
    """`verbs` and `kinds` limit what it may do to which kinds of resources; without them its role alone does."""

    example = {"name": "ci", "role": "member", "lifetime_days": 30, "verbs": ["read"], "kinds": ["instances"]}

    name = Name()
    role = Choice(Role.values, default=Role.MEMBER)
    lifetime_days = Whole(min_value=1, max_value=TOKEN_LIFETIME_MAX_DAYS, default=LIFETIME_DEFAULT_DAYS)
    verbs = several(list(VERBS))
    kinds = several(KINDS)


class WideTokenIn(TokenIn):
    """One that is good in several projects. `projects`: in these alone. `role`: no more than this one anywhere; without
    it the token may what its owner may, also what the owner is given later."""

    example = {"name": "terraform", "lifetime_days": 30, "projects": ["web"]}

    role = Choice(Role.values, required=False)
    projects = references(min_length=1, max_length=SCOPE_MAX, default=None, allow_null=True)


class OwnTokenIn(WideTokenIn):
    """`is_platform`: also for your duty for the platform, if you have one."""

    example = {"name": "terraform", "lifetime_days": 30, "projects": ["web"]}

    is_platform = Flag(default=False)


class TokenOut(Out):
    """`prefix` is the visible head of the secret. `role` empty: whatever its owner has. `verbs`, `kinds`, `projects`
    null: not limited in that. `project`: the one that it is good in; null: wherever its owner has a role.
    `follows_owner`: it has no role of its own, and so may also what its owner is given later; whoever has the secret by
    then has that too."""

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
    """`secret` is in this answer alone: it is not kept."""

    secret = serializers.CharField()


class CredentialOut(Out):
    """`kind`: token or session."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    name = serializers.CharField(allow_blank=True)
    expires_at = serializers.DateTimeField(allow_null=True)


class MembershipOut(Out):
    organization = NamedOut()
    role = serializers.CharField()


class ScopeOut(Out):
    """null: not limited in that."""

    verbs = serializers.ListField(child=serializers.CharField(), allow_null=True)
    kinds = serializers.ListField(child=serializers.CharField(), allow_null=True)
    projects = serializers.ListField(child=serializers.UUIDField(), allow_null=True)


class MeOut(Out):
    """What this credential is: a user's or a service account's. `duty`: for the platform. `project`: the one that it is
    for; null: it is for all of `memberships` and `grants`."""

    user = UserOut(allow_null=True)
    service_account = NamedOut(allow_null=True)
    duty = serializers.CharField(allow_blank=True)
    credential = CredentialOut()
    project = NamedOut(allow_null=True)
    memberships = MembershipOut(many=True)
    grants = GrantOut(many=True)
    scope = ScopeOut()
