"""What the commands about keys share."""

from collections.abc import Collection, Mapping
from types import MappingProxyType

from django.conf import settings
from django.core.management.base import CommandParser
from django.db import transaction

from controlplane.identity.actor import Actor
from controlplane.kernel import clock
from controlplane.nodes import keys, keysets, trust
from controlplane.nodes.errors import NoKeyset
from controlplane.nodes.keysets import NewKeys
from controlplane.placement.core.trust import ANY, Approver, Key, Keyset


def add_root_key(parser: CommandParser) -> None:
    parser.add_argument("--root-key", required=True, metavar="FILE", help="it need be there for this moment only")


def add_scope(parser: CommandParser) -> None:
    parser.add_argument("--zones", type=words, default=(ANY,), help="of which new keys may speak (default: all)")
    parser.add_argument("--classifications", type=words, default=(ANY,), help="the same")


def words(text: str) -> tuple[str, ...]:
    return tuple(word for word in (part.strip() for part in text.split(",")) if word)


@transaction.atomic
def publish(
    actor: Actor,
    root: keys.SigningKey,
    new: NewKeys,
    *,
    approvers: Mapping[str, Approver] = MappingProxyType({}),
    without: Collection[str] = (),
) -> Keyset:
    """The keyset that follows the last one, unless nothing would change. `approvers`: officers' keys that are for
    exemptions from now on, and whose they are. `without`: signers' and sentinels' keys that it is not to have."""
    before, now = _published(), clock.now()
    void = trust.deny_list().kids | set(without)
    valid = {kid: key for kid, key in before.items() if kid not in void}
    found = keysets.officers(before, approvers, now=now)
    for role, use in keys.USE_OF.items():
        public = {kid: key for kid, key in keys.public_keys(settings.PKI_DIR, role).items() if kid not in void}
        found |= keysets.processes(valid, public, use, new, now=now)
    return trust.keyset() if found == before else trust.keyset_publish(actor, root, found.values())


def published_signers() -> set[str]:
    return {key.id for key in _published().values() if key.use == "permit"}


def _published() -> dict[str, Key]:
    try:
        return dict(trust.keyset().keys)
    except NoKeyset:
        return {}
