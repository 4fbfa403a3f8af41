"""The metadata service behind the routers: on real namespaces, with root."""

import sys
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network

import pytest

from agents.node.adapters.network.metadata import ADDRESS, ADDRESS6
from agents.node.adapters.network_specs import HostName, PortSpec, bridge_name
from agents.node.adapters.port_filters import NOTHING_FILTERED, FilteredPort, PortFilters
from agents.node.metadata.channel import Guest as GuestMetadata
from andromede_core.permits.network_ports import AllowedAddress
from andromede_core.permits.security_group import SecurityGroup
from andromede_core.reachability.question import Traffic
from tests.agents.network import forged_kinds
from tests.agents.network.answers import reaches_address
from tests.agents.network.namespace_node import HERE, Guest, Node, a_network, a_port
from tests.agents.network.test_group_rules import an_id
from tests.agents.network.test_names import ask
from tests.limits import PATIENCE_S

pytestmark = pytest.mark.lab
Plug = Callable[..., Guest]
NETWORK = forged_kinds.NETWORK
FIRST, SECOND = a_port(NETWORK, 0), a_port(NETWORK, 1)
ID = "/latest/meta-data/instance-id"
GROUP = an_id(10)


def metadata_of(port: PortSpec, name: str, **fields: bool) -> GuestMetadata:
    addresses = {bridge_name(port.network.id): [str(address) for address in port.addresses]}
    return GuestMetadata(f"id-of-{name}", addresses, {ID: f"id-of-{name}"}, **fields)


def read(guest: Guest, *, server: object = ADDRESS, source: object = "", within_s: float = 0) -> str:
    """Return the id that the guest reads with a token, or the reason why it reads none."""
    options = f"{server} {ID} {within_s} {source}".strip()
    return guest.run(f"{sys.executable} {HERE / 'metadata_client.py'} {options}").strip()


@pytest.fixture(autouse=True)
def served(node: Node) -> None:
    node.serve_metadata()


def test_each_guest_reads_its_own_metadata_by_both_families(node: Node, plug: Plug) -> None:
    first, second = plug(FIRST).configured(), plug(SECOND, FIRST).configured()
    other = plug(a_port(a_network(2), 0)).configured()
    node.publish_metadata(metadata_of(FIRST, "first"))
    node.publish_metadata(metadata_of(SECOND, "second"))
    node.publish_metadata(metadata_of(other.port, "other"))
    assert [read(guest, within_s=PATIENCE_S) for guest in (first, second, other)] == [
        "id-of-first",
        "id-of-second",
        "id-of-other",
    ]
    assert read(second, server=ADDRESS6) == "id-of-second"


def test_a_port_with_allowed_ranges_reads_nothing_of_a_neighbour(node: Node, plug: Plug) -> None:
    router = replace(FIRST, allowed=tuple(AllowedAddress(subnet.cidr) for subnet in NETWORK.subnets))
    hostile, _ = plug(router).configured(), plug(SECOND, router)
    node.publish_metadata(metadata_of(FIRST, "first"))
    node.publish_metadata(metadata_of(SECOND, "second"))
    for address in SECOND.addresses:
        hostile.run(f"ip addr add {address}/{address.max_prefixlen} dev eth0 {'nodad' * (address.version == 6)}")
    assert read(hostile, within_s=PATIENCE_S) == "id-of-first"
    assert [read(hostile, source=SECOND.ip), read(hostile, server=ADDRESS6, source=SECOND.addresses[-1])] == [
        "silent",
        "silent",
    ]


def test_answers_go_one_hop(node: Node, plug: Plug) -> None:
    """A container in the guest gets none: a router behind the guest drops them."""
    guest = plug(replace(FIRST, allowed=(AllowedAddress(ip_network("10.0.0.128/25")),))).configured()
    node.publish_metadata(metadata_of(FIRST, "first"))
    assert read(guest, within_s=PATIENCE_S) == "id-of-first"
    node.run("ip netns add container")
    guest.run("sysctl -q -w net.ipv4.ip_forward=1")
    node.run(f"ip -n {guest.name} link add c0 type veth peer name eth0 netns container")
    node.run(f"ip -n {guest.name} addr add 172.17.0.1/24 dev c0")
    node.run(f"ip -n {guest.name} link set c0 up")
    node.run("ip -n container addr add 172.17.0.2/24 dev eth0")
    node.run("ip -n container link set eth0 up")
    node.run("ip -n container route add default via 172.17.0.1")
    guest.run("nft add table ip nat")
    guest.run("nft add chain ip nat out { type nat hook postrouting priority srcnat ; }")
    guest.run("nft add rule ip nat out oifname eth0 masquerade")
    assert read(Guest(node, "container", FIRST)) == "silent"


