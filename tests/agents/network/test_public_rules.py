"""Rules of public addresses as text. `golden/` holds the texts to be reviewed."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, IPv6Interface, ip_network
from pathlib import Path

import pytest

from agents.node.adapters.network import UplinkPolicy, node_rules, public_rules, router, rule_table
from agents.node.adapters.network.node_links import NodeLinks
from agents.node.adapters.network.public_routes import on_underlay
from agents.node.adapters.public_addresses import Egress, LocalAddress, PublicAddresses
from tests.agents.network.namespace_node import IPV4, IPV6, a_network, a_port
from tests.agents.network.test_rules import links

GOLDEN = Path(__file__).parent / "golden"
NETWORK = a_network(1, IPV4, IPV6)
PORT, OTHER = a_port(NETWORK, 0), a_port(NETWORK, 1)
FIRST, SECOND, ROUTED, MOVED = (IPv4Address("203.0.113.64") + number for number in range(4))
LOCAL = (
    LocalAddress(FIRST, PORT, PORT.ip),
    LocalAddress(SECOND, PORT, PORT.ip),
    LocalAddress(ROUTED, OTHER, is_arriving=True),
    LocalAddress(IPv6Address("2001:db8:64::64"), PORT),
)
OTHER_MAC = "06:00:00:00:00:02"
EGRESS = Egress(IPv4Address("203.0.113.70"), NETWORK.id, "06:00:00:00:00:01", "06:00:00:00:00:01")
PUBLIC = PublicAddresses(LOCAL, {MOVED: IPv4Address("10.200.0.12")})
OUTSIDE = UplinkPolicy(
    uplink="eth0",
    denied=(ip_network("192.88.99.0/24"), ip_network("2001:db8:66::/48")),
    allowed=(ip_network("10.9.9.9"), ip_network("fd00:9::9")),
)
LINKS = NodeLinks(links(eth0="10.200.0.11/24").addresses, (IPv6Interface("2001:db8:1::1/64"),))
TEXTS = {
    "public_addresses.nft": rule_table.whole(public_rules.tables(PUBLIC, OUTSIDE, LINKS, filtered=["br1"])),
    "node_with_public_addresses.nft": node_rules.ruleset(OUTSIDE, LINKS, bridges=["br1"], public=True),
    "router_with_public_addresses.nft": router.ruleset(NETWORK, (), OUTSIDE, LINKS, LOCAL),
    "router_of_the_gateway_node.nft": router.ruleset(NETWORK, (), OUTSIDE, LINKS, (), EGRESS),
    "router_with_a_gateway_node.nft": router.ruleset(NETWORK, (), OUTSIDE, LINKS, (), replace(EGRESS, mac=OTHER_MAC)),
}


@pytest.mark.parametrize("name", TEXTS)
def test_generated_texts_equal_the_golden_files(name: str) -> None:
    assert TEXTS[name] == (GOLDEN / name).read_text()


def test_router_without_a_gateway_node_has_no_way_out() -> None:
    forward = router.ruleset(NETWORK, (), OUTSIDE, LINKS, (), replace(EGRESS, gateway_mac=None))
    assert 'oifname "egress"' not in forward
    assert 'oifname "wan" ip saddr { 10.0.0.0/24 } accept' not in forward


def test_address_of_a_network_is_the_gateway_node_s_alone() -> None:
    here, elsewhere = (PublicAddresses(egress=(replace(EGRESS, mac=mac),)) for mac in (EGRESS.mac, OTHER_MAC))
    (table,) = public_rules.tables(here, OUTSIDE, LINKS, filtered=())
    assert set(table.sets["here4"].entries) == {"203.0.113.70"}
    (table,) = public_rules.tables(elsewhere, OUTSIDE, LINKS, filtered=())
    assert not table.sets["here4"].entries and not table.sets["owners4"].entries


def test_node_without_public_addresses_has_no_rules_for_them() -> None:
    assert public_rules.tables(PublicAddresses(), OUTSIDE, LINKS, filtered=["br1"]) == ()
    assert f"{public_rules.MARK:#010x}" not in node_rules.ruleset(OUTSIDE, LINKS, bridges=["br1"], public=False)


def test_new_address_is_elements_alone() -> None:
    before, after = (
        public_rules.tables(PublicAddresses(LOCAL[:count]), OUTSIDE, LINKS, filtered=()) for count in (1, 2)
    )
    lines = rule_table.changes(before, after).splitlines()
    assert len(lines) == 3 and all(line.startswith("add element") for line in lines)


def test_node_has_one_address_on_the_underlay_for_ipv6() -> None:
    assert on_underlay(IPv4Address("10.200.0.11")) == IPv6Address("fe80::5efe:10.200.0.11")
