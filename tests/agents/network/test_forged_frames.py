"""The table of forged frames against a hostile guest's neighbours and routers: on real namespaces, with root.

Absence is shown as in test_isolation: by an honest frame that arrives after what must not. Each frame goes as it is,
and addressed to the neighbour's card alone, which is the only way to a port with security groups.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_network
from itertools import product

import pytest

from agents.node.adapters.network import namespace_name
from agents.node.adapters.network_specs import PortSpec
from agents.node.adapters.port_filters import FilteredPort, PortFilters
from agents.node.adapters.public_addresses import LocalAddress, PublicAddresses
from andromede_core.permits.network_ports import AllowedAddress
from andromede_core.permits.security_group import Rule, SecurityGroup
from tests.agents.network import frames
from tests.agents.network import ipv4_frames as v4
from tests.agents.network.forged_beyond import text_in
from tests.agents.network.forged_kinds import (
    ATTACKER,
    FREE4,
    HIS,
    NETWORK,
    OTHER4,
    OTHER_PUBLIC,
    OTHER_PUBLIC6,
    OWN4,
    PUBLIC,
    PUBLIC6,
    ROUTED,
    VICTIM,
)
from tests.agents.network.forged_nodes import HONEST_OUTER, INNER, MEMBER, OUTER, STAY, VICTIM_NODE
from tests.agents.network.forged_table import HONEST, HONEST_FOR_ROUTER, OF_GUESTS
from tests.agents.network.namespace_node import Guest, Node
from tests.agents.network.test_group_rules import an_id
from tests.agents.network.test_overlay import VNI, nodes, segment, start  # noqa: F401

pytestmark = pytest.mark.lab
Plug = Callable[..., Guest]
Start = Callable[..., Guest]
ROUTER = namespace_name(NETWORK.id)
# Those with another's MAC address come last: without rules, the bridge believes them.
FORGED = {
    kind.name: kind.frame for kind in sorted(OF_GUESTS, key=lambda kind: frames.source_mac(kind.frame) != ATTACKER.mac)
}
# Groups judge whole packets, whose fragments are made anew.
PUT_TOGETHER = {"first fragment", "last fragment", "fragment of an echo"}
# Bridges themselves take no frame whose sender is a group, or zero.
DROPPED_BY_BRIDGES = {
    "source MAC of IPv4 multicast",
    "source MAC of IPv6 multicast",
    "source MAC of broadcast",
    "source MAC of zeros",
    "IPv6 with the MAC of a group",
}
END = frames.arp(ATTACKER.mac, OWN4, FREE4)


def variants(frame: bytes) -> Iterator[bytes]:
    yield frame
    if frame[0] & 1:
        yield bytes.fromhex(HIS.replace(":", "")) + frame[6:]


def passed(attacker: Guest, victim: Guest, sent: Mapping[str, bytes]) -> set[str]:
    """Return the names of the frames that reach the victim or the attacker's router."""
    router = Guest(attacker.node, ROUTER, attacker.port)
    with victim.capturing(until=END) as at_victim, router.capturing(until=END, device="lan") as at_router:
        attacker.send(*(each for frame in sent.values() for each in variants(frame)), END)
    received = {frames.content(bytes.fromhex(frame)) for frame in (*at_victim, *at_router)}
    return {name for name, frame in sent.items() if frames.content(frame) in received}


def missing(attacker: Guest, victim: Guest, sent: Mapping[str, bytes]) -> list[str]:
    return sorted(set(sent) - passed(attacker, victim, sent))


@pytest.fixture
def attacker(plug: Plug) -> Guest:
    return plug(ATTACKER)


@pytest.fixture
def victim(attacker: Guest, plug: Plug) -> Guest:
    return plug(VICTIM, ATTACKER)


def test_without_rules_the_frames_arrive(node: Node, attacker: Guest, victim: Guest) -> None:
    node.run("nft flush ruleset")
    assert set(missing(attacker, victim, FORGED)) == DROPPED_BY_BRIDGES


PAIRS = (
    AllowedAddress(ip_network("10.0.0.128/26"), "00:00:5e:00:01:07"),
    AllowedAddress(ip_network("fd00:1::4000/114")),
)
ROUTED_ONES = tuple(AllowedAddress(ip_network(address)) for address in (ROUTED, PUBLIC6))
GROUP = an_id(10)
ANYTHING = SecurityGroup(
    "fr-par-1",
    GROUP,
    1,
    tuple(
        Rule(an_id(number), direction, family, "any")
        for number, (direction, family) in enumerate(product(("in", "out"), ("ipv4", "ipv6")), start=1)
    ),
    {},
)


