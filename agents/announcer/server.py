"""The announcer's server: mutual TLS, as a node's agent has it; the control plane calls it."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import grpc

from agents.announcer.announcing import Announcing, Status
from agents.announcer.bird_control import Bird
from agents.node import VERSION, pki
from agents.node.serving import OPTIONS, listen, lock_alone
from agents.node.specs import StoredDocument
from agents.node.state_store import StateStore, Table
from agents.node.trust.documents import Authority
from agents.node.trust.keys import root_verifier
from agents.node.trust.store import DENY, KEYSET, TrustStore
from agents.protocol import announcer_pb2 as pb
from agents.protocol import announcer_pb2_grpc
from andromede_core.permits import announcements

log = logging.getLogger(__name__)

THREADS, CALLS_AT_ONCE = 8, 4
STOP_GRACE_S = 5


@dataclass(frozen=True, slots=True)
class Config:
    """`listen` is ADDRESS:PORT; port 0 takes a free one. `routes_file`: the one that BIRD's configuration includes."""

    state_dir: Path
    listen: str
    routes_file: Path
    bird_control: Path


class Server:
    """A running announcer."""

    def __init__(self, server: grpc.Server, state_store: StateStore, lock: TextIO, *, port: int) -> None:
        self.port = port
        self._server = server
        self._state_store = state_store
        self._lock = lock

    def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        self._server.stop(grace_s).wait()
        self._state_store.close()
        self._lock.close()


class Servicer(announcer_pb2_grpc.AnnouncerServicer):
    def __init__(self, announcing: Announcing, trust: TrustStore) -> None:
        self._announcing = announcing
        self._trust = trust

    def EnsureAnnouncements(
        self, request: pb.EnsureAnnouncementsRequest, context: grpc.ServicerContext
    ) -> pb.AnnouncerState:
        self._trust.ensure({KEYSET: request.keyset, DENY: request.deny})
        if not request.announcements:
            return self._state(self._announcing.status())
        return self._state(self._announcing.ensure(request.announcements))

    def GetStatus(self, request: pb.GetStatusRequest, context: grpc.ServicerContext) -> pb.AnnouncerState:
        return self._state(self._announcing.status())

    def _state(self, status: Status) -> pb.AnnouncerState:
        return pb.AnnouncerState(
            version=status.version,
            applied_version=status.bird.version or 0,
            routes=status.bird.routes,
            sessions=status.bird.sessions,
            established_sessions=status.bird.established,
            problem=status.problem,
            keyset_version=self._trust.held.keyset.version,
            deny_version=self._trust.held.deny.version,
            software_version=VERSION,
        )


def serve(config: Config) -> Server:
    """Start the announcer and return. BIRD is given the routes of the stored document.

    Raises:
        RuntimeError: another announcer uses the state folder, or the address cannot be listened on.
        ValueError, OSError: the announcer has not been enrolled.
    """
    credentials = pki.load(config.state_dir)
    identity = pki.identity(credentials.certificate, kind=pki.ANNOUNCER)
    lock = lock_alone(config.state_dir, "announcer")
    state_store = StateStore(config.state_dir / "ledger.sqlite")
    authority = Authority(str(identity.node_id), identity.zone, root_verifier(credentials.root))
    trust = TrustStore(state_store, authority)
    announcing = Announcing(
        zone=identity.zone,
        trust=trust,
        documents=Table(state_store, announcements.KIND, StoredDocument),
        bird=Bird(config.bird_control),
        routes_file=config.routes_file,
    )
    announcing.status()
    server, port = listen(config.listen, credentials, threads=THREADS, calls_at_once=CALLS_AT_ONCE, options=OPTIONS)
    servicer = Servicer(announcing, trust)
    announcer_pb2_grpc.add_AnnouncerServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    server.start()
    log.info("serving", extra={"facts": {"zone": identity.zone, "port": port, "version": VERSION}})
    return Server(server, state_store, lock, port=port)
