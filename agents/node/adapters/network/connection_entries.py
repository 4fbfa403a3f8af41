"""Entries of the connection tracking table, as conntrack(8) writes and reads them ("-o save"). Pure.

Those of TCP, UDP and ICMP travel with a guest, without NAT, which a bridge never does: an entry is told by its first
packet, and the replies are its reverse. Other protocols are known again by the first packet in either direction.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

MAX_TIMEOUT_S = 3600  # the node's own for established connections, which are the longest
STATUS = frozenset({"SEEN_REPLY", "ASSURED"})
UNSET = "UNSET"
TCP_STATES = frozenset(
    {"SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE", "SYN_SENT2"}
)
PORTS, BYTES = range(2**16), range(2**8)
PROTOCOLS: Mapping[str, Mapping[str, range | frozenset[str]]] = {
    "tcp": {"--sport": PORTS, "--dport": PORTS, "--state": TCP_STATES},
    "udp": {"--sport": PORTS, "--dport": PORTS},
    "icmp": {"--icmp-type": BYTES, "--icmp-code": BYTES, "--icmp-id": PORTS},
    "icmpv6": {"--icmpv6-type": BYTES, "--icmpv6-code": BYTES, "--icmpv6-id": PORTS},
}
REPLY_PORTS = {"--reply-port-src": "--dport", "--reply-port-dst": "--sport"}

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class NoEntry(Exception):
    """The text is no entry that travels."""


@dataclass(frozen=True, slots=True)
class ConnectionEntry:
    """An entry. `options`: ports, ICMP type and TCP state, by conntrack's names for them."""

    source: Address
    destination: Address
    protocol: str
    options: tuple[tuple[str, str], ...]
    status: str
    timeout_s: int

    def text(self) -> str:
        """Return the entry for `parse`, and for conntrack(8) in the zone 0."""
        options = " ".join(f"{name} {value}" for name, value in self.options)
        ends = f"-s {self.source} -d {self.destination} -p {self.protocol}"
        return f"-A -t {self.timeout_s} -u {self.status} {ends} {options}"

    def restored(self, zone: int) -> str:
        """Return the entry for conntrack(8), which leaves one that is there already as it is."""
        return f"{self.text()} -w {zone}"


def parse(line: str) -> ConnectionEntry:
    """Parse an entry.

    Raises:
        NoEntry: it is of another protocol, translated, or malformed.
    """
    command, *words = line.split()
    given = dict(zip(words[::2], words[1::2], strict=False))
    if command != "-A" or len(words) != 2 * len(given):
        raise NoEntry
    given.pop("-w", None)
    try:
        source, destination = ip_address(given.pop("-s")), ip_address(given.pop("-d"))
        protocol, status, timeout_s = given.pop("-p"), given.pop("-u", UNSET), int(given.pop("-t"))
        known_options = PROTOCOLS[protocol]
        options = tuple((name, _checked(given.pop(name), allowed)) for name, allowed in known_options.items())
    except (KeyError, ValueError) as exc:
        raise NoEntry from exc
    replies = {"-r": str(destination), "-q": str(source)}
    replies |= {reply: value for reply, name in REPLY_PORTS.items() for key, value in options if key == name}
    is_reverse = all(replies.get(name) == value for name, value in given.items())
    if not is_reverse or source.version != destination.version or timeout_s <= 0:
        raise NoEntry
    known = [each for each in status.split(",") if each in STATUS]
    return ConnectionEntry(
        source, destination, protocol, options, ",".join(known) or UNSET, min(timeout_s, MAX_TIMEOUT_S)
    )


def _checked(value: str, allowed: range | frozenset[str]) -> str:
    if isinstance(allowed, range):
        number = int(value)
        if number not in allowed:
            raise ValueError
        return str(number)
    if value not in allowed:
        raise ValueError
    return value


def parse_known(lines: Iterable[str]) -> list[ConnectionEntry]:
    """Parse the entries, without those that do not travel."""
    entries = []
    for line in lines:
        try:
            entries.append(parse(line))
        except NoEntry:
            continue
    return entries


class Addresses:
    """A set of addresses and ranges. Most are addresses, for which the look-up is cheap."""

    def __init__(self, members: Iterable[Address | Network]) -> None:
        each = list(members)
        self._addresses = {member for member in each if isinstance(member, IPv4Address | IPv6Address)}
        self._ranges = [member for member in each if isinstance(member, IPv4Network | IPv6Network)]

    def __contains__(self, address: Address) -> bool:
        return address in self._addresses or any(address in each for each in self._ranges)


def own(entries: Iterable[ConnectionEntry], mine: Addresses, others: Addresses) -> list[ConnectionEntry]:
    """Return the entries of connections between `mine` and addresses that are not of `others`."""
    kept = []
    for entry in entries:
        ends = (entry.source, entry.destination)
        for here, there in (ends, ends[::-1]):
            if here in mine and there not in others:
                kept.append(entry)
                break
    return kept
