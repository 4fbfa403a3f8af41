"""The egress address of a network: on the real namespaces of three nodes, with root.

Each node has an outside of its own, so the outside in which a packet arrives shows the node by which it left.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address

import pytest

from agents.node.adapters.network import namespace_name
from agents.node.adapters.network.rules import LOST_ROUTES
from agents.node.adapters.network_specs import SegmentSpec, bridge_name, tap_name
from agents.node.adapters.port_filters import NOTHING_FILTERED
from agents.node.adapters.public_addresses import Egress, LocalAddress, PublicAddresses
from tests.agents.network import frames
from tests.agents.network.namespace_node import (
    BEYOND_IP,
    HERE,
    NEIGHBOUR_IP,
    NODE_IP,
    Guest,
    Node,
    a_network,
    a_port,
    ipv4,
    joined_nodes,
    underlay_address,
)
from tests.agents.network.test_security_groups import ALL_OUT, a_group, filtered

pytestmark = pytest.mark.lab
NETWORK = a_network(1)
NEAR, FAR = a_port(NETWORK, 0), a_port(NETWORK, 1)
ROUTER = namespace_name(NETWORK.id)
HTTP = 8080
EGRESS, PUBLIC = IPv4Address("203.0.113.64"), IPv4Address("203.0.113.65")
VNI = 0x1234
ANNOUNCEMENT = frames.arp(FAR.mac, ipv4(FAR), ipv4(FAR))
MACS = {number: f"06:00:00:00:00:0{number}" for number in (1, 2, 3)}


def egress(me: int, *, by: int | None = 1) -> Egress:
    """Return the egress address as the node with this number has it. `by`: the number of the gateway node."""
    return Egress(EGRESS, NETWORK.id, MACS[me], MACS.get(by or 0))


@dataclass
class Scenario:
    """Three nodes of which the first is the gateway; a guest on it, and one on the second."""

    nodes: list[Node]
    near: Guest
    far: Guest

    def publish(self, *, by: int | None = 1, far: tuple[LocalAddress, ...] = ()) -> None:
        """Give all nodes the network's egress address by this gateway node, and these addresses to the second."""
        for number, node in enumerate(self.nodes, start=1):
            local = far if number == 2 else ()
            assert node.publish_addresses(PublicAddresses(local, egress=(egress(number, by=by),))) == ""

    def move_far(self, source: int, destination: int) -> None:
        """Move the card of the guest to another node; these are indexes. Its neighbours see an announcement."""
        tap = tap_name(FAR.id)
        self.nodes[source].lend(tap, self.nodes[destination])
        self.nodes[destination].run(f"ip link set {tap} master {bridge_name(NETWORK.id)} up")
        self.far.send(ANNOUNCEMENT)

    def withdraw(self) -> None:
        for node in self.nodes:
            assert node.publish_addresses(PublicAddresses()) == ""


def segment(number: int, *peers: int) -> SegmentSpec:
    """Return the segment as the node with this number has it; all nodes are its peers unless some are given."""
    return SegmentSpec(VNI, underlay_address(number), tuple(map(underlay_address, peers or {1, 2, 3} - {number})))


def connect(node: Node, number: int, *peers: int) -> None:
    assert node.connect(NETWORK, segment(number, *peers)) == ""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    with joined_nodes(tmp_path_factory.mktemp("nodes"), 3) as nodes:
        for number, (node, port) in enumerate(zip(nodes, (NEAR, FAR, FAR), strict=True), start=1):
            node.run(f"ip -n outside route add 203.0.113.64/26 via {NODE_IP} src {BEYOND_IP}")
            node.ensure(port)
            connect(node, number)
        near, far = Guest(nodes[0], "near", NEAR), Guest(nodes[1], "far", FAR)
        for guest in (near, far):
            guest.start().configure()
        with (
            nodes[0].server(HTTP, namespace="outside"),
            nodes[1].server(HTTP, namespace="outside"),
            nodes[2].server(HTTP, namespace="outside"),
            nodes[0].server(HTTP, namespace="near"),
        ):
            yield Scenario(nodes, near, far)


@pytest.fixture
def scenario(built: Scenario) -> Iterator[Scenario]:
    yield built
    for node in built.nodes:
        assert node.filter(NOTHING_FILTERED) == ""
    built.withdraw()


@contextmanager
def counting(*nodes: Node) -> Iterator[dict[str, int]]:
    """Count the packets that arrive in the outsides of these nodes, by source."""
    for node in nodes:
        node.run("nft add table inet probe", namespace="outside")
        node.run("nft add set inet probe seen { type ipv4_addr ; flags dynamic ; counter ; }", namespace="outside")
        node.run("nft add chain inet probe in { type filter hook prerouting priority -400 ; }", namespace="outside")
        node.run("nft add rule inet probe in iifname u0 add @seen { ip saddr }", namespace="outside")
    counts: dict[str, int] = {}
    yield counts
    for node in nodes:
        listing = node.run("nft list set inet probe seen", namespace="outside")
        for source, count in re.findall(r"(\S+) counter packets (\d+)", listing):
            counts[source] = counts.get(source, 0) + int(count)
        node.run("nft delete table inet probe", namespace="outside")


