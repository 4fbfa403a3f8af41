"""IPv6 and several subnets: isolation of a hostile guest, and what an honest one gets; on real namespaces, with root.

Absence is shown as in test_isolation: by an honest frame that arrives after what must not.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from agents.lab.shell import wait_until
from agents.node.adapters.network import namespace_name
from agents.node.adapters.network_specs import NetworkSpec, bridge_name
from andromede_core.permits.network_ports import AllowedAddress
from tests.agents.network import forged_ethernet, forged_ipv4, frames
from tests.agents.network import forged_kinds as kinds
from tests.agents.network import ipv4_frames as v4
from tests.agents.network.forged_kinds import ATTACKER, NETWORK, VICTIM
from tests.agents.network.forged_table import HONEST as HONEST_ONES
from tests.agents.network.forged_table import OF_GUESTS
from tests.agents.network.namespace_node import (
    BEYOND_IP,
    IPV4,
    SECOND_IPV4,
    Guest,
    Node,
    a_network,
    a_port,
    gateway,
    ipv4,
)

pytestmark = pytest.mark.lab
Plug = Callable[..., Guest]
ROUTER, WEB = namespace_name(NETWORK.id), 8080
IPV4_GATEWAY = gateway(NETWORK)
FORGED = {kind.name: kind.frame for kind in OF_GUESTS}
HONEST = frames.udp(ATTACKER.mac, ipv4(ATTACKER), ports=(1000, 2000), text=b"honest")


def passed(attacker: Guest, victim: Guest, forged: dict[str, bytes]) -> list[str]:
    """Return the names of the frames that reach the victim."""
    with victim.capturing(until=HONEST) as captured:
        attacker.send(*forged.values(), HONEST)
    return [name for name, frame in forged.items() if frame.hex() in captured]


def reaches(guest: Guest, address: object) -> None:
    """Wait for an answer: a guest may use its IPv6 addresses only when nobody has claimed them for a second."""
    wait_until(lambda: guest.pings(address), what=f"an answer of {address}")


@pytest.fixture
def attacker(plug: Plug) -> Guest:
    return plug(ATTACKER)


@pytest.fixture
def victim(attacker: Guest, plug: Plug) -> Guest:
    return plug(VICTIM, ATTACKER)


def test_a_port_uses_its_allowed_addresses_and_never_the_gateway_s(node: Node, attacker: Guest, victim: Guest) -> None:
    virtual, ranges = "00:00:5e:00:01:07", ("10.0.0.0/24", "fd00:1::/64")
    pairs = (AllowedAddress(ip_network(ranges[0]), virtual), AllowedAddress(ip_network(ranges[1])))
    shared = {
        "IPv4": frames.udp(kinds.HERS, ipv4(VICTIM) + 40, ports=(1, 2)),
        "virtual MAC": frames.udp(virtual, ipv4(VICTIM) + 40, ports=(1, 2)),
        "ARP": frames.arp(virtual, ipv4(VICTIM) + 40, ipv4(VICTIM)),
        "IPv6": FORGED["source by IPv6: free address of the subnet"],
        "advertisement": FORGED["advertisement of a free address"],
    }
    never = {
        "IPv4 of the gateway": frames.udp(kinds.HERS, IPV4_GATEWAY, ports=(1, 2)),
        "ARP of the gateway": frames.arp(virtual, IPV4_GATEWAY, ipv4(VICTIM)),
        "IPv4 outside": frames.udp(virtual, ipv4(VICTIM) + 1024, ports=(1, 2)),
        "IPv6 of the gateway": FORGED["source by IPv6: gateway"],
        "advertisement of the gateway": FORGED["advertisement of the gateway"],
        "router advertisement": FORGED["router advertisement"],
    }
    assert passed(attacker, victim, shared) == []
    node.ensure(replace(ATTACKER, allowed=pairs), VICTIM)
    assert passed(attacker, victim, shared | never) == list(shared)


def test_ipv6_is_dropped_on_a_network_without_it(node: Node, plug: Plug) -> None:
    network = a_network(6, IPV4, SECOND_IPV4)
    attacker = plug(replace(ATTACKER, network=network))
    victim = plug(replace(VICTIM, network=network), attacker.port)
    ipv4_ones = [*forged_ethernet.HONEST, *forged_ipv4.HONEST]
    assert passed(attacker, victim, FORGED | HONEST_ONES) == [name for name in HONEST_ONES if name in ipv4_ones]
    assert "inet6" not in node.run(f"ip -n {namespace_name(network.id)} addr show")


def test_guest_gets_addresses_of_both_families_and_the_router(node: Node, attacker: Guest) -> None:
    wait_until(lambda: "via fe80::1" in attacker.run("ip -6 route show default"), what="a router advertisement")
    assert attacker.run("ip -6 -o addr show dev eth0 scope global") == "", "autonomous addresses are not offered"
    assert attacker.dhcp6() in ATTACKER.addresses
    reaches(attacker, "fe80::1%eth0")
    answer = attacker.dhcp()
    assert (answer["ip"], answer["router"], answer["dns"]) == ("10.0.0.10", "10.0.0.1", "9.9.9.9 149.112.112.112")
    attacker.configure()
    for subnet in NETWORK.subnets:
        reaches(attacker, subnet.gateway_ip)


def test_guest_gets_ipv6_and_other_name_servers_while_it_runs(node: Node, plug: Plug) -> None:
    before = replace(ATTACKER, network=a_network(6, IPV4), addresses=ATTACKER.addresses[:1])
    guest = plug(before)
    assert guest.dhcp()["dns"] == "9.9.9.9 149.112.112.112"
    ipv4 = replace(before.network.subnets[0], dns_servers=(ip_address("9.9.9.10"),))
    network = replace(before.network, subnets=(ipv4, NETWORK.of_family(6)[0]))
    ipv6 = next(each for each in ATTACKER.of_family(6) if network.subnet_of(each))
    after = replace(before, network=network, addresses=(*before.addresses, ipv6))
    node.ensure(after)
    guest = replace(guest, port=after)
    assert guest.dhcp()["dns"] == "9.9.9.10"
    for is_off in (1, 0):  # the link-local address went with the former lease
        guest.run(f"sysctl -q -w net.ipv6.conf.eth0.disable_ipv6={is_off}")
    wait_until(lambda: "via fe80::1" in guest.run("ip -6 route show default"), what="a router advertisement")
    assert guest.dhcp6() == ipv6
    guest.configure()
    reaches(guest, network.subnets[1].gateway_ip)


def test_router_forwards_between_the_subnets_of_its_network_alone(node: Node, plug: Plug) -> None:
    one = plug(replace(ATTACKER, addresses=(ATTACKER.addresses[0], ATTACKER.addresses[2])))
    other = plug(replace(VICTIM, addresses=(VICTIM.addresses[1], VICTIM.addresses[3])), one.port)
    for guest in (one, other):
        guest.run("sysctl -q -w net.ipv6.conf.eth0.accept_ra=0 net.ipv4.conf.all.accept_redirects=0")
        guest.configure()
    for address in other.port.addresses:
        reaches(one, address)
    with node.server(WEB, namespace=other.name), one.conversation(other.port.ip, WEB) as conversation:
        assert conversation.seen_as() == str(one.port.ip)
    reaches(one, BEYOND_IP)
    node.run("ip -n outside addr add 2001:db8::9/128 dev lo")
    assert not one.pings("2001:db8::9")


def test_guest_reaches_no_address_of_the_node_by_ipv6(node: Node, attacker: Guest) -> None:
    """Not before any rule either: IPv6 is off at the devices in between."""
    attacker.configure()
    node.run("ip addr add 2001:db8::1/64 dev u0 nodad")
    bridge = node.run(f"ip -br link show {bridge_name(NETWORK.id)}").split()[2]
    reaches(attacker, kinds.GATEWAY)
    for flush in ("true", "nft flush ruleset", f"ip netns exec {ROUTER} nft flush ruleset"):
        node.run(flush)
        assert not attacker.pings("2001:db8::1")
        attacker.run(f"ip -6 neigh replace fe80::2 lladdr {bridge} dev eth0")
        assert not attacker.pings("fe80::2%eth0")


def test_gateway_answers_only_dhcp_discovery_and_ping(node: Node, attacker: Guest) -> None:
    attacker.configure()
    with node.server(WEB, namespace=ROUTER):
        assert attacker.call(kinds.GATEWAY, WEB) == "silent"
        assert attacker.call("fe80::1%eth0", WEB) == "silent"


def test_flushed_rules_of_a_router_are_restored(node: Node, attacker: Guest) -> None:
    node.keep_rules()
    before = node.run("nft -s list table ip6 andromede", namespace=ROUTER)
    node.run("nft flush ruleset", namespace=ROUTER)
    node.keep_rules()
    assert node.run("nft -s list table ip6 andromede", namespace=ROUTER) == before


def test_subnets_are_added_and_removed(node: Node, plug: Plug) -> None:
    """Each step is what EnsurePort of any port of the network sends."""
    small = a_network(6)
    guest = plug(a_port(small, 0))
    with node.server(WEB, namespace="outside"), guest.configured().conversation(BEYOND_IP, WEB) as conversation:
        assert conversation.seen_as()
        node.ensure(ATTACKER)
        of_both = {"10.0.0.1/24", "10.0.1.1/24", "fd00:1::1/64", "fd00:2::1/64", "fe80::1/64"}
        assert gateways(node) == {*of_both, "169.254.169.254/32", "fd00:ec2::254/128"}
        reaches(guest, "fe80::1%eth0")
        node.ensure(guest.port)
        assert gateways(node) == {"10.0.0.1/24", "169.254.169.254/32"}
        assert not guest.pings("fe80::1%eth0")
        assert conversation.seen_as()


def test_network_without_subnets_connects_its_guests(node: Node, plug: Plug) -> None:
    network = NetworkSpec(NETWORK.id, (), 1450)
    attacker = plug(replace(ATTACKER, network=network, addresses=()))
    victim = plug(replace(VICTIM, network=network, addresses=()), attacker.port)
    announcement = v4.announcement(kinds.HERS)
    with victim.capturing(until=announcement) as captured:
        attacker.send(*FORGED.values(), HONEST, announcement)
    assert [name for name, frame in FORGED.items() if frame.hex() in captured] == []


def gateways(node: Node) -> set[str]:
    """Return the addresses of the router in its network."""
    (lan,) = json.loads(node.run(f"ip -j -n {ROUTER} addr show dev lan"))
    return {f"{each['local']}/{each['prefixlen']}" for each in lan["addr_info"]}
