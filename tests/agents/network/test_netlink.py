"""Links, addresses and namespaces over netlink: in a network namespace of the test, with root."""

import json
import os
import select
import subprocess
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Interface, ip_network
from pathlib import Path

import pytest

from agents.node.adapters.network import LinuxSwitch, namespaces, nft
from agents.node.adapters.network.netlink import PROTOCOL, Netlink, Route, link_names
from agents.node.adapters.network.route_losses import RouteLosses
from agents.node.errors import AdapterError

pytestmark = pytest.mark.lab
NAME = f"netlink-test-{os.getpid()}"  # tests of other processes have theirs
PEERS = [IPv4Address("192.0.2.2"), IPv4Address("192.0.2.3")]
EVERYBODY = "00:00:00:00:00:00"
TAP = "tap0123456789a"
Act = Callable[[Netlink], None]


@pytest.fixture
def namespace() -> Iterator[str]:
    if os.geteuid() != 0:
        pytest.skip("namespaces need root")
    namespaces.remove(NAME)
    namespaces.create(NAME)
    yield NAME
    namespaces.remove(NAME)


@pytest.fixture
def there(namespace: str) -> Callable[[Act], None]:
    """Call a function in the namespace, with a socket into it."""

    def call(act: Act) -> None:
        def open_and_act() -> None:
            with Netlink() as netlink:
                act(netlink)

        namespaces.inside(namespace, open_and_act)

    return call


def test_absent_link_counts_as_removed(there: Callable[[Act], None]) -> None:
    def act(netlink: Netlink) -> None:
        netlink.add_link("br1", "bridge")
        for _ in range(2):
            netlink.remove_link("br1")
            assert netlink.link("br1") is None
            assert set(link_names().values()) == {"lo"}

    there(act)


def test_refusals_name_the_link_and_the_cause(there: Callable[[Act], None]) -> None:
    def act(netlink: Netlink) -> None:
        with pytest.raises(AdapterError, match="cannot remove lo: Operation not supported"):
            netlink.remove_link("lo")
        with pytest.raises(AdapterError, match="cannot change absent: No such device"):
            netlink.change_link("absent", mtu=1400)
        with pytest.raises(AdapterError, match="cannot add lo: File exists"):
            netlink.add_link("lo", "bridge")
        with pytest.raises(AdapterError, match="no link absent"):
            netlink.plug("lo", bridge="absent")

    there(act)


def test_forwarding_entries_can_be_added_and_removed_twice(there: Callable[[Act], None]) -> None:
    def act(netlink: Netlink) -> None:
        for name, vni in (("vxl", 7), ("other", 8)):
            netlink.add_link(name, "vxlan", vxlan_id=vni, vxlan_local="192.0.2.1", vxlan_port=4789)
        netlink.add_forwarding_entry("other", EVERYBODY, IPv4Address("192.0.2.4"))
        for _ in range(2):
            for peer in PEERS:
                netlink.add_forwarding_entry("vxl", EVERYBODY, peer)
            assert sorted(netlink.forwarding_entries("vxl")) == [(EVERYBODY, peer) for peer in PEERS]
        netlink.remove_forwarding_entry("vxl", EVERYBODY, PEERS[0])
        assert netlink.forwarding_entries("vxl") == [(EVERYBODY, PEERS[1])]
        for _ in range(2):
            netlink.remove_forwarding_entry("vxl", EVERYBODY, PEERS[1])
            assert netlink.forwarding_entries("vxl") == []

    there(act)


def test_addresses_are_those_of_the_namespace(there: Callable[[Act], None]) -> None:
    address = IPv4Interface("192.0.2.1/31")

    def act(netlink: Netlink) -> None:
        netlink.add_link("br1", "bridge")
        for _ in range(2):
            netlink.ensure_address("br1", address)
        assert [(link_names()[index], own_address) for index, own_address in netlink.addresses()] == [("br1", address)]

    there(act)
    with Netlink() as own:
        assert address not in [found for _, found in own.addresses()]


