"""Names of instances and the resolver of their network: on real namespaces, with root."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from agents.node.adapters.network_specs import DOMAIN, HostName
from tests.agents.network.namespace_node import (
    HERE,
    IPV4,
    IPV6,
    NODE_IP,
    SECOND_IPV4,
    Guest,
    Node,
    a_network,
    a_port,
    gateway,
)

pytestmark = pytest.mark.lab
Plug = Callable[..., Guest]
RESOLVED = (replace(IPV4, dns_servers=()), replace(IPV6, dns_servers=()))
NETWORK = a_network(1, *RESOLVED)
GATEWAY = str(gateway(NETWORK))
FIRST, SECOND = a_port(NETWORK, 0), a_port(NETWORK, 1)
WEB, DB = HostName("web", FIRST.addresses), HostName("db", SECOND.addresses)
RESOLVER = "10.99.0.53"  # of the operator, in a network that tenants do not reach
ANSWER = "192.0.2.53"


def ask(guest: Guest, *questions: str, server: str = GATEWAY) -> list[str]:
    return guest.run(f"{sys.executable} {HERE / 'dns.py'} ask {server} {' '.join(questions)}").split("\n")[:-1]


@contextmanager
def resolver(node: Node) -> Iterator[None]:
    node.run(f"ip -n outside addr add {RESOLVER}/32 dev lo")
    node.run(f"ip route add {RESOLVER}/32 via 198.51.100.2")
    with node.running("dns.py", "serve", RESOLVER, namespace="outside") as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        yield


def test_guests_resolve_one_another_and_their_addresses(node: Node, plug: Plug) -> None:
    guest = plug(FIRST).configured()
    node.names(NETWORK, [WEB, DB])
    questions = ("A:web", "A:db.internal", "AAAA:db", "PTR:10.0.0.11", "PTR:fd00:1::b", "A:cache", "A:cache.internal")
    known = ["10.0.0.10", "10.0.0.11", "fd00:1::b", "db.internal", "db.internal"]
    assert ask(guest, *questions) == [*known, "NXDOMAIN", "NXDOMAIN"]
    assert ask(guest, "A:db", server=str(IPV6.gateway_ip)) == ["10.0.0.11"]


def test_new_list_counts_at_once(node: Node, plug: Plug) -> None:
    guest = plug(FIRST).configured()
    node.names(NETWORK, [WEB])
    assert ask(guest, "A:web", "A:db") == ["10.0.0.10", "NXDOMAIN"]
    processes = node.dnsmasq_pids()
    node.names(NETWORK, [DB])
    assert ask(guest, "A:web", "A:db", "PTR:10.0.0.10") == ["NXDOMAIN", "10.0.0.11", "NXDOMAIN"]
    assert node.dnsmasq_pids() == processes


def test_names_outlive_the_agent_and_the_death_of_the_resolver(node: Node, plug: Plug) -> None:
    guest = plug(FIRST).configured()
    node.names(NETWORK, [WEB])
    node.restart_agent([FIRST])
    assert ask(guest, "A:web") == ["10.0.0.10"]
    node.run("pkill -KILL -x dnsmasq")
    assert ask(guest, "A:web") == ["closed"]
    node.ensure(FIRST)
    assert ask(guest, "A:web") == ["10.0.0.10"]


def test_networks_do_not_share_names(node: Node, plug: Plug) -> None:
    other = a_network(2, *RESOLVED)
    here, there = plug(FIRST).configured(), plug(a_port(other, 0)).configured()
    node.names(NETWORK, [WEB])
    node.names(other, [HostName("web", (IPv4Address("10.0.0.77"),))])
    assert (ask(here, "A:web"), ask(there, "A:web")) == (["10.0.0.10"], ["10.0.0.77"])


def test_dhcp_names_the_resolver_of_a_subnet_without_name_servers(plug: Plug) -> None:
    answer = plug(FIRST).dhcp()
    assert (answer["dns"], answer["domain"]) == (GATEWAY, DOMAIN)
    own = plug(a_port(a_network(2), 0)).dhcp()
    assert (own["dns"], own.get("domain", "")) == ("9.9.9.9 149.112.112.112", "")


def test_router_forwards_other_names_to_the_operators_resolvers(node: Node, plug: Plug) -> None:
    node.start_agent(resolvers=(IPv4Address(RESOLVER),))
    guest = plug(FIRST).configured()
    with resolver(node):
        assert ask(guest, "A:example.org", "A:web.internal", "A:web") == [ANSWER, "NXDOMAIN", "NXDOMAIN"]
        assert ask(guest, "A:example.org", server=RESOLVER) == ["silent"]
        node.run("nft flush ruleset")
        assert ask(guest, "A:example.org", server=RESOLVER) == ["silent"]


def test_without_resolvers_other_names_are_refused(plug: Plug) -> None:
    assert ask(plug(FIRST).configured(), "A:example.org", "PTR:9.9.9.9") == ["REFUSED", "REFUSED"]


def test_a_resolver_on_the_node_itself_is_not_reached(node: Node, plug: Plug) -> None:
    node.start_agent(resolvers=(IPv4Address(NODE_IP),))
    guest = plug(FIRST).configured()
    with node.running("dns.py", "serve", NODE_IP) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        assert ask(guest, "A:example.org") == ["silent"]


def test_flood_of_one_guest_leaves_the_resolver_to_the_others(node: Node, plug: Plug) -> None:
    """Also with several subnets, between which connections are not tracked."""
    network = a_network(1, *RESOLVED, SECOND_IPV4)
    flooding, other = (plug(a_port(network, number)).configured() for number in (0, 1))
    node.names(network, [HostName("flood", (IPv4Address("10.0.0.9"),))])
    answered = int(flooding.run(f"{sys.executable} {HERE / 'dns.py'} flood {GATEWAY} 20000"))
    assert 0 < answered < 10000
    with flooding.holding(GATEWAY, 53, at_most=30) as open_connections:
        assert open_connections == 4
        assert other.call(GATEWAY, 53) == "open"
        assert ask(other, "A:flood") == ["10.0.0.9"]


def test_nothing_outside_reaches_the_resolver(node: Node, plug: Plug) -> None:
    guest = plug(FIRST).configured()
    node.names(NETWORK, [WEB])
    intruder = Guest(node, "outside", guest.port)
    node.run("ip route add 10.0.0.0/24 via 100.64.0.1")
    assert ask(intruder, "A:web") == ["silent"]
    assert ask(intruder, "A:web", server="100.64.0.1") == ["silent"]
