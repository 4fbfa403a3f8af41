"""Sessions with guests in the process `stream`: bytes both ways between a websocket and a console or a TCP port.

The websocket is at /v1/consoles/<ticket> or /v1/tunnels/<ticket>; a ticket opens one session, once. The rights of the
user are checked again every STREAM_CHECK_S while the session is open. At its end the client gets a close code, 4000
plus the status that the API would answer, and a text. Begin and end of a session are audited; its contents are not
recorded.
"""

import asyncio
import io
import logging
import random
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.db import Error
from django.utils import translation

from controlplane.api.asgi import InThread, Receive, Scope, Send
from controlplane.api.guest_streams import send_from_guest, show, type_in, write_to_guest
from controlplane.api.open_session import OpenSession
from controlplane.api.session_ends import RESTART, End, Ended, end_of
from controlplane.compute.errors import ConsolesExhausted, TunnelsExhausted
from controlplane.compute.guest_sessions import GuestSession, recheck_access, redeem_ticket
from controlplane.compute.models import Instance
from controlplane.identity.actor import Actor
from controlplane.identity.credentials import refresh_actor
from controlplane.identity.models import Project
from controlplane.kernel.client_address import client_address
from controlplane.kernel.errors import CloudError, Unauthenticated, Unavailable
from controlplane.nodes import guest_client
from controlplane.signin.selectors import refresh_signed_in

log = logging.getLogger(__name__)

PATHS = ("/v1/consoles/", "/v1/tunnels/")
JITTER = (0.8, 1.0)  # so that sessions that open together are not always checked together


class GuestSessions:
    """Open sessions of this process. `in_thread` calls a function in a thread with a connection to the database."""

    def __init__(self, in_thread: InThread) -> None:
        self._in_thread = in_thread
        self.open: set[OpenSession] = set()

    def count(self, *, is_tunnel: bool) -> int:
        return sum(session.of.is_tunnel is is_tunnel for session in self.open)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one websocket, from its handshake to its end."""
        await receive()
        request = ASGIRequest({**scope, "method": "GET"}, io.BytesIO())
        if not scope["path"].startswith(PATHS) or not _is_own_page(request):
            await send({"type": "websocket.close", "code": 4403})  # before the handshake: HTTP 403
            return
        binary = "binary" if "binary" in scope.get("subprotocols", ()) else None
        await send({"type": "websocket.accept", "subprotocol": binary})
        with translation.override(translation.get_language_from_request(request)):
            ticket = scope["path"].split("/", 3)[3]
            end = await self._end_of(ticket, request, receive, send)
        with suppress(OSError, RuntimeError):  # the client may have gone
            await send({"type": "websocket.close", "code": end.code, "reason": end.short_reason})

    async def _end_of(self, ticket: str, request: ASGIRequest, receive: Receive, send: Send) -> End:
        of: GuestSession | None = None
        try:
            of = await self._in_thread(redeem_ticket, ticket)
            session = OpenSession(of, client_address(request), await self._in_thread(_organization_id, of))
            self._need_room(session)
            self.open.add(session)
            try:
                return await self._converse(session, receive, send)
            finally:
                self.open.discard(session)
        except CloudError as exc:
            return end_of(exc, of)
        except Error as exc:
            log.warning("session closed: database unavailable: %s", exc)
            return end_of(Unavailable())
        except Exception:
            log.exception("session failed unexpectedly")
            return end_of(CloudError())

    def _need_room(self, new: OpenSession) -> None:
        """Check the number of open sessions of the kind. Raises ConsolesExhausted, TunnelsExhausted."""
        noun = "TUNNELS" if new.of.is_tunnel else "CONSOLES"
        same = [session for session in self.open if session.of.is_tunnel is new.of.is_tunnel]
        of_credential = sum(session.of.credential_id == new.of.credential_id for session in same)
        of_organization = sum(session.organization_id == new.organization_id for session in same)
        if (
            of_credential >= getattr(settings, f"{noun}_PER_CREDENTIAL")
            or of_organization >= getattr(settings, f"{noun}_PER_ORGANIZATION")
            or len(same) >= getattr(settings, f"{noun}_MAX")
        ):
            raise TunnelsExhausted() if new.of.is_tunnel else ConsolesExhausted()

    async def _converse(self, session: OpenSession, receive: Receive, send: Send) -> End:
        of = session.of
        instance: Instance = await self._in_thread(_still, of)
        node = instance.node
        assert node is not None  # checked when the session was opened
        if of.is_tunnel:
            address = guest_client.GuestAddress(instance.pk, of.port_id, of.address, of.tcp_port)
            async with guest_client.tunnel(node, address) as tunnel:
                both = send_from_guest(session, tunnel, send), write_to_guest(session, tunnel, receive)
                return await self._carry(session, *both)
        async with guest_client.console(node, instance_id=instance.pk, kind=of.kind) as (console, before):
            return await self._carry(session, show(session, console, before, send), type_in(session, console, receive))

    async def _carry(self, session: OpenSession, *directions: Any) -> End:
        await self._in_thread(session.record_begin)
        end = End(RESTART)  # unless another end comes first
        try:
            end = await self._until_the_first_ends(session.of, *directions, self._recheck(session))
        finally:
            await self._in_thread(session.record_end, end)
        return end

    async def _until_the_first_ends(self, of: GuestSession, *work: Any) -> End:
        tasks = [asyncio.create_task(each) for each in work]
        try:
            done, _rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            end: End = done.pop().result()
            return end
        except Ended as exc:
            return exc.end
        except CloudError as exc:
            return end_of(exc, of)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _recheck(self, session: OpenSession) -> End:
        """Check the rights of the user and the time. Raises Ended, CloudError."""
        while True:
            await asyncio.sleep(settings.STREAM_CHECK_S * random.uniform(*JITTER))
            session.check_time()
            try:
                await self._in_thread(_still, session.of)
            except Error as exc:
                log.warning("access check failed and is retried: %s", exc)


def _organization_id(of: GuestSession) -> UUID | None:
    """Return the organization of the instance, whose sessions share a limit."""
    return Project.objects.filter(pk=of.project_id).values_list("organization_id", flat=True).first()


def _still(of: GuestSession) -> Instance:
    """Return the instance, if the user of the session may still open it. Raises CloudError."""
    return recheck_access(_actor(of), of)


def _actor(of: GuestSession) -> Actor:
    """Return the user of the session, with the present rights of the credential.

    Raises:
        Unauthenticated: the credential is no longer valid.
    """
    assert isinstance(of.credential_id, UUID)
    actor = refresh_actor(of.credential_id, request_id=of.request_id)
    if actor is None:
        sign_in = refresh_signed_in(of.credential_id, request_id=of.request_id)
        actor = sign_in.actor if sign_in is not None and sign_in.is_finished else None
    if actor is None:
        raise Unauthenticated()
    return actor


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
