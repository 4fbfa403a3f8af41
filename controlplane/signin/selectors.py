"""Sign-in queries: the session of a secret with its rights, and the accounts."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from controlplane.identity.actor import Actor
from controlplane.identity.credentials import actor_for, need_active
from controlplane.identity.models import ApiToken, User
from controlplane.kernel import clock
from controlplane.kernel.db import by_id
from controlplane.kernel.prepared_queries import Prepared
from controlplane.signin import second_factors, secret_tokens
from controlplane.signin.errors import SessionNotFound, UserNotFound
from controlplane.signin.models import Passkey, Session, Totp

LAST_USE_RESOLUTION = timedelta(minutes=1)
BY_SECRET = Prepared(
    lambda sha256, now, unused: _live(Session.objects.filter(sha256=sha256), now, unused).select_related("user")
)
BY_ID = Prepared(lambda pk, now, unused: _live(Session.objects.filter(pk=pk), now, unused).select_related("user"))


@dataclass(frozen=True)
class SignedIn:
    """A signed-in user. `is_finished`: the session has the second factor, or needs none."""

    actor: Actor
    session: Session
    is_finished: bool


def signed_in(session_secret: str, *, request_id: str = "") -> SignedIn | None:
    """Return the user of the live session with this secret. Records its use at most once a minute."""
    return _signed_in(BY_SECRET.first(secret_tokens.digest(session_secret), *_live_since()), request_id)


def refresh_signed_in(session_id: UUID, *, request_id: str = "") -> SignedIn | None:
    """Return the user of this session, if it is still live. A continued stream counts as use."""
    return _signed_in(BY_ID.first(session_id, *_live_since()), request_id)


def _signed_in(session: Session | None, request_id: str) -> SignedIn | None:
    if session is None:
        return None
    need_active(session.user)
    now = clock.now()
    if now - session.last_used_at > LAST_USE_RESOLUTION:
        Session.objects.filter(pk=session.pk).update(last_used_at=now)
    actor = actor_for(session.user, credential_id=session.pk, request_id=request_id)
    return SignedIn(actor, session, session.is_two_factor or not second_factors.needs_one(session.user))


def live(sessions: QuerySet[Session]) -> QuerySet[Session]:
    return _live(sessions, *_live_since())


def _live_since() -> tuple[datetime, datetime]:
    """Return the times after which a live session expires, and has been used."""
    now = clock.now()
    return now, now - timedelta(minutes=settings.SESSION_IDLE_MINUTES)


def _live(sessions: QuerySet[Session], now: Any, unused: Any) -> QuerySet[Session]:
    return sessions.filter(ended_at=None, expires_at__gt=now, last_used_at__gt=unused)


def sessions_of(user_id: UUID) -> QuerySet[Session]:
    return live(Session.objects.filter(user=user_id))


def session_get(user_id: UUID, ref: str, *, current: Session) -> Session:
    """Return a session, also an ended one, so that ending is idempotent. `current` names the session of the request."""
    session = current if ref == "current" else by_id(Session.objects.filter(user=user_id), ref)
    if session is None:
        raise SessionNotFound(name=ref)
    return session


def user_by_email(email: str) -> User | None:
    """Return the user with exactly this address; without one, the only user whose address differs in case alone."""
    matches = list(User.objects.filter(email__iexact=email)[:2])
    exact = [user for user in matches if user.email == email]
    return exact[0] if exact else matches[0] if len(matches) == 1 else None


def accounts() -> QuerySet[User]:
    """Return all users, each with `has_second_factor` and the number of valid `tokens`."""
    good = ApiToken.objects.filter(user=OuterRef("pk"), revoked_at=None, expires_at__gt=clock.now())
    counted = good.order_by().values("user").annotate(count=Count("pk")).values("count")
    totp = Totp.objects.filter(user=OuterRef("pk"), confirmed_at__isnull=False)
    return User.objects.annotate(
        has_second_factor=Exists(totp) | Exists(Passkey.objects.filter(user=OuterRef("pk"))),
        tokens=Coalesce(Subquery(counted), 0),
    )


def user_get(ref: str) -> User:
    """Return the user by id or e-mail address."""
    user = by_id(User.objects.all(), ref) or User.objects.filter(Q(email=ref)).first()
    if user is None:
        raise UserNotFound(name=ref)
    return user
