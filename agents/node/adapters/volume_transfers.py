"""Transfers of volumes between nodes: qemu-img at the source writes to qemu-nbd at the destination.

Both use sockets of their node, which the two agents join by TLS: see migration_tunnel. The destination makes the file
itself and takes only its content from the network, so the source cannot choose what the file refers to. Each connection
begins with a new file. qemu-nbd, which reads what the other node sends, runs as a user of its own, which owns this file
alone, and a folder with the socket.
"""

import hmac
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

from agents.node.adapters.interfaces import GuestDisk
from agents.node.adapters.migration_tunnel.listener import VOLUME, Address
from agents.node.adapters.migration_tunnel.peer_auth import NodeCredentials, PeerRejected
from agents.node.adapters.migration_tunnel.proxy import TunnelProxy
from agents.node.adapters.migrations import MigrationTarget
from agents.node.adapters.pools import VOLUMES
from agents.node.adapters.storage import files
from agents.node.adapters.storage.copying import Copying, send_disk, serve_disk
from agents.node.adapters.transfers import Keep
from agents.node.errors import AdapterError, AgentError, AgentStopping
from agents.node.guest_users import GuestUsers

SCHEME = "andromede"
READY_WITHIN_S, ENDED_WITHIN_S = 5.0, 5.0
LOOK_S = 0.02


