"""Services for users: suspend, reinstate, end, and remove a platform role.

One operator does these alone, at once; only administrators of the control plane's machines give a platform role
(manage.py).
"""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Q

from controlplane.audit.services import record, record_in_scopes
from controlplane.identity.actor import Actor
from controlplane.identity.errors import LastOperator, OrganizationNotFound, UserIsOver
from controlplane.identity.invitations import invitation_revoke
from controlplane.identity.models import ApiToken, Membership, User
from controlplane.identity.row_locks import lock_organization
from controlplane.identity.selectors import waiting_invitations
from controlplane.identity.services import membership_end
from controlplane.identity.tokens import session_tokens_revoke, tokens_revoke
from controlplane.kernel import clock
from controlplane.kernel.db import write_version
from controlplane.kernel.errors import CloudError
from controlplane.signin.models import Identity, Passkey, Password, PasswordLink, PasswordReset, RecoveryCode, Totp
from controlplane.signin.sessions import end_silently

NO_DUTY = {"is_operator": False, "is_auditor": False, "is_support": False}


@transaction.atomic
def user_suspend(actor: Actor, user: User, *, reason: str = "", revoke_tokens: bool = False) -> User:
    """Suspend a user: sessions end, tokens get 401, and the user cannot sign in until reinstated.

    Memberships, tokens and platform role stay. `revoke_tokens`: also revoke the tokens issued in the user's sessions,
    which may be of service accounts. Idempotent.

    Raises:
        RoleNeeded
        LastOperator: the platform would have no operator.
        UserIsOver
    """
    actor.may_operate()
    row = _held(user)
    _need(_why_not_suspend(actor, row))
    if revoke_tokens:
        session_tokens_revoke(actor, row)
    if row.suspended_at is None:
        write_version(row, suspended_at=clock.now())
        _put_out(row)
        _record(actor, "user.suspend", row, reason=reason)
    return row


@transaction.atomic
def user_reinstate(actor: Actor, user: User) -> User:
    """Reinstate a user.

    A suspended user can sign in as before. An ended user begins anew, with the address and nothing else: no membership,
    no platform role, nothing to sign in with. Idempotent.

    Raises:
        RoleNeeded
    """
    actor.may_operate()
    row = _held(user)
    if row.state == "active":
        return row
    if row.ended_at is not None:
        for kind in (Password, Totp, RecoveryCode, Passkey, Identity, Membership):
            kind._default_manager.filter(user=row).delete()
    write_version(row, suspended_at=None, ended_at=None)
    _record(actor, "user.reinstate", row)
    return row


@transaction.atomic
def user_end(actor: Actor, user: User) -> None:
    """End a user account: memberships, platform role, sessions, tokens, password links and invitations end, both the
    invitations of the user and those that the user made. So do the tokens that the user issued for service accounts,
    since the user knows their secrets. The user's resources stay, and the audit log keeps the name. Idempotent.

    An organization may be left without an owner; manage.py add_member gives it one.

    Raises:
        RoleNeeded, LastOperator
    """
    actor.may_operate()
    places = _places_held(user)
    row = _held(user)
    if row.ended_at is not None:
        return
    _need(_why_not_lose(actor, row))
    _put_out(row)
    tokens_revoke(actor, list(ApiToken.objects.filter(Q(user=row) | Q(issuer_id=row.pk), revoked_at=None)))
    for invitation in waiting_invitations().filter(Q(email__iexact=row.email) | Q(invited_by=row)):
        invitation_revoke(actor, invitation)
    _record(actor, "user.end", row, duty=row.platform_role)
    for membership in places:
        membership_end(actor, membership)
    write_version(row, ended_at=clock.now(), **NO_DUTY)


@transaction.atomic
def user_duty_remove(actor: Actor, user: User) -> None:
    """Remove the platform role of a user; tokens for the platform are revoked.

    Memberships stay. Users may give up their own platform role. Idempotent.

    Raises:
        RoleNeeded, LastOperator
    """
    if actor.user_id != user.pk:
        actor.may_operate()
    row = _held(user)
    if not row.platform_role:
        return
    _need(_why_not_lose(actor, row))
    _record(actor, "user.duty_remove", row, duty=row.platform_role)
    tokens_revoke(actor, list(ApiToken.objects.filter(user=row, is_platform=True, revoked_at=None)))
    PasswordReset.objects.filter(requested_by=row, confirmed_at=None).delete()
    write_version(row, **NO_DUTY)


def allowed(actor: Actor, user: User) -> list[dict[str, Any]]:
    """Return the actions possible in the user's state, each in the form of ActionOut."""
    refusals: Mapping[str, CloudError | None] = {
        "suspend": _why_not_suspend(actor, user),
        "reinstate": None,
        "end": _why_not_lose(actor, user),
        "duty-remove": _why_not_lose(actor, user),
    }
    return [
        {"name": name, "is_allowed": refusal is None, "problem": None if refusal is None else refusal.as_document()}
        for name, refusal in refusals.items()
    ]


def _held(user: User) -> User:
    """Lock and return the user's row, with those of all operators until the transaction ends: of two operators who
    suspend each other, the second fails.
    """
    rows = User.objects.select_for_update(no_key=True).filter(Q(pk=user.pk) | Q(is_operator=True)).order_by("pk")
    return next(row for row in rows if row.pk == user.pk)


def _places_held(user: User) -> list[Membership]:
    """Return the user's memberships, with their organizations locked: these come before users in the order of locks."""
    for membership in Membership.objects.filter(user=user).select_related("organization").order_by("organization"):
        try:
            lock_organization(membership.organization)
        except OrganizationNotFound:
            continue  # a deleted organization gets no members
    return list(Membership.objects.filter(user=user).select_related("organization"))


def _need(refusal: CloudError | None) -> None:
    if refusal is not None:
        raise refusal


def _why_not_suspend(actor: Actor, user: User) -> CloudError | None:
    return UserIsOver(email=user.email) if user.ended_at is not None else _why_not_lose(actor, user)


def _why_not_lose(actor: Actor, user: User) -> CloudError | None:
    """Return the reason why the last active operator cannot lose the role; administrators of the machines, who are no
    users, may remove it.
    """
    if not user.is_operator or user.suspended_at is not None or actor.user_id is None:
        return None
    others = User.objects.filter(is_operator=True, suspended_at=None, ended_at=None).exclude(pk=user.pk)
    return None if others.exists() else LastOperator(email=user.email)


def _put_out(user: User) -> None:
    """End all access of the user. Streams and console sessions end at their next check (STREAM_CHECK_S)."""
    end_silently(user)
    PasswordLink.objects.filter(user=user).delete()
    PasswordReset.objects.filter(Q(user=user) | Q(requested_by=user, confirmed_at=None)).delete()


def _record(actor: Actor, verb: str, user: User, **facts: Any) -> None:
    """Audit the action: for the platform with all facts, and for each organization of the user without them."""
    record(actor, verb, user.pk, **facts)
    places = list(Membership.objects.filter(user=user, organization__deleted_at=None).values_list("organization"))
    if places:
        record_in_scopes(actor, verb, user.pk, organization_ids=[organization_id for (organization_id,) in places])
