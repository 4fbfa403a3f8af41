"""Public addresses of guests: on real namespaces, with root.

The namespace `outside` is the router that knows the node as the way to the public addresses, and a host behind it.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import pytest

from agents.lab.shell import wait_until
from agents.node.adapters.network import namespace_name
from agents.node.adapters.network.rules import LOST, LOST_ROUTES
from agents.node.adapters.network_specs import Address, PortSpec, SegmentSpec
from agents.node.adapters.port_filters import NOTHING_FILTERED
from agents.node.adapters.public_addresses import LocalAddress, PublicAddresses
from andromede_core.permits.network_ports import AllowedAddress
from tests.agents.network.namespace_node import (
    BEYOND_IP,
    HERE,
    IPV4,
    IPV6,
    NEIGHBOUR_IP,
    NODE_IP,
    Conversation,
    Guest,
    Node,
    a_network,
    a_port,
    joined,
    underlay_address,
)
from tests.agents.network.test_security_groups import ALL_OUT, a_group, allowing, filtered

pytestmark = pytest.mark.lab
NETWORK, OTHER_NETWORK = a_network(1, IPV4, IPV6), a_network(2, IPV4, IPV6)
WEB, DATABASE = a_port(NETWORK, 0), a_port(NETWORK, 1)
STRANGER = a_port(OTHER_NETWORK, 0)
MOVED = a_port(a_network(4, IPV4, IPV6), 0)
HTTP, SSH, AGENT = 8080, 8022, 7443
PUBLIC, ROUTED, OTHER, THIRD = (IPv4Address("203.0.113.64") + number for number in range(4))
PUBLIC6, OTHER6 = IPv6Address("2001:db8:64::64"), IPv6Address("2001:db8:64::65")
BEYOND6 = "2001:db8:9::9"
OUTSIDE = f"""
ip addr add 2001:db8:1::1/64 dev u0 nodad
ip -6 route add default via 2001:db8:1::2
ip -n outside addr add 2001:db8:1::2/64 dev u0 nodad
ip -n outside addr add {BEYOND6}/128 dev lo nodad
ip -n outside route add 203.0.113.64/26 via {NODE_IP} src {BEYOND_IP}
ip -n outside route add 2001:db8:64::/64 via 2001:db8:1::1 src {BEYOND6}
ip -n outside route add fd00::/8 via 2001:db8:1::1 src {BEYOND6}
"""


def reached(guest: Guest, *hosts: object, port: int) -> set[object]:
    """Return the hosts that answer on the TCP port."""
    targets = {f"[{host}]:{port}": host for host in hosts}
    return {
        targets[each] for each in guest.run(f"{sys.executable} {HERE / 'peers.py'} probe {' '.join(targets)}").split()
    }


@contextmanager
def serving(node: Node, port: int, namespace: str = "") -> Iterator[None]:
    with node.server(port, namespace=namespace), node.server(port, namespace=namespace, host="::"):
        yield


def is_over(conversation: Conversation) -> bool:
    """Return whether there is no answer, or the end of the connection."""
    return not conversation.has_answer() or conversation.answer() == ""


def with_address(port: PortSpec, *addresses: Address) -> PortSpec:
    """Return the port as it is when its guest has these addresses itself."""
    return replace(port, allowed=tuple(AllowedAddress(ip_network(address)) for address in addresses))


def translated(port: PortSpec, address: Address = PUBLIC, **fields: Any) -> LocalAddress:
    return LocalAddress(address, port, port.ip, **fields)


def routed(port: PortSpec, address: Address) -> LocalAddress:
    return LocalAddress(address, port)


@dataclass
class Scenario:
    """A node with guests of two networks, and the outside."""

    node: Node
    web: Guest
    database: Guest
    stranger: Guest
    outside: Guest

    def publish(self, *local: LocalAddress, moved: dict[Address, IPv4Address] | None = None) -> None:
        assert self.node.publish_addresses(PublicAddresses(local, moved or {})) == ""

    def give(self, *addresses: Address) -> None:
        """Let the guest `web` use the addresses itself."""
        for address in addresses:
            nodad = " nodad" if address.version == 6 else ""
            self.web.run(f"ip addr replace {address}/{address.max_prefixlen} dev eth0{nodad}")
        self.node.ensure(with_address(WEB, *addresses), DATABASE)

    @contextmanager
    def counting(self, *sources: Address) -> Iterator[dict[Address, int]]:
        """Count the packets that arrive outside, by their source."""
        counts: dict[Address, int] = {}
        run = partial(self.node.run, namespace="outside")
        run("nft add table inet probe")
        run("nft add chain inet probe in { type filter hook prerouting priority -400 ; }")
        for source in sources:
            run(f"nft add rule inet probe in {'ip6' if source.version == 6 else 'ip'} saddr {source} counter")
        yield counts
        counters = re.findall(r"saddr (\S+) counter packets (\d+)", run("nft list table inet probe"))
        counts |= {ip_address(source): int(count) for source, count in counters}
        run("nft delete table inet probe")


def wait_for_addresses(node: Node, namespace: str, device: str) -> None:
    """Wait until the link-local address may be used: without it neighbours neither ask nor answer."""

    def is_settled() -> bool:
        return "tentative" not in node.run(f"ip -6 addr show dev {device}", namespace=namespace)

    wait_until(is_settled, what=f"the addresses of {device}")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    if os.geteuid() != 0:
        pytest.skip("namespaces need root")
    node = Node(tmp_path_factory.mktemp("node"))
    try:
        for line in OUTSIDE.strip().splitlines():
            node.run(line)
        node.ensure(WEB)
        node.ensure(DATABASE, WEB)
        node.ensure(STRANGER)
        names = {"web": WEB, "database": DATABASE, "stranger": STRANGER}
        guests = {name: Guest(node, name, port).start().configured() for name, port in names.items()}
        for guest in guests.values():
            guest.run("ip -6 route replace default via fe80::1 dev eth0")
        for namespace, device in [("", "u0"), ("outside", "u0"), *((name, "eth0") for name in guests)]:
            wait_for_addresses(node, namespace, device)
        with ExitStack() as stack:
            for name in ("web", "outside", "stranger"):
                for port in (HTTP, SSH):
                    stack.enter_context(serving(node, port, name))
            yield Scenario(node, **guests, outside=Guest(node, "outside", WEB))
    finally:
        node.close()


@pytest.fixture
def scenario(built: Scenario) -> Iterator[Scenario]:
    yield built
    for address in (ROUTED, PUBLIC6):
        built.web.run(f"ip addr del {address}/{address.max_prefixlen} dev eth0", check=False)
    assert built.node.filter(NOTHING_FILTERED) == ""
    built.node.restart_agent([WEB, DATABASE, STRANGER])


# ---- what passes


def test_guest_is_reached_by_its_public_address_and_has_it_as_its_source(scenario: Scenario) -> None:
    scenario.publish(translated(WEB))
    with scenario.outside.conversation(PUBLIC, HTTP) as inbound, scenario.web.conversation(BEYOND_IP, HTTP) as from_web:
        assert (inbound.seen_as(), from_web.seen_as()) == (BEYOND_IP, str(PUBLIC))
        tracked = scenario.node.run("cat /proc/net/nf_conntrack").splitlines()
        assert not [entry for entry in tracked if str(PUBLIC) in entry and BEYOND_IP in entry]
    assert scenario.outside.pings(PUBLIC)
    with scenario.database.conversation(BEYOND_IP, HTTP) as without:
        assert without.seen_as() == NODE_IP


def test_routed_address_is_the_guest_s_own(scenario: Scenario) -> None:
    scenario.give(ROUTED)
    scenario.publish(routed(WEB, ROUTED))
    with scenario.outside.conversation(ROUTED, HTTP) as inbound, scenario.web.conversation(BEYOND_IP, HTTP) as from_web:
        assert inbound.seen_as() == BEYOND_IP
        assert from_web.seen_as() == NODE_IP  # its own address in the network is translated as before
    assert "1 received" in scenario.web.run(f"ping -c 1 -W 1 -I {ROUTED} {BEYOND_IP}", check=False)


def test_ipv6_address_is_routed(scenario: Scenario) -> None:
    scenario.give(PUBLIC6)
    scenario.publish(routed(WEB, PUBLIC6))
    with scenario.outside.conversation(PUBLIC6, SSH) as inbound, scenario.web.conversation(BEYOND6, SSH) as from_web:
        assert (inbound.seen_as(), from_web.seen_as()) == (BEYOND6, str(PUBLIC6))


def test_ipv6_address_of_a_subnet_is_routed(scenario: Scenario) -> None:
    (own,) = WEB.of_family(6)
    scenario.publish(routed(WEB, own))
    assert scenario.outside.call(own, SSH) == "open"
    assert scenario.database.call(own, SSH) == "open"


def test_large_packets_are_reported_to_the_guest_as_too_big(scenario: Scenario) -> None:
    """The report quotes the packet that was sent, with the translated address."""
    scenario.publish(translated(WEB))
    scenario.node.run("ip link set u0 mtu 1300")
    try:
        for guest in (scenario.web, scenario.database):  # the second one has no public address
            guest.run(f"ping -c 1 -W 1 -M do -s 1400 {BEYOND_IP}", check=False)
            assert "mtu 1300" in guest.run(f"ip route get {BEYOND_IP}")
    finally:
        scenario.node.run("ip link set u0 mtu 1500")
        for guest in (scenario.web, scenario.database):
            guest.run("ip route flush cache")


def test_guests_reach_public_addresses_of_the_same_node(scenario: Scenario) -> None:
    scenario.publish(translated(WEB))
    with scenario.database.conversation(PUBLIC, HTTP) as same, scenario.stranger.conversation(PUBLIC, HTTP) as other:
        assert {same.seen_as().rpartition(".")[0], other.seen_as().rpartition(".")[0]} == {"100.64.0"}
        assert "10.0.0.1" not in (same.seen_as(), other.seen_as())
    scenario.publish(translated(WEB), translated(DATABASE, OTHER), translated(STRANGER, THIRD))
    with scenario.database.conversation(PUBLIC, HTTP) as same, scenario.stranger.conversation(PUBLIC, HTTP) as other:
        assert (same.seen_as(), other.seen_as()) == (str(OTHER), str(THIRD))
    assert scenario.web.call(PUBLIC, HTTP) == "open"


def test_guests_reach_routed_addresses_of_the_same_node(scenario: Scenario) -> None:
    scenario.give(ROUTED, PUBLIC6)
    scenario.publish(routed(WEB, ROUTED), routed(WEB, PUBLIC6), routed(STRANGER, OTHER6))
    scenario.stranger.run(f"ip addr replace {OTHER6}/128 dev eth0 nodad")
    scenario.node.ensure(with_address(STRANGER, OTHER6))
    for guest in (scenario.database, scenario.stranger):
        assert guest.call(ROUTED, HTTP) == "open"
    assert scenario.database.call(PUBLIC6, SSH) == "open"
    with scenario.stranger.conversation(PUBLIC6, SSH) as other:
        assert other.seen_as() == str(OTHER6)


def test_security_groups_apply_to_public_addresses(scenario: Scenario) -> None:
    scenario.give(ROUTED, PUBLIC6)
    scenario.publish(translated(WEB), routed(WEB, ROUTED), routed(WEB, PUBLIC6))
    only = [allowing("in", family, ports=(HTTP, HTTP)) for family in ("ipv4", "ipv6")]
    assert scenario.node.filter(filtered(WEB, a_group(*only))) == ""
    assert reached(scenario.outside, PUBLIC, ROUTED, PUBLIC6, port=HTTP) == {PUBLIC, ROUTED, PUBLIC6}
    assert reached(scenario.outside, PUBLIC, ROUTED, PUBLIC6, port=SSH) == set()
    from_outside = [allowing(ports=(HTTP, HTTP), cidrs=(ip_network(f"{BEYOND_IP}/32"),))]
    assert scenario.node.filter(filtered(WEB, a_group(*from_outside))) == ""
    assert scenario.outside.call(PUBLIC, HTTP) == "open"
    assert scenario.database.call(PUBLIC, HTTP) == "silent"


# ---- what does not pass


def test_guest_sends_from_no_address_of_another(scenario: Scenario) -> None:
    """Neither by its own card nor, if its router were taken over, from there."""
    scenario.publish(translated(WEB), translated(STRANGER, OTHER), routed(WEB, PUBLIC6), routed(STRANGER, OTHER6))
    scenario.give(PUBLIC6)
    with scenario.counting(PUBLIC, PUBLIC6, OTHER, OTHER6, THIRD) as counts:
        for address in (OTHER, THIRD, OTHER6):
            scenario.web.run(f"ip addr add {address} dev lo")
            scenario.web.run(
                f"ping -c 1 -W 1 -I {address} {BEYOND6 if address.version == 6 else BEYOND_IP}", check=False
            )
            scenario.web.run(f"ip addr del {address} dev lo")
        router = namespace_name(NETWORK.id)
        scenario.node.run("nft flush ruleset", namespace=router)
        scenario.node.run(f"ip -n {router} addr add {OTHER}/32 dev lo")
        scenario.node.run(f"ping -c 1 -W 1 -I {OTHER} {BEYOND_IP}", namespace=router, check=False)
        scenario.node.run(f"ip -n {router} addr del {OTHER}/32 dev lo")
        scenario.node.keep_rules()
        assert scenario.web.pings(BEYOND_IP) and scenario.web.pings(BEYOND6)
    assert {address for address, count in counts.items() if count} == {PUBLIC, PUBLIC6}


def test_destinations_that_tenants_may_not_reach_are_refused_to_public_sources(scenario: Scenario) -> None:
    scenario.give(PUBLIC6)
    scenario.publish(translated(WEB), routed(WEB, PUBLIC6))
    scenario.node.run("ip -n outside addr add fd99::1/128 dev lo nodad")
    scenario.node.run("ip -n outside addr add 10.99.0.1/32 dev lo")
    scenario.node.run("ip -6 route replace fd99::/64 via 2001:db8:1::2")
    refused = (NODE_IP, NEIGHBOUR_IP, "10.99.0.1", "100.64.0.0", "2001:db8:1::1", "2001:db8:1::2", "fe80::1")
    with serving(scenario.node, AGENT), serving(scenario.node, AGENT, "outside"):
        assert reached(scenario.web, *refused, BEYOND_IP, BEYOND6, port=AGENT) == {BEYOND_IP, BEYOND6}
    for target, answers in (("fd99::1", "0 received"), (BEYOND6, "1 received")):
        assert answers in scenario.web.run(f"ping -c 1 -W 1 -I {PUBLIC6} {target}", check=False)


def test_nothing_else_leaves_by_ipv6(scenario: Scenario) -> None:
    scenario.give(PUBLIC6)
    scenario.publish(routed(WEB, PUBLIC6))
    (own,) = WEB.of_family(6)
    with scenario.counting(PUBLIC6, own) as counts:
        assert not scenario.database.pings(BEYOND6)
        scenario.web.run(f"ping -c 1 -W 1 -I {own} {BEYOND6}", check=False)
        assert scenario.web.pings(BEYOND6)
    assert counts[own] == 0


def test_address_that_is_taken_away_ends_its_connections(scenario: Scenario) -> None:
    scenario.give(PUBLIC6)
    scenario.publish(translated(WEB), routed(WEB, PUBLIC6), translated(DATABASE, OTHER))
    with (
        scenario.outside.conversation(PUBLIC, HTTP) as inbound,
        scenario.web.conversation(BEYOND_IP, HTTP) as from_web,
        scenario.outside.conversation(PUBLIC6, SSH) as inbound6,
        scenario.database.conversation(BEYOND_IP, HTTP) as other_connection,
    ):
        ended = (inbound, from_web, inbound6)
        assert all(each.seen_as() for each in (*ended, other_connection))
        scenario.publish(translated(DATABASE, OTHER))
        for conversation in ended:
            conversation.ask()
        assert other_connection.seen_as() == str(OTHER)
        assert reached(scenario.outside, PUBLIC, PUBLIC6, port=HTTP) == set()
        assert all(map(is_over, ended))
        entries = scenario.node.run("cat /proc/net/nf_conntrack", namespace=namespace_name(NETWORK.id))
        assert f"mark={int(OTHER)} " in entries
        assert f"mark={int(PUBLIC)} " not in entries
    with scenario.web.conversation(BEYOND_IP, HTTP) as new:
        assert new.seen_as() == NODE_IP


def test_nothing_passes_to_a_public_address_without_rules(scenario: Scenario) -> None:
    scenario.give(PUBLIC6)
    scenario.publish(translated(WEB), routed(WEB, PUBLIC6))
    assert scenario.node.filter(filtered(WEB, a_group(allowing(ports=(HTTP, HTTP)), *ALL_OUT))) == ""
    scenario.node.keep_rules()
    listing = "nft --stateless list table inet andromede-public"
    before = scenario.node.run(listing)
    with scenario.outside.conversation(PUBLIC, HTTP) as conversation:
        assert conversation.seen_as() == BEYOND_IP
        scenario.node.run("nft flush ruleset")
        conversation.ask()
        assert reached(scenario.outside, PUBLIC, PUBLIC6, port=HTTP) == set()
        assert not conversation.has_answer()
        scenario.node.keep_rules()
        assert scenario.node.problems().rules == LOST
        assert conversation.answer() == BEYOND_IP  # TCP sends it again
    assert scenario.node.run(listing) == before
    assert reached(scenario.outside, PUBLIC, PUBLIC6, port=SSH) == set()


def test_guard_restores_lost_routes_by_itself(scenario: Scenario) -> None:
    scenario.give(ROUTED, PUBLIC6)
    scenario.publish(translated(WEB), routed(WEB, ROUTED), routed(WEB, PUBLIC6))
    before = routing(scenario.node)
    scenario.node.guard()
    for command in (
        "ip rule del priority 99",
        "ip -6 rule del priority 100",
        "ip route flush table 1001",
        "ip -6 route flush table 1000",
        f"ip -n {namespace_name(NETWORK.id)} route flush proto 99",
    ):
        scenario.node.run(command)
        wait_until(lambda: routing(scenario.node) == before, what=f"what is gone by {command}")
    assert scenario.node.problems().rules == LOST_ROUTES
    assert reached(scenario.outside, PUBLIC, ROUTED, PUBLIC6, port=HTTP) == {PUBLIC, ROUTED, PUBLIC6}


def routing(node: Node) -> list[str]:
    """Return the routing rules and the agent's routes of the node and of a router."""
    routes = [f"-{family} route show table all proto 99" for family in (4, 6)]
    of_router = [f"-n {namespace_name(NETWORK.id)} {each}" for each in routes]
    return [node.run(f"ip {each}") for each in (*routes, *of_router, "rule", "-6 rule")]


