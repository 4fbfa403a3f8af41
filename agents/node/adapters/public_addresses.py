"""Public addresses of the ports on a node, as the switch takes them."""

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
class PublicAddresses:
    """All public addresses of the node. `moved`: those that left lately, with the other node's underlay address."""

    local: tuple[LocalAddress, ...] = ()
    moved: Mapping[Address, IPv4Address] = field(default_factory=dict)

    def of_network(self, network_id: UUID) -> tuple[LocalAddress, ...]:
        return tuple(each for each in self.local if each.port.network.id == network_id)

    def of_family(self, version: int) -> tuple[LocalAddress, ...]:
        return tuple(each for each in self.local if each.address.version == version)

    @property
    def has_ipv6(self) -> bool:
        return any(address.version == 6 for address in (*(each.address for each in self.local), *self.moved))

    def __bool__(self) -> bool:
        return bool(self.local or self.moved)


NOTHING_PUBLIC = PublicAddresses()
