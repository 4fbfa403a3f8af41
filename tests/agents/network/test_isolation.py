"""Isolation of a hostile guest: on real namespaces, with root. Forged frames: test_forged_frames.

Absence is shown without waiting: behind the forged frame goes an honest one, and when that has arrived the
forged one would have arrived before it.
"""

import json
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network

import pytest

from agents.node.adapters.network import namespace_name
from agents.node.adapters.network_specs import SubnetSpec, bridge_name, tap_name
from tests.agents.network import frames
from tests.agents.network.namespace_node import (
    BEYOND_IP,
    NEIGHBOUR_IP,
    NODE_IP,
    Guest,
    Node,
    a_network,
    a_port,
    gateway,
    ipv4,
)

pytestmark = pytest.mark.lab
Plug = Callable[..., Guest]
AGENT = 7443
ATTACKER, VICTIM = a_port(a_network(1), 0), a_port(a_network(1), 1)
GATEWAY_IP = gateway(ATTACKER.network)
HONEST = frames.udp(ATTACKER.mac, ipv4(ATTACKER), ports=(1000, 2000), text=b"honest")


@pytest.fixture
def attacker(plug: Plug) -> Guest:
    return plug(ATTACKER)


@pytest.fixture
def victim(attacker: Guest, plug: Plug) -> Guest:
    return plug(VICTIM, ATTACKER)


def test_forged_sender_does_not_divert_traffic(node: Node, attacker: Guest, victim: Guest) -> None:
    """The bridge takes some of the addresses that standards reserve out of the normal way."""
    reserved = [f"01:80:c2:00:00:{last:02x}" for last in range(16)]
    forged = [frames.udp(VICTIM.mac, ipv4(VICTIM), ports=(1, 2), to=to) for to in (frames.BROADCAST, *reserved)]
    with attacker.capturing(until=forged[0]):
        victim.send(forged[0])
    with victim.capturing(until=HONEST):
        attacker.send(*forged, HONEST)
    entries = json.loads(node.run(f"bridge -j fdb show br {bridge_name(VICTIM.network.id)}"))
    assert {entry["ifname"] for entry in entries if entry["mac"] == VICTIM.mac} == {tap_name(VICTIM.id)}


def test_the_node_answers_no_arp_on_the_bridge_even_without_rules(attacker: Guest, node: Node) -> None:
    attacker.dhcp()
    node.run("nft delete table bridge andromede")
    attacker.run(f"ip route add {NODE_IP}/32 dev eth0")
    with node.server(AGENT):
        assert attacker.call(NODE_IP, AGENT) == "silent"
    assert "lladdr" not in attacker.run(f"ip neigh show {NODE_IP}")


def test_node_receives_no_frames_sent_to_its_bridge(node: Node, attacker: Guest, victim: Guest) -> None:
    bridge = bridge_name(ATTACKER.network.id)
    mac = json.loads(node.run(f"ip -j link show {bridge}"))[0]["address"]
    node.run("nft add table ip probe")
    node.run("nft add chain ip probe in { type filter hook prerouting priority -400 ; }")
    node.run(f"nft add rule ip probe in iifname {bridge} counter")
    with victim.capturing(until=HONEST):
        attacker.send(frames.udp(ATTACKER.mac, ipv4(ATTACKER), ports=(1, 2), to=mac), HONEST)
    assert "packets 0 " in node.run("nft list chain ip probe in")


@pytest.mark.parametrize("address", [NODE_IP, NEIGHBOUR_IP, "100.64.0.0", "100.64.0.1", "169.254.169.254"])
def test_guest_reaches_neither_the_node_nor_its_neighbours(node: Node, attacker: Guest, address: str) -> None:
    attacker.dhcp()
    with node.server(AGENT), node.server(AGENT, namespace="outside"):
        assert attacker.call(BEYOND_IP, AGENT) == "open"
        assert attacker.call(address, AGENT) == "silent"


