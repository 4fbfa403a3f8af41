"""Floods of a hostile guest against its network's services and its neighbours: on real namespaces, with root.

Floods of connections: test_connections; of the metadata service: test_metadata; of the resolver: test_names.
"""

from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from itertools import product

import pytest

from agents.lab.shell import wait_until
from agents.node.adapters.network.connection_limits import BURST_SHARES, CLOSED_S, RATE_SHARE
from agents.node.adapters.network.connection_limits import CONNECTIONS as LIMIT
from tests.agents.network import forged_ipv4, forged_ipv6, frames
from tests.agents.network import ipv4_frames as ipv4
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
MANY, CONNECTIONS, WEB = 20_000, 300_000, 8080
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


def begin(address: IPv4Address) -> bytes:
    """Return the first segment of a TCP connection by way of the gateway."""
    body = ipv4.tcp(1024, WEB, ipv4.SYN)
    return ipv4.framed(HERS, ipv4.packet(OWN4, address, protocol=ipv4.TCP, body=body), to=GATEWAY_MAC)


@pytest.mark.nightly
def test_300_000_connections_leave_room_for_other_networks(node: Node, plug: Plug) -> None:
    """The default limits of a network keep room in the node's table for connections of others."""
    node.start_agent()
    attacker, victim = plug(ATTACKER).configured(), plug(a_port(a_network(2, *NETWORK.subnets), 0)).configured()
    with node.server(WEB, namespace="outside"), victim.conversation(BEYOND_IP, WEB) as conversation:
        for number in range(8):
            attacker.connect_many(CONNECTIONS // 8, begin(IPv4Address(BEYOND_IP) + number))
        tracked = int(node.run("sysctl -n net.netfilter.nf_conntrack_count"))
        assert LIMIT // 2 < tracked < LIMIT * (1 + BURST_SHARES + RATE_SHARE * CLOSED_S)
        assert attacker.call(BEYOND_IP, WEB) == "silent"
        assert conversation.seen_as() == NODE_IP
        assert victim.call(BEYOND_IP, WEB) == "open"
