# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.terraform_states import ProblemError


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem(Model):
    """A problem (RFC 9457), in the caller's language.

    `code` is for programs and never changes. `facts` are the data in the detail."""

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


@dataclass(frozen=True, kw_only=True, eq=False)
class ProblemPage(Model):
    """Page about an error code. `detail` is the text, with its facts in braces; `facts` are the additional data."""

    type: str
    code: str
    title: str
    status: int
    retryable: bool
    detail: str
    why: str
    remedy: str
    facts: list[str]
    example: dict[str, Any]
