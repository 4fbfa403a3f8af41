"""The question whether one end reaches the other, with all that the answer depends on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from andromede_core.permits.security_group import SecurityGroup

Address = IPv4Address | IPv6Address
PROTOCOLS = ("any", "tcp", "udp", "icmp")
# Why it is not known whether a port carries traffic now.
NOT_ATTACHED, NOT_RUNNING, NO_NODE, NODE_SILENT = "not-attached", "not-running", "no-node", "node-silent"
APPLIED, UNSUPPORTED = "applied", "unsupported"


@dataclass(frozen=True, slots=True)
class Traffic:
    """The traffic. `protocol` any: all of it; icmp: echo requests (ping) of the family. `port`: of tcp and udp."""

    protocol: str = "any"
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """A subnet, in one family. `gateway`: the router's own address in it."""

    name: str
    cidr: IPv4Network | IPv6Network
    gateway: Address | None = None


@dataclass(frozen=True, slots=True)
class Net:
    """A network with its subnets. `id` is that of the signed documents."""

    id: str
    name: str
    ranges: tuple[Range, ...] = ()

    def range_of(self, address: Address) -> Range | None:
        return next((each for each in self.ranges if address in each.cidr), None)


@dataclass(frozen=True, slots=True)
class Public:
    """A public address of a port. `to`: the port's address that it is translated to; None: it is routed to the port."""

    address: Address
    to: Address | None = None
    is_suspended: bool = False


@dataclass(frozen=True, slots=True)
class Egress:
    """The egress address of a port's network in its zone. `is_usable`: a node translates to it now."""

    address: Address
    is_usable: bool = True


@dataclass(frozen=True, slots=True)
class End:
    """A port. `instance`: its instance's name; empty: none.

    `groups`: ids of its security groups; None: it is not filtered. `zone`: of its node; None: no node carries it.
    `obstacle`: why it may carry nothing now; empty: it works. `rules`: state of its rules at the node: APPLIED,
    UNSUPPORTED, or the reason why they are pending.
    """

    id: str
    name: str
    network: Net
    addresses: tuple[Address, ...]
    instance: str = ""
    zone: str | None = None
    groups: tuple[str, ...] | None = None
    public: tuple[Public, ...] = ()
    obstacle: str = ""
    rules: str = APPLIED
    egress: Egress | None = None

    def of_family(self, version: int) -> tuple[Address, ...]:
        return tuple(address for address in self.addresses if address.version == version)

    def public_of_family(self, version: int) -> tuple[Public, ...]:
        return tuple(public for public in self.public if public.address.version == version)


@dataclass(frozen=True, slots=True)
class Peer:
    """One end of the question: a port, an address, a port by one of its addresses, or (both None) anywhere outside.

    `is_shared`: the address is one that the port may use beside its own, and that other ports may use too.
    """

    port: End | None = None
    address: Address | None = None
    is_shared: bool = False

    @property
    def is_public(self) -> bool:
        """Tell if the port is named by one of its public addresses."""
        own = () if self.port is None else self.port.addresses
        public = () if self.port is None else self.port.public
        return self.address not in own and any(each.address == self.address for each in public)


@dataclass(frozen=True, slots=True)
class Question:
    """Does the traffic from `source` reach `target`? `family`: 4, 6, or None: the one that both ends have.

    `groups`: by id, those of the ports and those that their rules name, with at least these ports as members. `names`:
    of the groups.
    """

    source: Peer
    target: Peer
    traffic: Traffic
    family: int | None = None
    groups: Mapping[str, SecurityGroup] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
