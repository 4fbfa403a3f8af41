"""Receipts: what the node did under which permit, signed with the node's key and stored until acknowledged.

A receipt is the signed document of kind "receipt": {number, jti, node, zone, event, kind, resource, generation, at,
measured}. `event` is opened, closed or refused; for an orphan, which no permit covers, quarantined, released or
discarded; of what a storage agent has closed, erased. Numbers grow by one without a gap and are part of the signed
document, so a lost receipt is detected.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import MappingProxyType
from uuid import UUID

from agents.node.errors import BadRequest
from agents.node.state_store import StateStore
from agents.node.trust.clock import Clock
from agents.node.trust.keys import NodeKey
from agents.node.trust.permit_actions import PermitAction
from andromede_core.documents import signed
from andromede_core.documents.parsing import as_rfc3339

KIND = "receipt"
# A flood of bad permits must not fill the disk: what is refused beyond this is only logged and counted.
MAX_REFUSED = 10_000
# A node that lost its state store continues from the acknowledged number, which must stay within the integers of JSON.
MAX_NUMBER = 2**48

Measured = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Opening:
    """A resource that the node has opened under a permit and not closed, or is about to open.

    `id`: the resource's. A storage agent puts its place before it, as POOL/ID, since a resource may be in several.
    """

    kind: str
    id: str
    jti: str
    generation: int

    @property
    def resource(self) -> str:
        return self.id.rpartition("/")[2]


class Receipts:
    """Writes and stores receipts.

    Safe for use by many threads. `listener` is called after each receipt and must return at once.
    """

    def __init__(self, state_store: StateStore, key: NodeKey, *, zone: str, clock: Clock) -> None:
        self._state_store = state_store
        self._key = key
        self._zone = zone
        self._clock = clock
        self.listener: Callable[[], None] = lambda: None

    def together(self) -> AbstractContextManager[None]:
        """Write all that the block writes, or nothing; other threads wait."""
        return self._state_store.transaction()

    def intend(self, jti: str, action: PermitAction) -> None:
        """Record an intent together with the permit's use, before any action: after a crash the node still owes the
        receipt.
        """
        if action.opens:
            self.begin(Opening(action.kind, action.id, jti, action.generation))

    def begin(self, opening: Opening) -> None:
        """Record an intent, as `intend` does."""
        self._state_store.execute(
            "INSERT OR REPLACE INTO intent (kind, id, jti, generation) VALUES (?, ?, ?, ?)",
            opening.kind,
            opening.id,
            opening.jti,
            opening.generation,
        )

    def intents(self) -> list[Opening]:
        """Return the actions that began under a permit and have no receipt yet."""
        rows = self._state_store.execute("SELECT kind, id, jti, generation FROM intent ORDER BY kind, id")
        return [_opening(row) for row in rows]

    def opened(self, opening: Opening, measured: Measured) -> None:
        """Write the receipt of an opened resource, once for each permit; an image that is present already is not opened
        again.
        """
        kind, resource_id = opening.kind, opening.id
        with self._state_store.transaction():
            self.forget(opening)
            before = self.opening(kind, resource_id)
            if before is not None and (before.jti == opening.jti or kind == "image"):
                return
            self._state_store.execute(
                "INSERT OR REPLACE INTO opening (kind, id, jti, generation) VALUES (?, ?, ?, ?)",
                kind,
                resource_id,
                opening.jti,
                opening.generation,
            )
            self._spool("opened", opening, measured)
        self.listener()

    def closed(self, kind: str, resource_id: UUID | str, measured: Measured = MappingProxyType({})) -> None:
        """Write the receipt of a closed resource; does nothing when the resource is not open."""
        with self._state_store.transaction():
            opening = self.opening(kind, resource_id)
            if opening is None:
                return
            self._state_store.execute("DELETE FROM opening WHERE kind = ? AND id = ?", kind, str(resource_id))
            self._spool("closed", opening, measured)
        self.listener()

    def resolve_intent(
        self, kind: str, resource_id: UUID | str, *, is_there: bool, measured: Measured = MappingProxyType({})
    ) -> None:
        """Resolve an intent without receipt: write `opened` if the resource exists, else forget the intent."""
        rows = self._state_store.execute(
            "SELECT kind, id, jti, generation FROM intent WHERE kind = ? AND id = ?", kind, str(resource_id)
        )
        for intent in map(_opening, rows):
            if is_there:
                self.opened(intent, {"is_interrupted": True, **measured})
            else:
                self.forget(intent)

    def settled(self, intent: Opening, event: str, about: Opening, measured: Measured) -> None:
        """Write the receipt that the intent is for, and forget the intent, at once."""
        with self._state_store.transaction():
            self.forget(intent)
            self._spool(event, about, measured)
        self.listener()

    def forget(self, intent: Opening) -> None:
        self._state_store.execute("DELETE FROM intent WHERE kind = ? AND id = ?", intent.kind, intent.id)

    def refused(self, jti: str, action: PermitAction, measured: Measured) -> None:
        with self._state_store.transaction():
            ((waiting,),) = self._state_store.execute("SELECT count(*) FROM receipt WHERE event = 'refused'")
            if int(str(waiting)) >= MAX_REFUSED:
                return
            self._spool("refused", Opening(action.kind, action.id, jti, action.generation), measured)
        self.listener()

    def record(self, event: str, about: Opening, measured: Measured) -> None:
        """Write a receipt for an action without a permit."""
        with self._state_store.transaction():
            self._spool(event, about, measured)
        self.listener()

    def opening(self, kind: str, resource_id: UUID | str) -> Opening | None:
        rows = self._state_store.execute(
            "SELECT kind, id, jti, generation FROM opening WHERE kind = ? AND id = ?", kind, str(resource_id)
        )
        return _opening(rows[0]) if rows else None

    def openings(self, kind: str) -> list[Opening]:
        rows = self._state_store.execute(
            "SELECT kind, id, jti, generation FROM opening WHERE kind = ? ORDER BY id", kind
        )
        return [_opening(row) for row in rows]

    # ---- on their way to the control plane

    @property
    def last_number(self) -> int:
        return self._memory("last_receipt")

    def pending_count(self) -> int:
        """Return the number of receipts that are not acknowledged."""
        ((count,),) = self._state_store.execute("SELECT count(*) FROM receipt")
        return int(str(count))

    def after(self, number: int, *, limit: int) -> list[tuple[int, bytes]]:
        rows = self._state_store.execute(
            "SELECT number, document FROM receipt WHERE number > ? ORDER BY number LIMIT ?", number, limit
        )
        return [(int(str(receipt_number)), _bytes(document)) for receipt_number, document in rows]

    def acknowledge(self, number: int) -> None:
        """Delete the receipts up to `number`, which the control plane has stored.

        If the control plane has more than this node remembers to have written, the state store was lost: pending
        receipts are then renumbered from there. That happens before anything was acknowledged, or never.

        Raises:
            BadRequest: receipts that were never made; nothing is forgotten.
        """
        with self._state_store.transaction():
            if number > self.last_number:
                if number > MAX_NUMBER or self._memory("acknowledged"):
                    raise BadRequest(
                        "receipts_after", f"the last receipt of this node has the number {self.last_number}"
                    )
                self._renumber(number)
            else:
                self._state_store.execute("DELETE FROM receipt WHERE number <= ?", number)
            if number > self._memory("acknowledged"):
                self._remember("acknowledged", number)

    def _renumber(self, kept_count: int) -> None:
        waiting = self._state_store.execute("SELECT event, document FROM receipt ORDER BY number")
        self._state_store.execute("DELETE FROM receipt")
        self._remember("last_receipt", kept_count)
        for event, document in waiting:
            self._write(str(event), dict(signed.read(_bytes(document)).payload))

    def _spool(self, event: str, opening: Opening, measured: Measured) -> None:
        payload = {
            "jti": opening.jti,
            "node": self._key.id,
            "zone": self._zone,
            "event": event,
            "kind": opening.kind,
            "resource": opening.resource,
            "generation": opening.generation,
            "at": as_rfc3339(self._clock.now()),
            "measured": dict(measured),
        }
        self._write(event, payload)

    def _write(self, event: str, payload: dict[str, object]) -> None:
        number = self.last_number + 1
        document = self._key.document(KIND, payload | {"number": number})
        self._remember("last_receipt", number)
        self._state_store.execute(
            "INSERT INTO receipt (number, event, document) VALUES (?, ?, ?)", number, event, document
        )

    def _memory(self, name: str) -> int:
        rows = self._state_store.execute("SELECT value FROM memory WHERE name = ?", name)
        return int(str(rows[0][0])) if rows else 0

    def _remember(self, name: str, number: int) -> None:
        self._state_store.execute("INSERT OR REPLACE INTO memory (name, value) VALUES (?, ?)", name, str(number))


def _opening(row: tuple[object, ...]) -> Opening:
    kind, resource_id, jti, generation = row
    return Opening(str(kind), str(resource_id), str(jti), int(str(generation)))


def _bytes(value: object) -> bytes:
    assert isinstance(value, bytes)
    return value
