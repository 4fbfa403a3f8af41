"""Sessions: begun with a proof, and ended by expiry, by their user, or by an operator."""

import logging
from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import transaction

from controlplane.audit.services import record, record_of_user
from controlplane.identity.actor import Actor
from controlplane.identity.credentials import actor_for, need_active
from controlplane.identity.models import User
from controlplane.identity.tokens import session_tokens_revoke
from controlplane.kernel import clock
from controlplane.signin import lockout, passkeys, passwords, second_factors, secret_tokens, selectors, totp
from controlplane.signin.client_info import ClientInfo
from controlplane.signin.errors import PasskeyRefused, ProofTooOld, SecondFactorDemanded, SignInRefused, WrongProof
from controlplane.signin.models import Ceremony, OpenIdSignIn, PasswordLink, PasswordReset, Session
from controlplane.signin.second_factors import Proof

log = logging.getLogger(__name__)

PROOF_LASTS = timedelta(minutes=5)
PASSWORD = "password"
NOBODY = ""  # the account of failures without an account


@transaction.atomic
def session_create(origin: ClientInfo, *, email: str, password: str, proof: Proof) -> tuple[Session, str]:
    """Sign in with a password, and a second factor where the account has one. The secret is returned here only.

    Raises:
        SignInRefused: wrong password or unknown address, which the error does not tell apart; it is counted.
        CodeNeeded, WrongProof: the password is right.
        UserSuspended, UserEnded: password and second factor are right.
        SignInLocked
    """
    account = lockout.account_of(email)
    lockout.check(origin, account)
    user = selectors.user_by_email(email)
    if not passwords.is_right(user, password) or user is None:
        raise SignInRefused(account=account)
    methods = [PASSWORD]
    if second_factors.has_one(user):
        methods.append(second_factors.prove(user, proof, account=account))
    lockout.clear_failures(origin, account)
    return create_session(user, origin, methods, is_two_factor=len(methods) > 1)


@transaction.atomic
def session_create_by_passkey(origin: ClientInfo, response: passkeys.Response) -> tuple[Session, str]:
    """Sign in with a passkey alone: its device has verified the user.

    A lockout of the account concerns passwords, and does not apply.

    Raises:
        PasskeyRefused: it is counted for the address.
        SignInLocked, PasskeysOff, UserSuspended, UserEnded
    """
    lockout.check(origin, NOBODY)
    try:
        passkey = passkeys.prove(response)
    except PasskeyRefused as exc:
        raise PasskeyRefused(account=NOBODY) from exc
    return create_session(passkey.user, origin, [second_factors.PASSKEY], is_two_factor=True)


def create_session(
    user: User, origin: ClientInfo, methods: Sequence[str], *, is_two_factor: bool
) -> tuple[Session, str]:
    """Create a session after a proof of identity. In the caller's transaction.

    Raises:
        UserSuspended, UserEnded: a concurrent suspension waits, and then ends this session too.
    """
    now = clock.now()
    if not User.objects.filter(pk=user.pk, suspended_at=None, ended_at=None).update(last_sign_in_at=now):
        user.refresh_from_db()
        need_active(user)
    session_secret, digest = secret_tokens.new(secret_tokens.SESSION)
    session = Session.objects.create(
        user=user,
        sha256=digest,
        address=origin.address,
        user_agent=origin.user_agent,
        methods=list(methods),
        is_two_factor=is_two_factor,
        proved_at=now,
        last_used_at=now,
        expires_at=now + timedelta(hours=settings.SESSION_HOURS),
    )
    actor = actor_for(user, credential_id=session.pk, request_id=origin.request_id)
    record(actor, "session.create", session.pk, methods=list(methods), address=origin.address)
    return session, session_secret


