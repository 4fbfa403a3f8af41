"""Console sessions in the process `stream`: bytes in both directions between a websocket and a guest.

The websocket is at /v1/consoles/<ticket>; a ticket opens one session, once. The rights of the user are checked again
every STREAM_CHECK_S while the session is open. At its end the client gets a close code, 4000 plus the status that the
API would answer, and a text. Begin and end of a session are audited; its contents are not recorded.
"""

import asyncio
import io
import logging
import random
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.db import Error, transaction
from django.utils import translation
from django.utils.translation import gettext as _

from controlplane.api.asgi import SEND_LIMIT_S, InThread, Receive, Scope, Send
from controlplane.api.problems import status_of
from controlplane.audit.services import record
from controlplane.compute.console_sessions import Console, recheck_access, redeem_ticket
from controlplane.compute.errors import (
    ConsoleMissing,
    ConsoleNotRunning,
    ConsolesExhausted,
)
from controlplane.compute.models import Instance
from controlplane.identity.actor import Actor
from controlplane.identity.credentials import refresh_actor
from controlplane.identity.models import Project
from controlplane.kernel.client_address import client_address
from controlplane.kernel.error_messages import describe
from controlplane.kernel.errors import CloudError, Unauthenticated, Unavailable
from controlplane.nodes import console_client
from controlplane.nodes.console_client import NodeConsole
from controlplane.nodes.errors import NodeFailed, NodeRefused
from controlplane.signin.selectors import refresh_signed_in

log = logging.getLogger(__name__)

PATH = "/v1/consoles/"
MESSAGE_MAX_BYTES = 2**20
REASON_MAX_BYTES = 123  # of a close frame (RFC 6455)
JITTER = (0.8, 1.0)  # so that sessions that open together are not always checked together
NORMAL, TOO_BIG, INTERNAL, RESTART, TRY_LATER = 1000, 1009, 1011, 1012, 1013
TIMED_OUT = 4408
OF_AGENTS: dict[str, type[CloudError]] = {
    "agent.guest_not_running": ConsoleNotRunning,
    "agent.not_found": ConsoleNotRunning,
    "agent.no_console": ConsoleMissing,
    "agent.exhausted": ConsolesExhausted,
}


@dataclass(frozen=True)
class End:
    """End of a session: a close code of RFC 6455 or of this API, and a text."""

    code: int
    reason: str = ""


class Ended(Exception):
    def __init__(self, end: End) -> None:
        self.end = end


@dataclass(eq=False)
class ConsoleSession:
    """An open console session."""

    console: Console
    address: str | None
    organization_id: UUID | None
    began: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)
    typed_bytes: int = 0
    shown_bytes: int = 0

    def record_traffic(self, *, typed: int = 0, shown: int = 0) -> None:
        self.last = time.monotonic()
        self.typed_bytes += typed
        self.shown_bytes += shown

    def check_time(self) -> None:
        """Check the time limits. Raises Ended."""
        now = time.monotonic()
        if now - self.last > settings.CONSOLE_IDLE_MINUTES * 60:
            raise Ended(End(TIMED_OUT, _("The console was idle for too long.")))
        if now - self.began > settings.CONSOLE_HOURS * 3600:
            raise Ended(End(TIMED_OUT, _("The console reached its maximum duration.")))


