"""DHCP of filtered guests, and frames in its form: on real namespaces, with root."""

from collections.abc import Callable

import pytest

from agents.lab.shell import wait_until
from agents.node.adapters.network.ipv6_rules import link_local
from agents.node.adapters.port_filters import FilteredPort, PortFilters
from tests.agents.network import frames
from tests.agents.network import ipv6_frames as v6
from tests.agents.network.namespace_node import IPV4, IPV6, Guest, Node, a_network, a_port, gateway
from tests.agents.network.test_security_groups import GROUP, a_group

pytestmark = pytest.mark.lab
NETWORK = a_network(1, IPV4, IPV6)
SENDER, RECEIVER = a_port(NETWORK, 0), a_port(NETWORK, 1)


def test_requests_for_dhcp_reach_no_other_guest(node: Node, plug: Callable[..., Guest]) -> None:
    """A frame may have the IP addresses of DHCP and the MAC address of a guest."""
    receiver = plug(RECEIVER)
    sender = plug(SENDER, RECEIVER)
    without_rules = tuple(FilteredPort(port, (port.mac,), (GROUP,)) for port in (SENDER, RECEIVER))
    assert node.filter(PortFilters(without_rules, {GROUP: a_group()})) == ""
    mac, to = SENDER.mac, RECEIVER.mac
    aimed = [
        frames.dhcp(mac, SENDER.ip, client=mac, to=to, target=gateway(NETWORK)),
        frames.dhcp(mac, SENDER.ip, client=mac, to=to),
        v6.ipv6(mac, link_local(mac), v6.DHCP_SERVERS, protocol=v6.UDP, body=v6.udp(546, 547), to=to),
    ]
    last = frames.arp(mac, SENDER.ip, RECEIVER.ip)
    with receiver.capturing(until=last) as captured:
        sender.send(*aimed, last)
    assert last.hex() in captured
    assert not {frame.hex() for frame in aimed} & set(captured)
    wait_until(lambda: "via fe80::1" in sender.run("ip -6 route show default"), what="a router advertisement")
    assert sender.dhcp6() == SENDER.of_family(6)[0]
    assert sender.dhcp()["ip"] == str(SENDER.ip)