def grouped(*ports: PortSpec) -> PortFilters:
    """Return the ports with a group that allows everything."""
    return PortFilters(tuple(FilteredPort(port, (port.mac,), (GROUP,)) for port in ports), {GROUP: ANYTHING})


def alone(node: Node) -> None:
    """Leave the port without any of these."""


def with_pairs(node: Node) -> None:
    node.ensure(replace(ATTACKER, allowed=PAIRS), VICTIM)


def with_groups(node: Node) -> None:
    assert node.filter(grouped(ATTACKER, VICTIM)) == ""


def with_public_addresses(node: Node) -> None:
    port = replace(ATTACKER, allowed=ROUTED_ONES)
    node.ensure(port, VICTIM)
    mine = (LocalAddress(PUBLIC, port, OWN4), LocalAddress(ROUTED, port), LocalAddress(PUBLIC6, port))
    his = (LocalAddress(OTHER_PUBLIC, VICTIM, OTHER4), LocalAddress(OTHER_PUBLIC6, VICTIM))
    assert node.publish_addresses(PublicAddresses((*mine, *his), {})) == ""


@pytest.mark.parametrize("prepare", [alone, with_pairs, with_groups, with_public_addresses])
def test_no_kind_gets_through(node: Node, attacker: Guest, victim: Guest, prepare: Callable[[Node], None]) -> None:
    prepare(node)
    for _ in range(2):
        assert sorted(passed(attacker, victim, FORGED)) == []
        lost = set(missing(attacker, victim, HONEST | HONEST_FOR_ROUTER))
        assert lost == (PUT_TOGETHER if prepare is with_groups else set())
        node.run("nft flush ruleset")
        node.keep_rules()


# ---- between nodes


@pytest.fixture
def pair(start: Start) -> tuple[Guest, Guest]:  # noqa: F811
    """An attacker and a victim on two nodes."""
    return start(1, ATTACKER), start(2, VICTIM)


def test_no_kind_gets_to_another_node(pair: tuple[Guest, Guest]) -> None:
    attacker, victim = pair
    for _ in range(2):
        assert sorted(passed(attacker, victim, FORGED)) == []
        assert missing(attacker, victim, HONEST | HONEST_FOR_ROUTER) == []
        for node in (attacker.node, victim.node):
            node.run("nft flush ruleset")
            node.keep_rules()


def test_no_kind_of_frame_passes_from_a_hostile_node(nodes: list[Node], pair: tuple[Guest, Guest]) -> None:  # noqa: F811
    """The third node carries the network too, and sends what no rule of a port has judged."""
    attacker, victim = pair
    stranger, router = Guest(nodes[2], "", ATTACKER), Guest(victim.node, ROUTER, VICTIM)
    victim.node.connect(NETWORK, segment(2, 1, 3))
    stranger.run(f"ip link add evil type vxlan id {VNI} local {MEMBER} dstport 4789 remote {VICTIM_NODE}")
    stranger.run("ip link set evil up")
    mine, his = (each.run("cat /sys/class/net/under/address").strip() for each in (nodes[2], victim.node))
    outer = {kind.name: kind.frame for kind in OUTER.kinds()} | HONEST_OUTER
    inner = {kind.name: kind.frame for kind in INNER} | HONEST
    for _ in range(2):
        with victim.capturing(until=END) as at_victim, router.capturing(until=END, device="lan") as at_router:
            stranger.send(*(v4.framed(mine, packet, his) for packet in outer.values()), device="under")
            stranger.send(*(each for frame in inner.values() for each in variants(frame)), END, device="evil")
        received = [bytes.fromhex(frame) for frame in (*at_victim, *at_router)]
        contents = set(map(frames.content, received))
        assert {name for name, frame in inner.items() if frames.content(frame) in contents} == set(HONEST) - {*STAY}
        assert {name for name in outer if any(text_in(name) in frame for frame in received)} == set(HONEST_OUTER)
        victim.node.run("nft flush ruleset")
        victim.node.keep_rules()
