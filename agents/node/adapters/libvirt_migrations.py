"""Migrations of guests under libvirt, in both directions.

The source's libvirt does the whole migration ("peer to peer"): it calls the destination's libvirt, and QEMU sends
memory and disks to QEMU. All three use sockets on their own node, which the two agents join by TLS (see
migration_tunnel): libvirt listens on no network, and no data of a guest is on the wire in clear.

The guest arrives paused, and its source wakes it with the confirmation that it is gone there: libvirt_handover. libvirt
alone would start it while its source, which waits for the answer, may still decide to go on. A guest that is to be off
is shut down at that confirmation.
"""

import hashlib
import hmac
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit
from uuid import UUID
from xml.etree import ElementTree

import libvirt

from agents.node.adapters.interfaces import GuestSpec, Power
from agents.node.adapters.libvirt import LibvirtHypervisor, find
from agents.node.adapters.libvirt_connection import own_connection
from agents.node.adapters.libvirt_handover import GuestProcess, Handover
from agents.node.adapters.migration_tunnel.listener import LIBVIRT, VOLUME, Address, TunnelListener
from agents.node.adapters.migration_tunnel.peer_auth import NodeCredentials, PeerRejected
from agents.node.adapters.migration_tunnel.proxy import TunnelProxy
from agents.node.adapters.migration_tunnel.sockets import MigrationSockets
from agents.node.adapters.migrations import (
    Convergence,
    MigrationOptions,
    MigrationProgress,
    MigrationResult,
    MigrationTarget,
)
from agents.node.adapters.pools import Pools
from agents.node.adapters.volume_transfers import VolumeTransfers
from agents.node.domain_xml import firmware_variables, keyed_disks
from agents.node.errors import AdapterError, AgentStopping, HypervisorUnavailable, MigrationCancelled

log = logging.getLogger(__name__)

SCHEME = "andromede"
MEMORY, DISKS = "memory", "disks"
CHANNELS = (LIBVIRT, MEMORY, DISKS)
TOKEN = re.compile(r"[0-9a-f]{16}")
DEFAULT_SOCKET = "/run/libvirt/libvirt-sock"
FLAGS = (
    libvirt.VIR_MIGRATE_LIVE
    | libvirt.VIR_MIGRATE_PEER2PEER
    | libvirt.VIR_MIGRATE_PERSIST_DEST
    | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
    | libvirt.VIR_MIGRATE_PAUSED
    | libvirt.VIR_MIGRATE_ABORT_ON_ERROR
)
CONVERGING = {Convergence.AUTO_CONVERGE: libvirt.VIR_MIGRATE_AUTO_CONVERGE, Convergence.NONE: 0}
# Copies the volume without its image: the destination has the image, under the same path.
COPYING = libvirt.VIR_MIGRATE_NON_SHARED_INC
STATS_WITHIN_S = 2.0


class TravellingConnections(Protocol):
    """Entries of the node's connection tracking table that travel with a guest, whose ports are named by their taps.

    Each method raises AdapterError.
    """

    def read(self, taps: Sequence[str]) -> bytes:
        """Return the entries; empty: there are none."""

    def add(self, taps: Sequence[str], block: bytes) -> None:
        """Add those of the entries of another node that may be the guest's."""

    def forget(self, taps: Sequence[str]) -> None:
        """Remove the entries of an earlier stay of the guest."""


@dataclass(slots=True)
class _Expected:
    token: str
    fingerprint: str
    is_off: bool
    taps: Sequence[str]
    volume_ids: Sequence[UUID] = ()
    """Volumes of which libvirt has the secrets until the guest is here, or refused."""
    has_connections: bool = False


@dataclass
class _Watch:
    """Events of one migration from libvirt."""

    handover: Handover
    stood_still_at: float = 0.0
    stats: Mapping[str, Any] = field(default_factory=dict)
    has_stats: threading.Event = field(default_factory=threading.Event)

    def on_lifecycle(self, _connection: Any, _domain: Any, event: int, detail: int, _opaque: object) -> None:
        if (event, detail) == (libvirt.VIR_DOMAIN_EVENT_SUSPENDED, libvirt.VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED):
            self.stood_still_at = time.monotonic()
            self.handover.paused()
        if event == libvirt.VIR_DOMAIN_EVENT_RESUMED:
            self.handover.resumed()

    @property
    def pause_ms(self) -> int:
        return round((self.handover.woken_at - self.stood_still_at) * 1000) if self.stood_still_at else 0

    def on_completed(self, _connection: Any, _domain: Any, stats: Mapping[str, Any], _opaque: object) -> None:
        self.stats = stats
        self.has_stats.set()


