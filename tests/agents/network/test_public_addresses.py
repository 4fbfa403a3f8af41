"""Public addresses of guests: on real namespaces, with root.

The namespace `outside` is the router that knows the node as the way to the public addresses, and a host behind it.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

import pytest

from agents.node.adapters.network import namespace_name
from agents.node.adapters.network_specs import Address, PortSpec
from agents.node.adapters.port_filters import NOTHING_FILTERED
from agents.node.adapters.public_addresses import NOTHING_PUBLIC, LocalAddress, PublicAddresses
from andromede_core.permits.network_ports import AllowedAddress
from tests.agents.network.namespace_node import BEYOND_IP, IPV4, IPV6, NODE_IP, Guest, Node, a_network, a_port

pytestmark = pytest.mark.lab
NETWORK, OTHER_NETWORK = a_network(1, IPV4, IPV6), a_network(2, IPV4, IPV6)
WEB, DATABASE = a_port(NETWORK, 0), a_port(NETWORK, 1)
STRANGER = a_port(OTHER_NETWORK, 0)
HTTP, SSH = 8080, 8022
PUBLIC, ROUTED, OTHER = (IPv4Address("203.0.113.64") + number for number in range(3))
PUBLIC6, OTHER6 = IPv6Address("2001:db8:64::64"), IPv6Address("2001:db8:64::65")
BEYOND6 = "2001:db8:9::9"
OUTSIDE = f"""
ip addr add 2001:db8:1::1/64 dev u0 nodad
ip -6 route add default via 2001:db8:1::2
ip -n outside addr add 2001:db8:1::2/64 dev u0 nodad
ip -n outside addr add {BEYOND6}/128 dev lo nodad
ip -n outside route add 203.0.113.64/26 via {NODE_IP} src {BEYOND_IP}
ip -n outside route add 2001:db8:64::/64 via 2001:db8:1::1 src {BEYOND6}
ip -n outside route add fd00::/8 via 2001:db8:1::1
"""


def with_address(port: PortSpec, *addresses: Address) -> PortSpec:
    """Return the port as it is when its guest has these addresses itself."""
    return replace(port, allowed=tuple(AllowedAddress(ip_network(address)) for address in addresses))


def translated(port: PortSpec, address: Address = PUBLIC, **fields: Any) -> LocalAddress:
    return LocalAddress(address, port, port.ip, **fields)


def routed(port: PortSpec, address: Address) -> LocalAddress:
    return LocalAddress(address, port)


@dataclass
class Place:
    """A node with guests of two networks, and the outside."""

    node: Node
    web: Guest
    database: Guest
    stranger: Guest
    outside: Guest

    def publish(self, *local: LocalAddress, moved: dict[Address, IPv4Address] | None = None) -> None:
        assert self.node.publish(PublicAddresses(local, moved or {})) == ""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if os.geteuid() != 0:
        pytest.skip("namespaces need root")
    node = Node(tmp_path_factory.mktemp("node"))
    try:
        for line in OUTSIDE.strip().splitlines():
            node.run(line)
        node.ensure(WEB)
        node.ensure(DATABASE, WEB)
        node.ensure(STRANGER)
        names = {"web": WEB, "database": DATABASE, "stranger": STRANGER}
        guests = {name: Guest(node, name, port).start().configured() for name, port in names.items()}
        for guest in guests.values():
            guest.run("ip -6 route replace default via fe80::1 dev eth0")
        with ExitStack() as stack:
            for name in ("web", "outside", "stranger"):
                stack.enter_context(node.server(HTTP, namespace=name))
                stack.enter_context(node.server(SSH, namespace=name, host="::"))
            yield Place(node, **guests, outside=Guest(node, "outside", WEB))
    finally:
        node.close()


@pytest.fixture
def place(built: Place) -> Iterator[Place]:
    yield built
    assert built.node.filter(NOTHING_FILTERED) == ""
    built.node.restart_agent([WEB, DATABASE, STRANGER])


def test_guest_is_reached_by_its_public_address_and_has_it_as_its_source(place: Place) -> None:
    assert place.outside.call(PUBLIC, HTTP) != "open"
    place.publish(translated(WEB))
    with place.outside.conversation(PUBLIC, HTTP) as inbound, place.web.conversation(BEYOND_IP, HTTP) as outbound:
        assert inbound.seen_as() == BEYOND_IP
        assert outbound.seen_as() == str(PUBLIC)
    assert place.outside.pings(PUBLIC)
    with place.database.conversation(BEYOND_IP, HTTP) as without:
        assert without.seen_as() == NODE_IP


def test_routed_address_is_the_guest_s_own(place: Place) -> None:
    place.web.run(f"ip addr add {ROUTED}/32 dev eth0")
    place.node.ensure(with_address(WEB, ROUTED), DATABASE)
    place.publish(routed(WEB, ROUTED))
    with place.outside.conversation(ROUTED, HTTP) as inbound:
        assert inbound.seen_as() == BEYOND_IP
    assert "1 received" in place.web.run(f"ping -c 1 -W 1 -I {ROUTED} {BEYOND_IP}", check=False)
    with place.web.conversation(BEYOND_IP, HTTP) as outbound:
        assert outbound.seen_as() == NODE_IP  # its own address in the network is translated as before


def test_ipv6_address_is_routed(place: Place) -> None:
    place.web.run(f"ip addr add {PUBLIC6}/128 dev eth0 nodad")
    place.node.ensure(with_address(WEB, PUBLIC6), DATABASE)
    assert place.outside.call(PUBLIC6, SSH) != "open"
    place.publish(routed(WEB, PUBLIC6))
    with place.outside.conversation(PUBLIC6, SSH) as inbound, place.web.conversation(BEYOND6, SSH) as outbound:
        assert inbound.seen_as() == BEYOND6
        assert outbound.seen_as() == str(PUBLIC6)
