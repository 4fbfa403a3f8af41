"""Verify that a trust document is genuine and for this node. Pure.

The keyset and the charter are signed by the offline root, whose public key came with enrolment. Floors are signed by a
permit key of the keyset whose scope is this node's zone, facts by keys for facts, the deny list by a permit key or the
root. Every other document is refused.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from agents.node.errors import TrustRefused
from agents.node.trust.keys import verifier
from andromede_core.documents import signed
from andromede_core.documents.canonical import loads
from andromede_core.documents.parsing import Malformed, as_list
from andromede_core.documents.signed import BadDocument, Signed, Verify
from andromede_core.facts import statements
from andromede_core.facts.statements import Statement
from andromede_core.permits import segment as segments
from andromede_core.permits import trust_documents
from andromede_core.permits.segment import Segment
from andromede_core.permits.trust_documents import DENIED, Charter, DenyList, Floor, Key, Keyset, Use

log = logging.getLogger(__name__)

NO_KEYS = Keyset(0, {})
NOTHING_DENIED = DenyList(0)

T = TypeVar("T")


class _OfZone(Protocol):
    @property
    def zone(self) -> str: ...


Z = TypeVar("Z", bound=_OfZone)


@dataclass(frozen=True, slots=True)
class Authority:
    """Identity of the node and root key, as set at enrolment. `root` checks the root's signatures."""

    node: str
    zone: str
    root: Verify


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Holds the keys that verify other documents."""

    keyset: Keyset = NO_KEYS
    deny: DenyList = NOTHING_DENIED

    def key(self, key_id: str, use: Use) -> Key | None:
        key = self.keyset.keys.get(key_id)
        return None if key is None or key.use != use or key_id in self.deny.kids else key

    def checked(self, kind: str, document: Signed, use: Use) -> Key:
        """Return the key of that use which signed the document.

        Raises:
            TrustRefused: there is none.
        """
        key = self.key(document.key_id, use)
        if key is None:
            raise TrustRefused(
                f"The {kind} is signed by {document.key_id!r}, whose key this node does not trust for it."
            )
        _check(kind, document, verifier(key))
        return key


def keyset(document: bytes, authority: Authority) -> Keyset:
    """Verify and parse a keyset; the other readers of this module raise the same error.

    Raises:
        TrustRefused: not canonical, not signed by whom it must be, or not for this node.
    """
    return _by_root("keyset", document, authority, trust_documents.read_keyset)


def charter(document: bytes, authority: Authority) -> Charter:
    parsed = charter_of_zone(document, authority)
    if parsed.node != authority.node:
        raise TrustRefused(f"The charter is for node {parsed.node}; this is {authority.node}.")
    return parsed


def charter_of_zone(document: bytes, authority: Authority) -> Charter:
    """Verify and parse the charter of any node of the zone."""
    parsed = _by_root("charter", document, authority, trust_documents.read_charter)
    if parsed.zone != authority.zone:
        raise TrustRefused(f"The charter is for zone {parsed.zone}; this certificate is for {authority.zone}.")
    return parsed


def floor(document: bytes, authority: Authority, ring: KeyRing) -> Floor:
    envelope = _read("floor", document)
    key = ring.checked("floor", envelope, "permit")
    parsed = _parsed("floor", envelope, trust_documents.read_floor)
    if parsed.zone != authority.zone or not key.covers(zone=parsed.zone, classifications=()):
        raise TrustRefused(f"The floor is for zone {parsed.zone}, or its key is not; this node is in {authority.zone}.")
    if not key.not_before <= parsed.issued_at < key.not_after:
        raise TrustRefused(f"Key {key.id} was not valid when the floor was signed.")
    return parsed


def deny_list(document: bytes, authority: Authority, ring: KeyRing) -> tuple[DenyList, bool]:
    """Return the deny list, and whether the root signed it.

    The signing key need not be for this zone, since one list serves all nodes. It need not be in use either: a list
    does not state when it was signed, and an expired key leaves the keyset.
    """
    envelope = _read("deny list", document)
    is_of_root = authority.root(signed.message("deny", envelope.payload), envelope.signature)
    if not is_of_root:
        ring.checked("deny", envelope, "permit")
    return _parsed("deny list", envelope, trust_documents.read_deny_list), is_of_root


def segment(document: bytes, authority: Authority, ring: KeyRing) -> Segment:
    """Verify and parse a segment; see of_zone."""
    return of_zone(segments.KIND, document, authority, ring, segments.parse)


def of_zone(kind: str, document: bytes, authority: Authority, ring: KeyRing, read: Callable[[object], Z]) -> Z:
    """Verify and parse a document that a permit key signs for the zone.

    The document does not state when it was signed; an expired key leaves the keyset.
    """
    envelope = _read(kind, document)
    key = ring.checked(kind, envelope, "permit")
    parsed = _parsed(kind, envelope, read)
    if parsed.zone != authority.zone or not key.covers(zone=parsed.zone, classifications=()):
        raise TrustRefused(
            f"The {kind} is for zone {parsed.zone}, or its key is not; this node is in {authority.zone}."
        )
    return parsed


def is_of_lost_key(kind: str, document: bytes, authority: Authority, keyset: Keyset) -> bool:
    """Return whether the root has since removed the signer's key of a document that was verified on arrival."""
    envelope = _read(kind, document)
    is_of_root = authority.root(signed.message(kind, envelope.payload), envelope.signature)
    return not is_of_root and envelope.key_id not in keyset.keys


