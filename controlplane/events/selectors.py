"""Reads of the feed.

Members of a project see its events, and those of its organization; operators and auditors see all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet

from controlplane.events import cursors, services
from controlplane.events.errors import CursorExpired
from controlplane.events.models import Event, Head
from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.identity.selectors import projects

ALL_PLACES = None


@dataclass(frozen=True)
class EventFilter:
    """Filter of the feed. `project` None: all projects that the actor sees. `kinds` None: all kinds."""

    project: Project | None = None
    kinds: Sequence[str] | None = None
    resource_id: UUID | None = None

    @property
    def condition(self) -> Q:
        condition = Q()
        if self.project is not None:
            condition &= of_project(self.project)
        if self.kinds is not None:
            condition &= Q(kind__in=self.kinds)
        if self.resource_id is not None:
            condition &= Q(resource_id=self.resource_id)
        return condition


@dataclass(frozen=True)
class EventPage:
    """A page.

    `position`: where to continue; events of others count in it too. `has_more`: more events are available now.
    """

    events: Sequence[Event]
    position: int
    has_more: bool


def of_project(project: Project) -> Q:
    return Q(project_id=project.pk) | Q(project_id=None, organization_id=project.organization_id)


def visible(actor: Actor) -> QuerySet[Event]:
    if actor.sees_all:
        return Event.objects.all()
    mine = projects(actor)
    return Event.objects.filter(
        Q(project_id__in=mine.values("pk")) | Q(project_id=None, organization_id__in=mine.values("organization_id"))
    )


def event_owners(actor: Actor, event_filter: EventFilter) -> frozenset[UUID] | None:
    """Return the projects and organizations whose events the filter may match; None: any."""
    if event_filter.project is not None:
        return frozenset({event_filter.project.pk, event_filter.project.organization_id})
    if actor.sees_all:
        return ALL_PLACES
    if actor.project_id is not None and actor.organization_id is not None:
        return frozenset({actor.project_id, actor.organization_id})
    return frozenset(id_ for pair in projects(actor).values_list("pk", "organization_id") for id_ in pair)


def head() -> Head:
    """Return the last position, after every committed event has got one."""
    services.assign_positions()
    return Head.objects.filter(pk=1).first() or Head()


def last_position() -> int:
    """Return the last assigned position without assigning any: for callers inside a transaction."""
    return Head.objects.filter(pk=1).values_list("position", flat=True).first() or 0


def start(cursor: str | None) -> int:
    """Return the position after which to read; without a cursor the oldest.

    Raises:
        CursorExpired: the events there are deleted, or the cursor is invalid.
    """
    newest = head()
    if cursor == cursors.NOW:
        return newest.position
    position = newest.forgotten if cursor is None else cursors.decode(cursor)
    if position is None or not newest.forgotten <= position <= newest.position:
        raise CursorExpired(field="?after", oldest=cursors.encode(newest.forgotten))
    return position


def read(actor: Actor, event_filter: EventFilter, *, after: int, limit: int) -> EventPage:
    """Return the events committed after `after`, in the order of commits.

    The head is read first: all events with positions up to the head are committed, so none can appear there afterwards.
    """
    last = head().position
    rows = visible(actor).filter(event_filter.condition, position__gt=after, position__lte=last).order_by("position")
    events = list(rows[: limit + 1])
    if len(events) <= limit:
        return EventPage(events, last, has_more=False)
    return EventPage(events[:limit], events[limit - 1].position or last, has_more=True)


def owners_with_events(after: int) -> tuple[int, frozenset[UUID | None]]:
    """Return the head, and the projects, organizations or None (the platform) that have events after `after`."""
    last = head().position
    rows = Event.objects.filter(position__gt=after, position__lte=last).order_by()
    owners = rows.values_list("project_id", "organization_id").distinct()
    return last, frozenset(project or organization for project, organization in owners)
