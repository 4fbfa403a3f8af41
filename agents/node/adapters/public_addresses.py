"""Public addresses of the ports and networks on a node, as the switch takes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from uuid import UUID

from agents.node.adapters.network_specs import Address, PortSpec


@dataclass(frozen=True, slots=True)
class LocalAddress:
    """A public address of a port on this node.

    `to`: the port's address that it is translated to; None: the guest has it itself. `is_arriving`: the guest still
    runs on another node, which sends what it gets as soon as the guest runs here.
    """

    address: Address
    port: PortSpec
    to: IPv4Address | None = None
    is_arriving: bool = False


@dataclass(frozen=True, slots=True)
class Egress:
    """The egress address of a network on this node: the source of what leaves from ports without a public address.

    `mac`: of this node's router on the segment. `gateway_mac`: of the gateway node's, which translates; None: the
    network has no gateway node now, and nothing leaves.
    """

    address: IPv4Address
    network_id: UUID
    mac: str
    gateway_mac: str | None

    @property
    def is_gateway(self) -> bool:
        """Return whether this node is the gateway."""
        return self.mac == self.gateway_mac


@dataclass(frozen=True, slots=True)
class Holding:
    """An address that this node answers for, by the network whose router has it."""

    address: Address
    network_id: UUID
    is_arriving: bool = False


@dataclass(frozen=True, slots=True)
class PublicAddresses:
    """All public addresses of the node.

    `moved`: those that left lately, with the other node's underlay address. `egress`: of each network that has an
    egress address, whichever node is its gateway.
    """

    local: tuple[LocalAddress, ...] = ()
    moved: Mapping[Address, IPv4Address] = field(default_factory=dict)
    egress: tuple[Egress, ...] = ()

    def of_network(self, network_id: UUID) -> tuple[LocalAddress, ...]:
        return tuple(each for each in self.local if each.port.network.id == network_id)

    def egress_of(self, network_id: UUID) -> Egress | None:
        return next((each for each in self.egress if each.network_id == network_id), None)

    def held(self, version: int) -> list[Holding]:
        """Return the addresses of IP version 4 or 6 of ports here and, on the gateway node, of networks."""
        of_ports = [Holding(each.address, each.port.network.id, each.is_arriving) for each in self.local]
        of_networks = [Holding(each.address, each.network_id) for each in self.egress if each.is_gateway]
        return [each for each in (*of_ports, *of_networks) if each.address.version == version]

    @property
    def has_ipv6(self) -> bool:
        return any(address.version == 6 for address in (*(each.address for each in self.local), *self.moved))

    def __bool__(self) -> bool:
        return bool(self.local or self.moved or self.egress)


NOTHING_PUBLIC = PublicAddresses()
