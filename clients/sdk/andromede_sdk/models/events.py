# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Event(Model):
    """Something that has happened. `id` is the same wherever the event is told, so that it can be known again. `cursor`
    is the place behind it. What `data` has, docs/reference/events.md says for each kind."""

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
    """`cursor`: where to go on, also when there are no items. `has_more`: there is more already."""

    items: list[Event]
    cursor: str
    has_more: bool
