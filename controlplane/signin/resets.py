"""Password links: for new accounts at once, for accounts in use by two people.

The holder of a link becomes the account's user, except for a second factor. An operator who could create one alone
could become any user of any tenant (ADR 0043).
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from controlplane.audit.services import record, record_of_user
from controlplane.identity.actor import Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.identity.models import ApiToken, Membership, Role, User
from controlplane.kernel import clock
from controlplane.kernel.db import by_id
from controlplane.signin import second_factors, secret_tokens
from controlplane.signin.errors import PasswordResetNotFound, ResetNeeded, SecondPersonNeeded
from controlplane.signin.models import Identity, Password, PasswordLink, PasswordReset, Session
from controlplane.signin.sessions import needs_fresh_factors


def is_in_use(user: User) -> bool:
    """Return True if the account has a platform role, a membership, or anything to sign in with."""
    return bool(user.platform_role) or is_proved(user) or Membership.objects.filter(user=user).exists()


def is_proved(user: User) -> bool:
    """Return True if the user has anything to sign in with."""
    owned = (Password, Identity, ApiToken)
    return second_factors.has_one(user) or any(model._default_manager.filter(user=user).exists() for model in owned)


@transaction.atomic
def first_link_create(actor: Actor, session: Session, user: User) -> tuple[str, datetime]:
    """Create a link for the first password of a new account; returns its secret and its expiry.

    It replaces earlier links, and becomes invalid as soon as the account is in use.

    Raises:
        RoleNeeded, ProofTooOld, SecondFactorDemanded
        ResetNeeded: the account is in use.
    """
    actor.may_operate()
    needs_fresh_factors(session)
    _lock(user)
    if is_in_use(user):
        raise ResetNeeded(email=user.email)
    secret, until = link_put(user, is_first=True)
    record(actor, "password_link.create", user.pk)
    return secret, until


def link_put(user: User, *, is_first: bool = False, valid_from: datetime | None = None) -> tuple[str, datetime]:
    """Create a link in place of others; returns its secret and its expiry. In the caller's transaction."""
    PasswordLink.objects.filter(user=user).delete()
    link_secret, digest = secret_tokens.new(secret_tokens.LINK)
    until = (valid_from or clock.now()) + timedelta(hours=settings.PASSWORD_LINK_HOURS)
    PasswordLink.objects.create(user=user, sha256=digest, expires_at=until, is_first=is_first, valid_from=valid_from)
    return link_secret, until


@transaction.atomic
def reset_create(actor: Actor, session: Session, user: User) -> PasswordReset:
    """Request a password reset; a second person confirms it.

    It replaces a pending one. The audit log of each organization of the user shows it.

    Raises:
        RoleNeeded, ProofTooOld, SecondFactorDemanded
    """
    actor.may_operate()
    needs_fresh_factors(session)
    _lock(user)
    _void(user)
    until = clock.now() + timedelta(hours=settings.PASSWORD_LINK_HOURS)
    reset = PasswordReset.objects.create(user=user, requested_by=session.user, expires_at=until)
    record_of_user(actor, "password_reset.create", user.pk)
    return reset


@transaction.atomic
def reset_confirm(actor: Actor, session: Session, reset: PasswordReset) -> tuple[str, PasswordReset]:
    """Confirm a reset; returns the secret of the link, which is valid after PASSWORD_RESET_HOLD_MINUTES.

    The second person is another operator, or an owner of an organization of which the user is a member. The user's
    second factors do not change.

    Raises:
        ProofTooOld, SecondFactorDemanded
        SecondPersonNeeded: the actor requested it, or it is the actor's own password.
        RoleNeeded: neither an operator nor an owner there.
        PasswordResetNotFound: it has ended, was confirmed already, or its requester is no operator any more.
    """
    needs_fresh_factors(session)
    _lock(reset.user)
    waiting = PasswordReset.objects.filter(pk=reset.pk, confirmed_at=None, expires_at__gt=clock.now())
    row = waiting.filter(requested_by__is_operator=True, requested_by__suspended_at=None).select_related("user").first()
    if row is None:
        raise PasswordResetNotFound(name=str(reset.pk))
    if actor.user_id in (row.requested_by_id, row.user_id):
        raise SecondPersonNeeded()
    if not (actor.is_operator or _is_owner_over(actor, row.user)):
        raise RoleNeeded(role=Role.OWNER)
    now = clock.now()
    valid_from = now + timedelta(minutes=settings.PASSWORD_RESET_HOLD_MINUTES)
    secret, row.expires_at = link_put(row.user, valid_from=valid_from)
    row.confirmed_by, row.confirmed_at, row.valid_from = session.user, now, valid_from
    row.save(update_fields=["confirmed_by", "confirmed_at", "valid_from", "expires_at"])
    facts = {"asked_by": str(row.requested_by_id), "good_from": valid_from.isoformat(timespec="seconds")}
    record_of_user(actor, "password_reset.confirm", row.user_id, resource_id=None, **facts)
    return secret, row


@transaction.atomic
def reset_withdraw(actor: Actor, reset: PasswordReset) -> None:
    """Withdraw the reset and its link. Idempotent."""
    _lock(reset.user)
    if PasswordReset.objects.filter(pk=reset.pk).exists():
        _void(reset.user)
        record_of_user(actor, "password_reset.withdraw", reset.user_id)


def resets(actor: Actor) -> QuerySet[PasswordReset]:
    """Return the open resets that the actor may see: an operator all, an owner those of the organization's members,
    other users their own.
    """
    live = PasswordReset.objects.select_related("user", "requested_by", "confirmed_by").filter(
        expires_at__gt=clock.now()
    )
    if actor.is_operator:
        return live
    owned = [organization_id for organization_id, role in actor.memberships.items() if role == Role.OWNER]
    members = Membership.objects.filter(organization__in=owned).values("user")
    return live.filter(Q(user=actor.user_id) | Q(user__in=members))


def reset_get(actor: Actor, ref: str) -> PasswordReset:
    """Return a reset. Raises PasswordResetNotFound."""
    reset = by_id(resets(actor), ref)
    if reset is None:
        raise PasswordResetNotFound(name=ref)
    return reset


def _is_owner_over(actor: Actor, user: User) -> bool:
    owned = [organization_id for organization_id, role in actor.memberships.items() if role == Role.OWNER]
    return Membership.objects.filter(user=user, organization__in=owned).exists()


def _void(user: User) -> None:
    PasswordReset.objects.filter(user=user).delete()
    PasswordLink.objects.filter(user=user, valid_from__isnull=False).delete()


def _lock(user: User) -> None:
    """Lock the account, so that concurrent requests, confirmations and uses of a link run one after the other."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
