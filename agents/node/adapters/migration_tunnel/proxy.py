"""Source's end of the tunnel: sockets in a folder of this node, each of which leads to the other node."""

import logging
import shutil
import socket
import ssl
import threading
from pathlib import Path
from uuid import UUID

from agents.node.adapters.migration_tunnel import peer_auth
from agents.node.adapters.migration_tunnel.libvirt_calls import FinishWatch
from agents.node.adapters.migration_tunnel.listener import (
    HANDOVER,
    KNOCK,
    LIBVIRT,
    VARIABLES,
    WAKE,
    WHOLE_VOLUME,
    Address,
)
from agents.node.adapters.migration_tunnel.peer_auth import PeerRejected
from agents.node.adapters.migration_tunnel.relay import detect_disconnect, relay, shut_down
from agents.node.errors import AdapterError

log = logging.getLogger(__name__)

CONNECTIONS_WITHIN_S = 3.0  # the guest is paused meanwhile


class TunnelProxy:
    """Proxy for one guest, to one node. `certificate_sha256`: the certificate that this node must show.

    `is_whole` is set when the other node's libvirt has said that it has the whole guest.
    """

    def __init__(
        self, guest_id: UUID, node: peer_auth.NodeCredentials, to: Address, *, certificate_sha256: str
    ) -> None:
        self._guest_id = guest_id
        self._node = node
        self._to = to
        self._wanted = certificate_sha256
        self._context = node.client_context()
        self._sockets: set[socket.socket] = set()
        self._folder: Path | None = None
        self._handover: ssl.SSLSocket | None = None
        self.is_whole = threading.Event()
        self._is_closed = False
        self._lock = threading.Lock()

    def knock(self) -> None:
        """Check that the destination expects the guest.

        Raises:
            AdapterError: the other node does not answer, is not the right one, or does not expect the guest.
        """
        self._ask(KNOCK)

    def open_handover(self) -> None:
        """Open the connection of `send_connections` and `wake`, which then take no time of the guest's pause for it.

        An agent of an earlier release refuses: there is none then.

        Raises:
            AdapterError: the other node does not answer.
        """
        try:
            self._handover = self._connect(HANDOVER)
        except PeerRejected as exc:
            log.info("handover of connections refused", extra={"facts": {"id": self._guest_id, "problem": exc.message}})
        except OSError as exc:
            raise self._unanswered(exc) from exc
        else:
            self._keep(self._handover)

    @property
    def takes_connections(self) -> bool:
        return self._handover is not None

    def send_connections(self, block: bytes) -> None:
        """Send the guest's entries of the connection tracking table.

        Raises:
            AdapterError: it is unknown whether the destination has them.
        """
        handover = self._handover
        if handover is None:
            raise AdapterError("The destination takes no connections.", retryable=False)
        try:
            handover.settimeout(CONNECTIONS_WITHIN_S)
            peer_auth.send_block(handover, block)
        except OSError as exc:
            self._handover = None  # an answer that comes late is not one to `wake`
            handover.close()
            raise self._unanswered(exc) from exc

    def wake(self) -> None:
        """Confirm to the destination that the guest is gone here.

        Raises:
            AdapterError: it is unknown whether the guest was woken.
        """
        handover = self._handover
        try:
            if handover is not None:
                handover.settimeout(peer_auth.TIMEOUT_S)
                peer_auth.send_message(handover, {"is_gone": True})
                peer_auth.receive_acceptance(handover)
                return
        except (OSError, AdapterError) as exc:
            log.warning("handover interrupted", extra={"facts": {"id": self._guest_id, "problem": str(exc)}})
        self._ask(WAKE)

    def send_variables(self, variables: bytes) -> None:
        """Send the firmware variables of a guest that is off: no QEMU writes them there, as for a running guest.

        Raises:
            AdapterError: it is unknown whether the destination has the variables.
        """
        try:
            with self._connect(VARIABLES) as tls:
                peer_auth.send_block(tls, variables)
        except OSError as exc:
            raise self._unanswered(exc) from exc

    def confirm_volume(self) -> None:
        """Confirm to the destination that all of the volume was sent.

        Raises:
            AdapterError: the destination has not kept it, or it is unknown whether it has.
        """
        self._ask(WHOLE_VOLUME)

    def open(self, folder: Path, channels: tuple[str, ...]) -> None:
        """Make `folder`/CHANNEL lead to the other node.

        QEMU may run as an unprivileged user, so every user of this node who knows the folder's name may connect.
        """
        folder.mkdir(exist_ok=True)
        folder.chmod(0o711)
        self._folder = folder
        for channel in channels:
            path = folder / channel
            path.unlink(missing_ok=True)
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(path))
            path.chmod(0o666)
            listener.listen()
            self._keep(listener)
            threading.Thread(
                target=self._serve, args=(listener, channel), name=f"passage-{channel}", daemon=True
            ).start()

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            sockets = list(self._sockets)
            handover, self._handover = self._handover, None
        for each in sockets:
            shut_down(each)
        if handover is not None:
            handover.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _ask(self, channel: str) -> None:
        try:
            with self._connect(channel):
                pass
        except OSError as exc:
            raise self._unanswered(exc) from exc

    def _unanswered(self, exc: OSError) -> AdapterError:
        return AdapterError(f"The destination does not answer at {self._to}: {exc}", retryable=True)

    def _serve(self, listener: socket.socket, channel: str) -> None:
        with listener:
            while True:
                try:
                    local, _ = listener.accept()
                except OSError:
                    return  # closed
                arguments = (local, channel)
                threading.Thread(target=self._lead, args=arguments, name=f"to-{channel}", daemon=True).start()

    def _lead(self, local: socket.socket, channel: str) -> None:
        try:
            with local, self._connect(channel) as tls:
                self._keep(local)
                self._keep(tls)
                relay(tls, local, watch=FinishWatch(self.is_whole) if channel == LIBVIRT else None)
        except (OSError, AdapterError) as exc:
            facts = {"id": self._guest_id, "channel": channel, "problem": str(exc)}
            log.info("outgoing connection closed", extra={"facts": facts})
        finally:
            self._forget(local)

    def _connect(self, channel: str) -> ssl.SSLSocket:
        raw = socket.create_connection((self._to.host, self._to.port), peer_auth.TIMEOUT_S)
        try:
            detect_disconnect(raw)
            tls = self._context.wrap_socket(raw)
        except BaseException:
            raw.close()
            raise
        try:
            peer_auth.verify_certificate(tls, self._wanted)
            nonce = str(peer_auth.receive_message(tls).get("nonce"))
            peer_auth.send_message(tls, self._node.claim(nonce, self._guest_id, channel, to=self._wanted))
            peer_auth.receive_acceptance(tls)
        except BaseException:
            tls.close()
            raise
        return tls

    def _keep(self, each: socket.socket) -> None:
        with self._lock:
            self._sockets.add(each)
            is_late = self._is_closed
        if is_late:
            shut_down(each)

    def _forget(self, each: socket.socket) -> None:
        with self._lock:
            self._sockets.discard(each)
