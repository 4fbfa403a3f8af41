"""Admission check: compare a call with its permit and with the trust documents. Fails closed."""

import logging
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from agents.node.errors import PermitRefused
from agents.node.state_store import StateStore
from agents.node.trust import replay_guard
from agents.node.trust.clock import Clock
from agents.node.trust.keys import verifier
from agents.node.trust.permit_actions import GIB, PermitAction
from agents.node.trust.receipts import Receipts
from agents.node.trust.store import TrustStore
from andromede_core.documents import signed
from andromede_core.documents.canonical import loads
from andromede_core.documents.parsing import as_rfc3339, instant
from andromede_core.documents.signed import BadDocument, Signed
from andromede_core.permits import permit as permits
from andromede_core.permits.permit import Permit, PermitRejected
from andromede_core.permits.trust_documents import Floor

log = logging.getLogger(__name__)

HIGH_WATER, BORN = "high_water", "born_at"
BEGINNING = datetime.fromtimestamp(0, UTC)
MAX_JTI = 64


@dataclass(slots=True)
class Refusals:
    """Counts the calls refused since the agent's start, by code."""

    counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, code: str) -> int:
        with self._lock:
            self.counts[code] += 1
            return self.counts[code]


class Admission:
    """Safe for use by many threads."""

    def __init__(
        self, state_store: StateStore, store: TrustStore, *, node: str, clock: Clock, receipts: Receipts
    ) -> None:
        self.clock = clock
        self.refusals = Refusals()
        self._state_store = state_store
        self._store = store
        self._node = node
        self._receipts = receipts

    def admit(self, action: PermitAction, *, document: bytes, policies: bytes, cosignature: bytes = b"") -> Permit:
        """Return the permit that allows the call now; its use is on the disk before this returns.

        `cosignature` is empty where no sentinel signed.

        Raises:
            PermitRefused: the first check that fails. It is counted, logged, and a receipt says so.
        """
        envelope: Signed | None = None
        try:
            envelope = read_envelope(document)
            permit = self._check(envelope, action, policies, read_envelope(cosignature) if cosignature else None)
            check_contents(permit, action)
            self._bind(permit, action)
        except PermitRejected as exc:
            self._record_refusal(exc, action, envelope)
            raise PermitRefused(exc.code, exc.reason) from exc
        facts = {"kind": action.kind, "id": action.id, "jti": permit.jti, "decision_id": permit.decision}
        log.info("permit accepted", extra={"facts": facts})
        return permit

    def expiry(self, jti: str) -> datetime | None:
        """Return until when a permit that was used here recently holds."""
        rows = self._state_store.execute("SELECT max(expires_at) FROM permit_use WHERE jti = ?", jti)
        return datetime.fromtimestamp(int(str(rows[0][0])), UTC) if rows[0][0] is not None else None

    def permitted_until(self, action: str, resource_id: str, generation: int) -> datetime | None:
        """Return until when the last permit holds that was used here for this call and resource."""
        call = (action, resource_id, generation)
        rows = self._state_store.execute(
            "SELECT max(expires_at) FROM permit_use WHERE call = ? AND subject = ? AND generation = ?", *call
        )
        return datetime.fromtimestamp(int(str(rows[0][0])), UTC) if rows[0][0] is not None else None

    def without_permit(self, action: PermitAction) -> PermitRefused:
        """Return the refusal of a call that needs a permit and has none."""
        refused = PermitRejected("MISSING", "the call carries none")
        self._record_refusal(refused, action, None)
        return PermitRefused(refused.code, refused.reason)

    def learned(self) -> None:
        """Record that the node accepted a trust document: from its time on, the node knows what it has done."""
        with self._state_store.transaction():
            if self._store.held.floor is not None and self._memory(BORN) is None:
                self._remember(BORN, self.clock.now())

    def _check(self, envelope: Signed, action: PermitAction, policies: bytes, cosignature: Signed | None) -> Permit:
        snapshot = self._store.held
        trust = permits.Trust(
            node=self._node,
            charter=snapshot.charter,
            keyset=snapshot.keyset,
            deny=snapshot.deny,
            floor=snapshot.floor,
            world=snapshot.world,
            now=self.clock.now(),
            high_water=self._high_water(snapshot.floor),
            is_clock_kept=self.clock.is_kept(),
            verifier=verifier,
        )
        layers, subject = read_policies(policies), (action.listed_in, action.id)
        permit = permits.check(
            envelope, trust, ops=action.ops, subject=subject, policies=layers, cosignature=cosignature
        )
        born = self._memory(BORN)
        if born is None or permit.nbf < born:
            raise PermitRejected("EXPIRED", "the permit is older than what this node remembers to have done")
        return permit

    def _bind(self, permit: Permit, action: PermitAction) -> None:
        with self._state_store.transaction():
            replay_guard.record_use(self._state_store, permit, action, now=self.clock.now())
            self._receipts.intend(permit.jti, action)
            self._raise_high_water()

    def _raise_high_water(self) -> None:
        """Raise the high-water mark, never by an unsynchronised clock: one that ran ahead would lock the node."""
        now = self.clock.now()
        if self.clock.is_kept() and now > (self._memory(HIGH_WATER) or BEGINNING):
            self._remember(HIGH_WATER, now)

    def _high_water(self, floor: Floor | None) -> datetime:
        """Return the latest time that the node has known, by its own clock and by the documents it accepted."""
        high_water = self._memory(HIGH_WATER) or BEGINNING
        return max(high_water, floor.issued_at) if floor is not None else high_water

    def _memory(self, name: str) -> datetime | None:
        rows = self._state_store.execute("SELECT value FROM memory WHERE name = ?", name)
        return instant(rows[0][0]) if rows else None

    def _remember(self, name: str, moment: datetime) -> None:
        self._state_store.execute("INSERT OR REPLACE INTO memory (name, value) VALUES (?, ?)", name, as_rfc3339(moment))

    def _record_refusal(self, refused: PermitRejected, action: PermitAction, envelope: Signed | None) -> None:
        """Record a refusal. The contents of a refused permit are not trusted, only passed on."""
        claimed = envelope.payload.get("jti") if envelope is not None else None
        jti = claimed if isinstance(claimed, str) and len(claimed) <= MAX_JTI and claimed.isprintable() else ""
        count = self.refusals.add(refused.code)
        facts = {"kind": action.kind, "id": action.id, "jti": jti, "code": refused.code, "reason": refused.reason}
        log.warning("permit refused", extra={"facts": facts | {"count": count}})
        with self._state_store.transaction():
            self._raise_high_water()
            self._receipts.refused(jti, action, {"call": action.call, "code": refused.code})


