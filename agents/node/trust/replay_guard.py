"""Replay guard: records each use of a permit on disk before the action; a permit serves one use of each resource once.

Calls may be repeated. The same content under the same permit is a repetition while nothing newer has happened to the
resource; anything else is a replay.

A tombstone is stored longer than a permit for its resource can last, and is then removed. Every permit that was issued
before has expired by then, by a clock that never goes back (admission.py), and is refused for that reason.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from agents.node.specs import Subject
from agents.node.state_store import StateStore
from agents.node.trust.permit_actions import PermitAction
from andromede_core.permits.permit import Permit, PermitRejected

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


def record_use(state_store: StateStore, permit: Permit, action: PermitAction, *, now: datetime) -> None:
    """Record that the permit is used for this action, and flush the record to disk.

    Raises:
        PermitRejected: STALE_GENERATION when the permit's resource has moved on, REPLAYED when the permit was used for
            something else, or something has happened since.
    """
    with state_store.transaction():
        _check_generation(state_store, permit, action)
        _check_replay(state_store, permit, action)
        state_store.execute("DELETE FROM permit_use WHERE expires_at < ?", int((now - KEPT).timestamp()))
        state_store.execute(
            "INSERT OR IGNORE INTO permit_use (jti, call, subject, generation, content, expires_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            permit.jti,
            action.call,
            action.id,
            action.generation,
            action.content,
            int(permit.exp.timestamp()),
        )
        if action.generation:  # images have none
            record_generation(state_store, action.id, action.generation)
        _forget_ended(state_store, now=now)


def _forget_ended(state_store: StateStore, *, now: datetime) -> None:
    """Remove some tombstones that have not changed for GONE_KEPT; the node then is as one that never had the resource.

    Runs inside the caller's transaction.
    """
    state_store.execute(QUIET, int(now.timestamp()), PRUNED_AT_ONCE)
    for gone in state_store.execute(GONE, int((now - GONE_KEPT).timestamp()), PRUNED_AT_ONCE):
        for statement in FORGOTTEN:
            state_store.execute(statement, *gone)


def record_generation(state_store: StateStore, resource_id: str, generation: int) -> None:
    """Record the highest generation of a resource that a permit covered, also of resources that came with another."""
    state_store.execute(
        "INSERT INTO permitted (id, generation) VALUES (?, ?)"
        " ON CONFLICT DO UPDATE SET generation = max(generation, excluded.generation)",
        resource_id,
        generation,
    )


def limit_generation(state_store: StateStore, subject: Subject) -> Subject:
    """Limit the generation that is recorded for a call without a permit.

    It is at most FREE_STEP above the last permitted generation: a caller that may stop and remove must not use up all
    generations.
    """
    return replace(subject, generation=min(subject.generation, _permitted(state_store, str(subject.id)) + FREE_STEP))


def _permitted(state_store: StateStore, resource_id: str) -> int:
    rows = state_store.execute("SELECT generation FROM permitted WHERE id = ?", resource_id)
    return int(str(rows[0][0])) if rows else 0


def _check_generation(state_store: StateStore, permit: Permit, action: PermitAction) -> None:
    """Check that the permit is for the current generation: a later generation has not been decided, or overtook the
    call.
    """
    if action.id == permit.resource and action.generation > permit.gen:
        raise PermitRejected("STALE_GENERATION", f"the permit is for generation {permit.gen} of {permit.resource}")
    if action.generation > max(permit.gen, _permitted(state_store, action.id) + FREE_STEP):
        raise PermitRejected("STALE_GENERATION", f"generation {action.generation} of {action.id} is too far ahead")
    newest = state_store.newest(permit.resource)
    if newest is not None and (newest[0] > permit.gen or newest == (permit.gen, False)):
        raise PermitRejected("STALE_GENERATION", f"{permit.resource} has moved on to generation {newest[0]}")


def _check_replay(state_store: StateStore, permit: Permit, action: PermitAction) -> None:
    """Check for a replay.

    Consecutive generations under one permit are one use, as long as no other call came between.
    """
    rows = state_store.execute(
        "SELECT generation, content FROM permit_use WHERE jti = ? AND call = ? AND subject = ?"
        " ORDER BY generation DESC LIMIT 1",
        permit.jti,
        action.call,
        action.id,
    )
    if not rows:
        return
    generation, content = int(str(rows[0][0])), rows[0][1]
    if action.generation == generation and content != action.content:
        raise PermitRejected("REPLAYED", f"the permit was used for {action.id} with another content")
    if action.generation < generation or not _is_untouched(state_store, action.id, since=generation):
        raise PermitRejected("REPLAYED", f"the permit was used for {action.id}, to which something has happened since")


def _is_untouched(state_store: StateStore, resource_id: str, *, since: int) -> bool:
    """Return whether only a lower generation is recorded, or none: the agent was killed before the action began."""
    newest = state_store.newest(resource_id)
    return newest is None or newest[0] < since or newest == (since, True)