# ---- what passes


def test_guests_on_all_nodes_leave_by_the_gateway_node_with_the_address(scenario: Scenario) -> None:
    scenario.publish()
    with counting(scenario.nodes[1]) as elsewhere:
        with scenario.near.conversation(BEYOND_IP, HTTP) as near, scenario.far.conversation(BEYOND_IP, HTTP) as far:
            assert (near.seen_as(), far.seen_as()) == (str(EGRESS), str(EGRESS))
        assert scenario.far.pings(BEYOND_IP)
        assert scenario.far.pings(NEAR.ip)
    assert elsewhere == {}


@pytest.mark.nightly
def test_public_address_of_a_port_counts_before_that_of_the_network(scenario: Scenario) -> None:
    scenario.publish(far=(LocalAddress(PUBLIC, FAR, FAR.ip),))
    with scenario.far.conversation(BEYOND_IP, HTTP) as far, scenario.near.conversation(BEYOND_IP, HTTP) as near:
        assert (far.seen_as(), near.seen_as()) == (str(PUBLIC), str(EGRESS))


@pytest.mark.nightly
def test_security_groups_know_connections_by_the_gateway_node(scenario: Scenario) -> None:
    scenario.publish()
    for node, port in zip(scenario.nodes[:2], (NEAR, FAR), strict=True):
        assert node.filter(filtered(port, a_group(*ALL_OUT))) == ""
    with scenario.near.conversation(BEYOND_IP, HTTP) as near, scenario.far.conversation(BEYOND_IP, HTTP) as far:
        assert (near.seen_as(), far.seen_as()) == (str(EGRESS), str(EGRESS))
    assert scenario.nodes[1].filter(filtered(FAR, a_group())) == ""
    assert scenario.far.call(BEYOND_IP, HTTP) == "silent"


@pytest.mark.nightly
def test_guest_that_moves_keeps_its_connections(scenario: Scenario) -> None:
    scenario.publish()
    with scenario.far.conversation(BEYOND_IP, HTTP) as talk:
        assert talk.seen_as() == str(EGRESS)
        scenario.move_far(1, 2)
        try:
            assert talk.seen_as() == str(EGRESS)
        finally:
            scenario.move_far(2, 1)
        assert talk.seen_as() == str(EGRESS)


@pytest.mark.nightly
def test_next_start_of_agents_keeps_connections(scenario: Scenario) -> None:
    scenario.publish()
    with scenario.near.conversation(BEYOND_IP, HTTP) as near, scenario.far.conversation(BEYOND_IP, HTTP) as far:
        assert (near.seen_as(), far.seen_as()) == (str(EGRESS), str(EGRESS))
        for number, port in ((1, NEAR), (2, FAR)):
            public = PublicAddresses(egress=(egress(number),))
            scenario.nodes[number - 1].restart_agent([port], {NETWORK.id: segment(number)}, public=public)
        assert (near.seen_as(), far.seen_as()) == (str(EGRESS), str(EGRESS))


@pytest.mark.nightly
def test_another_gateway_node_takes_over(scenario: Scenario) -> None:
    scenario.publish()
    assert scenario.far.call(BEYOND_IP, HTTP) == "open"
    scenario.publish(by=2)
    with counting(scenario.nodes[0]) as former, scenario.near.conversation(BEYOND_IP, HTTP) as near:
        assert near.seen_as() == str(EGRESS)
    assert former == {}


# ---- what does not pass


@pytest.mark.nightly
def test_nothing_leaves_without_a_gateway_node(scenario: Scenario) -> None:
    """Neither what begins nor connections that had the address of the node."""
    with scenario.far.conversation(BEYOND_IP, HTTP) as before:
        assert before.seen_as() == NODE_IP
        scenario.publish(by=None)
        with counting(*scenario.nodes) as counts:
            before.ask()
            assert scenario.far.call(BEYOND_IP, HTTP) == "silent"
            assert not before.has_answer()
        assert counts == {}
        scenario.withdraw()
        assert before.answer() == NODE_IP  # TCP sends it again


@pytest.mark.nightly
def test_connections_by_the_address_of_the_gateway_node_end(scenario: Scenario) -> None:
    with scenario.near.conversation(BEYOND_IP, HTTP) as before:
        assert before.seen_as() == NODE_IP
        scenario.publish()
        with counting(scenario.nodes[0]) as counts:
            before.ask()
            assert before.answer() == ""
    assert NODE_IP not in counts


@pytest.mark.nightly
def test_withdrawn_address_is_used_no_more(scenario: Scenario) -> None:
    scenario.publish()
    with scenario.far.conversation(BEYOND_IP, HTTP) as ended:
        assert ended.seen_as() == str(EGRESS)
        scenario.withdraw()
        with counting(*scenario.nodes) as counts, scenario.far.conversation(BEYOND_IP, HTTP) as talk:
            ended.ask()
            assert talk.seen_as() == NODE_IP
        assert str(EGRESS) not in counts
    for node in scenario.nodes:
        assert "egress" not in node.links(namespace=ROUTER)
        assert "1002" not in node.run("ip rule", namespace=ROUTER)


