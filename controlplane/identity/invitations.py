"""Invitations to become a member. No mail is sent: the inviter is shown the secret once, and passes it on."""

import hashlib
import secrets
from datetime import timedelta

from django.db import transaction
from django.db.models import Q, QuerySet

from controlplane.audit.services import record_of_organization
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.identity.errors import AlreadyMember, InvitationForAnother, InvitationInvalid, OrganizationNotFound
from controlplane.identity.models import Invitation, Membership, Organization, User
from controlplane.identity.row_locks import lock_organization
from controlplane.identity.selectors import invitations, waiting_invitations
from controlplane.identity.services import check_address, may_appoint, membership_end, membership_set, user_create
from controlplane.kernel import clock, count_limits

LIFETIME_MAX_DAYS = 30
LIFETIME_DEFAULT_DAYS = 7


@transaction.atomic
def invitation_create(
    actor: Actor, organization: Organization, *, email: str, role: str, lifetime_days: int
) -> tuple[Invitation, str]:
    """Create an invitation; returns it and its secret, which is not stored.

    A pending invitation for the same address is revoked.

    Raises:
        RoleNeeded: only an owner makes owners and officers.
        AlreadyMember, AddressInvalid, OrganizationNotFound, CountExhausted
    """
    may_appoint(actor, role)
    check_address(email)
    lock_organization(organization)
    if Membership.objects.filter(organization=organization, user__email__iexact=email).exists():
        raise AlreadyMember(field="email", email=email)
    for earlier in invitations(organization).filter(email__iexact=email):
        invitation_revoke(actor, earlier)
    count_limits.require_below_limit("invitations", invitations(organization))
    secret = f"andromede_invitation_{secrets.token_urlsafe(32)}"
    invitation = Invitation.objects.create(
        organization=organization,
        email=email,
        role=role,
        invited_by=User.objects.filter(Q(pk=actor.user_id)).first(),
        sha256=_digest(secret),
        expires_at=clock.now() + timedelta(days=lifetime_days),
    )
    _record(actor, "invitation.create", invitation, email=email, role=role)
    return invitation, secret


@transaction.atomic
def invitation_revoke(actor: Actor, invitation: Invitation) -> None:
    """Revoke an invitation: it cannot be accepted any more; an accepted one does not change."""
    now = clock.now()
    waiting = Invitation.objects.filter(pk=invitation.pk, accepted_at=None, revoked_at=None)
    if waiting.update(revoked_at=now, updated_at=now):
        _record(actor, "invitation.revoke", invitation)


@transaction.atomic
def invitation_accept(actor: Actor | None, secret: str) -> Membership:
    """Accept an invitation, once: the signed-in user, or without one (None) a new user with the invitation's address,
    becomes a member.

    A new user gets no credential, since the address is not proved yet. The number of such users of an organization who
    have never signed in is limited.

    Raises:
        InvitationInvalid
        InvitationForAnother: a user with that address exists, and is not the one who is signed in.
        AlreadyMember, DutiesMixed, UserIsOver, CountExhausted
    """
    invitation = _taken(secret)
    user = _invited(actor, invitation)
    if Membership.objects.filter(organization=invitation.organization, user=user).exists():
        raise AlreadyMember(email=user.email)
    by = actor or SYSTEM
    _record(by, "invitation.accept", invitation, user=str(user.pk))
    return membership_set(invitation.organization, user=user, role=invitation.role, actor=by)


def _taken(secret: str) -> Invitation:
    """Mark a pending invitation as accepted. The organization is locked first, as everywhere."""
    invitation = Invitation.objects.select_related("organization").filter(sha256=_digest(secret)).first()
    if invitation is None:
        raise InvitationInvalid(field="token")
    try:
        lock_organization(invitation.organization)
    except OrganizationNotFound as exc:
        raise InvitationInvalid(field="token") from exc
    now = clock.now()
    waiting = Invitation.objects.filter(pk=invitation.pk, accepted_at=None, revoked_at=None, expires_at__gt=now)
    if not waiting.update(accepted_at=now, updated_at=now):
        raise InvitationInvalid(field="token")
    return invitation


def _invited(actor: Actor | None, invitation: Invitation) -> User:
    user = User.objects.filter(email__iexact=invitation.email).first()
    if actor is None:
        if user is not None:
            raise InvitationForAnother()
        count_limits.require_below_limit("newcomers", _is_unknown(invitation.organization))
        Invitation.objects.filter(pk=invitation.pk).update(has_made_user=True)
        return user_create(email=invitation.email)
    if user is None or user.pk != actor.user_id:
        raise InvitationForAnother()
    return user


def _is_unknown(organization: Organization) -> QuerySet[Invitation]:
    """Return the invitations that created users who have never signed in, members or not."""
    seen = User.objects.filter(last_sign_in_at__isnull=False).values("email")
    return Invitation.objects.filter(organization=organization, has_made_user=True).exclude(email__in=seen)


def is_merely_invited(user: User) -> bool:
    """Return True if an invitation created the user, invitations gave all of the user's roles, and the user has never
    signed in.
    """
    accepted = _accepted(user)
    if user.platform_role or user.last_sign_in_at is not None or not accepted.filter(has_made_user=True).exists():
        return False
    return not Membership.objects.filter(user=user).exclude(organization__in=accepted.values("organization")).exists()


@transaction.atomic
def invitations_return(actor: Actor, user: User) -> None:
    """Make accepted invitations pending again, and remove what they gave: they were accepted without proof of the
    address.

    For a user who has just proved the address, and accepts them again.
    """
    for member in Membership.objects.filter(user=user).select_related("organization"):
        membership_end(actor, member)
    _accepted(user).update(accepted_at=None, updated_at=clock.now())


def is_invited(email: str) -> bool:
    """Return True if an invitation for this address is pending."""
    return waiting_invitations().filter(email__iexact=email, organization__deleted_at=None).exists()


def _accepted(user: User) -> QuerySet[Invitation]:
    return Invitation.objects.filter(email__iexact=user.email, accepted_at__isnull=False)


def _record(actor: Actor, verb: str, invitation: Invitation, **facts: str) -> None:
    organization_id = invitation.organization_id
    record_of_organization(actor, verb, invitation.pk, organization_id, organization=str(organization_id), **facts)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