@pytest.mark.parametrize("address", ["10.99.0.1", "172.16.5.1", "192.168.77.1", "100.100.0.1", "198.18.0.1"])
def test_private_networks_are_reached_only_where_the_operator_allows(node: Node, attacker: Guest, address: str) -> None:
    attacker.dhcp()
    node.run(f"ip -n outside addr add {address}/32 dev lo")
    with node.server(AGENT, namespace="outside"):
        assert attacker.call(address, AGENT) == "silent"
        node.restart_agent([ATTACKER], allowed=(IPv4Network(address),))
        assert attacker.call(address, AGENT) == "open"


def test_an_exception_of_the_operator_opens_neither_the_node_nor_link_local(node: Node, attacker: Guest) -> None:
    node.restart_agent([ATTACKER], allowed=(IPv4Network("0.0.0.0/0"),))
    attacker.dhcp()
    with node.server(AGENT), node.server(AGENT, namespace="outside"):
        assert attacker.call(NEIGHBOUR_IP, AGENT) == "open"
        assert attacker.call(NODE_IP, AGENT) == "silent"
        assert attacker.call("169.254.169.254", AGENT) == "silent"


@pytest.mark.parametrize("address", [NODE_IP, NEIGHBOUR_IP, "10.99.0.1", "169.254.169.254"])
def test_router_filters_without_rules_of_the_node(node: Node, attacker: Guest, address: str) -> None:
    """Between a flush of the node's rules and their repair."""
    attacker.dhcp()
    node.run("ip -n outside addr add 10.99.0.1/32 dev lo")
    node.run("nft flush ruleset")
    with node.server(AGENT), node.server(AGENT, namespace="outside"):
        assert attacker.call(BEYOND_IP, AGENT) == "open"
        assert attacker.call(address, AGENT) == "silent"


def test_port_forwarding_of_the_node_is_not_reached(node: Node, attacker: Guest) -> None:
    node.restart_agent([ATTACKER], allowed=(IPv4Network("198.51.100.0/24"),))
    attacker.dhcp()
    node.run("nft add table ip forwarding")
    node.run("nft add chain ip forwarding in { type nat hook prerouting priority dstnat ; }")
    node.run(f"nft add rule ip forwarding in tcp dport 80 dnat to {BEYOND_IP}:{AGENT}")
    with node.server(AGENT, namespace="outside"):
        assert attacker.call(NODE_IP, 80) == "silent"


def test_gateway_answers_only_dhcp_and_ping(node: Node, attacker: Guest) -> None:
    attacker.dhcp()
    with node.server(AGENT, namespace=namespace_name(ATTACKER.network.id)):
        assert attacker.call(GATEWAY_IP, AGENT) == "silent"


def test_networks_with_equal_addresses_are_isolated(node: Node, plug: Plug) -> None:
    here, there = plug(a_port(a_network(1), 0)), plug(a_port(a_network(2), 0))
    neighbour = plug(a_port(a_network(2), 1), there.port)
    for guest in (here, there, neighbour):
        guest.dhcp()
    assert there.pings(neighbour.port.ip)
    assert not here.pings(neighbour.port.ip)
    with node.server(AGENT, namespace="outside"), node.server(AGENT, namespace=there.name):
        with here.conversation(BEYOND_IP, AGENT) as one, there.conversation(BEYOND_IP, AGENT) as other:
            assert (one.seen_as(), other.seen_as()) == (NODE_IP, NODE_IP)
        for address in ("100.64.0.2", "100.64.0.3"):
            assert here.call(address, AGENT) == "silent"


def test_a_network_may_have_the_addresses_of_the_nodes_own(node: Node, plug: Plug) -> None:
    """The tenant chose them, and does not know where its guests run."""
    network = a_network(1, SubnetSpec(IPv4Network("198.51.100.0/24"), IPv4Address(NEIGHBOUR_IP)))
    guest = plug(a_port(network, 0))
    assert guest.dhcp()["ip"] == "198.51.100.10"
    with node.server(AGENT), node.server(AGENT, namespace="outside"):
        assert guest.call(BEYOND_IP, AGENT) == "open"
        assert guest.call(NODE_IP, AGENT) == "silent"