# ---- changes


def test_next_start_of_the_agent_keeps_connections(scenario: Scenario) -> None:
    public = PublicAddresses((translated(WEB),))
    scenario.publish(*public.local)
    with scenario.outside.conversation(PUBLIC, HTTP) as inbound, scenario.web.conversation(BEYOND_IP, HTTP) as from_web:
        assert (inbound.seen_as(), from_web.seen_as()) == (BEYOND_IP, str(PUBLIC))
        scenario.node.restart_agent([WEB, DATABASE, STRANGER], public=public)
        assert (inbound.seen_as(), from_web.seen_as()) == (BEYOND_IP, str(PUBLIC))


def test_connections_of_both_directions_outlive_the_loss_of_their_entries(scenario: Scenario) -> None:
    """A new node knows no connections after a move."""
    scenario.publish(translated(WEB))
    with scenario.outside.conversation(PUBLIC, HTTP) as inbound, scenario.web.conversation(BEYOND_IP, HTTP) as from_web:
        assert (inbound.seen_as(), from_web.seen_as()) == (BEYOND_IP, str(PUBLIC))
        scenario.node.run("conntrack -F", namespace=namespace_name(NETWORK.id))
        assert (inbound.seen_as(), from_web.seen_as()) == (BEYOND_IP, str(PUBLIC))


