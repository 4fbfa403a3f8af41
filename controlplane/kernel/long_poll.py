"""Long polls: a GET whose response waits until a condition holds, for as long as its parameter `wait` allows.

The process `stream` serves them and holds no thread while one waits (api/long_polls.py): there, `wait_until` only
records the condition. A long poll that reaches `web`, because no proxy separates the requests, waits in its thread
while fewer than LONG_POLLS_IN_WEB others do so, and else is answered at once.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from uuid import UUID

from django.conf import settings
from rest_framework.request import Request

from andromede_core.documents.messages import Message
from controlplane.kernel.listing import invalid

WAIT_MAX_S = 60
POLL_FIRST_S = 0.02
POLL_MAX_S = 0.2


@dataclass(frozen=True)
class Condition:
    """Condition that a long poll waits for.

    `is_met` reads the database. It can become true by an event of the project or organization in `owners` (None: by any
    event). `query` replaces parameters of the request when it is answered, such as a cursor that meant "now" at first.
    """

    is_met: Callable[[], bool]
    owners: frozenset[UUID] | None
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DeferredPoll:
    condition: Condition
    limit_s: int
    credential: UUID | None


@dataclass
class Deferral:
    """Result of a request within `deferred`.

    `waiting`: the condition that the request waits for; None: it was answered.
    """

    waiting: DeferredPoll | None = None


_deferral: ContextVar[Deferral | None] = ContextVar("deferral", default=None)


@contextmanager
def deferred() -> Iterator[Deferral]:
    """Make `wait_until` record the condition and return at once."""
    deferral = Deferral()
    token = _deferral.set(deferral)
    try:
        yield deferral
    finally:
        _deferral.reset(token)


def wait_s(request: Request) -> int:
    """Return the seconds of the query parameter `wait`, 0 without it; raises InvalidParameter."""
    text = request.query_params.get("wait", "0s")
    if not re.fullmatch(r"[0-9]{1,2}s?", text) or int(text.rstrip("s")) > WAIT_MAX_S:
        raise invalid("wait", Message("it must be 0s to {limit_s}s.", limit_s=WAIT_MAX_S))
    return int(text.rstrip("s"))


def wait_until(request: Request, condition: Condition, *, limit_s: int) -> bool:
    """Return once the condition is met, after `limit_s` seconds, or at once when too many wait in this process.

    False: the condition was not read, so the caller's data is as fresh as before. That is so within `deferred`, where
    the waiting process reads the condition first. No transaction and no lock is held between two reads.
    """
    if limit_s == 0:
        return False
    deferral = _deferral.get()
    if deferral is not None:
        deferral.waiting = DeferredPoll(condition, limit_s, getattr(request.user, "credential_id", None))
        return False
    slots = slots_in_web(settings.LONG_POLLS_IN_WEB)
    if not condition.is_met() and slots.acquire(blocking=False):
        try:
            wait_in_thread(condition, limit_s)
        finally:
            slots.release()
    return True


@cache
def slots_in_web(count: int) -> threading.Semaphore:
    """Return the slots of the long polls that wait in this process."""
    return threading.Semaphore(count)


def wait_in_thread(condition: Condition, limit_s: int) -> None:
    """Return once the condition is met or after `limit_s` seconds."""
    deadline, pause_s = time.monotonic() + limit_s, POLL_FIRST_S
    while time.monotonic() < deadline:
        time.sleep(pause_s)
        if condition.is_met():
            return
        pause_s = min(POLL_MAX_S, pause_s * 1.5)
