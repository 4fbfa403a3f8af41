"""Connections of guests that migrate: their entries of the connection tracking table travel with them.

Without them the destination would not know an open connection, and would judge its next packet by the rules for new
ones: one on which the guest only receives would end.

An entry lets packets pass without a rule, so the destination takes none that a compromised source could use against
other guests: only entries of the guest's own addresses (of the signed list), in its network, not with an address that
another filtered port of this node may use. Connections with those pass this node anyway, so it knows them.

The entries are read and written by conntrack(8): 10 µs for each, where pyroute2 needs 700. It also makes the kernel
accept any window of a TCP connection whose beginning it has not seen.
"""

import errno
import json
import logging
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.nfnetlink.nfctsocket import NFCTAttrTuple, NFCTSocket

from agents.node.adapters.network import connection_entries
from agents.node.adapters.network.connection_entries import Address, Addresses, ConnectionEntry, Network
from agents.node.errors import AdapterError
from agents.node.process import run

log = logging.getLogger(__name__)

MAX_ENTRIES = 2**15  # of a guest
WITHIN_S = 2.0  # a guest is paused meanwhile
PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}


@dataclass(frozen=True, slots=True)
class TrackedPort:
    """A filtered port: the zone of its bridge, and all addresses that it may use."""

    zone: int
    addresses: tuple[Address | Network, ...]


class GuestConnections:
    """Reads and writes the entries of guests' ports, which are named by their taps.

    `tracked`: returns the filtered ports of the node, by tap.
    """

    def __init__(self, tracked: Callable[[], Mapping[str, TrackedPort]]) -> None:
        self._tracked = tracked

    def read(self, taps: Sequence[str]) -> bytes:
        """Return the entries of the ports, for `add`; empty: there are none.

        Raises:
            AdapterError: they cannot be read.
        """
        entries_by_tap = {}
        left = MAX_ENTRIES
        for tap, port in self._of(taps):
            entries = connection_entries.own(_present(port.zone), Addresses(port.addresses), Addresses(()))[:left]
            left -= len(entries)
            if entries:
                entries_by_tap[tap] = [entry.text() for entry in entries]
        return json.dumps(entries_by_tap).encode() if entries_by_tap else b""

    def add(self, taps: Sequence[str], block: bytes) -> None:
        """Add the entries that another node has read.

        Raises:
            AdapterError: it is no such block, or the kernel refuses the entries.
        """
        given = _parsed(block)
        lines: list[str] = []
        count = own_count = 0
        for tap, port in self._of(taps):
            sent = list(islice(given.get(tap, ()), MAX_ENTRIES - count))
            count += len(sent)
            guests_own = connection_entries.own(
                connection_entries.parse_known(sent), Addresses(port.addresses), Addresses(())
            )
            own_count += len(guests_own)
            lines += [entry.restored(port.zone) for entry in self._own(taps, port, guests_own)]
        facts = {"taps": list(taps), "accepted": len(lines)}
        if refused := sum(map(len, given.values())) - own_count:
            log.warning("connections refused", extra={"facts": facts | {"refused": refused}})
        if left_out := own_count - len(lines):  # as in any migration to the node of a guest that it talks to
            log.info("connections with ports of this node left out", extra={"facts": facts | {"left_out": left_out}})
        if lines:
            run(["conntrack", "-R", "-"], input_bytes="\n".join([*lines, ""]).encode(), timeout_s=WITHIN_S)

    def forget(self, taps: Sequence[str]) -> None:
        """Remove the entries of a guest that is expected, which are of an earlier stay on this node.

        The kernel would drop the packets of a connection that has gone on elsewhere meanwhile. Connections with other
        ports of this node have gone on here, too.

        Raises:
            AdapterError: they cannot be read, or the kernel refuses.
        """
        for _, port in self._of(taps):
            entries = self._own(taps, port, _present(port.zone))
            if entries:
                _remove(entries, port.zone)

    def _of(self, taps: Sequence[str]) -> Iterator[tuple[str, TrackedPort]]:
        tracked = self._tracked()
        return ((tap, tracked[tap]) for tap in taps if tap in tracked)

    def _own(self, taps: Sequence[str], port: TrackedPort, entries: Iterable[ConnectionEntry]) -> list[ConnectionEntry]:
        others = [each for name, each in self._tracked().items() if name not in taps and each.zone == port.zone]
        foreign = Addresses(address for each in others for address in each.addresses)
        return connection_entries.own(entries, Addresses(port.addresses), foreign)


def _parsed(block: bytes) -> Mapping[str, list[str]]:
    """Return the lines by tap. Raises AdapterError."""
    try:
        given = json.loads(block)
        if all(isinstance(lines, list) and all(isinstance(line, str) for line in lines) for lines in given.values()):
            return dict(given)
    except (ValueError, AttributeError, RecursionError):
        pass
    raise AdapterError("The connections of the guest cannot be read.", retryable=False)


def _present(zone: int) -> list[ConnectionEntry]:
    done = run(["conntrack", "-L", "-w", str(zone), "-o", "save"], timeout_s=WITHIN_S)
    return connection_entries.parse_known(done.stdout.decode().splitlines())


def _remove(entries: Iterable[ConnectionEntry], zone: int) -> None:
    """Remove entries one by one: conntrack(8) would search the whole table for each."""
    with NFCTSocket() as v4, NFCTSocket(socket.AF_INET6) as v6:
        for entry in entries:
            try:
                (v4 if entry.source.version == 4 else v6).entry("del", zone=zone, tuple_orig=_tuple(entry))
            except NetlinkError as exc:
                if exc.code != errno.ENOENT:
                    raise AdapterError(f"Netlink: cannot remove a connection: {exc}", retryable=True) from exc


def _tuple(entry: ConnectionEntry) -> NFCTAttrTuple:
    values = [int(value) for name, value in entry.options if name != "--state"]
    ends = {
        "family": socket.AF_INET if entry.source.version == 4 else socket.AF_INET6,
        "saddr": str(entry.source),
        "daddr": str(entry.destination),
    }
    if entry.protocol in PROTOCOLS:
        return NFCTAttrTuple(proto=PROTOCOLS[entry.protocol], sport=values[0], dport=values[1], **ends)
    proto = socket.IPPROTO_ICMP if entry.protocol == "icmp" else socket.IPPROTO_ICMPV6
    return NFCTAttrTuple(proto=proto, icmp_type=values[0], icmp_code=values[1], icmp_id=values[2], **ends)
