"""Services that set, change and remove passwords and second factors."""

import logging
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from controlplane.audit.services import record, record_of_user
from controlplane.identity.actor import Actor
from controlplane.identity.credentials import actor_for
from controlplane.identity.models import User
from controlplane.identity.tokens import session_tokens_revoke
from controlplane.kernel import clock
from controlplane.signin import lockout, passkeys, passwords, resets, second_factors, secret_tokens, totp
from controlplane.signin.client_info import ClientInfo
from controlplane.signin.errors import (
    LastFactor,
    LinkRefused,
    LinkTooEarly,
    SecondFactorDemanded,
    TotpThere,
    WrongProof,
)
from controlplane.signin.models import Passkey, Password, PasswordLink, PasswordReset, RecoveryCode, Session, Totp
from controlplane.signin.sessions import check_password, end_silently, needs_fresh_proof

log = logging.getLogger(__name__)


@transaction.atomic
def password_change(
    actor: Actor,
    session: Session,
    origin: ClientInfo,
    *,
    old_password: str,
    new_password: str,
    revoke_tokens: bool = False,
) -> None:
    """Change one's own password.

    Other sessions of the user end; with `revoke_tokens` also the tokens issued in the user's sessions are revoked. A
    user without a password sets one after a fresh proof of another kind.

    Raises:
        WrongProof: wrong old password; it is counted.
        ProofTooOld, PasswordRefused, SignInLocked
    """
    user = session.user
    if Password.objects.filter(user=user).exists():
        account = lockout.account_of(user.email)
        lockout.check(origin, account)
        check_password(user, old_password, account=account)
    else:
        needs_fresh_proof(session)
    passwords.check_new(new_password, user=user, field="new_password")
    if revoke_tokens:
        session_tokens_revoke(actor, user)
    _put(actor, user, new_password, but=session)


@transaction.atomic
def password_set(origin: ClientInfo, *, link_secret: str, new_password: str) -> User:
    """Set the password with a link, which is used up, unless the password is rejected.

    All sessions of the user end. The user's second factors stay.

    Raises:
        LinkRefused, PasswordRefused
        LinkTooEarly: the delay of a reset is not over.
    """
    links = PasswordLink.objects.select_for_update(of=("self",)).select_related("user")
    link = links.filter(sha256=secret_tokens.digest(link_secret), expires_at__gt=clock.now()).first()
    if link is None or (link.is_first and resets.is_in_use(link.user)):
        raise LinkRefused()
    if link.valid_from is not None and link.valid_from > clock.now():
        raise LinkTooEarly(at=f"{link.valid_from:%Y-%m-%d %H:%M:%S} UTC")
    passwords.check_new(new_password, user=link.user, field="new_password")
    actor = actor_for(link.user, credential_id=link.pk, request_id=origin.request_id)
    _put(actor, link.user, new_password)
    return link.user


@transaction.atomic
def password_put(actor: Actor, user: User, *, password: str) -> None:
    """Set a password as an operator at the console; all sessions of the user end.

    Raises:
        PasswordRefused
    """
    passwords.check_new(password, user=user, field="password")
    _put(actor, user, password)


def _put(actor: Actor, user: User, password: str, *, but: Session | None = None) -> None:
    passwords.put(user, password)
    PasswordLink.objects.filter(user=user).delete()
    PasswordReset.objects.filter(user=user).delete()
    lockout.clear_all_failures(lockout.account_of(user.email))
    end_silently(user, but=but)
    if actor.user_id == user.pk:
        record(actor, "password.set", user.pk)
    else:
        record_of_user(actor, "password.set", user.pk)


@transaction.atomic
def password_link_create(actor: Actor, user: User) -> tuple[str, datetime]:
    """Create a password link for the user; returns its secret and its expiry. It replaces earlier links.

    Its holder can sign in as the user, except for a second factor: give it to the user only. For administrators of the
    control plane's machines; the API has first_link_create and resets by two people instead.
    """
    actor.may_operate()
    link = resets.link_put(user)
    record_of_user(actor, "password_link.create", user.pk)
    return link


def may_add_factor(session: Session) -> None:
    """Check that the session may add a factor: a stolen session, or a first factor alone, must not.

    Raises:
        ProofTooOld, SecondFactorDemanded
    """
    needs_fresh_proof(session)
    if second_factors.has_one(session.user) and not session.is_two_factor:
        raise SecondFactorDemanded()


