"""Kinds of forged frames: what a table of them says, and the guests in whose names they are forged."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network

from agents.node.adapters.network.ipv6_rules import link_local
from agents.node.adapters.network.layout import Layout
from tests.agents.network.namespace_node import IPV4, IPV6, SECOND_IPV4, SECOND_IPV6, a_network, a_port, ipv4

SECOND_RANGE = IPv6Network("fd00:2::/64")
NETWORK = a_network(6, IPV4, SECOND_IPV4, IPV6, SECOND_IPV6)
ATTACKER, VICTIM = a_port(NETWORK, 0), a_port(NETWORK, 1)
HERS, HIS, NOBODY = ATTACKER.mac, VICTIM.mac, "52:54:00:ff:ff:ff"
GATEWAY_MAC = Layout.for_network(NETWORK.id).gateway_mac
OWN4, OTHER4, OWN4_SECOND, OTHER4_SECOND = ipv4(ATTACKER), ipv4(VICTIM), *map(IPv4Address, ("10.0.1.10", "10.0.1.11"))
FREE4, GATEWAY4, GATEWAY4_SECOND = map(IPv4Address, ("10.0.0.77", "10.0.0.1", "10.0.1.1"))
OWN, OWN_SECOND = (IPv6Address(str(each)) for each in ATTACKER.of_family(6))
OTHER, OTHER_SECOND = (IPv6Address(str(each)) for each in VICTIM.of_family(6))
OWN_LINK, OTHER_LINK = link_local(HERS), link_local(HIS)
FREE6, GATEWAY, GATEWAY_SECOND = map(IPv6Address, ("fd00:1::dead", "fd00:1::1", "fd00:2::1"))
# Public addresses: the attacker's and the victim's, translated and their own, and one of nobody.
PUBLIC, ROUTED, OTHER_PUBLIC, FREE_PUBLIC = (IPv4Address("203.0.113.64") + number for number in range(4))
PUBLIC6, OTHER_PUBLIC6 = IPv6Address("2001:db8:64::64"), IPv6Address("2001:db8:64::65")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of a forged frame, or packet.

    `sender`: guest, node or outside. `aim`: what it tries. `control`: the honest frame that it is like, which passes.
    """

    name: str
    family: str
    layer: str
    sender: str
    aim: str
    control: str
    frame: bytes


@dataclass(frozen=True, slots=True)
class Group:
    """Kinds that have everything in common but their names and frames."""

    family: str
    layer: str
    sender: str
    aim: str
    control: str
    frames: Mapping[str, bytes]

    def kinds(self) -> Iterator[Kind]:
        for name, frame in self.frames.items():
            yield Kind(name, self.family, self.layer, self.sender, self.aim, self.control, frame)