def unchecked_deny_list(document: bytes) -> DenyList:
    """Parse a deny list that was verified on arrival, but whose key is no longer trusted or which a newer agent stored.

    What this agent knows of it stays denied.
    """
    envelope = _read("deny list", document)
    known = {name: value for name, value in envelope.payload.items() if name in ("version", *DENIED)}
    return _parsed("deny list", replace(envelope, payload=known), trust_documents.read_deny_list)


def unchecked_floor(document: bytes) -> Floor | None:
    """Parse a floor that was verified on arrival, whose key is no longer trusted; None if it cannot be read."""
    try:
        return _parsed("floor", _read("floor", document), trust_documents.read_floor)
    except TrustRefused:
        return None


def check_facts(document: bytes, floor: Floor, ring: KeyRing) -> None:
    """Check that the facts are those of the floor, and that each is signed by a key that may state it."""
    check_digest(document, floor)
    for each in _envelopes(document):
        _statement(each, ring)


def check_digest(document: bytes, floor: Floor) -> None:
    if not matches_floor(floor, document):
        raise TrustRefused("The facts do not match the digest in the floor.")


def matches_floor(floor: Floor, facts: bytes) -> bool:
    return hashlib.sha256(facts).hexdigest() == floor.facts_sha256


def trusted_facts(document: bytes, ring: KeyRing) -> Iterator[Statement]:
    """Return the accepted facts whose keys may still state them. The statements of all others become unknown."""
    for each in _envelopes(document):
        try:
            yield _statement(each, ring)
        except TrustRefused as exc:
            log.warning("signed document rejected on reload", extra={"facts": {"problem": exc.message}})


def _envelopes(document: bytes) -> list[Signed]:
    try:
        return [signed.from_envelope(each) for each in as_list(loads(document), "facts")]
    except (ValueError, RecursionError) as exc:
        raise TrustRefused(f"The facts cannot be read: {exc}") from exc


def _statement(envelope: Signed, ring: KeyRing) -> Statement:
    key = ring.checked("fact", envelope, "facts")
    parsed = _parsed("fact", envelope, statements.parse)
    if not key.not_before <= parsed.attested_at < key.not_after:
        raise TrustRefused(f"Key {key.id} was not valid when it signed {parsed.attribute} of {parsed.subject_id}.")
    if parsed.subject_kind == "zone" and not key.covers(zone=parsed.subject_id, classifications=()):
        raise TrustRefused(f"Key {key.id} may not state facts about zone {parsed.subject_id}.")
    return parsed


def _by_root(kind: str, document: bytes, authority: Authority, read: Callable[[object], T]) -> T:
    envelope = _read(kind, document)
    _check(kind, envelope, authority.root)
    return _parsed(kind, envelope, read)


def _read(kind: str, document: bytes) -> Signed:
    try:
        return signed.read(document)
    except BadDocument as exc:
        raise TrustRefused(f"The {kind} cannot be read: {exc.reason}") from exc


def _check(kind: str, document: Signed, verify: Verify) -> None:
    try:
        document.check(kind, verify)
    except BadDocument as exc:
        raise TrustRefused(f"The {kind} is not genuine: {exc.reason}.") from exc


def _parsed(kind: str, document: Signed, read: Callable[[object], T]) -> T:
    payload: Mapping[str, object] = document.payload
    try:
        return read(payload)
    except Malformed as exc:
        raise TrustRefused(f"The {kind} is malformed: {exc}") from exc