class LibvirtMigrations:
    """Migrations over libvirt. Guests and `volumes` arrive at one address; without one, this node accepts none."""

    def __init__(
        self,
        hypervisor: LibvirtHypervisor,
        *,
        folder: Path,
        node: NodeCredentials,
        pools: Pools,
        connections: TravellingConnections,
        volumes: VolumeTransfers,
    ) -> None:
        """Create the migrations. Disks in `pools` are not sent, since the destination has them too.

        Raises:
            OSError: the address of the listener cannot be listened on.
        """
        self._uri = hypervisor.connection.uri
        self._hypervisor = hypervisor
        self._sockets = MigrationSockets(folder)
        self._node = node
        self._address = listen_at = volumes.address
        self._pools = pools
        self._connections = connections
        self._volumes = volumes
        self._expected: dict[UUID, _Expected] = {}
        self._passages: dict[UUID, TunnelProxy] = {}
        self._lock = threading.Lock()
        self._is_closed = False
        self._listener = TunnelListener(listen_at, node, self) if listen_at is not None else None

    # ---- guests that come

    def accepts_incoming(self) -> bool:
        return self._address is not None

    def expect(self, guest: GuestSpec, certificate_sha256: str, *, is_off: bool) -> str:
        if self._address is None:
            raise AdapterError("This node accepts no migrations: its agent has no migration address.", retryable=False)
        token = self._token(guest.id, certificate_sha256)
        folder = self._sockets.make(guest.id, token)
        folder.chmod(0o733)  # QEMU makes sockets in it, as an unprivileged user; other users do not know the name
        taps = [nic.device for nic in guest.nics]
        of_clusters = {disk.volume_id: disk.rbd.monitors for disk in guest.disks if disk.rbd is not None}
        if of_clusters:
            with self._hypervisor.connection.use() as connection:
                self._hypervisor.secrets.give(connection, of_clusters)
        with self._lock:
            is_new = guest.id not in self._expected
            self._expected[guest.id] = _Expected(token, certificate_sha256, is_off, taps, tuple(of_clusters))
        if is_new:
            self._forget_connections(guest.id, taps)
        return f"{SCHEME}://{self._address}/{token}"

    def _forget_connections(self, guest_id: UUID, taps: Sequence[str]) -> None:
        try:
            self._connections.forget(taps)
        except AdapterError as exc:  # some connections of the guest may end then
            facts = {"id": guest_id, "problem": exc.message}
            log.warning("earlier connections of the guest not removed", extra={"facts": facts})

    def refuse(self, guest_id: UUID) -> None:
        with self._lock:
            expected = self._expected.pop(guest_id, None)
        if self._listener is not None:
            self._listener.throw_out(guest_id)
        if expected is not None:
            self._sockets.remove(guest_id, expected.token)
            self._take_back_secrets(expected)

    def _take_back_secrets(self, expected: _Expected) -> None:
        volume_ids, expected.volume_ids = expected.volume_ids, ()
        if volume_ids:
            with self._hypervisor.connection.use() as connection:
                self._hypervisor.secrets.take_back(connection, volume_ids)

    def expects(self, guest_id: UUID, fingerprint: str) -> bool:
        with self._lock:
            expected = self._expected.get(guest_id)
        if expected is None:
            return self._volumes.expects(guest_id, fingerprint)
        return hmac.compare_digest(expected.fingerprint, fingerprint)

    def connect(self, guest_id: UUID, channel: str) -> socket.socket:
        if channel == VOLUME:
            return self._volumes.connect(guest_id)
        with self._lock:
            expected = self._expected.get(guest_id)
        if expected is None or channel not in CHANNELS:
            raise PeerRejected(f"Nothing is called {channel!r} here.")
        path = self._libvirt_socket if channel == LIBVIRT else str(self._sockets.path(expected.token) / channel)
        local = socket.socket(socket.AF_UNIX)
        try:
            local.connect(path)
        except BaseException:
            local.close()
            raise
        return local

    def wake(self, guest_id: UUID) -> None:
        with self._lock:
            expected = self._expected.get(guest_id)
        state = self._hypervisor.state(guest_id)
        if expected is None or state is None or state.power is not Power.PAUSED:
            return
        if expected.is_off:
            self._hypervisor.power_off(guest_id)
        else:
            self._hypervisor.start(guest_id)
        self._take_back_secrets(expected)

    def add_connections(self, guest_id: UUID, block: bytes) -> None:
        with self._lock:
            expected = self._expected.get(guest_id)
            if expected is None or expected.has_connections:
                raise PeerRejected(f"No connections of guest {guest_id} are expected here.")
            expected.has_connections = True
        self._connections.add(expected.taps, block)

    def keep_variables(self, guest_id: UUID, variables: bytes) -> None:
        with self._lock:
            expected = self._expected.get(guest_id)
        if expected is None or not expected.is_off:
            raise PeerRejected(f"Guest {guest_id} does not come as one that is off.")
        path = firmware_variables(guest_id)
        path.touch(mode=0o600)
        path.write_bytes(variables)

    def keep_volume(self, volume_id: UUID) -> None:
        self._volumes.keep(volume_id)

    # ---- guests that go

    def send(
        self, guest_id: UUID, route: MigrationTarget, manner: MigrationOptions, *, record: Callable[[], None]
    ) -> MigrationResult:
        to, token = _parsed(route.uri)
        proxy = TunnelProxy(guest_id, self._node, to, certificate_sha256=route.certificate_sha256)
        with self._kept(guest_id, proxy, token):
            proxy.knock()
            self._send_variables(guest_id, proxy)
            folder = self._sockets.make(guest_id, token)
            proxy.open(folder, CHANNELS)
            proxy.open_handover()
            watch = self._migrate(guest_id, proxy, folder, manner, record)
        return MigrationResult(_progress(watch.stats), watch.pause_ms)

    def cancel(self, guest_id: UUID) -> None:
        with self._hypervisor.connection.use() as connection:
            domain = find(connection, guest_id)
            if domain is not None and _stats(domain):
                domain.abortJob()

    def progress(self, guest_id: UUID) -> MigrationProgress | None:
        with self._hypervisor.connection.use() as connection:
            domain = find(connection, guest_id)
            stats = _stats(domain) if domain is not None else {}
        return _progress(stats) if stats else None

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            passages = list(self._passages.values())
        for proxy in passages:
            proxy.close()
        if self._listener is not None:
            self._listener.stop()

    @property
    def _libvirt_socket(self) -> str:
        return parse_qs(urlsplit(self._uri).query).get("socket", [DEFAULT_SOCKET])[0]

    def _token(self, guest_id: UUID, fingerprint: str) -> str:
        """Return the token of the guest's folder: the same after a restart, and unguessable."""
        text = f"{guest_id} {fingerprint}".encode()
        return hmac.new(self._node.credentials.key, text, hashlib.sha256).hexdigest()[:16]

    @contextmanager
    def _kept(self, guest_id: UUID, proxy: TunnelProxy, token: str) -> Iterator[None]:
        with self._lock:
            if self._is_closed:
                raise AgentStopping()
            self._passages[guest_id] = proxy
        try:
            yield
        finally:
            with self._lock:
                del self._passages[guest_id]
            proxy.close()
            self._sockets.remove(guest_id, token)

    def _migrate(
        self, guest_id: UUID, proxy: TunnelProxy, folder: Path, manner: MigrationOptions, record: Callable[[], None]
    ) -> _Watch:
        """Run the migration in libvirt.

        Raises:
            MigrationCancelled, AgentStopping
            AdapterError: the guest goes on here, or is paused as before.
        """
        with own_connection(self._uri) as connection:
            domain = connection.lookupByUUID(guest_id.bytes)
            ran = domain.state()[0] == libvirt.VIR_DOMAIN_RUNNING
            taps = _taps(domain) if ran and proxy.takes_connections else []
            watch = _Watch(
                Handover(
                    guest_id,
                    proxy,
                    GuestProcess.find(guest_id) if ran else None,
                    has_locks=bool(keyed_disks(domain.XMLDesc())),
                    read_connections=lambda: self._connections.read(taps),
                    record=record,
                )
            )
            try:
                with _watched(connection, domain, watch):
                    if manner.max_pause_ms:
                        domain.migrateSetMaxDowntime(manner.max_pause_ms, 0)
                    uri, parameters, flags = _way(folder, self._sent(domain))
                    domain.migrateToURI3(uri, parameters, flags | CONVERGING[manner.convergence])
                    watch.handover.confirm()
                    watch.has_stats.wait(STATS_WITHIN_S)
            except libvirt.libvirtError as exc:
                if not watch.handover.give_up():
                    is_there = connection.isAlive()
                    if is_there and ran:
                        self._go_on(domain)
                    raise self._failure(exc, is_there=is_there) from exc
            except BaseException:
                watch.handover.give_up()
                raise
        return watch

    def _send_variables(self, guest_id: UUID, proxy: TunnelProxy) -> None:
        """Send the firmware variables of a paused guest:

        QEMU has them in memory, and writes them only when the guest goes on.
        """
        state, path = self._hypervisor.state(guest_id), firmware_variables(guest_id)
        if state is not None and state.power is Power.PAUSED and path.exists():
            proxy.send_variables(path.read_bytes())

    def _sent(self, domain: Any) -> list[str]:
        """Return the guest's names of the disks that the destination does not have: files outside pools."""
        disks = ElementTree.fromstring(domain.XMLDesc()).findall("devices/disk[@type='file'][@device='disk']")
        files = [(disk.find("source"), disk.find("target")) for disk in disks]
        return [
            target.get("dev", "")
            for source, target in files
            if source is not None and target is not None and not self._pools.has(Path(source.get("file", "")))
        ]

    def _go_on(self, domain: Any) -> None:
        """Resume the guest if libvirt, interrupted at the wrong moment, left it paused."""
        try:
            if domain.state()[0] == libvirt.VIR_DOMAIN_PAUSED and not _stats(domain):
                domain.resume()
        except libvirt.libvirtError as exc:
            log.warning("guest resume check failed", extra={"facts": {"problem": str(exc)}})

    def _failure(self, error: Any, *, is_there: bool) -> AdapterError:
        """Map an error. `is_there`: whether this node's libvirtd answers; the error may be about the other one."""
        with self._lock:
            if self._is_closed:
                return AgentStopping()
        if error.get_error_code() == libvirt.VIR_ERR_OPERATION_ABORTED:
            return MigrationCancelled()
        if not is_there:
            return HypervisorUnavailable(f"The connection to libvirtd was lost: {error}")
        return AdapterError(f"libvirt: {error}", retryable=True)


