"""Event services: publish changes, assign positions, delete expired events."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, models, transaction

from controlplane.events import kinds, wakeups
from controlplane.events.models import Event, Head
from controlplane.identity.actor import Actor
from controlplane.kernel import clock
from controlplane.kernel.db import ensure_transaction
from controlplane.kernel.multi_insert import insert
from controlplane.kernel.names import NAME_MAX
from controlplane.kernel.states import Machine

log = logging.getLogger(__name__)

BATCH = 1000  # rows per transaction: more keep the lock longer, fewer commit more often
# An event that was committed before another was written has the smaller number; so every cause precedes its effect.
PLACE = """
WITH due AS (
    SELECT number, row_number() OVER (ORDER BY number) AS place
    FROM (SELECT number FROM events_event WHERE position IS NULL ORDER BY number LIMIT %(limit)s) AS first
)
UPDATE events_event AS event SET position = %(after)s + due.place FROM due WHERE event.number = due.number
"""


@dataclass(frozen=True)
class Cause:
    """Cause of a change outside of a request: an operation, and the actor who requested it."""

    operation_id: UUID | None = None
    user_id: UUID | None = None
    credential_id: UUID | None = None
    request_id: str = ""


_cause: ContextVar[Cause | None] = ContextVar("cause", default=None)


@contextmanager
def caused_by(cause: Cause) -> Iterator[None]:
    """Publish events without an actor inside the block with this cause."""
    token = _cause.set(cause)
    try:
        yield
    finally:
        _cause.reset(token)


def publish_event(actor: Actor | None, kind: str, resource_id: UUID, *, project_id: UUID | None, **facts: Any) -> None:
    """Publish an event, in the caller's transaction.

    Raises:
        ValueError: there is no such kind.
    """
    with ensure_transaction():
        insert(new_event(actor, kind, resource_id, project_id=project_id, **facts))


def new_event(actor: Actor | None, kind: str, resource_id: UUID, *, project_id: UUID | None, **facts: Any) -> Event:
    """Return the event, for the caller to insert() with the change.

    Of the facts (JSON values) it carries those that the kind allows; `name` is the resource's, `organization_id`
    applies when there is no project, `resource_kind` when the kind's noun does not say.

    Raises:
        ValueError: there is no such kind.
    """
    if kind not in kinds.KINDS:
        raise ValueError(f"There is no kind of events {kind!r}; kinds.py lists them.")
    cause = _cause.get() or Cause()
    _wake_later()
    return Event(
        kind=kind,
        project_id=project_id,
        organization_id=facts.get("organization_id"),
        resource_kind=facts.get("resource_kind") or kind.partition(".")[0],
        resource_id=resource_id,
        resource_name=str(facts.get("name") or "")[:NAME_MAX],  # a name on a node may have any length
        operation_id=facts.get("operation_id") or cause.operation_id,
        user_id=actor.user_id if actor else cause.user_id,
        credential_id=actor.credential_id if actor else cause.credential_id,
        request_id=actor.request_id if actor else cause.request_id,
        data={name: facts[name] for name in kinds.KINDS[kind].data if name in facts},
    )


def _wake_later() -> None:
    """Send one wake-up per transaction after its commit, however many events it publishes."""
    if not any(entry[1] is wakeups.wake for entry in connection.run_on_commit):
        transaction.on_commit(wakeups.wake, robust=True)


def audit_entry_events(
    actor: Actor, verb: str, resource_id: UUID, *, project_id: UUID | None, facts: Mapping[str, object]
) -> list[Event]:
    """Return the event of an audit entry, if its action is published; called by the audit log for every entry."""
    kind = kinds.kind_of_audit_entry(verb, facts)
    if kind is None:
        return []
    more: dict[str, object] = {}
    if kind == "incident.reported":
        more = {"incident": verb.partition(".")[2]}
    elif kind == "policy.changed" and facts["level"] == "organization":
        project_id, more = None, {"organization_id": UUID(str(facts["owner"]))}
    return [new_event(actor, kind, resource_id, project_id=project_id, **{**facts, **more})]


def publish_transition(row: models.Model, machine: Machine, to: str) -> None:
    """Publish a transition of kernel.db.move, through which every state passes."""
    kind = f"{machine.name}.{to}"
    if machine.name in kinds.MOVES and kind in kinds.KINDS:
        publish_event(None, kind, row.pk, project_id=getattr(row, "project_id", None), name=getattr(row, "name", ""))


def assign_positions() -> None:
    """Assign a position to every committed event. Any process may, at any time; they wait for one another."""
    while Event.objects.filter(position=None).exists() and _place() == BATCH:
        pass


@transaction.atomic
def _place() -> int:
    head = head_locked()
    with connection.cursor() as cursor:
        cursor.execute(PLACE, {"limit": BATCH, "after": head.position})
        count: int = cursor.rowcount
    Head.objects.filter(pk=1).update(position=head.position + count)
    return count


def head_locked() -> Head:
    """Lock the head row until the end of the transaction, against other processes that assign positions."""
    head = Head.objects.select_for_update().filter(pk=1).first()
    if head is None:
        Head.objects.bulk_create([Head()], ignore_conflicts=True)
        head = Head.objects.select_for_update().get(pk=1)
    return head


def delete_expired() -> int:
    """Delete events older than EVENT_RETENTION_DAYS, and record the last deleted position. Returns the number."""
    before = clock.now() - timedelta(days=settings.EVENT_RETENTION_DAYS)
    total = 0
    while count := _forget(before):
        total += count
    if total:
        log.info("%d events from before %s deleted", total, before)
    return total


@transaction.atomic
def _forget(before: object) -> int:
    """Delete from the first position on, without a gap: a younger event keeps the events after it."""
    head = head_locked()
    young = Event.objects.filter(position__isnull=False, created_at__gte=before)
    first_young = young.order_by("position").values_list("position", flat=True).first()
    last = min(head.position if first_young is None else first_young - 1, head.forgotten + BATCH)
    if last <= head.forgotten:
        return 0
    Event.objects.filter(position__lte=last).delete()
    Head.objects.filter(pk=1).update(forgotten=last)
    return last - head.forgotten
