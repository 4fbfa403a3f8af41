"""IPv6 and several subnets between nodes: on the real namespaces of several nodes around one switch, with root."""

import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from agents.node.adapters.network.ipv6_rules import ROUTER
from agents.node.adapters.network.layout import Layout
from tests.agents.network import forged_ipv6 as kinds
from tests.agents.network import frames
from tests.agents.network import ipv6_frames as v6
from tests.agents.network.forged_ipv6 import ATTACKER, FORGED, HONEST, HONEST_ONES, NETWORK, STAY, VICTIM
from tests.agents.network.namespace_node import HERE, Guest, Node
from tests.agents.network.test_ipv6 import passed, reaches
from tests.agents.network.test_overlay import VNI, nodes, segment, start  # noqa: F401

pytestmark = pytest.mark.lab
Start = Callable[..., Guest]
GATEWAY_MAC = Layout.for_network(NETWORK.id).gateway_mac
# What a node that was broken into sends, whose frames no rule of a port has judged.
OF_A_NODE = {
    name: frame
    for name, frame in FORGED.items()
    if name.startswith(("router ", "redirect", "options", "two ", "last fragment", "DHCPv6 server", "multicast"))
    or "gateway" in name
    or "the router" in name
    or "VLAN" in name
} | {
    "MAC of the gateway": frames.ethernet(GATEWAY_MAC, frames.BROADCAST, 0x8035, b""),
    "to the gateway": v6.ipv6(kinds.HERS, kinds.OWN, kinds.GATEWAY, protocol=58, body=v6.icmp(128), to=kinds.HIS),
    "to the router": v6.ipv6(kinds.HERS, kinds.OWN, ROUTER, protocol=58, body=v6.icmp(128), to=kinds.HIS),
    "question for the gateway": v6.ipv6(
        kinds.HERS, kinds.OWN, v6.ALL_NODES, protocol=58, body=v6.solicitation(kinds.GATEWAY), to=frames.BROADCAST
    ),
}


@pytest.fixture
def attacker(start: Start) -> Guest:  # noqa: F811
    return start(1, ATTACKER)


@pytest.fixture
def victim(attacker: Guest, start: Start) -> Guest:  # noqa: F811
    return start(2, VICTIM)


def test_forged_frames_reach_no_guest_on_another_node(attacker: Guest, victim: Guest) -> None:
    crossing = [name for name in HONEST_ONES if name not in STAY]
    assert passed(attacker, victim, FORGED) == []
    assert passed(attacker, victim, HONEST_ONES) == crossing
    for node in (attacker.node, victim.node):
        node.run("nft flush ruleset")
        node.keep_rules()
    assert passed(attacker, victim, FORGED) == []
    assert passed(attacker, victim, HONEST_ONES) == crossing


def test_node_that_was_broken_into_cannot_act_as_router(
    attacker: Guest,
    victim: Guest,
    nodes: list[Node],  # noqa: F811
) -> None:
    stranger = nodes[2]
    victim.node.connect(NETWORK, segment(2, 1, 3))
    stranger.run(f"ip link add evil type vxlan id {VNI} local 192.0.2.3 dstport 4789 remote 192.0.2.2")
    stranger.run("ip link set evil up")
    with victim.capturing(until=HONEST) as seen:
        forged = " ".join(frame.hex() for frame in OF_A_NODE.values())
        stranger.run(f"{sys.executable} {HERE / 'frames.py'} send evil {forged} {HONEST.hex()}")
    assert [name for name, frame in OF_A_NODE.items() if frame.hex() in seen] == []


def test_guests_of_different_subnets_on_two_nodes_reach_one_another(start: Start) -> None:  # noqa: F811
    """Redirects of the gateway lead to the other subnet by IPv4, router advertisements by IPv6: all are on link."""
    one = start(1, replace(ATTACKER, addresses=(ATTACKER.addresses[0], ATTACKER.addresses[2])))
    other = start(2, replace(VICTIM, addresses=(VICTIM.addresses[1], VICTIM.addresses[3])))
    for address in other.port.addresses:
        reaches(one, address)


def test_guests_on_two_nodes_reach_one_another_and_their_own_gateways(attacker: Guest, victim: Guest) -> None:
    for address in VICTIM.addresses:
        reaches(attacker, address)
    for subnet in NETWORK.subnets:
        reaches(attacker, subnet.gateway_ip)
        reaches(victim, subnet.gateway_ip)