def _taps(domain: Any) -> list[str]:
    targets = ElementTree.fromstring(domain.XMLDesc()).findall("devices/interface/target")
    return [target.get("dev", "") for target in targets]


@contextmanager
def _watched(connection: Any, domain: Any, watch: _Watch) -> Iterator[None]:
    events: tuple[tuple[int, Callable[..., None]], ...] = (
        (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, watch.on_lifecycle),
        (libvirt.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, watch.on_completed),
    )
    handles = [connection.domainEventRegisterAny(domain, event, listener, None) for event, listener in events]
    try:
        yield
    finally:
        try:
            for handle in handles:
                connection.domainEventDeregisterAny(handle)
        except libvirt.libvirtError as exc:
            log.info("libvirt connection lost", extra={"facts": {"problem": str(exc)}})


def _way(folder: Path, sent: list[str]) -> tuple[str, dict[str, object], int]:
    """Return the URI of the destination's libvirt, the parameters and the flags of the migration.

    The sockets for memory and sent disks have the same names at both ends.
    """
    parameters: dict[str, object] = {
        libvirt.VIR_MIGRATE_PARAM_URI: f"unix://{folder / MEMORY}",
    }
    uri = f"qemu+unix:///system?socket={folder / LIBVIRT}"
    if not sent:
        return uri, parameters, FLAGS
    parameters[libvirt.VIR_MIGRATE_PARAM_DISKS_URI] = f"unix://{folder / DISKS}"
    parameters[libvirt.VIR_MIGRATE_PARAM_MIGRATE_DISKS] = sent
    return uri, parameters, FLAGS | COPYING


def _parsed(uri: str) -> tuple[Address, str]:
    parts = urlsplit(uri)
    token = parts.path.removeprefix("/")
    try:
        if parts.scheme != SCHEME or not TOKEN.fullmatch(token):
            raise ValueError
        return Address.parse(parts.netloc), token
    except ValueError:
        raise AdapterError(f"No node is found at {uri!r}.", retryable=False) from None


def _stats(domain: Any) -> Mapping[str, Any]:
    """Return the statistics of the domain's outgoing migration; empty without one."""
    try:
        stats: dict[str, Any] = domain.jobStats()
    except libvirt.libvirtError as exc:
        if exc.get_error_code() in (libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_NO_DOMAIN):
            return {}
        raise
    is_move = stats.get("operation") == libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT
    return stats if is_move and stats.get("type") != libvirt.VIR_DOMAIN_JOB_NONE else {}


def _progress(stats: Mapping[str, Any]) -> MigrationProgress:
    total, moved = int(stats.get("data_total", 0)), int(stats.get("data_processed", 0))
    return MigrationProgress(max(total, moved), moved)
