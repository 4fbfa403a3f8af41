"""Networks that span nodes: on the real namespaces of several nodes around one switch, with root.

As in test_isolation, absence is shown by something honest that arrives after what must not.
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from agents.node.adapters.network import namespace_name
from agents.node.adapters.network.layout import Layout
from agents.node.adapters.network.rules import LOST
from agents.node.adapters.network_specs import NetworkSpec, PortSpec, SegmentSpec, bridge_name, tap_name
from tests.agents.network import frames
from tests.agents.network import ipv4_frames as v4
from tests.agents.network.namespace_node import (
    HERE,
    Guest,
    Node,
    a_network,
    a_port,
    gateway,
    ipv4,
    joined_nodes,
    underlay_address,
)
from tests.agents.network.test_isolation import ATTACKER, HONEST, VICTIM

pytestmark = pytest.mark.lab
Start = Callable[..., Guest]
NETWORK = ATTACKER.network
ROUTER = namespace_name(NETWORK.id)
DEVICE = Layout.for_network(NETWORK.id).overlay
VNI, OTHER_VNI = 0x1234, 0x4321
WEB = 8080
NEIGHBOUR = a_port(NETWORK, 2)


def segment(me: int, *peers: int, vni: int = VNI) -> SegmentSpec:
    return SegmentSpec(vni, underlay_address(me), tuple(map(underlay_address, peers)))


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[Node]]:
    with joined_nodes(tmp_path, 3) as nodes:
        yield nodes


@pytest.fixture
def start(nodes: list[Node]) -> Start:
    """Ensure the port on the node with this number, from 1 on, and start a guest on it."""
    guests = 0

    def start(number: int, port: PortSpec, *others: PortSpec, vni: int = VNI, peers: tuple[int, ...] = (1, 2)) -> Guest:
        nonlocal guests
        guests += 1
        node = nodes[number - 1]
        node.ensure(port, *others)
        others_there = (peer for peer in peers if peer != number)
        assert node.connect(port.network, segment(number, *others_there, vni=vni)) == ""
        guest = Guest(node, f"guest{guests}", port).start()
        guest.configure()
        return guest

    return start


@pytest.fixture
def attacker(start: Start) -> Guest:
    return start(1, ATTACKER)


@pytest.fixture
def victim(attacker: Guest, start: Start) -> Guest:
    return start(2, VICTIM)


def test_guests_on_two_nodes_reach_one_another_under_their_own_addresses(attacker: Guest, victim: Guest) -> None:
    assert attacker.pings(victim.port.ip) and victim.pings(attacker.port.ip)
    with victim.node.server(WEB, namespace=victim.name), attacker.conversation(victim.port.ip, WEB) as conversation:
        assert conversation.seen_as() == str(attacker.port.ip)


def test_packets_up_to_the_network_mtu_pass(attacker: Guest, victim: Guest) -> None:
    assert "1 received" in attacker.run(f"ping -c 1 -W 1 -M do -s 1422 {victim.port.ip}", check=False)


def test_jumbo_frames_pass_between_nodes(start: Start, nodes: list[Node]) -> None:
    jumbo = replace(a_network(9), mtu=8950)
    near, far = (start(number, a_port(jumbo, number)) for number in (1, 2))
    for guest in (near, far):
        guest.run("ip link set eth0 mtu 8950")
    assert near.dhcp()["mtu"] == "8950"
    assert "1 received" in near.run(f"ping -c 1 -W 1 -M do -s 8922 {far.port.ip}", check=False)
    nodes[0].run("ip link set under mtu 1600")
    problem = nodes[0].connect(jumbo, segment(1, 2))
    assert "under of the underlay has an MTU of 1600, and needs 9000" in problem


def test_small_underlay_mtu_is_reported_and_packets_still_pass(
    attacker: Guest, victim: Guest, nodes: list[Node]
) -> None:
    for number, node in enumerate(nodes[:2], start=1):
        node.run("ip link set under mtu 1400")
        problem = node.connect(NETWORK, segment(number, 3 - number))
        assert "under of the underlay has an MTU of 1400, and needs 1500" in problem
    refused = attacker.run(f"ping -c 1 -W 1 -M do -s 1422 {victim.port.ip}", check=False)
    assert "Frag needed and DF set (mtu = 1350)" in refused
    assert "1 received" in attacker.run(f"ping -c 1 -W 1 -M dont -s 1422 {victim.port.ip}", check=False)


def test_node_without_its_underlay_address_is_isolated(attacker: Guest, victim: Guest, nodes: list[Node]) -> None:
    nodes[0].run("ip addr flush dev under")
    assert "192.0.2.1 is on no device" in nodes[0].connect(NETWORK, segment(1, 2))
    assert DEVICE not in nodes[0].links()
    assert not victim.pings(attacker.port.ip)
    assert attacker.pings(gateway(NETWORK))


def test_networks_with_equal_addresses_are_isolated(attacker: Guest, start: Start) -> None:
    other = a_network(2)
    here, there = start(1, a_port(other, 5), vni=OTHER_VNI), start(2, a_port(other, 6), vni=OTHER_VNI)
    assert here.pings(there.port.ip)
    assert not attacker.pings(there.port.ip)


def test_each_node_has_the_gateway_for_its_own_guests(attacker: Guest, victim: Guest) -> None:
    for guest in (attacker, victim):
        assert guest.pings(gateway(NETWORK))
    attacker.node.run(f"ip -n {ROUTER} link set lan down")
    attacker.run("ip neigh flush dev eth0")
    assert not attacker.pings(gateway(NETWORK))
    assert victim.pings(gateway(NETWORK))


def test_gateway_traffic_stays_on_the_node_when_the_bridge_lacks_its_mac(attacker: Guest, victim: Guest) -> None:
    attacker.node.run(f"ip -n {ROUTER} link set lan down")
    for command in (
        "add table ip probe",
        "add chain ip probe in { type filter hook prerouting priority -400 ; }",
        "add rule ip probe in iifname lan udp dport 2 counter",
    ):
        victim.node.run(f"nft {command}", namespace=ROUTER)
    secret = frames.udp(ATTACKER.mac, ipv4(ATTACKER), ports=(1, 2), to=Layout.for_network(NETWORK.id).gateway_mac)
    with victim.capturing(until=HONEST):
        attacker.send(secret, HONEST)
    assert "packets 0 " in victim.node.run("nft list chain ip probe in", namespace=ROUTER)


def test_each_node_answers_dhcp_for_its_own_guests(attacker: Guest, victim: Guest) -> None:
    """Both nodes know the card, as while its guest is moving."""
    victim.node.ensure(ATTACKER, VICTIM)
    assert attacker.dhcp()["ip"] == str(ipv4(ATTACKER))
    attacker.node.run("pkill -KILL -x dnsmasq")
    with pytest.raises(AssertionError):
        attacker.dhcp()


def test_removed_peer_cannot_inject_frames_into_the_network(attacker: Guest, victim: Guest, nodes: list[Node]) -> None:
    stranger, forged = nodes[2], frames.udp("52:54:00:00:07:07", IPv4Address("10.0.0.77"), ports=(1, 2))
    stranger.run(f"ip link add evil type vxlan id {VNI} local {underlay_address(3)} dstport 4789 remote 192.0.2.2")
    stranger.run("ip link set evil up")
    send = f"{sys.executable} {HERE / 'frames.py'} send evil {forged.hex()}"
    with victim.capturing(until=HONEST) as captured:
        stranger.run(send)
        attacker.send(HONEST)
    assert forged.hex() not in captured
    victim.node.connect(NETWORK, segment(2, 1, 3))
    with victim.capturing(until=forged):
        stranger.run(send)  # the same is a peer's now
    victim.node.connect(NETWORK, segment(2, 1))
    with victim.capturing(until=HONEST) as captured:
        stranger.run(send)
        attacker.send(HONEST)
    assert forged.hex() not in captured


def test_peer_of_one_network_is_no_peer_of_another(attacker: Guest, victim: Guest, start: Start) -> None:
    other = a_network(2)
    start(2, a_port(other, 5), vni=OTHER_VNI, peers=(2, 3))
    third = start(3, a_port(other, 6), vni=OTHER_VNI, peers=(2, 3))
    forged = frames.udp(ATTACKER.mac, ipv4(ATTACKER), ports=(1, 2))
    third.node.run(f"ip link add evil type vxlan id {VNI} local {underlay_address(3)} dstport 4790 remote 192.0.2.2")
    datagram = frames.vxlan(VNI, forged).hex()
    with victim.capturing(until=HONEST) as captured:
        third.node.run(f"{sys.executable} {HERE / 'frames.py'} datagram 192.0.2.2 4789 {datagram}")
        attacker.send(HONEST)
    assert forged.hex() not in captured


def test_guest_cannot_forge_overlay_packets_of_its_node(attacker: Guest, victim: Guest) -> None:
    """Packets that leave by the router have the node's address, which is a peer's."""
    attacker.node.restart_agent([ATTACKER], {NETWORK.id: segment(1, 2)}, allowed=(IPv4Network("192.0.2.0/24"),))
    forged = frames.udp("52:54:00:00:07:07", IPv4Address("10.0.0.77"), ports=(1, 2))
    send = f"{sys.executable} {HERE / 'frames.py'} datagram 192.0.2.2 4789 {frames.vxlan(VNI, forged).hex()}"
    with victim.capturing(until=HONEST) as captured:
        attacker.run(send)
        attacker.send(HONEST)
    assert forged.hex() not in captured
    attacker.node.run("nft flush chain ip andromede prerouting")
    attacker.node.run("nft flush chain ip andromede destinations", namespace=ROUTER)
    with victim.capturing(until=forged):
        attacker.run(send)  # but for these rules, it could


def test_agent_restart_keeps_connections(attacker: Guest, victim: Guest) -> None:
    with victim.node.server(WEB, namespace=victim.name), attacker.conversation(victim.port.ip, WEB) as conversation:
        assert conversation.seen_as() == str(attacker.port.ip)
        before = attacker.node.run(f"ip -o link show {DEVICE}")
        attacker.node.restart_agent([ATTACKER], {NETWORK.id: segment(1, 2)})
        assert conversation.seen_as() == str(attacker.port.ip)
    assert attacker.node.run(f"ip -o link show {DEVICE}") == before


def test_removed_peer_receives_no_frames(attacker: Guest, victim: Guest, nodes: list[Node]) -> None:
    assert attacker.pings(victim.port.ip)
    assert "192.0.2.2" in nodes[0].run(f"bridge fdb show dev {DEVICE}")
    nodes[0].connect(NETWORK, segment(1, 3))
    assert "192.0.2.2" not in nodes[0].run(f"bridge fdb show dev {DEVICE}")
    assert "192.0.2.3" in nodes[0].run(f"bridge fdb show dev {DEVICE}")
    assert not attacker.pings(victim.port.ip)
    nodes[0].connect(NETWORK, segment(1, 2))
    assert attacker.pings(victim.port.ip)
    nodes[0].connect(NETWORK, None)
    assert DEVICE not in nodes[0].links()
    assert "andromede-overlay" not in nodes[0].run("nft list tables")


def elements(node: Node) -> set[str]:
    listing = json.loads(node.run("nft -j list set ip andromede-overlay peers"))["nftables"]
    (named_set,) = (each["set"] for each in listing if "set" in each)
    return {f"{peer} {vni:#x}" for peer, vni in (each["concat"] for each in named_set.get("elem", []))}


def table_handle(node: Node) -> int:
    """Return the number that the kernel gave the table when it was made."""
    listing = json.loads(node.run("nft -j list tables"))["nftables"]
    (handle,) = (
        each["table"]["handle"] for each in listing if each.get("table", {}).get("name") == "andromede-overlay"
    )
    return int(handle)


def test_segment_change_keeps_the_table_and_other_networks(attacker: Guest, start: Start) -> None:
    node, other = attacker.node, a_network(2)
    node.ensure(a_port(other, 5))
    node.connect(other, segment(1, 3, vni=OTHER_VNI))
    node.keep_rules()
    before = table_handle(node)
    changes: list[tuple[NetworkSpec, SegmentSpec | None, set[str]]] = [
        (NETWORK, segment(1, 2, 3), {"192.0.2.2 0x1234", "192.0.2.3 0x1234", "192.0.2.3 0x4321"}),
        (NETWORK, segment(1, 3), {"192.0.2.3 0x1234", "192.0.2.3 0x4321"}),
        (other, None, {"192.0.2.3 0x1234"}),
        (other, segment(1, 2, vni=OTHER_VNI), {"192.0.2.3 0x1234", "192.0.2.2 0x4321"}),
        (NETWORK, segment(1, 3, vni=77), {"192.0.2.3 0x4d", "192.0.2.2 0x4321"}),
    ]
    for network, to, expected in changes:
        assert node.connect(network, to) == ""
        assert elements(node) == expected
        handles = node.run("nft -a -s list table bridge andromede")
        node.keep_rules()
        assert node.run("nft -a -s list table bridge andromede") == handles, "the agent's own change was written again"
    assert table_handle(node) == before
    assert node.problems().rules == ""


def test_segment_change_after_a_flush_restores_other_networks(attacker: Guest) -> None:
    node, other = attacker.node, a_network(2)
    node.ensure(a_port(other, 5))
    node.connect(other, segment(1, 3, vni=OTHER_VNI))
    node.keep_rules()
    for damage in ("nft flush ruleset", "nft flush set ip andromede-overlay peers"):
        node.run(damage)
        node.connect(NETWORK, segment(1, 2, 3))
        assert elements(node) == {"192.0.2.2 0x1234", "192.0.2.3 0x1234", "192.0.2.3 0x4321"}
        node.keep_rules()
        assert node.problems().rules == LOST
        node.connect(NETWORK, segment(1, 2))


def test_two_networks_that_exchange_their_numbers_stay_protected(attacker: Guest) -> None:
    node, other = attacker.node, a_network(2)
    node.ensure(a_port(other, 5))
    node.connect(other, segment(1, 3, vni=OTHER_VNI))
    node.keep_rules()
    with pytest.raises(AssertionError, match="File exists"):
        node.connect(NETWORK, segment(1, 2, vni=OTHER_VNI))
    node.connect(other, segment(1, 3, vni=VNI))
    node.connect(NETWORK, segment(1, 2, vni=OTHER_VNI))
    assert elements(node) == {"192.0.2.2 0x4321", "192.0.2.3 0x1234"}
    assert all(f"{vni:#x}" in node.run("nft list set ip andromede-overlay networks") for vni in (VNI, OTHER_VNI))


def test_changed_vni_or_address_replaces_the_old_one(attacker: Guest, victim: Guest) -> None:
    for number, guest in enumerate((attacker, victim), start=1):
        guest.node.connect(NETWORK, segment(number, 3 - number, vni=77))
    assert "vxlan id 77 local 192.0.2.1" in attacker.node.run(f"ip -d link show {DEVICE}")
    assert attacker.pings(victim.port.ip)


@pytest.mark.parametrize(
    "damage",
    [
        f"ip link del {DEVICE}",
        f"ip link set {DEVICE} nomaster down",
        f"ip link del {bridge_name(NETWORK.id)}",
        f"bridge fdb del 00:00:00:00:00:00 dev {DEVICE} dst 192.0.2.2",
        "nft flush ruleset",
    ],
)
def test_damaged_overlay_is_repaired(attacker: Guest, victim: Guest, damage: str) -> None:
    attacker.node.run(damage)
    attacker.node.ensure(ATTACKER)
    attacker.node.connect(NETWORK, segment(1, 2))
    attacker.run("ip neigh flush dev eth0")
    assert attacker.pings(victim.port.ip)
    assert "192.0.2.2 . 0x1234" in attacker.node.run("nft list table ip andromede-overlay")


def test_removal_of_the_last_port_removes_the_overlay(attacker: Guest, victim: Guest) -> None:
    attacker.stop()
    attacker.node.remove(ATTACKER)
    assert attacker.node.traces()["links"] == set()
    assert attacker.node.traces()["rules"] == ""


def test_next_start_removes_overlays_without_a_destination(attacker: Guest) -> None:
    attacker.node.restart_agent([ATTACKER])
    assert DEVICE not in attacker.node.links()
    attacker.stop()
    attacker.node.restart_agent([])
    assert attacker.node.traces()["rules"] == ""


def test_a_guest_that_moves_keeps_its_connections(nodes: list[Node], start: Start) -> None:
    """Its network card is pulled out of one node and plugged into the other, as far as its neighbours can tell. One of
    them is on a third node, one on that which it leaves, one where it goes."""
    three = (1, 2, 3)
    mover = start(1, ATTACKER, peers=three)
    source = start(1, a_port(NETWORK, 3), ATTACKER, peers=three)
    destination, third = start(2, VICTIM, peers=three), start(3, NEIGHBOUR, peers=three)
    with nodes[0].server(WEB, namespace=mover.name):
        talks = [each.conversation(ipv4(ATTACKER), WEB) for each in (source, destination, third)]
        with talks[0] as here, talks[1] as there, talks[2] as beyond:
            assert_connected(NETWORK, (source, here), (destination, there), (third, beyond))
            nodes[1].ensure(ATTACKER, VICTIM)  # the port is on both nodes now
            assert_connected(NETWORK, (source, here), (destination, there), (third, beyond))
            tap = tap_name(ATTACKER.id)
            nodes[0].lend(tap, nodes[1])
            nodes[1].run(f"ip link set {tap} master {bridge_name(NETWORK.id)} up")
            mover.send(v4.announcement(ATTACKER.mac))
            assert_connected(NETWORK, (source, here), (destination, there), (third, beyond))
            nodes[0].remove(ATTACKER, source.port)
            assert_connected(NETWORK, (source, here), (destination, there), (third, beyond))


def assert_connected(network: NetworkSpec, *talks: tuple[Guest, object]) -> None:
    for guest, conversation in talks:
        assert conversation.seen_as() == str(guest.port.ip)  # type: ignore[attr-defined]
