"""Networks of a fake node, in memory; no packet is ever sent. Each TCP port of a guest echoes what it gets."""

import socket
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from ipaddress import IPv4Address
from typing import TYPE_CHECKING
from uuid import UUID

from agents.node.adapters.channel import Channel
from agents.node.adapters.interfaces import NetworkProblems
from agents.node.adapters.network_specs import HostName, NetworkSpec, PortSpec, SegmentSpec
from agents.node.adapters.port_filters import PortCounters, PortFilters
from agents.node.adapters.public_addresses import NOTHING_PUBLIC, PublicAddresses
from agents.node.metadata.channel import Guest as GuestMetadata

if TYPE_CHECKING:
    from agents.node.adapters.fake import FakeNode


class FakeGuard:
    """Guard of a fake switch, whose rules cannot be removed."""

    def stop(self) -> None:
        pass


class FakeSwitch:
    def __init__(self, node: "FakeNode") -> None:
        self._node = node

    def ensure_port(self, port: PortSpec, others: Sequence[PortSpec]) -> None:
        with self._node.call("ensure_port"):
            known = {other.id: other for other in others if other.id in self._node.ports}
            self._node.ports |= known | {port.id: port}

    def remove_port(self, port: PortSpec, others: Sequence[PortSpec]) -> None:
        with self._node.call("remove_port"):
            self._node.ports.pop(port.id, None)
            if not others:
                self._node.segments.pop(port.network.id, None)
                self._node.names.pop(port.network.id, None)

    def ensure_segment(self, network: NetworkSpec, segment: SegmentSpec | None) -> str:
        with self._node.call("ensure_segment"):
            if segment is None:
                self._node.segments.pop(network.id, None)
                return ""
            self._node.segments[network.id] = segment
            return self._node.underlay_problem

    def ensure_filters(self, filters: PortFilters) -> str:
        with self._node.call("ensure_filters"):
            self._node.filters = filters
            return self._node.filter_problem

    def ensure_public(self, public: PublicAddresses) -> str:
        with self._node.call("ensure_public"):
            self._node.public = public
            return ""

    def ensure_names(self, network: NetworkSpec, names: Sequence[HostName]) -> None:
        with self._node.call("ensure_names"):
            self._node.names[network.id] = tuple(names)

    def restore(
        self,
        ports: Sequence[PortSpec],
        segments: Mapping[UUID, SegmentSpec],
        filters: PortFilters,
        public: PublicAddresses = NOTHING_PUBLIC,
    ) -> None:
        with self._node.call("restore"):
            self._node.filters = filters
            self._node.public = public
            self._node.ports = {port.id: port for port in ports}
            self._node.segments = dict(segments)

    def guard(self) -> FakeGuard:
        return FakeGuard()

    def problems(self) -> NetworkProblems:
        return self._node.network_problems

    def counters(self) -> Mapping[str, PortCounters]:
        with self._node.call("counters"):
            return dict(self._node.counters)

    def connect_tcp(self, port: PortSpec, address: IPv4Address, tcp_port: int, *, timeout_s: float) -> Channel:
        with self._node.call("connect_tcp"):
            ours, theirs = socket.socketpair()
            threading.Thread(target=_echo, args=(theirs,), name="fake-tcp", daemon=True).start()
            return Channel(ours)

    def taps(self) -> Mapping[str, str]:
        return self._node.unmanaged.taps()

    def silence_tap(self, device: str) -> bool:
        with self._node.call("silence_tap"):
            return self._node.unmanaged.silence(device)

    def open_tap(self, device: str) -> bool:
        with self._node.call("open_tap"):
            self._node.unmanaged.silent.discard(device)
            return device in self.taps()

    def remove_tap(self, device: str) -> bool:
        with self._node.call("remove_tap"):
            return self._node.unmanaged.remove_tap(device)


class FakeMetadata:
    """Metadata of a fake node's guests, in memory."""

    def __init__(self, node: "FakeNode") -> None:
        self._node = node

    def publish(self, guest: GuestMetadata) -> None:
        self._node.metadata[guest.id] = guest

    def withdraw(self, guest_id: str) -> None:
        self._node.metadata.pop(guest_id, None)

    def close(self) -> None:
        self._node.metadata.clear()


def _echo(connection: socket.socket) -> None:
    with connection, suppress(OSError):  # the caller has hung up
        while data := connection.recv(65536):
            connection.sendall(data)