@transaction.atomic
def session_verify(actor: Actor, session: Session, origin: ClientInfo, *, password: str, proof: Proof) -> Session:
    """Prove one's identity again: by a second factor, or by the password if there is no second factor.

    Raises:
        CodeNeeded: there is a second factor, and no proof of it.
        WrongProof: it is counted.
        SignInLocked
    """
    user = session.user
    account = lockout.account_of(user.email)
    lockout.check(origin, account)
    if second_factors.has_one(user):
        method = second_factors.prove(user, proof, account=account)
        session.is_two_factor = True
    else:
        method = check_password(user, password, account=account)
    session.methods = [*dict.fromkeys([*session.methods, method])]
    session.proved_at = clock.now()
    session.save(update_fields=["methods", "is_two_factor", "proved_at"])
    record(actor, "session.verify", session.pk, method=method)
    return session


def check_password(user: User, password: str, *, account: str) -> str:
    """Check the password.

    Raises:
        WrongProof: it is counted.
    """
    if not passwords.is_right(user, password):
        raise WrongProof(account=account)
    return PASSWORD


def needs_fresh_proof(session: Session) -> None:
    """Require a fresh proof, before actions that a stolen session must not do.

    Raises:
        ProofTooOld
    """
    if clock.now() - session.proved_at > PROOF_LASTS:
        raise ProofTooOld(minutes=int(PROOF_LASTS.total_seconds() // 60))


def needs_fresh_factors(session: Session) -> None:
    """Require a second factor and a fresh proof, before actions with power over other accounts.

    Raises:
        ProofTooOld, SecondFactorDemanded
    """
    needs_fresh_proof(session)
    if not session.is_two_factor:
        raise SecondFactorDemanded()


@transaction.atomic
def session_end(actor: Actor, session: Session) -> None:
    """End a session at once. Idempotent."""
    if Session.objects.filter(pk=session.pk, ended_at=None).update(ended_at=clock.now()):
        record(actor, "session.end", session.pk)


@transaction.atomic
def session_end_others(actor: Actor, session: Session, *, revoke_tokens: bool = False) -> int:
    """End all other sessions of the user; with `revoke_tokens` also revoke the tokens issued in the user's sessions."""
    if revoke_tokens:
        session_tokens_revoke(actor, session.user)
    return _end(actor, session.user, but=session)


@transaction.atomic
def sessions_end_all(actor: Actor, user: User) -> int:
    """End all sessions of a user as an operator, and revoke the tokens issued in them.

    The account does not change: the user can sign in again.
    """
    actor.may_operate()
    session_tokens_revoke(actor, user)
    return _end(actor, user)


def _end(actor: Actor, user: User, *, but: Session | None = None) -> int:
    count = end_silently(user, but=but)
    record_of_user(actor, "session.end_all", user.pk, count=count, is_one_kept=but is not None)
    return count


def end_silently(user: User, *, but: Session | None = None) -> int:
    """End sessions as part of another action, which is audited."""
    live = Session.objects.filter(user=user, ended_at=None)
    others = live if but is None else live.exclude(pk=but.pk)
    return others.update(ended_at=clock.now())


@transaction.atomic
def record_failure(origin: ClientInfo, facts: dict[str, object]) -> User | None:
    """Record a failure of an error (its facts `account` and `code_of`), after the rollback of the request's writes.

    Returns the account, if there is one.
    """
    account = str(facts["account"])
    lockout.record_failure(origin, account)
    user = selectors.user_by_email(account)
    if user is None:
        log.info("request %s: sign-in failed, unknown account", origin.request_id)
        return None
    if "code_of" in facts:
        totp.record_failure(user.pk)
    actor = Actor(user_id=None, credential_id=None, project_id=None, role="", request_id=origin.request_id)
    record(actor, "session.refuse", user.pk, address=origin.address)
    return user


@transaction.atomic
def purge() -> int:
    """Delete expired sessions, with their addresses, links, and unfinished sign-ins."""
    over = Session.objects.exclude(pk__in=selectors.live(Session.objects.all()).values("pk"))
    for kind in (PasswordLink, PasswordReset, OpenIdSignIn, Ceremony):
        kind.objects.filter(expires_at__lte=clock.now()).delete()
    lockout.purge()
    return over.delete()[0]
