"""Floods of a hostile guest against its network's services and its neighbours: on real namespaces, with root.

Floods of connections: test_connections; of the metadata service: test_metadata; of the resolver: test_names.
"""

from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from itertools import product

import pytest

from agents.lab.shell import wait_until
from tests.agents.network import forged_ipv4, forged_ipv6, frames
from tests.agents.network import ipv6_frames as v6
from tests.agents.network.forged_kinds import (
    ATTACKER,
    GATEWAY_MAC,
    HERS,
    NETWORK,
    OWN,
    OWN4,
    SECOND_RANGE,
    VICTIM,
)
from tests.agents.network.namespace_node import BEYOND_IP, NODE_IP, Guest, Node, a_network, a_port

pytestmark = pytest.mark.lab
Plug = Callable[..., Guest]
MANY, WEB = 20_000, 8080
HOSTS = range(2, 250)


def ask(address: IPv6Address) -> bytes:
    """Return an echo request, by way of the gateway."""
    return v6.ipv6(HERS, OWN, address, protocol=v6.ICMP, body=v6.icmp(128), to=GATEWAY_MAC)


def discover(address: IPv6Address) -> bytes:
    body = v6.solicitation(address, mac=HERS)
    return v6.ipv6(HERS, OWN, v6.ALL_NODES, protocol=v6.ICMP, body=body)


FLOODS = {
    "ARP": [frames.arp(HERS, OWN4, IPv4Address("10.0.0.0") + number) for number in HOSTS],
    "neighbour discovery": [
        v6.ipv6(
            HERS, OWN, v6.ALL_NODES, protocol=v6.ICMP, body=v6.solicitation(IPv6Address("fd00:1::") + number, mac=HERS)
        )
        for number in HOSTS
    ],
    "routers": [forged_ipv6.HONEST["router solicitation"]],
    "DHCP": [forged_ipv4.HONEST["DHCP client"], forged_ipv4.HONEST["DHCP renewal"]],
    "DHCPv6": [forged_ipv6.HONEST["DHCPv6 client"]],
    "DNS": [forged_ipv4.HONEST_FOR_ROUTER["DNS query"], forged_ipv6.HONEST_FOR_ROUTER["DNS query by IPv6"]],
    "metadata": [*forged_ipv4.HONEST_FOR_ROUTER.values(), *forged_ipv6.HONEST_FOR_ROUTER.values()],
    "addresses of nobody": [ask(SECOND_RANGE[number]) for number in range(1000, 4000)],
}


def test_neighbours_are_served_as_before(node: Node, plug: Plug) -> None:
    """One of the same network, and one of another network with the same addresses."""
    attacker, victim = plug(ATTACKER).configured(), plug(VICTIM, ATTACKER).configured()
    guests = victim, plug(a_port(a_network(2, *NETWORK.subnets), 0)).configured()
    with node.server(WEB, namespace="outside"), victim.conversation(BEYOND_IP, WEB) as conversation:
        for flood in FLOODS.values():
            attacker.flood(MANY, *flood)
            assert conversation.seen_as() == NODE_IP
            for guest, subnet in product(guests, NETWORK.subnets):
                guest.run("ip neigh flush dev eth0")
                wait_until(partial(guest.pings, subnet.gateway_ip), what=f"an answer of {subnet.gateway_ip}")
    for guest in guests:
        assert guest.dhcp()["ip"] == str(guest.port.ip)
