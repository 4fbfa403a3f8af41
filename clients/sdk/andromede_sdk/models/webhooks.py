# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Condition


@dataclass(frozen=True, kw_only=True, eq=False)
class Attempt(Model):
    """An attempt.

    `error`: empty; `status`: no 2xx; `timeout`; `unreachable`: no connection, or no secure one; `refused`: an address
    to which nothing is sent; `unsigned`: the secret cannot be decrypted. The response's body is not stored."""

    at: datetime
    status_code: int | None
    duration_ms: int
    error: str


@dataclass(frozen=True, kw_only=True, eq=False)
class DeliveredEvent(Model):
    id: str
    kind: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class Delivery(Model):
    """A delivery. `attempts`: the last ones, the newest at the end."""

    id: str
    event: DeliveredEvent
    state: str  # pending, succeeded, failed
    attempts: list[Attempt]
    next_attempt_at: datetime | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Webhook(Model):
    """A webhook.

    `previous_secret_ends_at`: until then the secret before the last rotation also signs. The condition `delivering` has
    the reason when it gets no events."""

    id: str
    name: str
    url: str
    kinds: list[str]
    is_enabled: bool
    conditions: list[Condition]
    previous_secret_ends_at: datetime | None = field(repr=False)
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class WebhookWithSecret(Model):
    """A webhook with its secret, which is in this response only, in the format of Standard Webhooks."""

    id: str
    name: str
    url: str
    kinds: list[str]
    is_enabled: bool
    conditions: list[Condition]
    previous_secret_ends_at: datetime | None = field(repr=False)
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    secret: str = field(repr=False)
