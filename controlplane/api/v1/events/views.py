"""Routes of the event feed: pages, long polls and server-sent events."""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from andromede_core.documents.messages import Message
from controlplane.api.base_views import ActorView
from controlplane.events import cursors, kinds, selectors
from controlplane.events.representation import EventsOut, as_json
from controlplane.events.selectors import EventFilter, EventPage
from controlplane.identity.actor import Actor
from controlplane.identity.selectors import project_get
from controlplane.kernel.listing import LIMIT_PARAMETER, invalid, limit_of
from controlplane.kernel.long_poll import Condition, wait_s, wait_until
from controlplane.kernel.names import as_uuid
from controlplane.kernel.query_parameters import ID, WAIT, Parameter
from controlplane.kernel.views import resolve_reference, route

EVENT_STREAM = "event_stream"
SSE = "text/event-stream"
RETRY_MS = 3000
QUERY = {
    "project": Parameter("Only events of this project (id or name)."),
    "kind": Parameter(
        "Only these kinds, separated by commas: `instance.active`, or `instance.*` for all kinds of a noun."
    ),
    "resource": Parameter("Only events of the resource with this id, including its operations.", ID),
    "limit": LIMIT_PARAMETER,
}


class EventsView(ActorView):
    def event_filter(self, request: Request) -> EventFilter:
        query = request.query_params
        ref = query.get("project")
        return EventFilter(
            project=resolve_reference(lambda name: project_get(self.actor, name), ref, at="?project")
            if ref is not None
            else None,
            kinds=_kinds(query["kind"]) if "kind" in query else None,
            resource_id=_resource(query["resource"]) if "resource" in query else None,
        )


class EventList(EventsView):
    @route(
        "event_list",
        EventsOut,
        query={
            "after": Parameter(
                "Cursor of the last event read; `now`: no past events. Default: the oldest stored event."
            ),
            **QUERY,
            "wait": Parameter("Wait for events if there are none yet, at most for this time (0s to 60s).", WAIT),
        },
        error_statuses=(410, 422),
    )
    def get(self, request: Request) -> Response:
        event_filter, limit, limit_s = self.event_filter(request), limit_of(request), wait_s(request)
        after = selectors.start(request.query_params.get("after"))
        chapter = selectors.read(self.actor, event_filter, after=after, limit=limit)

        def is_something_there() -> bool:
            nonlocal chapter
            if not chapter.events:
                chapter = selectors.read(self.actor, event_filter, after=chapter.position, limit=limit)
            return bool(chapter.events)

        if limit_s and not chapter.events:
            here = {"after": cursors.encode(chapter.position)}
            condition = Condition(is_something_there, selectors.event_owners(self.actor, event_filter), here)
            wait_until(request, condition, limit_s=limit_s)
        answer = {
            "items": chapter.events,
            "cursor": cursors.encode(chapter.position),
            "has_more": chapter.has_more,
        }
        return Response(EventsOut(answer).data)


@dataclass(frozen=True)
class StreamSubscription:
    """Subscription of a stream: the reader with rights, and `places`, the projects and organizations of the requested
    events.

    `is_finished`: the session lacks no second factor.
    """

    actor: Actor
    is_finished: bool
    event_filter: EventFilter
    places: frozenset[UUID] | None


def subscription_for(actor: Actor, session: Any, event_filter: EventFilter) -> StreamSubscription:
    is_finished = session is None or session.is_finished
    return StreamSubscription(
        replace(actor, request_id=""), is_finished, event_filter, selectors.event_owners(actor, event_filter)
    )


class StreamChunk(HttpResponse):
    """A chunk of a stream.

    It ends at `position`; while the subscription is the same, the next chunk is what the view would answer from there.
    """

    position: int
    has_more: bool
    subscription: StreamSubscription


class EventStream(EventsView):
    """Server-sent events.

    The process `stream` serves this without an end. The API itself sends the available events and ends; clients
    reconnect and miss nothing.
    """

    @route(
        EVENT_STREAM,
        media_type=SSE,
        query={
            "after": Parameter(
                "The same as for the list, but `now` by default. The header Last-Event-ID takes precedence."
            ),
            **QUERY,
        },
        error_statuses=(410, 422),
    )
    def get(self, request: Request) -> HttpResponse:
        event_filter, limit = self.event_filter(request), limit_of(request)
        cursor = request.headers.get("Last-Event-ID") or request.query_params.get("after", cursors.NOW)
        chapter = selectors.read(self.actor, event_filter, after=selectors.start(cursor), limit=limit)
        answer = StreamChunk(_lines(chapter), content_type=SSE, headers={"Cache-Control": "no-store"})
        answer.position, answer.has_more = chapter.position, chapter.has_more
        answer.subscription = subscription_for(self.actor, request.auth, event_filter)
        return answer


def _lines(chapter: EventPage) -> str:
    """Yield the lines of a chunk, with the position at its end, which is no event: there may have been none for a long
    time.
    """
    events = (
        f"id: {cursors.encode(event.position or 0)}\nevent: {event.kind}\ndata: {as_json(event)}\n\n"
        for event in chapter.events
    )
    return "".join([f"retry: {RETRY_MS}\n\n", *events, alive(chapter.position).decode()])


def alive(position: int) -> bytes:
    """Return a line with the position only, when there are no events."""
    return f": alive\nid: {cursors.encode(position)}\n\n".encode()


def _kinds(text: str) -> list[str]:
    patterns = [part.strip() for part in text.split(",")]
    for pattern in patterns:
        if not kinds.is_pattern(pattern):
            raise invalid("kind", Message("there is no kind {kind!r}.", kind=pattern[:64]))
    return kinds.matching(patterns)


def _resource(text: str) -> UUID:
    value = as_uuid(text)
    if value is None:
        raise invalid("resource", Message("it must be an id."))
    return value
