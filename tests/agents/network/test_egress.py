"""The egress address of a network: on the real namespaces of three nodes, with root.

Each node has an outside of its own, so the outside in which a packet arrives shows the node by which it left.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

import pytest

from agents.node.adapters.network import namespace_name
from agents.node.adapters.network_specs import PortSpec, SegmentSpec, bridge_name, tap_name
from agents.node.adapters.public_addresses import Egress, LocalAddress, PublicAddresses
from tests.agents.network.namespace_node import (
    BEYOND_IP,
    NEIGHBOUR_IP,
    NODE_IP,
    Guest,
    Node,
    a_network,
    a_port,
    gateway,
    joined,
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
MACS = {number: f"06:00:00:00:00:0{number}" for number in (1, 2, 3)}


def egress(me: int, *, by: int | None = 1) -> Egress:
    """Return the egress address as the node with this number has it. `by`: the number of the gateway node."""
    return Egress(EGRESS, NETWORK.id, MACS[me], MACS.get(by or 0))


@dataclass
class Place:
    """Three nodes of which the first is the gateway; a guest on it, and one on the second."""

    nodes: list[Node]
    near: Guest
    far: Guest

    def publish(self, *, by: int | None = 1, far: tuple[LocalAddress, ...] = ()) -> None:
        """Give all nodes the network's egress address by this gateway node, and these addresses to the second."""
        for number, node in enumerate(self.nodes, start=1):
            local = far if number == 2 else ()
            assert node.publish_addresses(PublicAddresses(local, egress=(egress(number, by=by),))) == ""

    def withdraw(self) -> None:
        for node in self.nodes:
            assert node.publish_addresses(PublicAddresses()) == ""


def connect(node: Node, number: int, *peers: int) -> None:
    segment = SegmentSpec(VNI, underlay_address(number), tuple(map(underlay_address, peers)))
    assert node.connect(NETWORK, segment) == ""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if os.geteuid() != 0:
        pytest.skip("namespaces need root")
    nodes = [Node(tmp_path_factory.mktemp("node")) for _ in range(3)]
    try:
        with joined(nodes):
            for number, (node, port) in enumerate(zip(nodes, (NEAR, FAR, FAR), strict=True), start=1):
                node.run(f"ip -n outside route add 203.0.113.64/26 via {NODE_IP} src {BEYOND_IP}")
                node.ensure(port)
                connect(node, number, *({1, 2, 3} - {number}))
            near, far = Guest(nodes[0], "near", NEAR), Guest(nodes[1], "far", FAR)
            for guest in (near, far):
                guest.start().configure()
            with (
                nodes[0].server(HTTP, namespace="outside"),
                nodes[1].server(HTTP, namespace="outside"),
                nodes[2].server(HTTP, namespace="outside"),
                nodes[0].server(HTTP, namespace="near"),
            ):
                yield Place(nodes, near, far)
    finally:
        for node in nodes:
            node.close()


@pytest.fixture
def place(built: Place) -> Iterator[Place]:
    yield built
    built.withdraw()
    for node in built.nodes:
        node.keep_rules()


def seen(node: Node) -> str:
    """Return the connections of the node's outside."""
    return node.run("cat /proc/net/nf_conntrack", namespace="outside")


def test_all_guests_of_the_network_leave_by_the_gateway_node_with_the_address(place: Place) -> None:
    place.publish()
    with place.near.conversation(BEYOND_IP, HTTP) as near, place.far.conversation(BEYOND_IP, HTTP) as far:
        assert (near.seen_as(), far.seen_as()) == (str(EGRESS), str(EGRESS))
    assert place.far.pings(BEYOND_IP)
    assert place.far.pings(NEAR.ip)


def test_a_port_s_own_public_address_counts_first(place: Place) -> None:
    place.publish(far=(LocalAddress(PUBLIC, FAR, FAR.ip),))
    with place.far.conversation(BEYOND_IP, HTTP) as far, place.near.conversation(BEYOND_IP, HTTP) as near:
        assert (far.seen_as(), near.seen_as()) == (str(PUBLIC), str(EGRESS))


def test_security_groups_know_connections_by_the_gateway_node(place: Place) -> None:
    place.publish()
    for node, port in zip(place.nodes, (NEAR, FAR), strict=False):
        assert node.filter(filtered(port, a_group(*ALL_OUT))) == ""
    with place.near.conversation(BEYOND_IP, HTTP) as near, place.far.conversation(BEYOND_IP, HTTP) as far:
        assert (near.seen_as(), far.seen_as()) == (str(EGRESS), str(EGRESS))
