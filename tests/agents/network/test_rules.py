"""The pure parts: texts for nft and dnsmasq, names, addresses. `golden/` holds the texts to be reviewed."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, ip_network
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from agents.node.adapters.network import (
    LinuxSwitch,
    UplinkPolicy,
    dhcp,
    namespace_name,
    node_rules,
    overlay_rules,
    port_rules,
    router,
)
from agents.node.adapters.network.layout import Layout
from agents.node.adapters.network.node_links import NodeLinks
from agents.node.adapters.network_specs import SegmentSpec, bridge_name
from agents.node.adapters.port_filters import NOTHING_FILTERED
from agents.node.errors import AdapterError, BadRequest
from andromede_core.permits.network_ports import AllowedAddress, Bandwidth
from tests.agents.network import forged_kinds
from tests.agents.network.namespace_node import a_network, a_port

GOLDEN = Path(__file__).parent / "golden"
POOL = IPv4Network("100.64.0.0/29")
ID = UUID("01981234-5678-7abc-8def-0123456789ab")
LAYOUT = Layout.for_network(ID)
UNDERLAY = IPv4Network("10.200.0.0/24")
SEGMENTS = [
    SegmentSpec(0x1234, UNDERLAY[11], (UNDERLAY[12], UNDERLAY[13])),
    SegmentSpec(7, UNDERLAY[11], ()),
]


ALLOWED = replace(
    forged_kinds.ATTACKER,
    allowed=(
        AllowedAddress(ip_network("10.0.0.0/28"), "00:00:5e:00:01:07"),
        AllowedAddress(ip_network("fd00:1::/112")),
    ),
)


def links(**addresses: str) -> NodeLinks:
    return NodeLinks({name.replace("_", "-"): (IPv4Interface(text),) for name, text in addresses.items()})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("port_admitted.nft", port_rules.admit([a_port(a_network(1), 0)])),
        ("port_limited.nft", port_rules.admit([a_port(a_network(1), 0, bandwidth=Bandwidth(500, 100))])),
        ("port_of_both_families.nft", port_rules.admit([ALLOWED])),
        ("router_of_both_families.nft", router.ruleset(forged_kinds.NETWORK, [ALLOWED], UplinkPolicy(), links())),
        ("port_expelled.nft", port_rules.expel(a_port(a_network(1), 0))),
        ("network_forgotten.nft", port_rules.forget_network(Layout.for_network(a_network(1).id))),
        ("overlay.nft", overlay_rules.ruleset(SEGMENTS)),
        (
            "overlay_changed.nft",
            overlay_rules.change(SEGMENTS[0], replace(SEGMENTS[0], peers=(UNDERLAY[13], UNDERLAY[14]))),
        ),
        ("overlay_added.nft", overlay_rules.change(None, SEGMENTS[0])),
        ("overlay_removed.nft", overlay_rules.change(SEGMENTS[0], None)),
        ("overlay_gone.nft", overlay_rules.ruleset([])),
        ("router.nft", router.ruleset(a_network(1), [], UplinkPolicy(), links(eth0="192.0.2.1/24"))),
        (
            "node.nft",
            node_rules.ruleset(
                UplinkPolicy(transit_pool=POOL), links(eth0="10.200.0.11/24"), bridges=["br1"], public=False
            ),
        ),
        (
            "node_with_uplink.nft",
            node_rules.ruleset(
                UplinkPolicy(
                    uplink="eth0",
                    denied=(IPv4Network("192.88.99.0/24"),),
                    allowed=(IPv4Network("10.9.9.9"),),
                    transit_pool=POOL,
                    own_tcp_ports=(7443, 22),
                    resolvers=(IPv4Address("10.0.0.53"), IPv4Address("10.0.0.54")),
                ),
                links(),
                bridges=[],
                public=False,
            ),
        ),
    ],
)
def test_generated_texts_equal_the_golden_files(name: str, text: str) -> None:
    assert text == (GOLDEN / name).read_text()


def test_hosts_are_in_the_order_of_their_addresses() -> None:
    network = a_network(1)
    ports = [a_port(network, 90, hostname="last"), a_port(network, 1), a_port(network, 0, hostname="db.example.org")]
    assert dhcp.hosts(ports) == (
        "52:54:00:00:01:00,10.0.0.10,db.\n52:54:00:00:01:01,10.0.0.11,guest-1.\n52:54:00:00:01:5a,10.0.0.100,last.\n"
    )


def test_hosts_have_the_addresses_that_dhcp_can_give() -> None:
    both = forged_kinds.ATTACKER
    ports = [both, replace(both, addresses=both.of_family(6)[:1]), replace(both, addresses=())]
    assert dhcp.hosts(ports) == (
        f"{both.mac},[fd00:1::a],guest-0.\n{both.mac},10.0.0.10,[fd00:1::a],[fd00:2::a],guest-0.\n"
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"allowed": (AllowedAddress(ip_network("10.0.0.9/32"), "52:54:00:00:00:01 accept\n"),)},
        {"mac": "52:54:00:00:00:01 accept\n"},
        {"mac": "01:00:5e:00:00:01"},
        {"mac": "52:54:00:00:00"},
        {"hostname": "a\n52:54:00:00:00:01,10.0.0.99"},
        {"hostname": "a,set:tag"},
        {"hostname": ""},
        {"hostname": "-a"},
    ],
)
def test_text_injection_is_refused_before_any_change(fields: dict[str, Any]) -> None:
    network = a_network(1)
    for ports in (
        [a_port(network, 0, **fields), a_port(network, 1)],
        [a_port(network, 1), a_port(network, 0, **fields)],
    ):
        with pytest.raises(BadRequest):
            LinuxSwitch().ensure_port(ports[0], ports[1:])
        with pytest.raises(BadRequest):
            LinuxSwitch().restore(ports, {}, NOTHING_FILTERED)


def test_an_uplink_is_a_device_name() -> None:
    with pytest.raises(ValueError, match="no name"):
        LinuxSwitch(UplinkPolicy(uplink='eth0" accept'))


def test_device_names_fit_and_identify_their_network() -> None:
    assert LAYOUT.bridge == bridge_name(ID)
    assert namespace_name(ID) == "andromede-123456789ab"
    assert LAYOUT.gateway_mac == "02:23:45:67:89:ab"
    assert all(len(name) <= 15 for name in (LAYOUT.bridge, LAYOUT.lan_leg, LAYOUT.wan_leg, LAYOUT.overlay))
    assert Layout.owning(LAYOUT.wan_leg, "rtw-") == LAYOUT
    assert [Layout.owning(name, "br") for name in ("br0", "eth0", "br-23456789abc", "br123456789abc")] == [None] * 4


def test_a_router_keeps_its_transit_addresses() -> None:
    assert str(links(rtw_123456789ab="100.64.0.4/31").transit(LAYOUT, POOL)) == "100.64.0.4/31"


def test_new_router_gets_the_first_free_transit_addresses() -> None:
    assert str(links(eth0="192.0.2.1/24").transit(LAYOUT, POOL)) == "100.64.0.0/31"
    used_links = links(rtw_00000000000="100.64.0.0/31", cgnat="100.64.0.3/32")
    assert str(used_links.transit(LAYOUT, POOL)) == "100.64.0.4/31"


def test_there_are_as_many_routers_as_transit_addresses() -> None:
    with pytest.raises(AdapterError, match="100.64.0.0/29"):
        links(eth0="100.64.0.1/29").transit(LAYOUT, POOL)


def test_connected_networks_exclude_the_routers() -> None:
    present = links(eth0="192.0.2.1/24", rtw_123456789ab="100.64.0.0/31")
    assert present.connected() == [IPv4Network("192.0.2.0/24")]


@pytest.mark.parametrize("mac", ["06:00:00:00:00:01", LAYOUT.gateway_mac])
def test_port_has_the_mac_of_no_router(mac: str) -> None:
    port = a_port(replace(a_network(1), id=ID), 1)
    pair = AllowedAddress(ip_network("10.0.0.99/32"), mac)
    assert f"ether saddr != {port.mac} counter drop" in port_rules.admit([replace(port, allowed=(pair,))])
