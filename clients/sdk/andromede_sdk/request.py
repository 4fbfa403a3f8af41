"""An HTTP request, ready to be sent."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO


@dataclass(frozen=True)
class HttpRequest:
    """A request.

    `path` is complete and quoted; `key`: the idempotency key of a POST; `if_match`: an ETag or *; `last_event_id`: the
    event after which a stream goes on. `timeout_s`: of one attempt; `limit_s`: of all attempts, if it differs from the
    Retry's.
    """

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
        """Return whether the request may be repeated when it is unknown whether the first attempt arrived.

        It may not when it replaces a version, since the second attempt would find another one, nor when the file cannot
        be read again.
        """
        names_a_version = self.if_match not in (None, "*")
        return not names_a_version and (self.file is None or self.file.seekable())


def new_key() -> str:
    return str(uuid.uuid4())