def test_taps_are_silenced_opened_and_removed(there: Callable[[Act], None]) -> None:
    def flags() -> list[str]:
        listing = subprocess.run(["ip", "-j", "link", "show", TAP], check=True, capture_output=True).stdout
        result: list[str] = json.loads(listing)[0]["flags"]
        return result

    def act(netlink: Netlink) -> None:
        switch = LinuxSwitch()
        assert not switch.silence_tap(TAP) and not switch.open_tap(TAP) and not switch.remove_tap(TAP)
        subprocess.run(["ip", "tuntap", "add", TAP, "mode", "tap"], check=True)
        netlink.change_link(TAP, address="02:00:00:00:00:01")
        netlink.add_link("tap-of-others", "bridge")
        assert switch.taps() == {TAP: "02:00:00:00:00:01"}
        assert switch.open_tap(TAP) and "UP" in flags()
        assert switch.silence_tap(TAP) and "UP" not in flags()
        assert switch.remove_tap(TAP) and not switch.remove_tap("tap-of-others")
        assert set(link_names().values()) == {"lo", "tap-of-others"}

    there(act)


def test_calling_thread_stays_in_its_namespace_and_nothing_is_left_open(namespace: str) -> None:
    def fail() -> None:
        raise AdapterError("A failure in the namespace.", retryable=False)

    def network_namespace() -> str:
        return os.readlink("/proc/thread-self/ns/net")

    def used() -> tuple[str, int, int]:
        children = Path("/proc/thread-self/children").read_text()
        return network_namespace(), len(os.listdir("/proc/self/fd")), len(children.split())

    nft.apply("add table ip probe", namespace=namespace)
    before = used()
    for _ in range(20):
        assert namespaces.inside(namespace, network_namespace) != before[0]
        with pytest.raises(AdapterError, match="in the namespace"):
            namespaces.inside(namespace, fail)
        with Netlink() as netlink:
            netlink.addresses()
    assert [each["table"]["name"] for each in nft.listing("tables", namespace=namespace)] == ["probe"]
    assert used() == before


def test_file_without_its_namespace_is_removed(namespace: str) -> None:
    file = namespaces.NAMESPACES / "netlink-test-file"
    file.touch()
    assert not namespaces.is_alive(file.name)
    with pytest.raises(AdapterError, match="cannot be entered"):
        namespaces.inside(file.name, lambda: None)
    for _ in range(2):
        namespaces.remove(file.name)
        assert not file.exists()
    assert namespaces.is_alive(namespace)


@pytest.mark.parametrize(
    ("command", "is_loss"),
    [
        (f"ip route del blackhole 192.0.2.1 table 1000 proto {PROTOCOL}", True),
        (f"ip -6 route del blackhole 2001:db8::1 table 1000 proto {PROTOCOL}", True),
        ("ip rule del priority 100", True),
        ("ip -6 rule del priority 100", True),
        ("ip route del blackhole 192.0.2.9", False),
        ("ip route add blackhole 192.0.2.10", False),
        ("ip rule add priority 101 table 1000", False),
    ],
)
def test_losses_are_of_the_agents_routes_and_of_rules(
    there: Callable[[Act], None], command: str, is_loss: bool
) -> None:
    def act(netlink: Netlink) -> None:
        netlink.set_routes({Route(ip_network("192.0.2.1/32"))}, version=4, table=1000)
        netlink.set_routes({Route(ip_network("2001:db8::1/128"))}, version=6, table=1000)
        for version in (4, 6):
            assert netlink.ensure_routing_rule(100, 1000, version=version)
            assert not netlink.ensure_routing_rule(100, 1000, version=version)
        subprocess.run(["ip", "route", "add", "blackhole", "192.0.2.9"], check=True)
        with RouteLosses() as losses:
            subprocess.run(command.split(), check=True)
            assert (losses in select.select([losses], [], [], 0)[0]) == is_loss
            losses.forget()
            assert losses not in select.select([losses], [], [], 0)[0]

    there(act)