def read_envelope(document: bytes) -> Signed:
    """Read a signed document; raises PermitRejected."""
    try:
        return signed.read(document)
    except BadDocument as exc:
        raise PermitRejected(exc.code, exc.reason) from exc


def read_policies(text: bytes) -> object:
    """Decode the policies that came with a permit; raises PermitRejected."""
    try:
        return loads(text)
    except (ValueError, RecursionError) as exc:
        raise PermitRejected("MALFORMED", f"policies: {exc}") from exc


def check_contents(permit: Permit, action: PermitAction) -> None:
    """Check the request's ids, sizes, peer and project against the permit; raises PermitRejected."""
    for kind, names in action.names.items():
        permits.listed(permit, kind, names)
    limits = permit.limits
    amounts: Sequence[tuple[str, int, int]] = (
        ("vCPUs", action.vcpus, limits.vcpus),
        ("MiB of memory", action.memory_mib, limits.memory_mib),
        ("bytes of disk", action.disk_bytes, limits.disk_gib * GIB),
    )
    for what, requested, limit in amounts:
        if requested > limit:
            raise PermitRejected("OVER_LIMIT", f"{requested} {what} are more than the {limit} of the permit")
    if action.peer is not None:
        permits.with_peer(permit, action.peer)
    if action.project and action.project != permit.project:
        raise PermitRejected("WRONG_PROJECT", f"the permit is for project {permit.project}, not {action.project}")