def test_new_address_is_elements_alone_on_the_node(scenario: Scenario) -> None:
    def handles() -> list[str]:
        listing = scenario.node.run("nft -a --stateless list table inet andromede-public")
        return [line for line in listing.splitlines() if "# handle" in line]

    scenario.publish(translated(WEB))
    before = handles()
    scenario.publish(translated(WEB), translated(STRANGER, OTHER))
    assert handles() == before
    assert scenario.outside.call(OTHER, HTTP) == "open"
    scenario.node.keep_rules()
    assert scenario.node.problems().rules == ""


def test_nothing_is_left_of_an_address(scenario: Scenario) -> None:
    scenario.give(PUBLIC6)
    scenario.publish(translated(WEB), routed(WEB, PUBLIC6), moved={OTHER: IPv4Address(NEIGHBOUR_IP)})
    scenario.publish()
    assert "andromede-public" not in scenario.node.run("nft list ruleset")
    routes = [scenario.node.run(f"ip -{family} route show table all proto 99") for family in (4, 6)]
    assert routes == ["", ""]
    assert not any(f"{table}" in scenario.node.run(f"ip -{f} rule") for table in (1000, 1001) for f in (4, 6))


def test_ipv6_address_in_a_network_without_ipv6_is_a_problem(node: Node) -> None:
    port = a_port(a_network(3), 0)
    node.ensure(port)
    assert "have no IPv6 subnet: 2001:db8:64::64" in node.publish_addresses(PublicAddresses((routed(port, PUBLIC6),)))


