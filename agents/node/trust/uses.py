"""What each permit was used for, on the disk before anything is done: a permit serves one use of each thing once.

Calls may be repeated. The same content under the same permit is a repetition while nothing newer has happened to the
resource; anything else is a replay.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from agents.node.ledger import Ledger
from agents.node.trust.deeds import Deed
from agents.node.wishes import Subject
from controlplane.placement.core.permit import Permit, Refused

FREE_STEP = 16  # generations that calls without a permit may be ahead of the last one under a permit
KEPT = timedelta(hours=1)  # after a permit's end; a clock can go back by seconds only


def bind(ledger: Ledger, permit: Permit, deed: Deed, *, now: datetime) -> None:
    """Write down that the permit is used for this, and flush it to the disk.

    Raises:
        Refused: STALE_GENERATION when the permit's resource has moved on, REPLAYED when the permit was used for
            something else, or something has happened since.
    """
    with ledger.transaction():
        _check_generation(ledger, permit, deed)
        _check_replay(ledger, permit, deed)
        ledger.execute("DELETE FROM permit_use WHERE expires_at < ?", int((now - KEPT).timestamp()))
        ledger.execute(
            "INSERT OR IGNORE INTO permit_use VALUES (?, ?, ?, ?, ?, ?)",
            permit.jti,
            deed.call,
            deed.id,
            deed.generation,
            deed.content,
            int(permit.exp.timestamp()),
        )
        permitted(ledger, deed.id, deed.generation)


def permitted(ledger: Ledger, resource_id: str, generation: int) -> None:
    """Remember the highest generation of a resource that a permit covered; also of what came along with another."""
    ledger.execute(
        "INSERT INTO permitted VALUES (?, ?)"
        " ON CONFLICT DO UPDATE SET generation = max(generation, excluded.generation)",
        resource_id,
        generation,
    )


def bounded(ledger: Ledger, subject: Subject) -> Subject:
    """At which generation a call without a permit is remembered: of what it asks for, no more than FREE_STEP beyond the
    last one that was permitted. Whoever may stop and remove must not be able to use up all generations."""
    return replace(subject, generation=min(subject.generation, _permitted(ledger, str(subject.id)) + FREE_STEP))


def _permitted(ledger: Ledger, resource_id: str) -> int:
    rows = ledger.execute("SELECT generation FROM permitted WHERE id = ?", resource_id)
    return int(str(rows[0][0])) if rows else 0


def _check_generation(ledger: Ledger, permit: Permit, deed: Deed) -> None:
    """The permit is for one generation of its resource: what came later has not been decided, or overtook it."""
    if deed.id == permit.resource and deed.generation > permit.gen:
        raise Refused("STALE_GENERATION", f"the permit is for generation {permit.gen} of {permit.resource}")
    if deed.generation > max(permit.gen, _permitted(ledger, deed.id) + FREE_STEP):
        raise Refused("STALE_GENERATION", f"generation {deed.generation} of {deed.id} is too far ahead")
    newest = ledger.newest(permit.resource)
    if newest is not None and (newest[0] > permit.gen or newest == (permit.gen, False)):
        raise Refused("STALE_GENERATION", f"{permit.resource} has moved on to generation {newest[0]}")


def _check_replay(ledger: Ledger, permit: Permit, deed: Deed) -> None:
    """Generations that follow each other under one permit are one use, as long as nobody came between them."""
    rows = ledger.execute(
        "SELECT generation, content FROM permit_use WHERE jti = ? AND call = ? AND subject = ?"
        " ORDER BY generation DESC LIMIT 1",
        permit.jti,
        deed.call,
        deed.id,
    )
    if not rows:
        return
    generation, content = int(str(rows[0][0])), rows[0][1]
    if deed.generation == generation and content != deed.content:
        raise Refused("REPLAYED", f"the permit was used for {deed.id} with another content")
    if deed.generation < generation or not _is_untouched(ledger, deed.id, since=generation):
        raise Refused("REPLAYED", f"the permit was used for {deed.id}, to which something has happened since")


def _is_untouched(ledger: Ledger, resource_id: str, *, since: int) -> bool:
    """A lower generation, or none: the agent was killed before it began."""
    newest = ledger.newest(resource_id)
    return newest is None or newest[0] < since or newest == (since, True)
