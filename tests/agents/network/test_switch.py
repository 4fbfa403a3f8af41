"""Networks of guests, and their complete removal: on real namespaces, with root."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from tests.agents.network.namespace_node import (
    BEYOND_IP,
    IPV4,
    NEIGHBOUR_IP,
    NODE_IP,
    Guest,
    Node,
    a_network,
    a_port,
    gateway,
)

pytestmark = pytest.mark.lab
Plug = Callable[..., Guest]
WEB = 8080


def test_dhcp_gives_a_guest_the_values_of_its_port(plug: Plug) -> None:
    guest = plug(a_port(a_network(1), 5))
    assert guest.dhcp() == {
        "ip": "10.0.0.15",
        "mask": "24",
        "router": "10.0.0.1",
        "dns": "9.9.9.9 149.112.112.112",
        "domain": "",
        "mtu": "1450",
        "hostname": "guest-5",
    }


@pytest.mark.parametrize("hostname", ["ignore", "infinite", "42", "10d", "0a", "db.example.org"])
def test_hostname_is_never_a_dnsmasq_instruction(plug: Plug, hostname: str) -> None:
    network = a_network(1, replace(IPV4, dns_servers=()))
    answer = plug(a_port(network, 0, hostname=hostname)).dhcp()
    assert (answer["ip"], answer["hostname"], answer["dns"]) == ("10.0.0.10", hostname.split(".")[0], "10.0.0.1")


def test_guests_of_a_network_reach_the_gateway_and_one_another(plug: Plug) -> None:
    network = a_network(1)
    first = plug(a_port(network, 0))
    second = plug(a_port(network, 1), first.port)
    for guest in (first, second):
        guest.dhcp()
    assert first.pings(gateway(network))
    assert first.pings(second.port.ip)


@pytest.mark.parametrize("uplink", ["", "u0"])
def test_guest_connects_out_by_the_node_address_and_is_not_reachable(node: Node, plug: Plug, uplink: str) -> None:
    node.start_agent(uplink=uplink)
    guest = plug(a_port(a_network(1), 0))
    guest.dhcp()
    with node.server(WEB, namespace="outside"), guest.conversation(BEYOND_IP, WEB) as conversation:
        assert conversation.seen_as() == NODE_IP
    intruder = Guest(node, "outside", guest.port)
    node.run("ip route add 10.0.0.0/24 via 100.64.0.1")
    with node.server(WEB, namespace=guest.name):
        assert intruder.call(guest.port.ip, WEB) != "open"
        assert intruder.call("100.64.0.1", WEB) != "open"


def test_large_packets_pass_up_to_the_networks_mtu(plug: Plug) -> None:
    guest = plug(a_port(a_network(1), 0))
    guest.dhcp()
    assert "1 received" in guest.run(f"ping -c 1 -W 1 -M do -s 1422 {BEYOND_IP}", check=False)


def test_new_port_keeps_connections_of_other_ports(node: Node, plug: Plug) -> None:
    first = plug(a_port(a_network(1), 0))
    first.dhcp()
    dnsmasq = node.dnsmasq_pids()
    with node.server(WEB, namespace="outside"), first.conversation(BEYOND_IP, WEB) as conversation:
        second = plug(a_port(a_network(1), 1), first.port)
        assert conversation.seen_as() == NODE_IP
    assert node.dnsmasq_pids() == dnsmasq
    assert second.dhcp()["ip"] == "10.0.0.11"


def test_agent_restart_keeps_connections(node: Node, plug: Plug) -> None:
    guest = plug(a_port(a_network(1), 0))
    guest.dhcp()
    dnsmasq = node.dnsmasq_pids()
    with node.server(WEB, namespace="outside"), guest.conversation(BEYOND_IP, WEB) as conversation:
        node.restart_agent([guest.port])
        assert conversation.seen_as() == NODE_IP
    assert node.dnsmasq_pids() == dnsmasq


def test_an_address_is_free_for_the_next_card_at_once(node: Node, plug: Plug) -> None:
    network = a_network(1)
    bystander = plug(a_port(network, 9))
    old = plug(a_port(network, 0), bystander.port)
    old.dhcp()
    old.stop()
    node.remove(old.port, bystander.port)
    new = plug(a_port(network, 1, addresses=old.port.addresses), bystander.port)
    assert new.dhcp()["ip"] == str(old.port.ip)


def test_removed_port_is_cut_off_while_its_tap_exists(node: Node, plug: Plug) -> None:
    network = a_network(1)
    stays, goes = plug(a_port(network, 0)), plug(a_port(network, 1), a_port(network, 0))
    stays.dhcp()
    goes.dhcp()
    node.remove(goes.port, stays.port)
    assert not goes.pings(gateway(network))
    assert stays.pings(gateway(network))


def test_removal_deletes_one_network_and_keeps_others(node: Node, plug: Plug) -> None:
    before = node.traces()
    ports = [a_port(a_network(1), 0), a_port(a_network(1), 1), a_port(a_network(2), 0)]
    guest = plug(ports[2])
    only_second = node.traces()
    node.ensure(ports[0])
    node.ensure(ports[1], ports[0])
    node.remove(ports[0], ports[1])
    node.remove(ports[1])
    assert node.traces() == only_second
    assert guest.dhcp()["ip"] == "10.0.0.10"
    guest.stop()
    for _ in range(2):
        node.remove(ports[2])
        assert node.traces() == before


def test_operator_denies_destinations_to_tenants(node: Node, plug: Plug) -> None:
    node.start_agent(denied=(IPv4Network("203.0.113.0/24"),), allowed=(IPv4Network(NEIGHBOUR_IP),))
    guest = plug(a_port(a_network(1), 0))
    guest.dhcp()
    with node.server(WEB, namespace="outside"):
        assert guest.call(BEYOND_IP, WEB) == "silent"
        assert guest.call(NEIGHBOUR_IP, WEB) == "open"
        assert guest.call("169.254.169.254", WEB) == "silent"