# ---- moves


def test_arriving_guest_is_reached_from_outside_and_by_guests_of_this_node_through_the_outside(
    scenario: Scenario,
) -> None:
    scenario.publish(translated(WEB, is_arriving=True))
    assert scenario.outside.call(PUBLIC, HTTP) == "open"
    scenario.node.run(f"ip -n outside addr add {PUBLIC}/32 dev lo")  # the node on which the guest still is
    try:
        with scenario.database.conversation(PUBLIC, HTTP) as conversation:
            assert conversation.seen_as() == NODE_IP
    finally:
        scenario.node.run(f"ip -n outside addr del {PUBLIC}/32 dev lo")


def test_former_node_sends_packets_on(scenario: Scenario, node: Node) -> None:
    """The answers come back through the former node here, which is the other's way out."""
    with joined([scenario.node, node]):
        node.ensure(MOVED)
        for number, each, port in ((1, scenario.node, WEB), (2, node, MOVED)):
            assert each.connect(port.network, SegmentSpec(number, underlay_address(number), ())) == ""
        node.run(f"ip route replace default via {underlay_address(1)} dev under")
        node.run("ip -6 route replace default via fe80::5efe:192.0.2.1 dev under")
        guest = Guest(node, "moved", MOVED).start().configured()
        guest.run(f"ip addr add {OTHER6}/128 dev eth0 nodad")
        node.ensure(with_address(MOVED, OTHER6))
        assert node.publish_addresses(PublicAddresses((translated(MOVED, OTHER), routed(MOVED, OTHER6)))) == ""
        with serving(node, HTTP, guest.name):
            scenario.publish(moved=dict.fromkeys((OTHER, OTHER6), underlay_address(2)))
            for each, namespace, device in (
                (node, guest.name, "eth0"),
                (node, "", "under"),
                (scenario.node, "", "under"),
            ):
                wait_for_addresses(each, namespace, device)
            assert reached(scenario.outside, OTHER, OTHER6, port=HTTP) == {OTHER, OTHER6}
            scenario.publish()
            assert reached(scenario.outside, OTHER, OTHER6, port=HTTP) == set()


def test_strict_check_of_sources_is_a_problem_where_the_underlay_has_its_own_device(scenario: Scenario) -> None:
    node = scenario.node
    with joined([node]):
        assert node.connect(NETWORK, SegmentSpec(1, underlay_address(1), ())) == ""
        scenario.publish(translated(WEB))
        assert node.problems().rules == ""
        for device in ("under", "u0"):
            node.run(f"sysctl -qw net.ipv4.conf.{device}.rp_filter=1")
            node.keep_routes()
            assert f"rp_filter of {device} is 1 (strict)" in node.problems().rules
            node.run(f"sysctl -qw net.ipv4.conf.{device}.rp_filter=2")
        node.keep_routes()
        assert node.problems().rules == ""
        node.run("sysctl -qw net.ipv4.conf.under.rp_filter=1")
        scenario.publish()
        assert node.problems().rules == "", "it matters to public addresses alone"
