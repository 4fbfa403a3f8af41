"""Schemas of invitations."""

from rest_framework import serializers

from controlplane.api.v1.organizations.schemas import EMAIL_MAX, UserOut
from controlplane.identity.invitations import LIFETIME_DEFAULT_DAYS as INVITATION_DEFAULT_DAYS
from controlplane.identity.invitations import LIFETIME_MAX_DAYS as INVITATION_MAX_DAYS
from controlplane.identity.models import Role
from controlplane.kernel.fields import (
    Choice,
    In,
    NamedOut,
    Out,
    Text,
    Whole,
)


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
    """An invitation with its token. `token` is in this response only. No mail is sent: give it to the invited user."""

    token = serializers.CharField()


class AcceptIn(In):
    example = {"token": "andromede_invitation_…"}

    token = Text(max_length=200)
