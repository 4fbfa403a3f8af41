"""Keys of officers, whose signatures of facts count. Only public keys are known here."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from andromede_core.documents.messages import Message, message_of
from andromede_core.documents.parsing import Malformed, as_text
from controlplane.audit.services import record
from controlplane.catalog import signing_keys
from controlplane.catalog.errors import OfficerKeyInvalid, OfficerKeyNotFound, OfficerKeyNotInForce, OfficerKeyTaken
from controlplane.catalog.models import OfficerKey
from controlplane.identity.actor import Actor
from controlplane.identity.models import User
from controlplane.kernel import clock
from controlplane.kernel.db import raise_on_violation

LIFETIME = timedelta(days=2 * 365)
LIFETIME_MAX = timedelta(days=5 * 366)
KNOWN_ALREADY = Message("it is registered already, under another id.")
NOBODY = Message("there is no such user.")
REVOKED = Message("it was revoked.")
TOO_EARLY = Message("its validity has not begun.")
EXPIRED = Message("its validity has ended.")


@dataclass(frozen=True)
class NewOfficerKey:
    """A key to register.

    `public_key`: PEM, or the base64 of its SubjectPublicKeyInfo. `key_id` empty: the default id, derived from the key.
    Without other dates it is in force from now on, for LIFETIME.
    """

    officer: str
    public_key: str
    key_id: str = ""
    user_id: UUID | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None


@transaction.atomic
def officer_key_register(actor: Actor, new: NewOfficerKey) -> OfficerKey:
    """Register an officer's key: signatures of this key count from now on.

    The same key with the same id, name and account changes nothing. One key has one id, so that one person does not
    count as two.

    Raises:
        RoleNeeded, OfficerKeyInvalid
        OfficerKeyTaken: the id is, or was, another key's.
    """
    actor.may_operate()
    key = _checked(new)
    existing = OfficerKey.objects.filter(key_id=key.key_id).first()
    if existing is not None and _identity(existing) == _identity(key):
        return existing
    with (
        raise_on_violation("catalog_officer_key_once", OfficerKeyTaken(field="key_id", name=key.key_id)),
        raise_on_violation(
            "catalog_officer_public_key_once", OfficerKeyInvalid(field="public_key", reason=KNOWN_ALREADY)
        ),
    ):
        key.save(force_insert=True)
    record(actor, "officer_key.register", key.pk, key_id=key.key_id, officer=key.officer)
    return key


def _identity(key: OfficerKey) -> tuple[str, str, UUID | None]:
    return key.public_key, key.officer, key.user_id


def _checked(new: NewOfficerKey) -> OfficerKey:
    try:
        public_key = signing_keys.read_public_key(new.public_key)
    except signing_keys.BadKey as exc:
        raise OfficerKeyInvalid(field="public_key", reason=Message("it {error}.", error=message_of(exc))) from exc
    not_before = new.not_before or clock.now()
    not_after = new.not_after or not_before + LIFETIME
    if not not_before < not_after <= not_before + LIFETIME_MAX:
        reason = Message("it must end after its beginning, and at most {days} days after it.", days=LIFETIME_MAX.days)
        raise OfficerKeyInvalid(field="not_after", reason=reason)
    if new.user_id is not None and not User.objects.filter(pk=new.user_id).exists():
        raise OfficerKeyInvalid(field="user_id", reason=NOBODY)
    return OfficerKey(
        key_id=_text(new.key_id or signing_keys.default_key_id(public_key), "key_id", limit=64),
        officer=_text(new.officer, "officer", limit=200),
        user_id=new.user_id,
        public_key=public_key,
        not_before=not_before,
        not_after=not_after,
    )


def _text(value: str, name: str, *, limit: int) -> str:
    try:
        return as_text(value, name, limit=limit)
    except Malformed as exc:
        raise OfficerKeyInvalid(
            field=name, reason=Message("{name} {problem}.", name=name, problem=exc.problem)
        ) from exc


@transaction.atomic
def officer_key_revoke(actor: Actor, key_id: str) -> None:
    """Revoke a key: its later signatures do not count; its earlier statements count until they are stated again.

    A revocation is final. Idempotent.

    Raises:
        RoleNeeded, OfficerKeyNotFound
    """
    actor.may_operate()
    key = get(key_id)
    now = clock.now()
    if OfficerKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now, updated_at=now):
        record(actor, "officer_key.revoke", key.pk, key_id=key.key_id, officer=key.officer)


def get(key_id: str, *, field: str | None = None) -> OfficerKey:
    """Return a key. Raises OfficerKeyNotFound."""
    key = OfficerKey.objects.filter(key_id=key_id).first()
    if key is None:
        raise OfficerKeyNotFound(field=field, name=key_id[:64])
    return key


def require_in_force(key: OfficerKey, *, now: datetime, field: str | None = None) -> None:
    """Raise OfficerKeyNotInForce unless the key is in force."""
    obstacle = None
    if key.revoked_at is not None:
        obstacle = REVOKED
    elif now < key.not_before:
        obstacle = TOO_EARLY
    elif now >= key.not_after:
        obstacle = EXPIRED
    if obstacle is not None:
        raise OfficerKeyNotInForce(field=field, name=key.key_id, reason=obstacle)
