"""Runs the node's metadata service, a process without privileges (agents/node/metadata), and keeps it running.

The agent opens the service's sockets in the routers' namespaces and hands them over. Answers go one hop, to the guest
itself: with a container or a router in the guest, they end there (IMDSv2 of EC2 does the same).
"""

import logging
import socket
import subprocess
import threading
from ipaddress import IPv4Address, IPv6Address

from agents.node.adapters.network import namespaces
from agents.node.adapters.network.layout import Layout
from agents.node.errors import AdapterError
from agents.node.metadata import channel
from agents.node.metadata.channel import Gone, Guest, Listen, Message, Unlisten
from agents.node.process import start_module

log = logging.getLogger(__name__)

ADDRESS = IPv4Address("169.254.169.254")
ADDRESS6 = IPv6Address("fd00:ec2::254")
PORT = 80
BACKLOG = 128
IP_FREEBIND, IPV6_FREEBIND = 15, 78
LOOK_EVERY_S = 1.0
SEND_TIMEOUT_S = 2.0
STOP_TIMEOUT_S = 5.0


class MetadataService:
    """The service. What it needs is remembered, and sent again to a process that replaces a dead one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._guests: dict[str, Guest] = {}
        self._networks: dict[Layout, bool] = {}  # and whether the process has its sockets
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._is_closed = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="metadata", daemon=True)
        self._watcher.start()

    def publish(self, guest: Guest) -> None:
        """Let the guest read this; returns when the process has it."""
        with self._lock:
            self._guests[guest.id] = guest
            self._send(guest)

    def withdraw(self, guest_id: str) -> None:
        with self._lock:
            if self._guests.pop(guest_id, None) is not None:
                self._send(Gone(guest_id))

    def listen(self, layout: Layout) -> None:
        """Serve the network's guests at its router, which exists. Where that fails, it is tried again."""
        with self._lock:
            if not self._networks.get(layout):
                self._networks[layout] = self._has_listened(layout)

    def unlisten(self, layout: Layout) -> None:
        """Close the sockets, which would keep the namespace of the router."""
        with self._lock:
            if self._networks.pop(layout, None) is not None:
                self._send(Unlisten(layout.bridge))

    def close(self) -> None:
        self._is_closed.set()
        self._watcher.join()
        with self._lock:
            self._stop()

    def _watch(self) -> None:
        while not self._is_closed.is_set():
            with self._lock:
                if self._process is None or self._process.poll() is not None:
                    self._start()
                for layout, is_served in self._networks.items():
                    if not is_served:
                        self._networks[layout] = self._has_listened(layout)
            self._is_closed.wait(LOOK_EVERY_S)

    def _start(self) -> None:
        if self._process is not None:
            log.error("metadata service ended", extra={"facts": {"status": self._process.returncode}})
        self._stop()
        ours, theirs = socket.socketpair()
        ours.settimeout(SEND_TIMEOUT_S)
        with theirs:
            try:
                self._process = namespaces.in_own_thread(lambda: _start_alone(theirs.fileno()))
            except OSError as exc:
                log.error("metadata service not started", extra={"facts": {"problem": str(exc)}})
                ours.close()
                return
        self._channel = ours
        self._networks = dict.fromkeys(self._networks, False)
        for guest in self._guests.values():
            self._send(guest)

    def _stop(self) -> None:
        if self._channel is not None:
            self._channel.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_TIMEOUT_S)
        self._channel = self._process = None

    def _send(self, message: Message, descriptors: list[int] | None = None) -> None:
        """Send to the process; one that does not read is ended, and the next one gets everything."""
        if self._channel is None or self._process is None:
            return
        try:
            channel.send(self._channel, message, descriptors or [])
        except OSError as exc:
            log.error("metadata service silent", extra={"facts": {"problem": str(exc)}})
            self._process.kill()

    def _has_listened(self, layout: Layout) -> bool:
        if self._channel is None:
            return False
        try:
            sockets = namespaces.inside(layout.namespace, _open_sockets)
        except (OSError, AdapterError) as exc:
            facts = {"router": layout.namespace, "problem": str(exc)}
            log.warning("metadata not served", extra={"facts": facts})
            return False
        self._send(Listen(layout.bridge), [each.fileno() for each in sockets])
        for each in sockets:
            each.close()
        return True


def _start_alone(descriptor: int) -> "subprocess.Popen[bytes]":
    """Start the process in a network namespace without devices."""
    namespaces.leave()
    return start_module("agents.node.metadata", descriptor)


def _open_sockets() -> list[socket.socket]:
    """Open the sockets of both families in the namespace of the thread; an address may come later."""
    opened = []
    for family, level, options, address in (
        (socket.AF_INET, socket.IPPROTO_IP, {IP_FREEBIND: 1, socket.IP_TTL: 1}, ADDRESS),
        (
            socket.AF_INET6,
            socket.IPPROTO_IPV6,
            {IPV6_FREEBIND: 1, socket.IPV6_UNICAST_HOPS: 1, socket.IPV6_V6ONLY: 1},
            ADDRESS6,
        ),
    ):
        listening = socket.socket(family, socket.SOCK_STREAM)
        opened.append(listening)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for option, value in options.items():
            listening.setsockopt(level, option, value)
        listening.bind((str(address), PORT))
        listening.listen(BACKLOG)
    return opened
