"""Sessions with a guest, consoles and tunnels: a one-time ticket from the API opens one in the process `stream`, within
a short time.

Tickets are in Redis, under the hash of their secret. Redis may lose them at any time: the client then requests another
one. The content of a ticket is signed, so write access to Redis opens no console.
"""

import hashlib
import logging
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any
from uuid import UUID

import redis
from django.conf import settings
from django.core import signing

from controlplane.audit.request_records import record_resource
from controlplane.compute import selectors
from controlplane.compute.errors import ConsoleNotRunning, TicketsUnavailable, TicketUnknown, TunnelAddressMissing
from controlplane.compute.models import Instance
from controlplane.compute.services import instance_placement_request
from controlplane.identity.actor import Actor
from controlplane.identity.authorization import authorize
from controlplane.identity.models import Project
from controlplane.identity.selectors import project_get
from controlplane.kernel import clock
from controlplane.kernel.errors import Forbidden
from controlplane.kernel.ids import new_id
from controlplane.kernel.redis import redis_url
from controlplane.network.models import Network
from controlplane.network.selectors import port_of_instance
from controlplane.placement import services as placement
from controlplane.placement.decisions import PlacementRequest
from controlplane.placement.errors import NoAllocation

log = logging.getLogger(__name__)

OPEN_CONSOLE = "instance_console_open"
OPEN_TUNNEL = "instance_tunnel_open"
CHANGE = "instance_update"  # without that right a console is read-only
LIFETIME = timedelta(seconds=30)
KEY = "andromede:guest-session:"
REDIS_LIMIT_S = 2.0
RUNS = ("running", "paused")


class Kind(StrEnum):
    SERIAL = "serial"
    VNC = "vnc"
    TCP = "tcp"


CONSOLES = (Kind.SERIAL, Kind.VNC)


@dataclass(frozen=True)
class GuestSession:
    """A session: user, instance and kind.

    `is_read_only`: input is dropped. A tunnel has a TCP port, at an address of the instance's network card `port_id`.
    """

    id: UUID
    kind: Kind
    instance_id: UUID
    project_id: UUID
    user_id: UUID | None
    credential_id: UUID | None
    is_read_only: bool
    request_id: str
    port_id: UUID | None = None
    address: str = ""
    tcp_port: int = 0

    @property
    def is_tunnel(self) -> bool:
        return self.kind is Kind.TCP

    @property
    def right(self) -> str:
        """Return the operation whose rule allows the session."""
        return OPEN_TUNNEL if self.is_tunnel else OPEN_CONSOLE


@dataclass(frozen=True)
class Ticket:
    session: GuestSession
    secret: str
    expires_at: datetime

    @property
    def url(self) -> str:
        noun = "tunnels" if self.session.is_tunnel else "consoles"
        return f"{settings.STREAM_URL}/v1/{noun}/{self.secret}"


def console_open(actor: Actor, project: Project, instance: Instance, *, kind: Kind) -> GuestSession:
    """Return the console that the actor may open now.

    A screen needs write access: VNC does not separate viewing from input in a way that holds for all viewers.

    Raises:
        RoleNeeded, ScopeNeeded: the console is a screen, and the actor may not change the instance.
        ConsoleNotRunning, NoAllocation.
        PolicyUnsatisfiable: a policy forbids reading the console there.
        ExemptionOver: an exemption allowed the session, and another request had its last use.
    """
    if kind is Kind.VNC:
        authorize(actor, CHANGE)
    return _allowed(_session(actor, project, instance, kind=kind, is_read_only=not _may_type(actor)), instance)


def tunnel_open(
    actor: Actor, project: Project, instance: Instance, *, tcp_port: int, network: Network | None
) -> GuestSession:
    """Return the tunnel to the TCP port that the actor may open now.

    It leads to the address in `network`; None: that of the first network card.

    Raises:
        TunnelAddressMissing: the instance has no address there.
        ConsoleNotRunning, NoAllocation.
        PolicyUnsatisfiable: a policy forbids access to the guest there.
        ExemptionOver: an exemption allowed the session, and another request had its last use.
    """
    port = port_of_instance(instance.pk, network)
    if port is None or port.ip is None:
        raise TunnelAddressMissing(name=instance.name)
    session = _session(actor, project, instance, kind=Kind.TCP, is_read_only=False)
    return _allowed(replace(session, port_id=port.pk, address=port.ip, tcp_port=tcp_port), instance)