def test_names_and_metadata_pass_without_a_rule_and_nothing_else(node: Node, plug: Plug) -> None:
    """A frame for them with the MAC address of another guest does not reach that guest."""
    guest, other = plug(FIRST).configured(), plug(SECOND, FIRST).configured()
    node.publish_metadata(metadata_of(FIRST, "first"))
    node.names(NETWORK, [HostName("other", SECOND.of_family(4))])
    filters = PortFilters(
        (FilteredPort(FIRST, (FIRST.mac,), (GROUP,)),), {GROUP: SecurityGroup("fr-par-1", GROUP, 1, (), {})}
    )
    assert node.filter(filters) == ""
    gateways = [subnet.gateway_ip for subnet in NETWORK.subnets]
    assert read(guest, within_s=PATIENCE_S) == read(guest, server=ADDRESS6) == "id-of-first"
    known = {str(address) for address in SECOND.of_family(4)}
    assert [set(ask(guest, "A:other", server=str(each))[0].split()) for each in gateways] == [known] * len(gateways)
    ways = {
        (gateways[0], Traffic("tcp", 53)): "open",
        (gateways[0], Traffic("tcp", 80)): "silent",
        (ADDRESS, Traffic("tcp", 80)): "open",
        (ADDRESS6, Traffic("tcp", 80)): "open",
        (ADDRESS, Traffic("tcp", 53)): "silent",
        (SECOND.ip, Traffic("tcp", 53)): "silent",
        (SECOND.ip, Traffic("tcp", 80)): "silent",
    }
    assert {way: guest.call(way[0], way[1].port or 0) for way in ways} == ways
    expected = {way: reaches_address([filters], FIRST, str(way[0]), way[1]) for way in ways if way[0] != SECOND.ip}
    assert expected == {way: outcome == "open" for way, outcome in ways.items() if way[0] != SECOND.ip}
    assert not any(guest.pings(each) for each in (*gateways[:1], ADDRESS, SECOND.ip))

    other.run("nft add table inet t")
    other.run("nft add chain inet t seen { type filter hook prerouting priority -300 ; }")
    other.run("nft add rule inet t seen meta l4proto { tcp, udp } th dport { 53, 80 } counter")
    guest.run(f"ip neigh replace {gateways[0]} lladdr {SECOND.mac} dev eth0")
    assert ask(guest, "A:other", server=str(gateways[0])) == ["silent"]
    assert guest.call(ADDRESS, 80) == "silent"
    assert "packets 0 " in other.run("nft list table inet t")
    node.filter(NOTHING_FILTERED)
    assert ask(guest, "A:other", server=str(gateways[0])) == ["silent"]
    assert "packets 0 " not in other.run("nft list table inet t")


def test_killed_service_restarts_with_its_documents(node: Node, plug: Plug) -> None:
    guest = plug(FIRST).configured()
    node.publish_metadata(metadata_of(FIRST, "first"))
    assert read(guest, within_s=PATIENCE_S) == "id-of-first"
    node.run("pkill -KILL -f agents.node.metadata")
    assert read(guest, within_s=PATIENCE_S) == "id-of-first"


def test_removed_network_leaves_nothing(node: Node, plug: Plug) -> None:
    guest = plug(FIRST).configured()
    node.publish_metadata(metadata_of(FIRST, "first"))
    assert read(guest, within_s=PATIENCE_S) == "id-of-first"
    guest.stop()
    node.remove(FIRST)
    replugged = plug(FIRST).configured()
    assert read(replugged, within_s=PATIENCE_S) == "id-of-first"


def test_one_guest_holds_eight_connections_and_others_are_answered(node: Node, plug: Plug) -> None:
    first, second = plug(FIRST).configured(), plug(SECOND, FIRST).configured()
    node.publish_metadata(metadata_of(SECOND, "second"))
    assert read(second, within_s=PATIENCE_S) == "id-of-second"
    with first.holding(ADDRESS, 80, at_most=20) as open_connections:
        assert open_connections == 8
        assert read(second) == "id-of-second"


def test_service_has_no_rights_and_no_network(node: Node, plug: Plug) -> None:
    """A process that answers has given its rights up; before that it reads nothing."""
    guest = plug(FIRST).configured()
    node.publish_metadata(metadata_of(FIRST, "first"))
    assert read(guest, within_s=PATIENCE_S) == "id-of-first"
    pid = node.run("pgrep -f agents.node.metadata").split()[0]
    status = dict(line.split(":", 1) for line in node.run(f"cat /proc/{pid}/status").splitlines())
    assert (status["Uid"].split(), status["CapEff"].strip(), status["Groups"].strip()) == (
        ["65534"] * 4,
        "0" * 16,
        "",
    )
    links = node.run(f"nsenter -t {pid} --net ip -o link").splitlines()
    assert [line.split(": ")[1] for line in links] == ["lo"]
