"""The storage agent's server: mutual TLS, as a node's agent has it; the control plane calls it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO

import grpc

from agents.node import VERSION, pki
from agents.node.locks import ResourceLocks
from agents.node.serving import OPTIONS, listen, lock_alone
from agents.node.state_store import StateStore
from agents.node.trust.clock import Clock
from agents.node.trust.documents import Authority
from agents.node.trust.keys import NodeKey, root_verifier
from agents.node.trust.receipts import Receipts
from agents.protocol import storage_pb2_grpc
from agents.storage.admission import Admission
from agents.storage.background import Background
from agents.storage.effects import Effects
from agents.storage.flattening import Flattening
from agents.storage.images import Images
from agents.storage.servicer import Lanes, Servicer
from agents.storage.trash import Trash
from agents.storage.unfinished_reverts import UnfinishedReverts
from agents.storage.workers import Access, Workers

log = logging.getLogger(__name__)

THREADS, CALLS_AT_ONCE = 18, 12
WORKERS = (4, 4, 1, 1, 2)  # of each of `Lanes`
STOP_GRACE_S = 5
LIMIT_S, TRASH_INTERVAL_S = 20.0, 60.0
IMAGE_MAX_BYTES = 100 * 2**30
BINDINGS = {"rados": "python3-rados", "rbd": "python3-rbd"}


@dataclass(frozen=True, slots=True)
class Config:
    """`listen` is ADDRESS:PORT; port 0 takes a free one. `limit_s`: of a call of Ceph, or of its silence in a long
    one. `pools`: the names of those that are served.
    """

    state_dir: Path
    listen: str
    access: Access
    pools: tuple[str, ...]
    limit_s: float = LIMIT_S
    image_max_bytes: int = IMAGE_MAX_BYTES
    trash_interval_s: float = TRASH_INTERVAL_S
    clock: Clock = field(default_factory=Clock)


class Server:
    """A running storage agent."""

    def __init__(
        self,
        server: grpc.Server,
        *,
        lanes: Lanes,
        background: Sequence[Background],
        state_store: StateStore,
        lock: TextIO,
    ) -> None:
        self.port = 0
        self._server = server
        self._lanes = lanes
        self._background = background
        self._state_store = state_store
        self._lock = lock

    def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        stopped = self._server.stop(grace_s)
        for each in self._background:
            each.end()
        stopped.wait(grace_s)
        self._lanes.close()
        stopped.wait()
        for each in self._background:
            each.join()
        self._state_store.close()
        self._lock.close()


def serve(config: Config) -> Server:
    """Start the storage agent and return. The cluster need not answer.

    Raises:
        RuntimeError: Ceph's bindings are not installed, another storage agent uses the state folder, or the address
            cannot be listened on.
        ValueError, OSError: the agent has not been enrolled.
    """
    missing = [package for module, package in BINDINGS.items() if find_spec(module) is None]
    if missing:
        raise RuntimeError(f"Ceph's bindings are not there for this Python: install {' and '.join(missing)}.")
    credentials = pki.load(config.state_dir)
    identity = pki.identity(credentials.certificate, kind=pki.STORAGE)
    lock = lock_alone(config.state_dir, "storage-agent")
    state_store = StateStore(config.state_dir / "ledger.sqlite")
    authority = Authority(str(identity.node_id), identity.zone, root_verifier(credentials.root))
    key = NodeKey.load(str(identity.node_id), credentials.key)
    effects = Effects(Receipts(state_store, key, zone=identity.zone, clock=config.clock))
    lanes = Lanes(*(Workers(config.access, count=count, limit_s=config.limit_s) for count in WORKERS))
    locks = ResourceLocks()
    trash = Trash(lanes.copies, config.pools, effects=effects, interval_s=config.trash_interval_s)
    flattening = Flattening(lanes.flattening, config.pools, locks=locks, interval_s=config.trash_interval_s)
    reverting = UnfinishedReverts(
        lanes.copies, config.pools, locks=locks, effects=effects, interval_s=config.trash_interval_s
    )
    reverting.wake()  # an agent that was killed may have left some
    folder = config.state_dir / "incoming"
    servicer = Servicer(
        config.pools,
        lanes=lanes,
        admitting=Admission(state_store, authority, config.clock),
        effects=effects,
        images=Images(folder, workers=lanes.volumes, copying=lanes.copies, max_bytes=config.image_max_bytes),
        trash=trash,
        flattening=flattening,
    )
    server, port = listen(config.listen, credentials, threads=THREADS, calls_at_once=CALLS_AT_ONCE, options=OPTIONS)
    storage_pb2_grpc.add_StorageServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    work = (trash, flattening, reverting)
    running = Server(server, lanes=lanes, background=work, state_store=state_store, lock=lock)
    running.port = port
    for each in work:
        each.start()
    server.start()
    log.info("serving", extra={"facts": {"zone": identity.zone, "port": port, "version": VERSION}})
    return running
