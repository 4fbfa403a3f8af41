"""Trusted facts of a zone: the statements that officers have signed, each signature checked against the keyset.

Nodes get these very statements, in this order, and evaluate policies on them. A row without a valid signature is
trusted by no process, whatever the database has.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from andromede_core.documents.canonical import dumps
from andromede_core.documents.signed import BadDocument, Signed
from andromede_core.facts import statements
from andromede_core.facts.attributes import PARTIES
from andromede_core.facts.catalogue import parties_of
from andromede_core.facts.statements import Statement
from andromede_core.facts.world import World, Zone
from andromede_core.permits.trust_documents import Key
from controlplane.catalog import epochs, signing_keys
from controlplane.catalog.models import Fact
from controlplane.catalog.selectors import signed_of, statement_of
from controlplane.nodes import trust_documents

log = logging.getLogger(__name__)

ORDER = ("subject_kind", "subject_id", "attribute", "valid_from", "pk")
FOR_ALL = ("set", "scheme_class")


@dataclass(frozen=True)
class TrustedFacts:
    """The facts. `document`: the signed statements, as nodes get them.

    `doubted`: ids of facts whose signature is not valid.
    """

    epoch: int
    zone: str
    document: bytes
    world: World
    unverified: tuple[str, ...]

    @property
    def sha256(self) -> str:
        return sha256(self.document).hexdigest()

    @property
    def zone_facts(self) -> Zone | None:
        return self.world.zones.get(self.zone)


_known: dict[str, TrustedFacts] = {}


def load(zone: str, epoch: int) -> TrustedFacts:
    """Load the facts of this epoch, or a later one that has begun meanwhile.

    Facts, keysets and denied keys change in the transaction that begins an epoch, so an epoch has one result.

    Raises:
        NoKeyset
    """
    while True:
        cached = _known.get(zone)
        if cached is not None and cached.epoch == epoch:
            return cached
        trusted = _read(zone, epoch)
        if (now := epochs.current()) == epoch:
            _known[zone] = trusted
            return trusted
        epoch = now


def clear_cache() -> None:
    """Clear the cache, for callers that return to an earlier epoch, as after a restore of the database."""
    _known.clear()


def _read(zone: str, epoch: int) -> TrustedFacts:
    keyset, denied = trust_documents.keyset(), trust_documents.deny_list()
    keys_trusted = {kid: key for kid, key in keyset.keys.items() if key.use == "facts" and kid not in denied.kids}
    good: list[tuple[Signed, Statement]] = []
    doubted = []
    for fact in _relevant(zone):
        statement, signed = statement_of(fact), signed_of(fact)
        if _is_vouched_for(signed, statement, keys_trusted.get(signed.key_id)):
            good.append((signed, statement))
        else:
            doubted.append(str(fact.pk))
    if doubted:
        log.critical("zone %s: facts with invalid signatures ignored: %s", zone, ", ".join(doubted))
    return TrustedFacts(
        epoch=epoch,
        zone=zone,
        document=dumps([signed.envelope() for signed, _ in good]),
        world=statements.world([statement for _, statement in good], {zone: "open"}),
        unverified=tuple(doubted),
    )


def _is_vouched_for(signed: Signed, statement: Statement, key: Key | None) -> bool:
    """Check that the officer's key made the signature while it was in use, and covers the zone."""
    if key is None or not key.not_before <= statement.attested_at < key.not_after:
        return False
    if statement.subject_kind == "zone" and not key.covers(zone=statement.subject_id, classifications=()):
        return False
    try:
        signed.check(statements.KIND, signing_keys.verifier(key.public_key))
    except (BadDocument, ValueError):
        return False
    return True


def _relevant(zone: str) -> Iterator[Fact]:
    """Return the zone's own facts, those of its parties, and all named sets and scheme classes."""
    facts = Fact.objects.filter(superseded_at=None).order_by(*ORDER)
    mine = list(facts.filter(subject_kind="zone", subject_id=zone))
    parties = {name for fact in mine if fact.attribute == PARTIES for name in parties_of(fact.value)}
    yield from mine
    yield from facts.filter(subject_kind="party", subject_id__in=parties)
    yield from facts.filter(subject_kind__in=FOR_ALL)