@pytest.mark.nightly
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("where", ["", ROUTER])
def test_lost_rules_let_nothing_leave_with_another_source(scenario: Scenario, number: int, where: str) -> None:
    scenario.publish()
    node = scenario.nodes[number - 1]
    with scenario.far.conversation(BEYOND_IP, HTTP) as talk, counting(*scenario.nodes) as counts:
        assert talk.seen_as() == str(EGRESS)
        node.run("nft flush ruleset", namespace=where)
        talk.ask()
        scenario.far.run(f"ping -c 1 -W 1 {BEYOND_IP}", check=False)
        node.keep_rules()
        assert talk.answer() == str(EGRESS)  # TCP sends it again
    assert set(counts) == {str(EGRESS)}


@pytest.mark.nightly
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("loss", ["ip rule del priority 98", "ip route flush table 1002", "ip link del egress"])
def test_lost_way_to_the_gateway_node_is_restored(scenario: Scenario, number: int, loss: str) -> None:
    scenario.publish()
    node = scenario.nodes[number - 1]
    node.run(loss, namespace=ROUTER)
    with counting(*scenario.nodes) as counts:
        scenario.far.run(f"ping -c 1 -W 1 {BEYOND_IP}", check=False)
        node.keep_routes()
        assert scenario.far.pings(BEYOND_IP)
    assert set(counts) == {str(EGRESS)}
    assert node.problems().rules == LOST_ROUTES


def test_failed_publication_is_made_up_for_and_keeps_no_other_router_from_its_address(scenario: Scenario) -> None:
    """A device that allows no second one on its parent blocks the device of the first router."""
    node, other = scenario.nodes[0], a_network(2)
    public = PublicAddresses(egress=(egress(1), Egress(PUBLIC, other.id, MACS[1], MACS[1])))
    node.ensure(a_port(other, 0))
    node.run("ip link add obstacle link lan type macvlan mode passthru", namespace=ROUTER)
    try:
        with pytest.raises(AssertionError, match="add egress"):
            node.publish_addresses(public)
        assert f"snat to {PUBLIC}" in node.run("nft list table ip andromede", namespace=namespace_name(other.id))
    finally:
        node.run("ip link del obstacle", namespace=ROUTER)
        node.remove(a_port(other, 0))
    scenario.publish()
    with scenario.near.conversation(BEYOND_IP, HTTP) as near:
        assert near.seen_as() == str(EGRESS)


def test_no_connection_from_outside_reaches_the_egress_address(scenario: Scenario) -> None:
    scenario.publish()
    outside = Guest(scenario.nodes[0], "outside", NEAR)
    assert outside.call(EGRESS, HTTP) == "silent"
    assert scenario.near.call(BEYOND_IP, HTTP) == "open"


@pytest.mark.nightly
def test_refused_destinations_stay_refused_by_the_gateway_node(scenario: Scenario) -> None:
    """Also to a guest that sends to the gateway node itself, past the rules of its own router."""
    scenario.publish()
    scenario.far.run("ip addr add 169.254.64.0/31 dev eth0")
    scenario.far.run(f"ip neigh replace 169.254.64.1 lladdr {MACS[1]} dev eth0")
    scenario.far.run("ip route replace default via 169.254.64.1 src 10.0.0.11")
    try:
        assert scenario.far.call(BEYOND_IP, HTTP) == "open"
        with scenario.nodes[0].server(HTTP):
            for refused in (NODE_IP, NEIGHBOUR_IP, str(underlay_address(1)), "100.64.0.0"):
                assert scenario.far.call(refused, HTTP) == "silent"
    finally:
        scenario.far.run("ip addr del 169.254.64.0/31 dev eth0")
        scenario.far.configure()


@pytest.mark.nightly
def test_node_that_is_not_in_the_segment_leaves_by_no_gateway_node(scenario: Scenario) -> None:
    """The node knows the number of the segment and all addresses."""
    scenario.publish()
    to_gateway = {"ports": (4000, 4000), "to": MACS[1], "target": IPv4Address(BEYOND_IP)}
    datagram = frames.vxlan(VNI, frames.udp(FAR.mac, ipv4(FAR), **to_gateway)).hex()  # type: ignore[arg-type]
    send = f"{sys.executable} {HERE / 'frames.py'} datagram {underlay_address(1)} 4789 {datagram}"
    for peers, packets in (((2,), 1), ((2, 3), 2)):
        connect(scenario.nodes[0], 1, *peers)
        with counting(scenario.nodes[0]) as counts:
            scenario.nodes[2].run(send)
            assert scenario.near.pings(BEYOND_IP)
        assert counts == {str(EGRESS): packets}