def _session(actor: Actor, project: Project, instance: Instance, *, kind: Kind, is_read_only: bool) -> GuestSession:
    return GuestSession(
        id=new_id(),
        kind=kind,
        instance_id=instance.pk,
        project_id=project.pk,
        user_id=actor.user_id,
        credential_id=actor.credential_id,
        is_read_only=is_read_only,
        request_id=actor.request_id,
    )


def _allowed(session: GuestSession, instance: Instance) -> GuestSession:
    """Return the session if the guest runs, and the policy admits it."""
    _check_running(instance)
    request = _placement_request(session, instance)
    placement.keep_exempted(request, placement.check_current_node(request))
    record_resource(instance.pk)
    return session


def ticket_for(session: GuestSession) -> Ticket:
    """Create a ticket; it is valid once it is stored."""
    return Ticket(session, secrets.token_urlsafe(32), clock.now() + LIFETIME)


def store_ticket(ticket: Ticket) -> None:
    """Store the ticket. Raises TicketsUnavailable."""
    key = _key(ticket.secret)
    document = {
        name: str(value) if isinstance(value, UUID) else value for name, value in asdict(ticket.session).items()
    }
    try:
        _client_of(redis_url()).set(key, signing.dumps(document, salt=key), ex=LIFETIME)
    except redis.RedisError as exc:
        raise TicketsUnavailable() from exc


def redeem_ticket(secret: str) -> GuestSession:
    """Return the session of the ticket and use the ticket up.

    Raises:
        TicketUnknown, TicketsUnavailable
    """
    key = _key(secret)
    try:
        stored_ticket: Any = _client_of(redis_url()).getdel(key)
        document = signing.loads((stored_ticket or b"").decode(), salt=key, max_age=LIFETIME)
    except redis.RedisError as exc:
        raise TicketsUnavailable() from exc
    except (signing.BadSignature, UnicodeDecodeError) as exc:
        raise TicketUnknown(limit_s=int(LIFETIME.total_seconds())) from exc
    ids = {name: UUID(value) if value else None for name, value in document.items() if name.endswith("id")}
    return GuestSession(**document | ids | {"kind": Kind(document["kind"]), "request_id": document["request_id"]})


def recheck_access(actor: Actor, session: GuestSession) -> Instance:
    """Check that the user who opened the session still may, as `actor` is now.

    A counted use of an exemption stays valid for the session.

    Raises:
        ProjectNotFound, InstanceNotFound, RoleNeeded, ScopeNeeded, ConsoleNotRunning, NoAllocation, PolicyUnsatisfiable
    """
    project = project_get(actor, str(session.project_id))
    actor = authorize(actor.within(project), session.right)
    actor.may_look_inside()
    if not session.is_read_only and not session.is_tunnel:
        authorize(actor, CHANGE)
    instance = selectors.instance_get(actor, project, str(session.instance_id))
    _check_running(instance)
    placement.check_current_node(_placement_request(session, instance))
    return instance


def _may_type(actor: Actor) -> bool:
    try:
        authorize(actor, CHANGE)
    except Forbidden:
        return False
    return True


def _check_running(instance: Instance) -> None:
    if instance.node is None:
        raise NoAllocation()
    if instance.power_state not in RUNS:
        raise ConsoleNotRunning()


def _placement_request(session: GuestSession, instance: Instance) -> PlacementRequest:
    return replace(instance_placement_request(instance, operation="console.read"), operation_id=session.id)


def _key(secret: str) -> str:
    return KEY + hashlib.sha256(secret.encode()).hexdigest()


@cache
def _client_of(url: str) -> redis.Redis:
    limits = {"socket_timeout": REDIS_LIMIT_S, "socket_connect_timeout": REDIS_LIMIT_S}
    return redis.Redis.from_url(url, **limits)
