"""The process `stream`: server-sent events for thousands of clients, consoles and tunnels (guest_sessions.py), and
long polls (long_polls.py).

It serves GET /v1/events/stream, and calls the view of that route for every chunk: at the beginning, when there are new
events for the client, and when its credential has changed, which is checked every STREAM_CHECK_S. So a stream has the
rights, filters and errors of the API, and ends with its credential. Between two chunks a stream holds no thread: a few
threads, each with a connection to the database, serve all. Redis sends wake-ups for new events; while Redis does not
answer, the feed is read once a second.
"""

import asyncio
import io
import logging
import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import redis.asyncio
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.base import BaseHandler
from django.core.signals import request_started
from django.db import Error, close_old_connections
from django.http import HttpResponseBase
from prometheus_client import Gauge
from rest_framework.request import Request

from controlplane.api import problems
from controlplane.api.asgi import Receive, Scope, Send, disconnected, send_piece, send_start, send_whole
from controlplane.api.authentication import TokenAuthentication
from controlplane.api.guest_sessions import GuestSessions
from controlplane.api.long_polls import LongPolls, is_long_poll
from controlplane.api.v1.events.views import EVENT_STREAM, StreamChunk, StreamSubscription, alive, subscription_for
from controlplane.events import cursors, selectors, wakeups
from controlplane.events.errors import OrganizationStreamsMany, StreamsExhausted, TooManyStreams
from controlplane.identity.actor import Actor
from controlplane.identity.authorization import authorize
from controlplane.identity.selectors import project_get
from controlplane.kernel.errors import CloudError
from controlplane.kernel.redis import redis_url
from controlplane.signin.models import Session

log = logging.getLogger(__name__)

PATHS = ("/v1/events/stream", "/v1/healthz")
POLL_S = 1.0
RECHECK_S = 1.0  # for Redis
JITTER = (0.8, 1.0)  # so that streams that begin together are not always checked together
CONNECTIONS = Gauge(
    "andromede_stream_connections", "Open connections of event streams, consoles, tunnels and long polls.", ["kind"]
)
LAG = Gauge("andromede_stream_lag_seconds", "Seconds since the event streams were last up to date.")
WAITING = b": waiting\n\n"
TOO_MANY_REQUESTS = 429


