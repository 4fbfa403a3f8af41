"""NTP servers, search domains and static routes, as guests receive them from dnsmasq; on real namespaces, with root."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from pathlib import Path
from typing import Any

import pytest

from agents.lab.shell import wait_until
from agents.node.adapters.network.dhcp import Dhcp
from agents.node.adapters.network.layout import Layout
from agents.node.adapters.network_specs import NetworkSpec
from andromede_core.permits.dhcp_options import MAX_ROUTES, DhcpOptions, StaticRoute
from tests.agents.network.namespace_node import HERE, IPV4, IPV6, SECOND_IPV4, SECOND_IPV6, Guest, a_network, a_port

Plug = Callable[..., Guest]
NTP = (IPv4Address("10.0.0.5"), IPv4Address("192.0.2.5"), IPv6Address("fd00:1::5"))
DOMAINS = ("a.example", "b.example")
ROUTES = (StaticRoute(IPv4Network("10.40.0.0/16"), IPv4Address("10.0.0.4")),)
OPTIONS = DhcpOptions(NTP, DOMAINS, ROUTES)
OF_IPV6 = replace(OPTIONS, static_routes=())
LONGEST = ".".join(letter * 60 for letter in "abcd")  # of 245 bytes in all
MANY_ROUTES = tuple(
    StaticRoute(IPv4Network(f"192.168.200.{n}/32"), IPv4Address(f"10.0.0.{n}")) for n in range(100, 100 + MAX_ROUTES)
)


def command(network: NetworkSpec, folder: Path) -> list[str]:
    return Dhcp(Layout.for_network(network.id), folder).command(network)


def asked(guest: Guest) -> dict[str, Any]:
    """Return what the guest's router advertisement and DHCPv6 say."""
    # Until its link-local address is known to be nobody else's, the guest sends nothing from it.
    wait_until(lambda: "tentative" not in guest.run("ip -6 addr show dev eth0"), what="the address of eth0")
    result: dict[str, Any] = json.loads(guest.run(f"{sys.executable} {HERE / 'ask_ipv6.py'} eth0"))
    return result


@pytest.mark.lab
def test_guest_receives_the_options_of_its_subnet(plug: Plug) -> None:
    own = (replace(IPV4, options=OPTIONS), replace(IPV6, options=OF_IPV6), SECOND_IPV4, SECOND_IPV6)
    network = a_network(1, *own)
    guest, other = plug(a_port(network, 0)), a_port(network, 1)
    wait_until(lambda: "via fe80::1" in guest.run("ip -6 route show default"), what="a router advertisement")
    found = asked(guest)
    assert found["search"] == found["advertised_search"] == ["internal", "a.example", "b.example"]
    assert found["ntp"] == found["sntp"] == ["fd00:1::5"]
    answer = guest.dhcp()
    assert answer["ntpsrv"] == "10.0.0.5 192.0.2.5"
    assert answer["search"] == "a.example b.example", "no `internal`: the subnet has name servers of its own"
    assert answer["staticroutes"] == "0.0.0.0/0 10.0.0.1 10.40.0.0/16 10.0.0.4"
    elsewhere = plug(replace(other, addresses=other.addresses[2:]), guest.port)
    answer = elsewhere.dhcp()
    assert (answer["router"], answer["domain"]) == ("10.0.1.1", "internal")
    assert not {"ntpsrv", "search", "staticroutes"} & answer.keys()


@pytest.mark.lab
def test_guest_gets_its_address_where_all_options_are_as_long_as_possible(plug: Plug) -> None:
    """Show that dnsmasq starts: it refuses an option of more than 255 bytes.

    The client takes 576 bytes in all, and gets what fits.
    """
    servers = tuple(IPv4Address(f"10.0.0.{number}") for number in range(100, 108))
    network = a_network(1, replace(IPV4, dns_servers=(), options=DhcpOptions(servers, (LONGEST,), MANY_ROUTES)))
    assert plug(a_port(network, 0)).dhcp()["ip"] == "10.0.0.10"


def test_network_without_options_has_the_command_of_before(tmp_path: Path) -> None:
    words = " ".join(command(a_network(1, IPV4, IPV6), tmp_path))
    for option in ("ntp-server", "domain-search", "classless-static-route"):
        assert option not in words


def test_options_of_all_ipv6_subnets_are_bounded(tmp_path: Path) -> None:
    many = [
        DhcpOptions(
            tuple(IPv6Address(f"fd00::{number}:{n}") for n in range(1, 9)),
            tuple(f"{'x' * 20}-{number}-{n}.example" for n in range(7)),
        )
        for number in range(2)
    ]
    own = (replace(IPV6, options=many[0]), replace(SECOND_IPV6, options=many[1]))
    options = [
        word for word in command(a_network(1, IPV4, *own), tmp_path) if word.startswith("--dhcp-option=option6:")
    ]
    values = {word.split(":", 1)[1].split(",")[0]: word.split(",")[1:] for word in options}
    assert values["ntp-server"] == values["sntp-server"] == [f"[{server}]" for server in many[0].ntp_servers]
    assert values["domain-search"] == ["internal", *many[0].domain_search]
