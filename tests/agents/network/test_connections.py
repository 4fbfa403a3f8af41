"""Connections that a network may have open at once: on real namespaces, with root."""

import sys
from collections.abc import Callable

import pytest

from agents.lab.shell import wait_until
from agents.node.adapters.network import namespace_name
from agents.node.adapters.network_specs import PortSpec
from tests.agents.network.namespace_node import (
    BEYOND_IP,
    HERE,
    NODE_IP,
    Guest,
    Node,
    a_network,
    a_port,
    gateway,
)

pytestmark = pytest.mark.lab
Start = Callable[..., Guest]
AGENT, WEB = 7443, 8080
SHARE = 20
GREEDY, NEIGHBOUR, OTHER = a_port(a_network(1), 0), a_port(a_network(1), 1), a_port(a_network(2), 0)
ROUTER = namespace_name(GREEDY.network.id)


@pytest.fixture
def start(node: Node, plug: Start) -> Start:
    """A guest that asks nobody for its address, and so has no connection yet."""
    node.start_agent(connections=SHARE, own_tcp_ports=(22, AGENT))

    def start(port: PortSpec, *others: PortSpec) -> Guest:
        guest = plug(port, *others)
        guest.run(f"ip addr add {port.ip}/24 dev eth0")
        guest.run(f"ip route add default via {gateway(port.network)}")
        return guest

    return start


@pytest.mark.parametrize("without", ["nothing", "the rules of the router"])
def test_guest_is_limited_to_its_connection_share(node: Node, start: Start, without: str) -> None:
    greedy, other, outside = start(GREEDY), start(OTHER), Guest(node, "outside", GREEDY)
    if without == "the rules of the router":
        node.run("nft flush chain ip andromede prerouting", namespace=ROUTER)
    holding = greedy.holding(BEYOND_IP, WEB, at_most=2 * SHARE)
    with node.server(WEB, namespace="outside"), node.server(AGENT), holding as opened:
        assert opened == SHARE
        assert other.call(BEYOND_IP, WEB) == "open"
        assert outside.call(NODE_IP, AGENT) == "open"
        assert node.run(f"{sys.executable} {HERE / 'peers.py'} ask {BEYOND_IP} {WEB}").strip() == "open"


@pytest.mark.parametrize("without", ["nothing", "the rules of the router"])
def test_closed_connections_are_limited_by_their_rate(node: Node, start: Start, without: str) -> None:
    """The kernel does not count closed connections, but keeps their entries for a while."""
    greedy, other = start(GREEDY), start(OTHER)
    if without == "the rules of the router":
        node.run("nft flush chain ip andromede prerouting", namespace=ROUTER)
    with node.server(WEB, namespace="outside"):
        assert SHARE <= greedy.reopen(BEYOND_IP, WEB, at_most=20 * SHARE) < 10 * SHARE
        assert other.call(BEYOND_IP, WEB) == "open"
        wait_until(lambda: greedy.call(BEYOND_IP, WEB) == "open", what="a connection of the greedy guest")


def test_guests_of_a_network_share_one_limit(node: Node, start: Start) -> None:
    greedy, neighbour = start(GREEDY), start(NEIGHBOUR, GREEDY)
    with node.server(WEB, namespace="outside"), greedy.holding(BEYOND_IP, WEB, at_most=SHARE - 5) as opened:
        assert opened == SHARE - 5
        with neighbour.holding(BEYOND_IP, WEB, at_most=SHARE) as more:
            assert more == 5


def test_new_port_or_agent_restart_gives_no_second_share(node: Node, start: Start) -> None:
    greedy = start(GREEDY)
    with node.server(WEB, namespace="outside"), greedy.holding(BEYOND_IP, WEB, at_most=2 * SHARE) as opened:
        assert opened == SHARE
        node.ensure(NEIGHBOUR, GREEDY)
        assert greedy.call(BEYOND_IP, WEB) == "silent"
        node.restart_agent([GREEDY, NEIGHBOUR], connections=SHARE)
        assert greedy.call(BEYOND_IP, WEB) == "silent"


def test_connections_to_the_agent_are_not_tracked(node: Node, start: Start) -> None:
    start(GREEDY)
    outside = Guest(node, "outside", GREEDY)
    with node.server(AGENT), node.server(WEB):
        assert outside.call(NODE_IP, AGENT) == outside.call(NODE_IP, WEB) == "open"
    assert "src=" in node.run(f"conntrack -L -p tcp --dport {WEB}")
    assert "src=" not in node.run(f"conntrack -L -p tcp --dport {AGENT}")
    assert "src=" not in node.run(f"conntrack -L -p tcp --sport {AGENT}")


def test_entries_of_idle_and_closed_connections_expire(node: Node, start: Start) -> None:
    start(GREEDY)
    for state, seconds in (("established", "3600"), ("time_wait", "10"), ("close", "10")):
        switch = f"sysctl -n net.netfilter.nf_conntrack_tcp_timeout_{state}"
        assert [node.run(switch).strip(), node.run(switch, namespace=ROUTER).strip()] == [seconds, seconds], state