class Reader:
    """An open stream.

    `wake` is set when there may be new events, or when the client is gone. `is_behind`: it was woken for an event that
    could not be read.
    """

    def __init__(self, lines: StreamChunk) -> None:
        self.credential = lines.subscription.actor.credential_id
        self.organizations = lines.subscription.actor.organization_ids
        self.wake = asyncio.Event()
        self.wake.set()  # events may have come since its first chunk
        self.is_gone = False
        self.subscription = lines.subscription
        self.apply(lines)

    def apply(self, lines: StreamChunk) -> None:
        """Apply a new subscription; wake-ups during the request were compared with the former one."""
        is_elsewhere = lines.subscription.places != self.subscription.places
        self.position, self.subscription, self.is_behind = lines.position, lines.subscription, False
        if lines.has_more or is_elsewhere:
            self.wake.set()

    def concerns(self, owners: frozenset[UUID | None]) -> bool:
        places = self.subscription.places
        return places is None or bool(places & owners)

    async def pause(self) -> bool:
        """Wait for new events, or (False) until the credential has to be checked."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.wake.wait(), settings.STREAM_CHECK_S * random.uniform(*JITTER))
        is_woken = self.wake.is_set()
        if not self.is_gone:
            self.wake.clear()
        return is_woken

    async def watch(self, receive: Receive) -> None:
        await disconnected(receive)
        self.is_gone = True
        self.wake.set()


class Streams:
    """The ASGI application."""

    def __init__(self) -> None:
        self.handler = BaseHandler()
        self.handler.load_middleware()
        self.threads = ThreadPoolExecutor(settings.STREAM_THREADS)
        self.guest_sessions = GuestSessions(self._in_thread)
        self.long_polls = LongPolls(self._in_thread, self._answer)
        self.readers: set[Reader] = set()
        self.notified = 0  # the position up to which all readers were woken
        self.notified_at = time.monotonic()
        CONNECTIONS.labels("events").set_function(lambda: len(self.readers))
        CONNECTIONS.labels("consoles").set_function(lambda: self.guest_sessions.count(is_tunnel=False))
        CONNECTIONS.labels("tunnels").set_function(lambda: self.guest_sessions.count(is_tunnel=True))
        CONNECTIONS.labels("long_polls").set_function(lambda: len(self.long_polls.waiters))
        LAG.set_function(lambda: time.monotonic() - self.notified_at)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_long_poll(scope):
            await self.long_polls.serve(scope, receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "websocket":
            await self.guest_sessions.serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        hinted = asyncio.Event()
        work = [asyncio.create_task(_listen(hinted)), asyncio.create_task(self._wake_readers(hinted))]
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        first = await self._in_thread(self._answer, scope)
        if not isinstance(first, StreamChunk):
            await send_whole(send, first)
            return
        try:
            self._need_room(first)
        except CloudError as exc:
            await send_whole(send, problems.problem_response(exc, ASGIRequest(dict(scope), io.BytesIO())))
            return
        with suppress(TimeoutError):
            await self._stream(first, scope, receive, send)

    async def _stream(self, first: StreamChunk, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the stream until either side ends. Raises TimeoutError when the client does not read."""
        async with self._reading(first, receive) as reader:
            await send_start(send, first)
            await send_piece(send, first.content)
            while not reader.is_gone:
                await self._go_on(reader, scope, send)

    def _need_room(self, lines: StreamChunk) -> None:
        """Check the number of streams. Raises TooManyStreams, OrganizationStreamsMany, StreamsExhausted."""
        actor = lines.subscription.actor
        same = sum(reader.credential == actor.credential_id for reader in self.readers)
        if same >= settings.STREAMS_PER_CREDENTIAL:
            raise TooManyStreams(limit=settings.STREAMS_PER_CREDENTIAL)
        of_organizations = Counter(each for reader in self.readers for each in reader.organizations)
        if any(of_organizations[each] >= settings.STREAMS_PER_ORGANIZATION for each in actor.organization_ids):
            raise OrganizationStreamsMany(limit=settings.STREAMS_PER_ORGANIZATION)
        if len(self.readers) >= settings.STREAMS_MAX:
            raise StreamsExhausted()

    @asynccontextmanager
    async def _reading(self, first: StreamChunk, receive: Receive) -> Any:
        reader = Reader(first)
        self.readers.add(reader)
        watching = asyncio.create_task(reader.watch(receive))
        try:
            yield reader
        finally:
            self.readers.discard(reader)
            watching.cancel()

    async def _go_on(self, reader: Reader, scope: Scope, send: Send) -> None:
        """Send one more chunk. A temporary error is retried; any other error ends the stream with its problem."""
        is_woken = await reader.pause()
        if reader.is_gone:
            return
        notified = self.notified
        has_all = not is_woken and not reader.is_behind
        if has_all and await self._in_thread(is_still_valid, reader.subscription, scope):
            reader.position = max(reader.position, notified)
            await send_piece(send, alive(reader.position))
            return
        answer = await self._in_thread(self._answer, _behind(scope, reader.position))
        if isinstance(answer, StreamChunk):
            reader.apply(answer)
            await send_piece(send, answer.content)
        elif answer.status_code >= 500 or answer.status_code == TOO_MANY_REQUESTS:
            reader.is_behind = True
            await send_piece(send, WAITING)
        else:
            reader.is_gone = True
            await send_piece(send, b"event: end\ndata: " + answer.content + b"\n\n", is_last=True)

    async def _in_thread(self, function: Callable[..., Any], *given: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.threads, _fresh, function, *given)

    def _answer(self, scope: Scope) -> HttpResponseBase:
        """Return the response of the API."""
        request = ASGIRequest(dict(scope), io.BytesIO())
        if scope["path"] not in PATHS and not is_long_poll(scope):
            return problems.not_found(request, Exception())
        request_started.send(sender=type(self), scope=scope)
        response = self.handler.get_response(request)
        response.close()
        return response

    async def _wake_readers(self, hinted: asyncio.Event) -> None:
        """Wake the readers for whom there are new events."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(hinted.wait(), POLL_S)
            hinted.clear()
            if not self.readers and not self.long_polls.waiters:
                self.notified_at = time.monotonic()
                continue
            try:
                notified, owners = await self._in_thread(selectors.owners_with_events, self.notified)
            except Error as exc:
                log.warning("event streams paused: database unavailable: %s", exc)
                continue
            for reader in self.readers if owners else ():
                if reader.concerns(owners):
                    reader.wake.set()
            self.long_polls.wake(owners)
            self.notified, self.notified_at = notified, time.monotonic()


def _behind(scope: Scope, position: int) -> Scope:
    """Return the request for the events after this position."""
    headers = [(name, value) for name, value in scope["headers"] if name != b"last-event-id"]
    return {**scope, "headers": [*headers, (b"last-event-id", cursors.encode(position).encode())]}


def is_still_valid(subscription: StreamSubscription, scope: Scope) -> bool:
    """Return True if the credential is valid with unchanged rights.

    False also when the database does not answer: the view decides.
    """
    request = Request(ASGIRequest(dict(scope), io.BytesIO()))
    try:
        authenticated = TokenAuthentication().authenticate(request)
        return authenticated is not None and _is_unchanged(subscription, *authenticated)
    except (CloudError, Error):
        return False


def _is_unchanged(subscription: StreamSubscription, actor: Actor, session: Session | None) -> bool:
    """Return True if the rights are unchanged. Raises CloudError when the credential has none left."""
    actor, event_filter = authorize(actor, EVENT_STREAM), subscription.event_filter
    if event_filter.project is not None:
        project_get(actor, str(event_filter.project.pk))
    return subscription_for(actor, session, event_filter) == subscription


def _fresh(function: Callable[..., Any], *given: Any) -> Any:
    """Call the function with a usable connection to the database."""
    close_old_connections()
    return function(*given)


async def _listen(hinted: asyncio.Event) -> None:
    while True:
        try:
            async with redis.asyncio.Redis.from_url(redis_url()) as client, client.pubsub() as channel:
                await channel.subscribe(wakeups.CHANNEL)
                async for _ in channel.listen():
                    hinted.set()
        except (redis.RedisError, OSError) as exc:
            log.info("event wake-ups unavailable, reconnecting to Redis: %s", exc)
        await asyncio.sleep(RECHECK_S)
