"""Networks and ports of a node, as plain values."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, collapse_addresses, ip_network
from typing import Any
from uuid import UUID

from agents.node.codec import ADDED_LATER
from andromede_core.permits.dhcp_options import NO_OPTIONS, DhcpOptions
from andromede_core.permits.network_ports import AllowedAddress, Bandwidth

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
DOMAIN = "internal"  # of the names that a network's resolver answers; ICANN keeps it for private use (2024)


@dataclass(frozen=True, slots=True)
class SubnetSpec:
    """A range of a network, of either family; the node itself answers at its `gateway_ip`."""

    cidr: Network
    gateway_ip: Address
    dns_servers: tuple[Address, ...] = ()
    options: DhcpOptions = field(default=NO_OPTIONS, metadata=ADDED_LATER)

    @property
    def is_resolved(self) -> bool:
        """Return whether its guests ask the network's resolver, at the gateway: it has no name servers of its own."""
        return not self.dns_servers

    @property
    def name_servers(self) -> tuple[Address, ...]:
        """Return the name servers that its guests are given."""
        return self.dns_servers or (self.gateway_ip,)

    @property
    def search_domains(self) -> tuple[str, ...]:
        """Return the domains that its guests look for names in: first that of the network's resolver."""
        own = tuple(domain for domain in self.options.domain_search if domain != DOMAIN)
        return (DOMAIN, *own) if self.is_resolved else self.options.domain_search


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A tenant network. Its subnets do not overlap."""

    id: UUID
    subnets: tuple[SubnetSpec, ...]
    mtu: int

    def of_family(self, version: int) -> tuple[SubnetSpec, ...]:
        """Return the subnets of IP version 4 or 6."""
        return tuple(subnet for subnet in self.subnets if subnet.cidr.version == version)

    def subnet_of(self, address: Address) -> SubnetSpec | None:
        return next((subnet for subnet in self.subnets if address in subnet.cidr), None)


@dataclass(frozen=True, slots=True)
class PortSpec:
    """A port. `addresses` of both families, each of a subnet; `allowed`: what its guest may use beside them.

    `bandwidth`: the limits of its traffic.
    """

    id: UUID
    network: NetworkSpec
    mac: str
    addresses: tuple[Address, ...]
    hostname: str
    allowed: tuple[AllowedAddress, ...] = ()
    bandwidth: Bandwidth | None = None

    @property
    def ip(self) -> IPv4Address | None:
        """Return the first IPv4 address, which DHCP gives."""
        return next((address for address in self.addresses if isinstance(address, IPv4Address)), None)

    def of_family(self, version: int) -> tuple[Address, ...]:
        """Return the addresses of IP version 4 or 6."""
        return tuple(address for address in self.addresses if address.version == version)

    def own(self, version: int) -> list[Address | Network]:
        """Return the addresses of that family, and the ranges that the guest may use beside them."""
        allowed = [pair.cidr for pair in self.allowed if pair.cidr.version == version]
        return [*self.of_family(version), *allowed]


@dataclass(frozen=True, slots=True)
class HostName:
    """A name that a network's resolver answers, and its addresses. `name`: one label, without the domain."""

    name: str
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class SegmentSpec:
    """The connection of a network to the other nodes of the zone that carry it.

    `vni` is the same on all of them; `local` and `peers` are underlay addresses.
    """

    vni: int
    local: IPv4Address
    peers: tuple[IPv4Address, ...]


def ranges(values: Iterable[Address | Network]) -> list[str]:
    """Return the values, which are of one family, as texts for nftables: what overlaps there is one range."""
    networks: list[Any] = [ip_network(value) for value in values]
    return [str(each).removesuffix(f"/{each.max_prefixlen}") for each in collapse_addresses(networks)]


def tap_name(port_id: UUID) -> str:
    """Return the device name, at most 15 characters. The head of a UUIDv7 is time and repeats; its tail is random."""
    return f"tap{port_id.hex[-11:]}"


def bridge_name(network_id: UUID) -> str:
    return f"br{network_id.hex[-11:]}"


def router_mac(first: str, tail: str) -> str:
    """Return a MAC address of a router: the first byte, then the last ten hexadecimal digits of an id or its tail."""
    digits = tail[-10:]
    return ":".join([first, *(digits[i : i + 2] for i in range(0, 10, 2))])
