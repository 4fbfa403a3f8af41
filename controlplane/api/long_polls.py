"""Long polls in the process `stream`: thousands wait, and none holds a thread.

The view of the route answers twice: at the beginning, and when the condition is met or the time is over. So a long poll
has the rights, limits and errors of the API at its end too. In between, the condition is read after events that may
concern it, at most every GAP_MAX_S, and otherwise every LOOK_EVERY_S.
"""

import asyncio
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from django.conf import settings
from django.db import Error
from django.http.response import HttpResponseBase

from controlplane.api.asgi import InThread, Receive, Scope, Send, disconnected, send_whole
from controlplane.kernel.long_poll import Condition, DeferredPoll, deferred

log = logging.getLogger(__name__)

# The routes with the parameter `wait`; the proxy in front has the same list.
PATH = re.compile(r"/v1/(events|operations/[^/]++|projects/[^/]++/operations/[^/]++|nodes/[^/]++/drain)")
LOOK_EVERY_S = 5.0
GAP_FIRST_S, GAP_MAX_S = 0.02, 1.0


def is_long_poll(scope: Scope) -> bool:
    return scope["method"] == "GET" and PATH.fullmatch(scope["path"]) is not None


class Waiter:
    """A waiting long poll. `wake` is set when its condition may be met, or when its client is gone."""

    def __init__(self, waiting: DeferredPoll) -> None:
        self.waiting = waiting
        self.wake = asyncio.Event()
        self.is_gone = False
        self.gap_s, self.looked_at = GAP_FIRST_S, float("-inf")

    def concerns(self, owners: frozenset[UUID | None]) -> bool:
        mine = self.waiting.condition.owners
        return mine is None or bool(mine & owners)

    async def watch(self, receive: Receive) -> None:
        await disconnected(receive)
        self.is_gone = True
        self.wake.set()

    async def pause(self) -> None:
        """Wait until the condition should be read again."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.wake.wait(), LOOK_EVERY_S)
        if not self.is_gone:
            self.wake.clear()
            await asyncio.sleep(self.looked_at + self.gap_s - asyncio.get_running_loop().time())
            self.gap_s = min(GAP_MAX_S, self.gap_s * 1.5)


class LongPolls:
    def __init__(self, in_thread: InThread, answer: Callable[[Scope], HttpResponseBase]) -> None:
        self._in_thread, self._answer = in_thread, answer
        self.waiters: set[Waiter] = set()

    def wake(self, owners: frozenset[UUID | None]) -> None:
        """Wake the long polls of these projects and organizations after new events."""
        for waiter in self.waiters:
            if waiter.concerns(owners):
                waiter.wake.set()

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer, waiting = await self._in_thread(self._first, scope)
        if waiting is not None and self._has_room(waiting):
            if not await self._wait_for_change(waiting, receive):
                return
            answer = await self._in_thread(self._answer, _as_of_now(scope, waiting.condition))
        with suppress(TimeoutError):
            await send_whole(send, answer)

    def _first(self, scope: Scope) -> tuple[HttpResponseBase, DeferredPoll | None]:
        with deferred() as deferral:
            answer = self._answer(scope)
        return answer, deferral.waiting

    def _has_room(self, waiting: DeferredPoll) -> bool:
        same = sum(waiter.waiting.credential == waiting.credential for waiter in self.waiters)
        return same < settings.LONG_POLLS_PER_CREDENTIAL and len(self.waiters) < settings.LONG_POLLS_MAX

    async def _wait_for_change(self, waiting: DeferredPoll, receive: Receive) -> bool:
        """Wait for the condition or the end of the time. False: the client is gone."""
        waiter = Waiter(waiting)
        self.waiters.add(waiter)
        watching = asyncio.create_task(waiter.watch(receive))
        try:
            async with asyncio.timeout(waiting.limit_s):
                while not waiter.is_gone and not await self._is_met(waiter):
                    await waiter.pause()
        except TimeoutError:
            pass
        finally:
            self.waiters.discard(waiter)
            watching.cancel()
        return not waiter.is_gone

    async def _is_met(self, waiter: Waiter) -> bool:
        waiter.looked_at = asyncio.get_running_loop().time()
        try:
            return bool(await self._in_thread(waiter.waiting.condition.is_met))
        except Error as exc:
            log.warning("long poll condition could not be read and is retried: %s", exc)
            return False


def _as_of_now(scope: Scope, condition: Condition) -> Scope:
    """Return the same request without `wait`."""
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    query.update(condition.query)
    query.pop("wait", None)
    return {**scope, "query_string": urlencode(query).encode()}
