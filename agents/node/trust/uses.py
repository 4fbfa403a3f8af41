"""What each permit was used for, on the disk before anything is done: a permit serves one use of each thing once.

Calls may be repeated. The same content under the same permit is a repetition while nothing newer has happened to the
resource; anything else is a replay.

What is gone is remembered for as long as a permit could speak of it, and longer: then its tombstone goes too. A permit
that was made before has ended by then, by a clock that never goes back (admission.py), and is refused for that.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from agents.node.ledger import Ledger
from agents.node.trust.deeds import Deed
from agents.node.wishes import Subject
from andromede_core.permits.permit import Permit, Refused

FREE_STEP = 16  # generations that calls without a permit may be ahead of the last one under a permit
KEPT = timedelta(hours=1)  # after a permit's end; a clock can go back by seconds only
GONE_KEPT = timedelta(days=7)  # a permit's five minutes, and whatever a caller may have slept
PRUNED_AT_ONCE = 50  # per use of a permit, which leaves a few tombstones at most
QUIET = """
UPDATE resource SET quiet_since = ? WHERE (kind, id) IN (
    SELECT kind, id FROM resource WHERE phase = 'removed' AND quiet_since IS NULL LIMIT ?
)
"""
GONE = """
SELECT kind, id FROM resource
WHERE phase = 'removed' AND quiet_since < ? AND id NOT IN (SELECT subject FROM permit_use) LIMIT ?
"""
FORGOTTEN = (
    "DELETE FROM resource WHERE kind = ?1 AND id = ?2",
    "DELETE FROM permitted WHERE id = ?2 AND NOT EXISTS (SELECT 1 FROM resource WHERE id = ?2)",
    "DELETE FROM departure WHERE ?1 = 'departure' AND id = ?2",
)


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
        if deed.generation:  # images have none
            permitted(ledger, deed.id, deed.generation)
        _forget_gone(ledger, now=now)


def _forget_gone(ledger: Ledger, *, now: datetime) -> None:
    """Remove some tombstones that nothing has happened to for GONE_KEPT. The node is then as one that never had the
    resource. Inside the caller's transaction."""
    ledger.execute(QUIET, int(now.timestamp()), PRUNED_AT_ONCE)
    for gone in ledger.execute(GONE, int((now - GONE_KEPT).timestamp()), PRUNED_AT_ONCE):
        for statement in FORGOTTEN:
            ledger.execute(statement, *gone)


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