@transaction.atomic
def totp_enrol(actor: Actor, session: Session) -> tuple[str, str]:
    """Create a TOTP secret and its URI, which are shown here only. It has no effect until a code has confirmed it.

    Raises:
        TotpThere, ProofTooOld, SecondFactorDemanded
    """
    may_add_factor(session)
    if Totp.objects.filter(user=session.user, confirmed_at__isnull=False).exists():
        raise TotpThere()
    shown = totp.begin(session.user)
    record(actor, "totp.enrol", session.user_id)
    return shown


@transaction.atomic
def totp_confirm(actor: Actor, session: Session, origin: ClientInfo, *, code: str) -> list[str]:
    """Confirm TOTP with a code: from now on it is required, also of the user's other sessions.

    Returns new recovery codes.

    Raises:
        WrongProof: it is counted.
        SignInLocked, ProofTooOld, SecondFactorDemanded
    """
    may_add_factor(session)
    account = lockout.account_of(session.user.email)
    lockout.check(origin, account)
    device = Totp.objects.select_for_update().filter(user=session.user, confirmed_at=None).first()
    if device is None or not totp.is_right(device, code):
        raise WrongProof(account=account, code_of=session.user_id)
    Totp.objects.filter(pk=device.pk).update(confirmed_at=clock.now())
    now_two_factor(session, second_factors.TOTP)
    record(actor, "totp.confirm", session.user_id)
    return totp.new_recovery_codes(session.user)


def now_two_factor(session: Session, method: str) -> None:
    session.methods = [*dict.fromkeys([*session.methods, method])]
    session.is_two_factor = True
    session.save(update_fields=["methods", "is_two_factor"])


@transaction.atomic
def totp_remove(actor: Actor, session: Session) -> None:
    """Remove TOTP. Idempotent.

    Raises:
        ProofTooOld
        LastFactor: a role of the user requires a second factor.
    """
    needs_fresh_proof(session)
    if Totp.objects.filter(user=session.user).delete()[0]:
        record(actor, "totp.remove", session.user_id)
    after_removal(session.user)


def passkey_begin(session: Session) -> passkeys.Challenge:
    """Begin the registration of a passkey.

    Raises:
        ProofTooOld, SecondFactorDemanded, PasskeysOff
    """
    may_add_factor(session)
    return passkeys.challenge_to_register(session.user)


@transaction.atomic
def passkey_register(actor: Actor, session: Session, response: passkeys.Response, *, name: str) -> Passkey:
    """Register a passkey: from now on a second factor is required, also of the user's other sessions.

    Raises:
        PasskeyRefused, PasskeyTaken, ProofTooOld, SecondFactorDemanded, PasskeysOff
    """
    may_add_factor(session)
    passkey = passkeys.register(session.user, response, name=name)
    now_two_factor(session, second_factors.PASSKEY)
    record(actor, "passkey.register", passkey.pk, name=name)
    return passkey


@transaction.atomic
def passkey_remove(actor: Actor, session: Session, ref: str) -> None:
    """Remove a passkey.

    Raises:
        PasskeyNotFound, ProofTooOld
        LastFactor: a role of the user requires a second factor.
    """
    needs_fresh_proof(session)
    passkeys.delete_passkey(actor, session.user, ref)
    after_removal(session.user)


def after_removal(user: User) -> None:
    """Delete the recovery codes of a user who has no second factor left."""
    if second_factors.has_one(user):
        return
    if second_factors.is_demanded_of(user):
        raise LastFactor()
    RecoveryCode.objects.filter(user=user).delete()


@transaction.atomic
def recovery_codes_replace(actor: Actor, session: Session) -> list[str]:
    """Create new recovery codes, in place of the former ones.

    Raises:
        ProofTooOld
        SecondFactorDemanded: there is no second factor to recover.
    """
    needs_fresh_proof(session)
    if not second_factors.has_one(session.user):
        raise SecondFactorDemanded()
    record(actor, "recovery_codes.replace", session.user_id)
    return totp.new_recovery_codes(session.user)


@transaction.atomic
def lockout_end(actor: Actor, user: User) -> None:
    """End a lockout of the account before its time, as an operator at the console."""
    actor.may_operate()
    lockout.clear_all_failures(lockout.account_of(user.email))
    record_of_user(actor, "lockout.end", user.pk)


@transaction.atomic
def factors_reset(actor: Actor, user: User) -> None:
    """Remove all second factors of a user who has lost them, as an operator at the console who has verified the person.

    All sessions end; the user signs in with the first factor and enrols again.
    """
    actor.may_operate()
    for kind in (Totp, RecoveryCode, Passkey):
        kind.objects.filter(Q(user=user)).delete()
    end_silently(user)
    record_of_user(actor, "factors.reset", user.pk)
