"""Connections of a filtered guest that moves from one node to the other: namespaces of two nodes, with root."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agents.lab.shell import wait_until
from agents.node.adapters.network_specs import PortSpec, bridge_name, tap_name
from agents.node.adapters.port_filters import NOTHING_FILTERED, FilteredPort, PortFilters
from andromede_core.permits.security_group import Rule
from tests.agents.network import frames
from tests.agents.network.namespace_node import IPV4, Guest, Node, a_network, a_port, ipv4, joined_nodes
from tests.agents.network.test_security_groups import ALL_OUT, GROUP, a_group, allowing, start_guest

pytestmark = pytest.mark.lab
NETWORK, OTHER_NETWORK = a_network(1, IPV4), a_network(2, IPV4)
MOVER, LEFT, FOUND = (a_port(NETWORK, number) for number in range(3))
STRANGER = a_port(OTHER_NETWORK, 0)
WEB = 8080
ANNOUNCEMENT = frames.arp(MOVER.mac, ipv4(MOVER), ipv4(MOVER))
ENTRY = "-A -t 300 -u SEEN_REPLY,ASSURED -s {} -d {} -p udp --sport 1 --dport 53"


@dataclass
class Crossing:
    """`mover` begins on the first node, with `left`; `found` is on the second one. All send what they want only."""

    nodes: list[Node]
    mover: Guest
    left: Guest
    found: Guest

    def announce(self) -> None:
        """Make the second node ready for the mover."""
        self.nodes[1].ensure(MOVER, FOUND)
        self.filter(1, MOVER, FOUND)

    def filter(self, number: int, *ports: PortSpec, rules: tuple[Rule, ...] = ALL_OUT) -> None:
        filters = tuple(FilteredPort(port, (port.mac,), (GROUP,)) for port in ports)
        assert self.nodes[number].filter(PortFilters(filters, {GROUP: a_group(*rules)})) == ""

    def move(self) -> None:
        tap = tap_name(MOVER.id)
        self.nodes[0].lend(tap, self.nodes[1])
        self.nodes[1].run(f"ip link set {tap} master {bridge_name(NETWORK.id)} up")
        self.mover.send(ANNOUNCEMENT)

    def entries(self, number: int) -> str:
        return self.nodes[number].run("conntrack -L -o save")


@pytest.fixture
def crossing(tmp_path: Path) -> Iterator[Crossing]:
    with joined_nodes(tmp_path, 2) as nodes:
        mover, left = start_guest(nodes, 1, "mover", MOVER), start_guest(nodes, 1, "left", LEFT, MOVER)
        crossing = Crossing(nodes, mover, left, start_guest(nodes, 2, "found", FOUND))
        crossing.filter(0, MOVER, LEFT)
        crossing.filter(1, FOUND)
        yield crossing
        for node in nodes:
            assert node.filter(NOTHING_FILTERED) == ""


def test_connection_on_which_a_guest_only_receives_outlives_its_move(crossing: Crossing) -> None:
    crossing.filter(0, MOVER)  # no rule of the others has a part in it
    with crossing.left.pushing(WEB) as server, crossing.mover.receiving(LEFT.ip, WEB) as download:
        server.push("before")
        assert download.answer() == "before"
        crossing.announce()
        block = crossing.nodes[0].connections(MOVER)
        crossing.nodes[1].add_connections(block, MOVER)
        crossing.move()
        server.push("after")
        wait_until(download.has_answer, what="what was sent after the move")
        assert download.answer() == "after"


def entries(*lines: str, port: PortSpec = MOVER) -> bytes:
    return json.dumps({tap_name(port.id): lines}).encode()


def test_only_entries_of_the_guest_itself_are_taken(crossing: Crossing) -> None:
    """A compromised node could send others with a guest."""
    crossing.announce()
    node = crossing.nodes[1]
    forged = (
        ENTRY.format(MOVER.ip, FOUND.ip),  # another guest of this node
        ENTRY.format(FOUND.ip, MOVER.ip),
        ENTRY.format(LEFT.ip, FOUND.ip),  # no address of the guest
        ENTRY.format("9.9.9.9", LEFT.ip),
        ENTRY.format(MOVER.ip, "9.9.9.1") + " -w 4711 -w 4711",
        ENTRY.format(MOVER.ip, "9.9.9.2") + " -r 9.9.9.2 -q 9.9.9.3",  # translated
        ENTRY.format(MOVER.ip, "9.9.9.4") + "\n-D -s 9.9.9.9",
        ENTRY.format(MOVER.ip, "9.9.9.5").replace("-A", "-D"),
    )
    named = ENTRY.format(MOVER.ip, LEFT.ip) + " -w 4711"  # the node decides which network that is
    node.add_connections(entries(*forged, named), MOVER)
    node.add_connections(entries(ENTRY.format(LEFT.ip, "9.9.9.6"), port=FOUND), MOVER)
    node.add_connections(entries(ENTRY.format(STRANGER.ip, "9.9.9.7"), port=STRANGER), MOVER, STRANGER)
    tracked = [line.split() for line in crossing.entries(1).splitlines()]
    assert not [line for line in tracked if "4711" in line]
    ends = {frozenset({line[line.index("-s") + 1], line[line.index("-d") + 1]}) for line in tracked}
    assert frozenset({str(MOVER.ip), str(LEFT.ip)}) in ends
    assert not [pair for pair in ends if str(FOUND.ip) in pair or any(each.startswith("9.9.9.") for each in pair)]


def test_entries_of_an_earlier_stay_are_forgotten(crossing: Crossing) -> None:
    """Entries with other ports of the node are kept: their packets have passed it all the time."""
    node = crossing.nodes[0]
    crossing.filter(0, MOVER, LEFT, rules=(*ALL_OUT, allowing()))
    node.run(f"conntrack -I -s 10.9.9.9 -d {MOVER.ip} -p udp --sport 1 --dport 2 -t 300")  # no zone: not this network
    node.add_connections(entries(ENTRY.format(MOVER.ip, FOUND.ip), ENTRY.format("9.9.9.9", MOVER.ip)), MOVER)
    with crossing.left.pushing(WEB), crossing.mover.receiving(LEFT.ip, WEB):
        node.forget_connections(MOVER)
        tracked = crossing.entries(0)
    assert f"-s {MOVER.ip} -d {LEFT.ip}" in tracked
    assert f"-s 10.9.9.9 -d {MOVER.ip}" in tracked
    assert str(FOUND.ip) not in tracked and "-s 9.9.9.9" not in tracked
