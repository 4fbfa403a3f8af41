"""Trust store: keyset, charter, deny list, and the floor with its facts, in the state store.

Only a newer document replaces an older one, also when the signer of the stored one was denied: the stored one stays,
and nothing older replaces it. If the root has removed the signer's key from the keyset, the keyset decides what is
newer; so the thief of a key who signed the highest number locks nothing. A change of root needs a new enrolment.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from agents.node.errors import BadRequest, TrustOlder, TrustRefused
from agents.node.state_store import StateStore
from agents.node.trust import documents
from agents.node.trust.documents import NO_KEYS, NOTHING_DENIED, Authority, KeyRing
from andromede_core.facts import statements
from andromede_core.facts.world import World
from andromede_core.permits import announcements, instance_metadata, network_ports, security_group
from andromede_core.permits.announcements import Announcements
from andromede_core.permits.instance_metadata import InstanceMetadata
from andromede_core.permits.network_ports import NetworkPorts
from andromede_core.permits.security_group import SecurityGroup
from andromede_core.permits.segment import Segment
from andromede_core.permits.trust_documents import DENIED, Charter, DenyList, Floor, Keyset

log = logging.getLogger(__name__)

T = TypeVar("T")

KEYSET, CHARTER, DENY, FLOOR, FACTS = "keyset", "charter", "deny", "floor", "facts"


@dataclass(frozen=True, slots=True)
class TrustSnapshot:
    """The trusted documents at one moment.

    `floor` is None while its key is not trusted; a deny list stays in force after its key was retired.
    """

    keyset: Keyset = NO_KEYS
    charter: Charter | None = None
    deny: DenyList = NOTHING_DENIED
    floor: Floor | None = None
    world: World = World()

    @property
    def ring(self) -> KeyRing:
        return KeyRing(self.keyset, self.deny)


class TrustStore:
    """Stores the trust documents. Safe for use by many threads. `held` is replaced as a whole, never changed."""

    def __init__(self, state_store: StateStore, authority: Authority) -> None:
        self._state_store = state_store
        self._authority = authority
        self._lock = threading.Lock()
        self._facts: tuple[bytes, KeyRing] | None = None
        self._last_world = World()
        self.held = self._assemble()

    def ensure(self, given: Mapping[str, bytes]) -> TrustSnapshot:
        """Accept the given documents, by the names of this module; facts come with their floor.

        Each document is on disk before the next one is checked, keys and denials first, so that bad facts delay no
        revocation.

        Raises:
            TrustOlder: the node has a newer one.
            TrustRefused: one is not genuine or not for this node; those before it were taken.
        """
        if given.get(FACTS) and not given.get(FLOOR):
            raise BadRequest("facts", "must be sent with their floor")
        with self._lock:
            for kind, take in (
                (KEYSET, self._take_keyset),
                (DENY, self._take_deny_list),
                (CHARTER, self._take_charter),
            ):
                if given.get(kind) and given[kind] != self._stored(kind):
                    take(given[kind])
                    self._keep({kind: given[kind]})
            if given.get(FLOOR):
                self._take_floor(given[FLOOR], given.get(FACTS) or self._stored(FACTS))
            return self.held

    def segment(self, document: bytes) -> Segment:
        """Verify and parse a segment.

        Raises:
            TrustRefused: it is not genuine, or not for this zone.
        """
        return documents.segment(document, self._authority, self.held.ring)

    def network_ports(self, document: bytes) -> NetworkPorts:
        """Verify and parse a list of ports; raises as `segment` does."""
        return documents.of_zone(network_ports.KIND, document, self._authority, self.held.ring, network_ports.parse)

    def security_group(self, document: bytes) -> SecurityGroup:
        """Verify and parse a security group; raises as `segment` does."""
        return documents.of_zone(security_group.KIND, document, self._authority, self.held.ring, security_group.parse)

    def instance_metadata(self, document: bytes) -> InstanceMetadata:
        """Verify and parse metadata of an instance on this node; raises as `segment` does."""
        kind, parse = instance_metadata.KIND, instance_metadata.parse
        metadata = documents.of_zone(kind, document, self._authority, self.held.ring, parse)
        if metadata.node != self._authority.node:
            raise TrustRefused(f"The {kind} is for node {metadata.node}; this one is {self._authority.node}.")
        return metadata

    def announcements(self, document: bytes) -> Announcements:
        """Verify and parse announcements; raises as `segment` does."""
        return documents.of_zone(announcements.KIND, document, self._authority, self.held.ring, announcements.parse)

    def is_of_lost_key(self, kind: str, document: bytes) -> bool:
        """Return whether the root has removed the signer's key of a document that was verified on arrival."""
        return documents.is_of_lost_key(kind, document, self._authority, self.held.keyset)

    def _take_keyset(self, document: bytes) -> None:
        new = documents.keyset(document, self._authority)
        _check_version(KEYSET, new.version, self.held.keyset.version)

    def _take_charter(self, document: bytes) -> None:
        new = documents.charter(document, self._authority)
        _check_version(CHARTER, new.version, self.held.charter.version if self.held.charter else 0)

    def _take_deny_list(self, document: bytes) -> None:
        """Accept a deny list. Only the root may remove entries."""
        snapshot = self.held
        new, is_of_root = documents.deny_list(document, self._authority, snapshot.ring)
        is_reset = is_of_root and self._stored_is_of_lost_key(DENY)
        _check_version(DENY, new.version, snapshot.keyset.deny_version if is_reset else snapshot.deny.version)
        if not is_of_root and not all(getattr(self.held.deny, name) <= getattr(new, name) for name in DENIED):
            raise TrustRefused("The deny list must contain all earlier entries.")

    def _take_floor(self, document: bytes, facts: bytes) -> None:
        snapshot, stored_facts = self.held, self._stored(FACTS)
        if snapshot.floor is not None and (document, facts) == (self._stored(FLOOR), stored_facts):
            return
        new = documents.floor(document, self._authority, snapshot.ring)
        last = snapshot.floor or documents.unchecked_floor(self._stored(FLOOR))
        if last is not None and self._stored_is_of_lost_key(FLOOR):
            last = None
        if new.epoch < snapshot.keyset.epoch or (last is not None and _age(new) < _age(last)):
            raise TrustOlder(FLOOR)
        if facts == stored_facts:
            documents.check_digest(facts, new)
            self._keep({FLOOR: document})
        else:
            documents.check_facts(facts, new, snapshot.ring)
            self._keep({FLOOR: document, FACTS: facts})

    def _stored_is_of_lost_key(self, kind: str) -> bool:
        stored = self._stored(kind)
        return bool(stored) and self.is_of_lost_key(kind, stored)

    def _stored(self, kind: str) -> bytes:
        rows = self._state_store.execute("SELECT document FROM trust WHERE kind = ?", kind)
        return _bytes(rows[0][0]) if rows else b""

    def _keep(self, new: Mapping[str, bytes]) -> None:
        with self._state_store.transaction():
            for kind, document in new.items():
                self._state_store.execute("INSERT OR REPLACE INTO trust (kind, document) VALUES (?, ?)", kind, document)
        self.held = self._assemble()
        log.info("trust document accepted", extra={"facts": {"new": sorted(new)}})

    def _assemble(self) -> TrustSnapshot:
        """Load the snapshot from disk and verify everything again; documents that no longer hold are left out."""
        rows = self._state_store.execute("SELECT kind, document FROM trust")
        stored = {str(kind): _bytes(document) for kind, document in rows}
        authority = self._authority
        keyset = _load_valid(KEYSET, stored, lambda raw: documents.keyset(raw, authority)) or NO_KEYS
        charter = _load_valid(CHARTER, stored, lambda raw: documents.charter(raw, authority))
        listed = _load_valid(DENY, stored, lambda raw: documents.deny_list(raw, authority, KeyRing(keyset)))
        if listed is not None:
            deny = listed[0]
        else:
            deny = documents.unchecked_deny_list(stored[DENY]) if DENY in stored else NOTHING_DENIED
        ring = KeyRing(keyset, deny)
        floor = _load_valid(FLOOR, stored, lambda raw: documents.floor(raw, authority, ring))
        facts = stored.get(FACTS, b"")
        world = self._world(facts, ring) if floor is not None and documents.matches_floor(floor, facts) else World()
        return TrustSnapshot(keyset, charter, deny, floor, world)

    def _world(self, facts: bytes, ring: KeyRing) -> World:
        """Return the facts of the floor, cached: floors are renewed far more often than facts, and each fact is a
        signature to check.
        """
        if self._facts != (facts, ring):
            facts_document = documents.trusted_facts(facts, ring)
            self._last_world = statements.world(facts_document, {self._authority.zone: "open"})
            self._facts = (facts, ring)
        return self._last_world


def _load_valid(kind: str, stored: Mapping[str, bytes], read: Callable[[bytes], T]) -> T | None:
    """Load a stored document if it is still valid."""
    if kind not in stored:
        return None
    try:
        return read(stored[kind])
    except TrustRefused as exc:
        log.warning("stored trust document rejected", extra={"facts": {"kind": kind, "problem": exc.message}})
        return None


def _age(floor: Floor) -> tuple[int, datetime]:
    return floor.epoch, floor.issued_at


def _check_version(kind: str, new: int, held_version: int) -> None:
    if new < held_version:
        raise TrustOlder(kind)
    if new == held_version:
        raise TrustRefused(f"This node trusts another {kind} of version {held_version}.")


def _bytes(value: object) -> bytes:
    assert isinstance(value, bytes)
    return value