class Consoles:
    """Open sessions of this process. `in_thread` calls a function in a thread with a connection to the database."""

    def __init__(self, in_thread: InThread) -> None:
        self._in_thread = in_thread
        self.open: set[ConsoleSession] = set()

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one websocket, from its handshake to its end."""
        await receive()
        request = ASGIRequest({**scope, "method": "GET"}, io.BytesIO())
        if not scope["path"].startswith(PATH) or not _is_own_page(request):
            await send({"type": "websocket.close", "code": 4403})  # before the handshake: HTTP 403
            return
        binary = "binary" if "binary" in scope.get("subprotocols", ()) else None
        await send({"type": "websocket.accept", "subprotocol": binary})
        with translation.override(translation.get_language_from_request(request)):
            end = await self._end_of(scope["path"].removeprefix(PATH), request, receive, send)
        reason = end.reason.encode()[:REASON_MAX_BYTES].decode(errors="ignore")
        with suppress(OSError, RuntimeError):  # the client may have gone
            await send({"type": "websocket.close", "code": end.code, "reason": reason})

    async def _end_of(self, ticket: str, request: ASGIRequest, receive: Receive, send: Send) -> End:
        try:
            console: Console = await self._in_thread(redeem_ticket, ticket)
            session = ConsoleSession(console, client_address(request), await self._in_thread(_organization_id, console))
            self._need_room(session)
            self.open.add(session)
            try:
                return await self._converse(session, receive, send)
            finally:
                self.open.discard(session)
        except CloudError as exc:
            return end_of(exc)
        except Error as exc:
            log.warning("console closed: database unavailable: %s", exc)
            return end_of(Unavailable())
        except Exception:
            log.exception("console session failed unexpectedly")
            return end_of(CloudError())

    def _need_room(self, new: ConsoleSession) -> None:
        """Check the number of open sessions. Raises ConsolesExhausted."""
        of_credential = sum(session.console.credential_id == new.console.credential_id for session in self.open)
        of_organization = sum(session.organization_id == new.organization_id for session in self.open)
        if (
            of_credential >= settings.CONSOLES_PER_CREDENTIAL
            or of_organization >= settings.CONSOLES_PER_ORGANIZATION
            or len(self.open) >= settings.CONSOLES_MAX
        ):
            raise ConsolesExhausted()

    async def _converse(self, session: ConsoleSession, receive: Receive, send: Send) -> End:
        console = session.console
        instance: Instance = await self._in_thread(_still, console)
        assert instance.node is not None  # checked when the session was opened
        opening = console_client.console(instance.node, instance_id=instance.pk, kind=console.kind)
        async with opening as (guest, before):
            await self._in_thread(_record, "console.open", session)
            end = End(RESTART)  # unless another end comes first
            try:
                end = await self._until_the_first_ends(
                    _show(session, guest, before, send),
                    _type(session, guest, receive),
                    self._recheck(session),
                )
            finally:
                await self._in_thread(_record, "console.close", session, end)
        return end

    async def _until_the_first_ends(self, *work: Any) -> End:
        tasks = [asyncio.create_task(each) for each in work]
        try:
            done, _rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            end: End = done.pop().result()
            return end
        except Ended as exc:
            return exc.end
        except CloudError as exc:
            return end_of(exc)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _recheck(self, session: ConsoleSession) -> End:
        """Check the rights of the user and the time. Raises Ended, CloudError."""
        while True:
            await asyncio.sleep(settings.STREAM_CHECK_S * random.uniform(*JITTER))
            session.check_time()
            try:
                await self._in_thread(_still, session.console)
            except Error as exc:
                log.warning("console access check failed and is retried: %s", exc)


async def _show(session: ConsoleSession, guest: NodeConsole, before: bytes, send: Send) -> End:
    data, is_first = before, True
    while True:
        if data or is_first:  # also when empty: clients read the first message as the earlier output
            is_first = False
            session.record_traffic(shown=len(data))
            try:
                async with asyncio.timeout(SEND_LIMIT_S):
                    await send({"type": "websocket.send", "bytes": data})
            except TimeoutError:
                return End(TIMED_OUT, _("The client does not read the console output."))
            except OSError:
                return End(NORMAL)
        data = await guest.read()
        if not data:
            raise ConsoleNotRunning()


async def _type(session: ConsoleSession, guest: NodeConsole, receive: Receive) -> End:
    while (message := await receive())["type"] != "websocket.disconnect":
        data = message.get("bytes") or (message.get("text") or "").encode()
        if len(data) > MESSAGE_MAX_BYTES:
            return End(
                TOO_BIG, _("A message may have at most {limit_bytes} bytes.").format(limit_bytes=MESSAGE_MAX_BYTES)
            )
        session.record_traffic(typed=len(data))
        if not session.console.is_read_only:
            try:
                async with asyncio.timeout(SEND_LIMIT_S):
                    await guest.write(data)
            except TimeoutError:
                return End(TIMED_OUT, _("The guest does not read its console input."))
    return End(message.get("code") or NORMAL)


def _organization_id(console: Console) -> UUID | None:
    """Return the organization of the instance, whose sessions share a limit."""
    return Project.objects.filter(pk=console.project_id).values_list("organization_id", flat=True).first()


def _still(console: Console) -> Instance:
    """Return the instance, if the user of the session may still open it. Raises CloudError."""
    return recheck_access(_actor(console), console)


def _actor(console: Console) -> Actor:
    """Return the user of the session, with the present rights of the credential.

    Raises:
        Unauthenticated: the credential is no longer valid.
    """
    assert isinstance(console.credential_id, UUID)
    actor = refresh_actor(console.credential_id, request_id=console.request_id)
    if actor is None:
        found = refresh_signed_in(console.credential_id, request_id=console.request_id)
        actor = found.actor if found is not None and found.is_finished else None
    if actor is None:
        raise Unauthenticated()
    return actor


@transaction.atomic
def _record(verb: str, session: ConsoleSession, end: End | None = None) -> None:
    console = session.console
    facts: dict[str, object] = {"console": str(console.id), "kind": console.kind.value, "address": session.address}
    if end is None:
        facts |= {"is_read_only": console.is_read_only}
    else:
        duration_s = round(time.monotonic() - session.began, 1)
        facts |= {"code": end.code, "duration_s": duration_s}
        facts |= {"typed_bytes": session.typed_bytes, "shown_bytes": session.shown_bytes}
    who = Actor(console.user_id, console.credential_id, None, "", request_id=console.request_id)
    record(who, verb, console.instance_id, project_id=console.project_id, **facts)


def _is_own_page(request: ASGIRequest) -> bool:
    """Return True for a websocket from the dashboard's own page; programs send no Origin header, and have the
    ticket.
    """
    origin = request.headers.get("Origin")
    if origin is None or origin in settings.CONSOLE_ORIGINS:
        return True
    try:
        own = urlsplit(f"//{request.get_host()}").hostname
        return own is not None and urlsplit(origin).hostname == own
    except (DisallowedHost, ValueError):
        return False


def end_of(error: CloudError) -> End:
    """Return the end of a session for an error, with the status of the API."""
    if isinstance(error, NodeRefused | NodeFailed):
        agent_code = error.facts.get("agent_code")  # absent when the status is gRPC's own
        if agent_code == "agent.stopping":
            return End(RESTART, _("The node's agent is restarting. Open the console again."))
        if agent_code == "agent.guest_moving":
            return End(RESTART, _("The instance is migrating to another node. Open the console again."))
        known = OF_AGENTS.get(str(agent_code))
        error = known() if known is not None else error
    status = status_of(type(error))
    code = {500: INTERNAL, 503: TRY_LATER}.get(status, 4000 + status)
    return End(code, str(describe(type(error), error.facts)["detail"]))
