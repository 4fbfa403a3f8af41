"""Repair of a damaged network by the next call or the next start of the agent: on real namespaces, with root."""

from collections.abc import Callable

import pytest

from agents.node.adapters.network import namespace_name
from agents.node.adapters.network_specs import bridge_name, tap_name
from tests.agents.network.namespace_node import BEYOND_IP, Guest, Node, a_network, a_port
from tests.nightly import thinned

pytestmark = pytest.mark.lab
Plug = Callable[..., Guest]
WEB = 8080
NETWORK = a_network(1)
PORT, OTHER = a_port(NETWORK, 0), a_port(NETWORK, 1)
ROUTER = namespace_name(NETWORK.id)
TAIL = ROUTER.removeprefix("andromede-")

DAMAGE = {
    "nothing": [],
    "bridge deleted": [f"ip link del {bridge_name(NETWORK.id)}"],
    "bridge down and small": [f"ip link set {bridge_name(NETWORK.id)} down mtu 600"],
    "tap unplugged": [f"ip link set {tap_name(PORT.id)} nomaster"],
    "inner cable deleted": [f"ip link del rtl-{TAIL}"],
    "outer cable deleted": [f"ip -n {ROUTER} link del wan"],
    "router deleted": [f"ip netns del {ROUTER}"],
    "router deleted, its file left": [f"umount /run/netns/{ROUTER}"],
    "gateway address deleted": [f"ip -n {ROUTER} addr flush dev lan"],
    "transit address deleted": [f"ip addr flush dev rtw-{TAIL}"],
    "default route deleted": [f"ip -n {ROUTER} route flush default"],
    "rules of the node flushed": ["nft flush ruleset"],
    "rules of the router flushed": [f"ip netns exec {ROUTER} nft flush ruleset"],
    "dnsmasq killed": ["pkill -KILL -x dnsmasq"],
    "dnsmasq's files deleted": ["pkill -KILL -x dnsmasq", "rm -r /run/andromede"],
    "dnsmasq's pid is another's": ["pkill -KILL -x dnsmasq", f"cp /proc/1/loginuid /run/andromede/{TAIL}.pid"],
    "forwarding off": ["sysctl -q -w net.ipv4.ip_forward=0"],
}


@pytest.fixture
def damaged(request: pytest.FixtureRequest, node: Node, plug: Plug) -> Guest:
    """A guest that had all it needs, before the damage."""
    guest = plug(PORT)
    node.ensure(OTHER, PORT)
    guest.dhcp()
    for command in DAMAGE[request.param]:
        node.run(command)
    return guest


def assert_served(guest: Guest) -> None:
    assert guest.dhcp()["ip"] == str(guest.port.ip)
    with guest.node.server(WEB, namespace="outside"):
        assert guest.call(BEYOND_IP, WEB) == "open"


@pytest.mark.parametrize("damaged", thinned(DAMAGE, keep_every=3, beginning=0), indirect=True)
def test_next_call_repairs_a_damaged_network(node: Node, damaged: Guest) -> None:
    node.ensure(OTHER, PORT)
    assert_served(damaged)
    assert_intact(node)


@pytest.mark.parametrize("damaged", thinned(DAMAGE, keep_every=3, beginning=1), indirect=True)
def test_next_start_repairs_a_damaged_network(node: Node, damaged: Guest) -> None:
    node.restart_agent([PORT, OTHER])
    assert_served(damaged)
    assert_intact(node)


@pytest.mark.parametrize("damaged", thinned(DAMAGE, keep_every=3, beginning=2), indirect=True)
def test_damaged_network_is_removed_completely(node: Node, damaged: Guest) -> None:
    damaged.stop()
    node.remove(OTHER, PORT)
    node.remove(PORT)
    assert_nothing_left(node)


def assert_intact(node: Node) -> None:
    assert len(node.dnsmasq_pids()) == 2
    rules = node.run("nft list ruleset")
    assert all(f'"{tap_name(port.id)}" : goto' in rules for port in (PORT, OTHER))


def assert_nothing_left(node: Node) -> None:
    traces = node.traces()
    assert traces == {
        "links": set(),
        "namespaces": {name for name in traces["namespaces"] if not name.startswith("andromede")},
        "dnsmasq": set(),
        "rules": "",
        "files": "",
    }


def test_next_start_restores_all_networks_after_a_node_reset(node: Node, plug: Plug) -> None:
    """Bridges may outlive it (where nodes are namespaces), and so do files; the rest is gone."""
    ports = [PORT, a_port(a_network(2), 0)]
    guests = [plug(port) for port in ports]
    node.run("pkill -KILL -x dnsmasq")
    node.run("nft flush ruleset")
    for port in ports:
        node.run(f"umount /run/netns/{namespace_name(port.network.id)}")
    node.restart_agent(ports)
    for guest in guests:
        assert_served(guest)


def test_the_next_start_removes_networks_without_ports(node: Node, plug: Plug) -> None:
    used, unused = plug(PORT), plug(a_port(a_network(2), 0))
    node.restart_agent([used.port])
    assert bridge_name(unused.port.network.id) not in node.links()
    assert len(node.dnsmasq_pids()) == 2
    assert tap_name(unused.port.id) not in node.run("nft list ruleset")
    assert_served(used)
    used.stop()
    unused.stop()
    node.restart_agent([])
    assert_nothing_left(node)


def test_next_start_removes_the_rest_of_a_network_deleted_by_hand(node: Node) -> None:
    node.ensure(PORT)
    node.run(f"ip netns del {ROUTER}")
    node.run(f"ip link del {bridge_name(NETWORK.id)}")
    node.restart_agent([])
    assert_nothing_left(node)


def test_next_start_keeps_links_and_rules_of_the_operator(node: Node) -> None:
    node.run("ip link add br0123456789a type bridge")
    node.run("nft add table ip operators")
    node.restart_agent([])
    assert "br0123456789a" in node.links()
    assert "operators" in node.run("nft list ruleset")
