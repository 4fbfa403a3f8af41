"""Counters of what security groups drop and of rules that log, on the real namespaces of a node, with root."""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from agents.node.adapters.network_specs import AllowedAddress
from agents.node.adapters.port_filters import FilteredPort, PortFilters
from andromede_core.permits.security_group import Rule, SecurityGroup
from scripts.polling import wait_until
from tests.agents.network import frames
from tests.agents.network.conftest import node_with
from tests.agents.network.namespace_node import Guest, Node, a_network, a_port, ipv4
from tests.agents.network.test_group_rules import an_id

pytestmark = pytest.mark.lab
NETWORK = a_network(1)
SERVER, NEAR = a_port(NETWORK, 0), a_port(NETWORK, 1)
WEB = 8080
LOGGED = (
    Rule(an_id(100), "in", "ipv4", "tcp", ports=(WEB, WEB), is_logged=True),
    Rule(an_id(101), "in", "ipv4", "icmp", is_logged=True),
)
GROUP = SecurityGroup("fr-par-1", an_id(10), 1, LOGGED)
OPEN = SecurityGroup("fr-par-1", an_id(11), 1, (Rule(an_id(1), "out", "ipv4", "any"),))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with node_with(tmp_path_factory.mktemp("node"), SERVER, NEAR) as node:
        yield node


@pytest.fixture(scope="module")
def guests(node: Node) -> tuple[Guest, Guest]:
    """Two guests that send nothing of their own accord: multicast of IPv6 would be dropped, and counted."""
    server, near = Guest(node, "server", SERVER).start(), Guest(node, "near", NEAR).start()
    for guest in (server, near):
        guest.configure()
        guest.run("sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1")
    return server, near


def filtered(near: SecurityGroup | None) -> PortFilters:
    ports = (
        FilteredPort(SERVER, (SERVER.mac,), (GROUP.group,)),
        FilteredPort(NEAR, (NEAR.mac,), (near.group,) if near else None),
    )
    return PortFilters(ports, {GROUP.group: GROUP, OPEN.group: OPEN})


def test_drops_and_hits_are_counted_by_port_and_rule(node: Node, guests: tuple[Guest, Guest]) -> None:
    server, near = guests
    assert node.filter(filtered(OPEN)) == ""
    with node.server(WEB, namespace=server.name, host=str(ipv4(SERVER))):
        assert near.call(ipv4(SERVER), WEB) == "open"
    before = node.counters(SERVER)
    assert before.rule_hits == {LOGGED[0].id: 1, LOGGED[1].id: 0}, "of a connection, only the packet that begins it"
    query = frames.udp(NEAR.mac, NEAR.ip, ports=(4000, 53), to=SERVER.mac, target=SERVER.ip)
    unasked = frames.udp(SERVER.mac, SERVER.ip, ports=(4001, 53), to=NEAR.mac, target=NEAR.ip)
    near.send(query, query)
    server.send(unasked)
    after = node.counters(SERVER)
    assert after.group_dropped - before.group_dropped == {"in": 2, "out": 1}
    assert node.counters(NEAR).group_dropped["in"] == 0, "the sender's own rules judge first"
    assert node.filter(filtered(None)) == ""
    counted = node.counters(NEAR).group_dropped["out"]
    near.send(query)
    assert node.counters(NEAR).group_dropped["out"] == counted + 1, "of a port that is cut off"
    assert node.counters(SERVER) == after, "a change of other rules leaves them"
    node.keep_rules()
    assert "were gone" not in node.problems().rules, "counts are no change of the rules"


def test_drops_with_an_allowed_mac_are_counted_where_one_port_has_it(node: Node, guests: tuple[Guest, Guest]) -> None:
    pair = AllowedAddress(ip_network("10.0.0.128/26"), "00:00:5e:00:01:07")
    node.ensure(replace(NEAR, allowed=(pair,)), SERVER)
    groups = {GROUP.group: GROUP, OPEN.group: OPEN}
    near = FilteredPort(NEAR, (NEAR.mac, pair.mac), (GROUP.group,))
    server = FilteredPort(SERVER, (SERVER.mac,), (OPEN.group,))
    assert node.filter(PortFilters((near, server), groups)) == ""
    sent = frames.udp(pair.mac, ip_address("10.0.0.130"), ports=(4000, 53), to=SERVER.mac, target=SERVER.ip)
    known = frames.udp(SERVER.mac, SERVER.ip, ports=(4001, 53), to=NEAR.mac, target=NEAR.ip)

    def counted_of_two() -> int:
        guests[0].send(known)  # a frame to an address that the bridge does not know is dropped, and counted, per port
        before = node.counters(NEAR).group_dropped["out"]
        guests[1].send(sent, sent)
        return node.counters(NEAR).group_dropped["out"] - before

    wait_until(lambda: counted_of_two() == 2)  # the first frames teach the bridge the addresses
    sharing = FilteredPort(SERVER, (SERVER.mac, pair.mac), (GROUP.group,))
    assert node.filter(PortFilters((near, sharing), groups)) == ""
    wait_until(lambda: counted_of_two() == 0)  # two ports of the node may use the address