@dataclass(slots=True)
class _Expected:
    """`server`: of the last connection. `is_over`: the volume was kept, or is refused."""

    fingerprint: str
    size_bytes: int
    keep: Keep
    server: "subprocess.Popen[bytes] | None" = None
    is_over: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class VolumeTransfers:
    """`folder`: the node's own folder. `address`: where peers reach its tunnel; None: it accepts none. `users`: of the
    servers of volumes, each with the number that follows from the volume's id; None: they run as the agent.
    """

    def __init__(
        self, folder: Path, node: NodeCredentials, address: Address | None, *, users: GuestUsers | None = None
    ) -> None:
        self._volumes = folder / VOLUMES
        self._sockets = folder / "transfers"
        shutil.rmtree(self._sockets, ignore_errors=True)
        self._sockets.mkdir(mode=0o711, parents=True)
        self._users = users
        self._node = node
        self.address = address
        self._expected: dict[UUID, _Expected] = {}
        self._proxies: set[TunnelProxy] = set()
        self._lock = threading.Lock()
        self._is_closed = False

    # ---- volumes that come

    def accepts_incoming(self) -> bool:
        return self.address is not None

    def expect(self, volume_id: UUID, *, size_bytes: int, certificate_sha256: str, keep: Keep) -> str:
        if self.address is None:
            raise AdapterError("This node accepts no volumes: its agent has no migration address.", retryable=False)
        with self._lock:
            known = self._expected.get(volume_id)
            if known is None or (known.fingerprint, known.size_bytes) != (certificate_sha256, size_bytes):
                self._expected[volume_id] = _Expected(certificate_sha256, size_bytes, keep)
        return f"{SCHEME}://{self.address}"

    def refuse(self, volume_id: UUID) -> None:
        with self._lock:
            expected = self._expected.pop(volume_id, None)
        if expected is not None:
            with expected.lock:
                expected.is_over = True
                _end(expected)
        files.unlink(self._unfinished(volume_id))
        shutil.rmtree(self._socket("in", volume_id), ignore_errors=True)

    def expects(self, volume_id: UUID, fingerprint: str) -> bool:
        """Return whether the node with this certificate may send the volume."""
        with self._lock:
            expected = self._expected.get(volume_id)
        return expected is not None and hmac.compare_digest(expected.fingerprint, fingerprint)

    def connect(self, volume_id: UUID) -> socket.socket:
        """Return a connection to a server of a new, empty file.

        Raises:
            PeerRejected: the volume is not expected.
            AdapterError: the file or its server cannot be made.
        """
        expected = self._require(volume_id)
        with expected.lock:
            _end(expected)
            if expected.is_over or self._is_closed:
                raise PeerRejected(f"Volume {volume_id} is not expected here any more.")
            files.unlink(self._final(volume_id))  # an agent that was killed has published it, and recorded nothing
            path, folder = self._unfinished(volume_id), self._socket("in", volume_id)
            path.unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
            files.create_qcow2(path, expected.size_bytes)
            path.chmod(0o600)
            user = self._user(volume_id)
            if user is not None:
                os.chown(path, user, user)
                os.chown(folder, user, user)
            expected.server = serve_disk(GuestDisk(volume_id, path), folder / VOLUME, user=user)
            return _connected(folder / VOLUME, expected.server)

    def _user(self, volume_id: UUID) -> int | None:
        return next(self._users.candidates(volume_id)) if self._users is not None else None

    def keep(self, volume_id: UUID) -> None:
        """Keep the volume, all of which has arrived.

        Raises:
            PeerRejected: it is not expected, or its file was not closed properly.
            AdapterError
        """
        expected = self._require(volume_id)
        server = expected.server
        if server is None or not _has_ended_well(server):
            raise PeerRejected(f"Volume {volume_id} has not arrived completely.")

        def publish() -> None:
            with expected.lock:
                if expected.is_over or expected.server is not server:
                    raise PeerRejected(f"Volume {volume_id} is not expected here any more.")
                if self._users is not None:
                    os.chown(self._unfinished(volume_id), 0, 0)
                files.publish(self._unfinished(volume_id), self._final(volume_id))
                expected.server, expected.is_over = None, True
            shutil.rmtree(self._socket("in", volume_id), ignore_errors=True)

        try:
            expected.keep(publish)
        except AgentError as exc:
            raise PeerRejected(exc.message) from exc

    def _require(self, volume_id: UUID) -> _Expected:
        with self._lock:
            expected = self._expected.get(volume_id)
        if expected is None:
            raise PeerRejected(f"Volume {volume_id} is not expected here.")
        return expected

    def _socket(self, direction: str, volume_id: UUID) -> Path:
        """Return a path short enough for a socket in it; see LONGEST_STATE_DIR in libvirt_node.py."""
        return self._sockets / f"{direction}-{volume_id.hex[-20:]}"

    def _final(self, volume_id: UUID) -> Path:
        return self._volumes / f"{volume_id}.qcow2"

    def _unfinished(self, volume_id: UUID) -> Path:
        return self._volumes / f"{files.UNFINISHED}{volume_id}.qcow2"

    # ---- volumes that go

    def send(self, disk: GuestDisk, target: MigrationTarget, copying: Copying) -> None:
        volume_id, to = disk.volume_id, _address(target.uri)
        proxy = TunnelProxy(volume_id, self._node, to, certificate_sha256=target.certificate_sha256)
        folder = self._socket("out", volume_id)
        with self._open(proxy):
            proxy.knock()
            proxy.open(folder, (VOLUME,))
            send_disk(disk, folder / VOLUME, copying)
            proxy.confirm_volume()

    @contextmanager
    def _open(self, proxy: TunnelProxy) -> Iterator[None]:
        with self._lock:
            if self._is_closed:
                raise AgentStopping()
            self._proxies.add(proxy)
        try:
            yield
        finally:
            with self._lock:
                self._proxies.discard(proxy)
            proxy.close()

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            proxies, expected = list(self._proxies), list(self._expected.values())
        for proxy in proxies:
            proxy.close()
        for each in expected:
            with each.lock:
                _end(each)


def _end(expected: _Expected) -> None:
    """End the server of an earlier connection. What it has of the volume is not kept."""
    if expected.server is not None:
        expected.server.kill()
        expected.server.wait()
        expected.server = None


def _has_ended_well(server: "subprocess.Popen[bytes]") -> bool:
    try:
        return server.wait(ENDED_WITHIN_S) == 0
    except subprocess.TimeoutExpired:
        return False


def _connected(at: Path, server: "subprocess.Popen[bytes]") -> socket.socket:
    """Connect to the server, which ends when the connection does."""
    deadline = time.monotonic() + READY_WITHIN_S
    while server.poll() is None and time.monotonic() < deadline:
        local = socket.socket(socket.AF_UNIX)
        try:
            local.connect(str(at))
        except OSError:
            local.close()
            time.sleep(LOOK_S)
        else:
            return local
    server.kill()
    raise AdapterError("The server of the volume's file does not start.", retryable=True)


def _address(uri: str) -> Address:
    """Read the address from what `expect` returned.

    Raises:
        AdapterError: it is none.
    """
    parts = urlsplit(uri)
    with suppress(ValueError):
        if parts.scheme == SCHEME:
            return Address.parse(parts.netloc)
    raise AdapterError(f"{uri!r} is no address of a node.", retryable=False)
