# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from andromede_sdk.model import Model

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, kw_only=True, eq=False)
class Lock(Model):
    ID: str
    Operation: str
    Info: str
    Who: str
    Version: str
    Created: str
    Path: str


@dataclass(frozen=True, kw_only=True, eq=False)
class LockProblem(Model):
    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
    request_id: str
    errors: list[ProblemError]
    facts: dict[str, Any] | None
    blocking_operation: str | None
    placement_decision: str | None
    ID: str
    Operation: str
    Info: str
    Who: str
    Version: str
    Created: str
    Path: str


@dataclass(frozen=True, kw_only=True, eq=False)
class ProblemError(Model):
    """One invalid value. Either `pointer` (into the body, RFC 6901) or `parameter` (of the query) locates it."""

    pointer: str | None
    parameter: str | None
    code: str
    detail: str


@dataclass(frozen=True, kw_only=True, eq=False)
class State(Model):
    """A Terraform state. `version`: the newest; null: locked and never written."""

    id: str
    name: str
    version: int | None
    lock: Lock | None
    locked_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class StateVersion(Model):
    """A version of a state. `serial` is Terraform's own count. `user_id` and `credential_id`: of the writer."""

    number: int
    serial: int
    size_bytes: int
    user_id: str | None
    credential_id: str | None
    created_at: datetime
