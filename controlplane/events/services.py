"""The writes: tell of a change in its transaction, give places, forget what is old."""

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
# What was committed before another was written has the smaller number; so this order has every cause before its effect.
PLACE = """
WITH due AS (
    SELECT number, row_number() OVER (ORDER BY number) AS place
    FROM (SELECT number FROM events_event WHERE position IS NULL ORDER BY number LIMIT %(limit)s) AS first
)
UPDATE events_event AS event SET position = %(after)s + due.place FROM due WHERE event.number = due.number
"""


@dataclass(frozen=True)
class Cause:
    """What a change is part of when no request stands behind it: an operation, and who asked for that."""

    operation_id: UUID | None = None
    user_id: UUID | None = None
    credential_id: UUID | None = None
    request_id: str = ""


_cause: ContextVar[Cause | None] = ContextVar("cause", default=None)


@contextmanager
def caused_by(cause: Cause) -> Iterator[None]:
    """What is told inside without an actor is told with this cause."""
    token = _cause.set(cause)
    try:
        yield
    finally:
        _cause.reset(token)


def publish_event(actor: Actor | None, kind: str, resource_id: UUID, *, project_id: UUID | None, **facts: Any) -> None:
    """Tell of it, in the caller's transaction.

    Raises:
        ValueError: there is no such kind.
    """
    with ensure_transaction():
        insert(new_event(actor, kind, resource_id, project_id=project_id, **facts))


def new_event(actor: Actor | None, kind: str, resource_id: UUID, *, project_id: UUID | None, **facts: Any) -> Event:
    """The event that tells of it, for the caller to insert() with what it tells of. Of the facts (JSON values) it
    carries those that the kind has; `name` is the resource's, `organization_id` whose it is when there is no project,
    `resource_kind` what it is when the kind's noun does not say.

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
        resource_name=str(facts.get("name") or "")[:NAME_MAX],  # a stranger on a node may have any
        operation_id=facts.get("operation_id") or cause.operation_id,
        user_id=actor.user_id if actor else cause.user_id,
        credential_id=actor.credential_id if actor else cause.credential_id,
        request_id=actor.request_id if actor else cause.request_id,
        data={name: facts[name] for name in kinds.KINDS[kind].data if name in facts},
    )


def _wake_later() -> None:
    """Once per transaction, however much it tells."""
    if not any(entry[1] is wakeups.wake for entry in connection.run_on_commit):
        transaction.on_commit(wakeups.wake, robust=True)


def audit_entry_events(
    actor: Actor, verb: str, resource_id: UUID, *, project_id: UUID | None, facts: Mapping[str, object]
) -> list[Event]:
    """For the audit trail, which knows every deed: the event that tells of it, if it is one that is told."""
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
    """For kernel.db.move, through which every state passes."""
    kind = f"{machine.name}.{to}"
    if machine.name in kinds.MOVES and kind in kinds.KINDS:
        publish_event(None, kind, row.pk, project_id=getattr(row, "project_id", None), name=getattr(row, "name", ""))


def assign_positions() -> None:
    """Give every event that is committed its place. Anybody may, at any time; several take turns."""
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
    """Until the transaction ends nobody else gives places."""
    head = Head.objects.select_for_update().filter(pk=1).first()
    if head is None:
        Head.objects.bulk_create([Head()], ignore_conflicts=True)
        head = Head.objects.select_for_update().get(pk=1)
    return head


def delete_expired() -> int:
    """Delete what is older than EVENT_RETENTION_DAYS, and note up to where. Returns how many."""
    before = clock.now() - timedelta(days=settings.EVENT_RETENTION_DAYS)
    total = 0
    while count := _forget(before):
        total += count
    if total:
        log.info("%d events from before %s are forgotten", total, before)
    return total


@transaction.atomic
def _forget(before: object) -> int:
    """From the first place on, without a hole: a younger one keeps those behind it."""
    head = head_locked()
    young = Event.objects.filter(position__isnull=False, created_at__gte=before)
    first_young = young.order_by("position").values_list("position", flat=True).first()
    last = min(head.position if first_young is None else first_young - 1, head.forgotten + BATCH)
    if last <= head.forgotten:
        return 0
    Event.objects.filter(position__lte=last).delete()
    Head.objects.filter(pk=1).update(forgotten=last)
    return last - head.forgotten
