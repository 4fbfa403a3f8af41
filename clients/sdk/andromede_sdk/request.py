"""A request, ready to be sent."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO


@dataclass(frozen=True)
class HttpRequest:
    """A request. `path` is complete and quoted; `key`: the idempotency key of a POST; `if_match`: an ETag or *;
    `last_event_id`: behind which a stream goes on. `timeout_s`: of one try; `limit_s`: of all of them, where it is not
    the Retry's."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = field(default=None, repr=False)  # it may have secrets
    file: BinaryIO | None = None
    key: str | None = None
    if_match: str | None = None
    last_event_id: str | None = None
    timeout_s: float | None = None
    limit_s: float | None = None

    @property
    def is_repeatable(self) -> bool:
        """Also when nobody knows whether the first try arrived: not so when it replaces a version, since the second
        would find another, and not when the file cannot be read again."""
        names_a_version = self.if_match not in (None, "*")
        return not names_a_version and (self.file is None or self.file.seekable())


def new_key() -> str:
    return str(uuid.uuid4())
