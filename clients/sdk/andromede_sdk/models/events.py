# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Event(Model):
    """An event.

    `id` is the same in the feed and in webhooks, so that consumers can recognise duplicates. `cursor` is the position
    after the event. docs/reference/events.md lists the members of `data` for each kind."""

    id: str
    kind: str
    created_at: datetime
    cursor: str
    project: str | None
    organization: str | None
    resource: EventResource
    operation: str | None
    actor: EventActor
    request_id: str
    data: dict[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class EventActor(Model):
    user: str | None
    credential: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class EventResource(Model):
    kind: str
    id: str
    name: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Events(Model):
    """A page of events.

    `cursor`: where to continue, also when there are no items. `has_more`: more events are available now."""

    items: list[Event]
    cursor: str
    has_more: bool
