"""Traffic of filtered guests: on the real namespaces of two nodes around one switch, with root.

Guests `near` and `server` are on the first node, `far` on the second; all are in one network. IPv6 is let through the
anti-spoofing rules by hand, as long as networks have no IPv6 subnets.
"""

import os
import random
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

import pytest

from agents.lab.shell import wait_until
from agents.node.adapters.network import namespace_name
from agents.node.adapters.network_specs import PortSpec, bridge_name
from agents.node.adapters.port_filters import NOTHING_FILTERED, FilteredPort, PortFilters
from andromede_core.permits.security_group import Rule, SecurityGroup
from andromede_core.reachability.question import Traffic
from tests.agents.network import frames
from tests.agents.network.answers import reachable, reaches_address
from tests.agents.network.namespace_node import (
    BEYOND_IP,
    HERE,
    IPV4,
    IPV6,
    NODE_IP,
    Conversation,
    Guest,
    Node,
    a_network,
    a_port,
    joined,
)
from tests.agents.network.test_group_rules import an_id
from tests.agents.network.test_overlay import segment

pytestmark = pytest.mark.lab
NETWORK = a_network(1, IPV4, IPV6)
SERVER, NEAR, FAR, BESIDE = (a_port(NETWORK, number) for number in range(4))
WEB, OTHER = 8080, 8081
GROUP, FRIENDS, MORE = an_id(10), an_id(11), an_id(12)
ALL_OUT = (Rule(an_id(1), "out", "ipv4", "any"), Rule(an_id(2), "out", "ipv6", "any"))


def ipv6(port: PortSpec) -> IPv6Address:
    (address,) = port.of_family(6)
    assert isinstance(address, IPv6Address)
    return address


def a_group(*rules: Rule, group: str = GROUP, members: tuple[PortSpec, ...] = ()) -> SecurityGroup:
    addresses = tuple(address for port in members for address in port.addresses)
    return SecurityGroup("fr-par-1", group, 1, rules, {str(NETWORK.id): addresses})


def allowing(
    direction: str = "in", family: str = "ipv4", protocol: str = "tcp", number: int = 100, **more: Any
) -> Rule:
    return Rule(an_id(number), direction, family, protocol, **more)


def filtered(port: PortSpec, *groups: SecurityGroup, peers: tuple[SecurityGroup, ...] = ()) -> PortFilters:
    ids = tuple(group.group for group in groups)
    return PortFilters((FilteredPort(port, (port.mac,), ids),), {group.group: group for group in (*groups, *peers)})


@dataclass
class Place:
    """Two nodes, and guests on them."""

    nodes: list[Node]
    server: Guest
    near: Guest
    far: Guest
    filters: dict[int, PortFilters] = field(default_factory=dict)

    def filter(self, filters: PortFilters, number: int = 1) -> None:
        assert self.nodes[number - 1].filter(filters) == ""
        self.filters[number] = filters

    def expected(self, *guests: Guest, port: PortSpec = SERVER) -> list[set[str]]:
        """Return what of the port each guest reaches by the answer that users get (andromede_core.reachability)."""
        filters = self.filters.values()
        return [reachable(filters, guest.port, port, web=WEB, other=OTHER) for guest in guests]

    @property
    def guests(self) -> tuple[Guest, ...]:
        return self.server, self.near, self.far

    @contextmanager
    def serving(self, *ports: int) -> Iterator[None]:
        """Listen on the server, at both of its addresses."""
        with ExitStack() as stack:
            for port in ports:
                for host in (SERVER.ip, ipv6(SERVER)):
                    stack.enter_context(self.nodes[0].server(port, namespace=self.server.name, host=str(host)))
            yield


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if os.geteuid() != 0:
        pytest.skip("namespaces need root")
    nodes = [Node(tmp_path_factory.mktemp(f"node{number}")) for number in range(2)]
    try:
        with joined(nodes):
            server, near = _start(nodes, 1, "server", SERVER), _start(nodes, 1, "near", NEAR, SERVER)
            place = Place(nodes, server, near, _start(nodes, 2, "far", FAR))
            with place.serving(WEB, OTHER):
                yield place
    finally:
        for node in nodes:
            node.close()


@pytest.fixture
def place(built: Place) -> Iterator[Place]:
    yield built
    for number in range(len(built.nodes)):
        built.filter(NOTHING_FILTERED, number + 1)


def _start(nodes: list[Node], number: int, name: str, port: PortSpec, *others: PortSpec) -> Guest:
    node = nodes[number - 1]
    node.ensure(port, *others)
    assert node.connect(NETWORK, segment(number, 3 - number)) == ""
    guest = Guest(node, name, port).start()
    guest.run(f"ip link set eth0 mtu {NETWORK.mtu}")
    return guest.configured()


def reached(*guests: Guest, port: PortSpec = SERVER) -> list[set[str]]:
    """Return what of the port each guest reaches: web4, other4, ping4, web6, other6, ping6."""
    targets: dict[str, str] = {}
    for family, address in ((4, port.ip), (6, ipv6(port))):
        targets |= {f"[{address}]:{WEB}": f"web{family}", f"[{address}]:{OTHER}": f"other{family}"}
        targets[str(address)] = f"ping{family}"

    def probe(guest: Guest) -> set[str]:
        return {
            targets[each]
            for each in guest.run(f"{sys.executable} {HERE / 'peers.py'} probe {' '.join(targets)}").split()
        }

    with ThreadPoolExecutor(len(guests)) as pool:
        return list(pool.map(probe, guests))


EVERYTHING = {f"{what}{family}" for what in ("web", "other", "ping") for family in (4, 6)}


# ---- which packets pass

ICMP, ECHO = {"ipv4": "icmp", "ipv6": "icmpv6"}, {"ipv4": 8, "ipv6": 128}
INSIDERS = {"ipv4": IPV4.cidr, "ipv6": IPV6.cidr}
OUTSIDERS = {"ipv4": ip_network("192.0.2.0/24"), "ipv6": ip_network("2001:db8::/32")}
PEERS = (a_group(group=FRIENDS, members=(NEAR, FAR)), a_group(group=MORE, members=(SERVER,)))


def icmp(family: str, kind: int | None = None, code: int | None = None) -> Rule:
    return allowing("in", family, ICMP[family], icmp=None if kind is None else (kind, code))


# By name: rules of each family, and what they allow of it.
CASES: dict[str, tuple[Callable[[str], list[Rule]], str]] = {
    "no rule": (lambda family: [], ""),
    "its port": (lambda family: [allowing("in", family, ports=(WEB, WEB))], "web"),
    "a range of ports": (lambda family: [allowing("in", family, ports=(8000, WEB))], "web"),
    "ranges that overlap": (
        lambda family: [
            allowing("in", family, ports=(1, 65535), cidrs=(OUTSIDERS[family],)),
            allowing("in", family, ports=(WEB, WEB), number=101),
        ],
        "web",
    ),
    "a range within a range": (
        lambda family: [
            allowing("in", family, ports=(8000, 8100)),
            allowing("in", family, ports=(WEB, WEB), number=101),
        ],
        "web other",
    ),
    "the protocol": (lambda family: [allowing("in", family)], "web other"),
    "any protocol": (lambda family: [allowing("in", family, "any")], "web other ping"),
    "another protocol": (lambda family: [allowing("in", family, "udp")], ""),
    "another direction": (lambda family: [allowing("out", family, "any")], ""),
    "ranges with the peers": (
        lambda family: [allowing("in", family, ports=(WEB, WEB), cidrs=(OUTSIDERS[family], INSIDERS[family]))],
        "web",
    ),
    "a range without the peers": (lambda family: [allowing("in", family, cidrs=(OUTSIDERS[family],))], ""),
    "echo requests": (lambda family: [icmp(family, ECHO[family])], "ping"),
    "echo requests of code 0": (lambda family: [icmp(family, ECHO[family], 0)], "ping"),
    "another type": (lambda family: [icmp(family, 3)], ""),
    "all types": (lambda family: [icmp(family)], "ping"),
    "a port of the group": (lambda family: [allowing("in", family, ports=(OTHER, OTHER), group=FRIENDS)], "other"),
    "any protocol of the group": (lambda family: [allowing("in", family, "any", group=FRIENDS)], "web other ping"),
    "another group": (lambda family: [allowing("in", family, "any", group=MORE)], ""),
}


@pytest.mark.parametrize("name", CASES)
def test_port_receives_what_its_groups_allow(place: Place, name: str) -> None:
    rules, allowed = CASES[name]
    place.filter(filtered(SERVER, a_group(*rules("ipv4"), *rules("ipv6")), peers=PEERS))
    expected = {f"{what}{family}" for what in allowed.split() for family in (4, 6)}
    assert reached(place.near, place.far) == [expected, expected]
    assert place.expected(place.near, place.far) == [expected, expected]


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_rule_is_for_one_family(place: Place, family: str) -> None:
    place.filter(filtered(SERVER, a_group(allowing("in", family, "any"))))
    expected = {each for each in EVERYTHING if each.endswith(family[-1])}
    assert reached(place.near, place.far) == [expected, expected]


def test_port_sends_what_its_groups_allow(place: Place) -> None:
    out = [allowing("out", family, ports=(WEB, WEB)) for family in ("ipv4", "ipv6")]
    group = a_group(*out, allowing("in", "ipv4", "any"), allowing("in", "ipv6", "any"))
    place.filter(filtered(NEAR, group))
    place.filter(filtered(FAR, group), number=2)
    assert reached(place.near, place.far) == [{"web4", "web6"}, {"web4", "web6"}]
    assert place.expected(place.near, place.far) == [{"web4", "web6"}, {"web4", "web6"}]


def test_replies_pass_without_a_rule(place: Place) -> None:
    place.filter(filtered(NEAR, a_group(*ALL_OUT)))
    assert reached(place.near) == [EVERYTHING]
    assert reached(place.server, port=NEAR) == [set()]


@pytest.mark.parametrize("family", [4, 6])
def test_fragments_pass_as_whole_packets(place: Place, family: int) -> None:
    echo = icmp("ipv4", 8) if family == 4 else icmp("ipv6", 128)
    place.filter(filtered(SERVER, a_group(echo)))
    target = SERVER.ip if family == 4 else ipv6(SERVER)
    for guest in (place.near, place.far):
        assert "1 received" in guest.run(f"ping -c 1 -W 1 -s 4000 {target}", check=False)


def test_both_ports_must_allow_a_packet(place: Place) -> None:
    silent, open_ = a_group(), a_group(allowing(), *ALL_OUT, group=MORE)
    both = replace(
        filtered(SERVER, open_, peers=(silent,)),
        ports=(FilteredPort(SERVER, (SERVER.mac,), (MORE,)), FilteredPort(NEAR, (NEAR.mac,), (GROUP,))),
    )
    place.filter(both)
    assert reached(place.near, place.far) == [set(), {"web4", "other4"}]


def test_several_groups_of_a_port_add_up(place: Place) -> None:
    place.filter(
        filtered(SERVER, a_group(allowing(ports=(WEB, WEB))), a_group(allowing(ports=(OTHER, OTHER)), group=MORE))
    )
    assert reached(place.far) == [{"web4", "other4"}]


@pytest.mark.parametrize("seed", range(2))
def test_answer_says_what_packets_do(place: Place, seed: int) -> None:
    """Random groups at all three ports: "is it reachable?" answers for each pair as nftables judges its packets."""
    chance = random.Random(seed)
    groups = {name: a_group(*_random_rules(chance), group=name) for name in (GROUP, FRIENDS, MORE)}
    names = {guest.port.id: tuple(each for each in groups if chance.random() < 0.6) for guest in place.guests}
    members = {name: tuple(guest.port for guest in place.guests if name in names[guest.port.id]) for name in groups}
    known = {name: a_group(*group.rules, group=name, members=members[name]) for name, group in groups.items()}
    for number, here in ((1, (SERVER, NEAR)), (2, (FAR,))):
        ports = tuple(FilteredPort(port, (port.mac,), names[port.id]) for port in here)
        place.filter(PortFilters(ports, known), number)
    assert reached(place.near, place.far) == place.expected(place.near, place.far)
    for port in (NEAR, FAR):  # only the server listens: the others answer pings
        (seen,), (said,) = reached(place.server, port=port), place.expected(place.server, port=port)
        assert seen == {each for each in said if each.startswith("ping")}


def _random_rules(chance: random.Random) -> list[Rule]:
    def one(number: int) -> Rule:
        family = chance.choice(["ipv4", "ipv6"])
        protocol = chance.choice(["any", "tcp", "udp", ICMP[family]])
        more: dict[str, Any] = {}
        if protocol == "tcp":
            more["ports"] = chance.choice([None, (WEB, WEB), (OTHER, 9000), (1, WEB)])
        if protocol == ICMP[family]:
            more["icmp"] = chance.choice([None, (ECHO[family], None), (ECHO[family], 0), (3, None)])
        peer = chance.choice(["any", "any", "cidrs", "group"])
        if peer == "cidrs":
            more["cidrs"] = (chance.choice([INSIDERS[family], OUTSIDERS[family]]),)
        if peer == "group":
            more["group"] = chance.choice([GROUP, FRIENDS, MORE])
        return allowing(chance.choice(["in", "out"]), family, protocol, number, **more)

    return [one(100 + number) for number in range(chance.randrange(6, 14))]


def test_gateway_is_a_peer_and_the_way_out_is_filtered(place: Place) -> None:
    node = place.nodes[0]
    with node.server(WEB, namespace="outside"):
        ways = ((str(IPV4.gateway_ip), Traffic("icmp")), (BEYOND_IP, Traffic("tcp", WEB)))
        place.filter(filtered(SERVER, a_group()))
        assert not place.server.pings(IPV4.gateway_ip)
        assert place.server.call(BEYOND_IP, WEB) == "silent"
        assert [reaches_address(place.filters.values(), SERVER, *way) for way in ways] == [False, False]
        place.filter(filtered(SERVER, a_group(*ALL_OUT)))
        assert place.server.pings(IPV4.gateway_ip)
        assert place.server.call(BEYOND_IP, WEB) == "open"
        assert [reaches_address(place.filters.values(), SERVER, *way) for way in ways] == [True, True]
        # The gateway refuses connections, and the answer too.
        assert place.server.call(IPV4.gateway_ip, WEB) == "silent"
        assert not reaches_address(place.filters.values(), SERVER, str(IPV4.gateway_ip), Traffic("tcp", WEB))
    assert "1 received" not in node.run(
        f"ping -c 1 -W 1 {SERVER.ip}", namespace=namespace_name(NETWORK.id), check=False
    )


def test_tunnel_of_the_node_passes_without_a_rule(place: Place) -> None:
    place.filter(filtered(SERVER, a_group()))
    asked = f"{sys.executable} {HERE / 'peers.py'} ask {SERVER.ip} {WEB}"
    assert place.nodes[0].run(asked, namespace=namespace_name(NETWORK.id)).strip() == "open"


def test_dhcp_and_neighbours_work_without_a_rule(place: Place) -> None:
    """DHCP replaces the address; the neighbour must be found by ARP and by neighbour discovery again."""
    place.filter(filtered(NEAR, a_group()))
    place.near.run("ip neigh flush dev eth0")
    assert place.near.dhcp()["ip"] == str(NEAR.ip)
    place.near.run(f"ip addr replace {ipv6(NEAR)}/64 dev eth0 nodad")
    assert reached(place.near) == [set()]
    found = {line.split()[0] for line in place.near.run("ip neigh show").splitlines() if "lladdr" in line}
    assert {str(SERVER.ip), str(ipv6(SERVER))} <= found
    place.filter(filtered(NEAR, a_group(*ALL_OUT)))
    assert reached(place.near) == [EVERYTHING]


def test_broadcasts_and_frames_to_other_addresses_reach_no_filtered_port(place: Place) -> None:
    place.filter(filtered(NEAR, a_group(*ALL_OUT)))
    text = b"not for you"
    aimed = frames.udp(SERVER.mac, SERVER.ip, ports=(9, 9), text=text, to=NEAR.mac)
    loud = frames.udp(SERVER.mac, SERVER.ip, ports=(9, 9), text=text)
    last = frames.arp(SERVER.mac, SERVER.ip, NEAR.ip)
    with place.near.capturing(until=last) as seen:
        place.server.send(aimed, loud, last)
    assert last.hex() in seen
    assert not any(text.hex() in frame for frame in seen)


# ---- changes


def test_removed_rule_ends_its_open_connection_and_no_other(place: Place) -> None:
    web, other = allowing(ports=(WEB, WEB)), allowing(ports=(OTHER, OTHER), number=101)
    place.filter(filtered(SERVER, a_group(web, other)))
    with (
        place.near.conversation(SERVER.ip, WEB) as ended,
        place.far.conversation(SERVER.ip, WEB) as ended_too,
        place.far.conversation(SERVER.ip, OTHER) as kept,
    ):
        for conversation in (ended, ended_too, kept):
            assert conversation.seen_as() in (str(NEAR.ip), str(FAR.ip))
        place.filter(filtered(SERVER, a_group(other)))
        for conversation in (ended, ended_too):
            assert is_silent(place, conversation)
        assert kept.seen_as() == str(FAR.ip)
        place.filter(filtered(SERVER, a_group(web, other)))
        for conversation in (ended, ended_too):
            assert conversation.answer() in (str(NEAR.ip), str(FAR.ip))  # TCP sends it again


def is_silent(place: Place, conversation: Conversation) -> bool:
    """Ask, and wait until the rules have dropped a packet more."""
    before = dropped(place)
    conversation.ask()
    wait_until(lambda: dropped(place) > before, what="a dropped packet")
    return not conversation.has_answer()


def dropped(place: Place) -> int:
    tables = "".join(place.nodes[0].run(f"nft list table {family} andromede-groups") for family in ("inet", "bridge"))
    unnamed = sum(int(count) for count in re.findall(r"counter packets (\d+) bytes \d+ drop", tables))
    return unnamed + sum(place.nodes[0].counters(SERVER).group_dropped.values())


def test_member_that_joins_and_leaves_a_group(place: Place) -> None:
    server = a_group(*(allowing("in", family, ports=(WEB, WEB), group=FRIENDS) for family in ("ipv4", "ipv6")))
    web = {"web4", "web6"}
    for members, expected in (((), [set(), set()]), ((NEAR, FAR), [web, web]), ((NEAR,), [web, set()])):
        place.filter(filtered(SERVER, server, peers=(a_group(group=FRIENDS, members=members),)))
        assert reached(place.near, place.far) == expected


def test_connections_of_networks_with_equal_addresses_are_separate(place: Place) -> None:
    """A datagram is no reply to one of another network, though addresses and ports are those of a reply."""
    node, twin, text = place.nodes[0], a_network(2), b"an answer"
    asked, asking = a_port(twin, 0), a_port(twin, 1)
    assert (asked.ip, asking.ip) == (SERVER.ip, NEAR.ip)
    node.ensure(asked)
    node.ensure(asking, asked)
    silent, curious = Guest(node, "twin1", asked).start(), Guest(node, "twin2", asking).start()
    ports = tuple(FilteredPort(port, (port.mac,), (GROUP,)) for port in (SERVER, asked))
    place.filter(PortFilters(ports, {GROUP: a_group(allowing(protocol="udp"))}))
    place.near.send(frames.udp(NEAR.mac, NEAR.ip, ports=(4000, 53), to=SERVER.mac, target=SERVER.ip))
    answer = frames.udp(asked.mac, asked.ip, ports=(53, 4000), text=text, to=asking.mac, target=asking.ip)
    last = frames.arp(asked.mac, asked.ip, asking.ip)
    with curious.capturing(until=last) as seen:
        silent.send(answer, last)
    assert last.hex() in seen
    assert not any(text.hex() in frame for frame in seen)
    curious.send(frames.udp(asking.mac, asking.ip, ports=(4000, 53), to=asked.mac, target=asked.ip))
    with curious.capturing(until=last) as seen:
        silent.send(answer, last)
    assert any(text.hex() in frame for frame in seen)
    for guest, others in ((silent, [asking]), (curious, [])):
        guest.stop()
        node.remove(guest.port, *others)


def test_address_of_the_node_may_be_one_of_the_network(place: Place) -> None:
    """The node does not track connections to its own ssh server; those of guests at the same address it must."""
    node = place.nodes[0]
    node.run(f"ip addr add {SERVER.ip}/32 dev lo")
    try:
        place.filter(filtered(SERVER, a_group(allowing(ports=(22, 22)))))
        with node.server(22, namespace="server", host=str(SERVER.ip)):
            assert place.near.call(SERVER.ip, 22) == "open"
    finally:
        node.run(f"ip addr del {SERVER.ip}/32 dev lo")


# ---- missing documents, lost rules, limits


def test_port_without_its_documents_is_cut_off(place: Place) -> None:
    closed = PortFilters((FilteredPort(SERVER, (SERVER.mac,), None),))
    place.filter(filtered(SERVER, a_group(allowing(), *ALL_OUT)))
    with place.near.conversation(SERVER.ip, WEB) as conversation:
        assert conversation.seen_as() == str(NEAR.ip)
        place.filter(closed)
        assert is_silent(place, conversation)
        assert reached(place.far) == [set()] and not place.server.pings(IPV4.gateway_ip)
        place.server.run("ip neigh flush dev eth0")
        assert not place.server.pings(FAR.ip)


def test_port_is_filtered_before_its_first_packet(place: Place) -> None:
    """The rules exist before the bridge and the tap do."""
    node, network = place.nodes[0], a_network(3)
    first, second = a_port(network, 0), a_port(network, 1)
    place.filter(filtered(first, a_group()))
    node.ensure(first)
    node.ensure(second, first)
    guests = [Guest(node, f"new{number}", port).start() for number, port in enumerate((first, second))]
    for guest in guests:
        guest.run(f"ip addr add {guest.port.ip}/24 dev eth0")
    assert not guests[0].pings(second.ip)
    place.filter(NOTHING_FILTERED)
    assert guests[0].pings(second.ip)
    for guest, others in ((guests[0], [second]), (guests[1], [])):
        guest.stop()
        node.remove(guest.port, *others)


@pytest.mark.parametrize(
    "damage",
    [
        "nft flush ruleset",
        "nft delete table inet andromede-groups",
        "nft flush table inet andromede-groups",
        "nft flush table bridge andromede-groups",
        f'nft delete element inet andromede-groups to {{ "{bridge_name(NETWORK.id)}" . {SERVER.mac} }}',
    ],
)
def test_lost_rules_come_back(place: Place, damage: str) -> None:
    node = place.nodes[0]
    place.filter(filtered(SERVER, a_group(allowing(ports=(WEB, WEB)))))
    node.keep_rules()
    before = node.run("nft --stateless list table inet andromede-groups")
    with place.near.conversation(SERVER.ip, WEB) as conversation:
        node.run(damage.replace('"', ""))
        node.keep_rules()
        assert "were gone or changed" in node.problems().rules
        assert node.run("nft --stateless list table inet andromede-groups") == before
        assert conversation.seen_as() == str(NEAR.ip)
    assert reached(place.near) == [{"web4"}]


def test_change_after_a_loss_restores_the_other_rules_too(place: Place) -> None:
    node, rule = place.nodes[0], allowing(ports=(WEB, WEB))
    node.restart_agent([SERVER, NEAR], {NETWORK.id: segment(1, 2)})
    place.filter(filtered(SERVER, a_group(rule)))
    assert "were gone" not in node.problems().rules
    node.run("nft flush table inet andromede-groups")
    place.filter(filtered(SERVER, a_group(rule, allowing(ports=(OTHER, OTHER), number=101))))
    assert reached(place.near) == [{"web4", "other4"}]
    assert "were gone" in node.problems().rules


def test_guard_restores_flushed_rules_by_itself(place: Place) -> None:
    node = place.nodes[0]
    place.filter(filtered(SERVER, a_group()))
    node.guard()
    try:
        node.run("nft flush ruleset")
        wait_until(lambda: "ports_in_" in node.run("nft list ruleset"), what="the rules of the port")
        assert reached(place.near) == [set()]
    finally:
        node.restart_agent([SERVER, NEAR])
        assert node.connect(NETWORK, segment(1, 2)) == ""


def test_change_writes_no_rule_that_stays(place: Place) -> None:
    """The handles of the other rules and of the tables stay the same."""
    node, rule = place.nodes[0], allowing(ports=(WEB, WEB), group=FRIENDS)
    listing = "nft -a --stateless list table inet andromede-groups"

    def handles(members: tuple[PortSpec, ...]) -> list[str]:
        place.filter(filtered(SERVER, a_group(rule), peers=(a_group(group=FRIENDS, members=members),)))
        return [line for line in node.run(listing).splitlines() if "# handle" in line]

    assert handles((NEAR,)) == handles((NEAR, FAR))
    assert place.far.call(SERVER.ip, WEB) == "open"


def test_bridge_without_filtered_ports_has_no_hooks(place: Place) -> None:
    node = place.nodes[0]
    link = f"ip -d link show {bridge_name(NETWORK.id)}"
    assert "nf_call_iptables 0 nf_call_ip6tables 0" in node.run(link)
    assert "andromede-groups" not in node.run("nft list ruleset")
    place.filter(filtered(SERVER, a_group()))
    assert "nf_call_iptables 1 nf_call_ip6tables 1" in node.run(link)
    assert node.run("sysctl -n net.bridge.bridge-nf-call-iptables").strip() == "0"
    place.filter(NOTHING_FILTERED)
    assert "nf_call_iptables 0 nf_call_ip6tables 0" in node.run(link)
    assert "andromede-groups" not in node.run("nft list ruleset")


def test_unknown_device_in_a_filtered_bridge_does_not_reach_the_node(place: Place) -> None:
    """Its packets pass the node's hooks; they are neither taken nor forwarded."""
    node, bridge = place.nodes[0], bridge_name(NETWORK.id)
    place.filter(filtered(SERVER, a_group(allowing(protocol="any"), *ALL_OUT)))
    stray = Guest(node, "stray", a_port(NETWORK, 9, mac="52:54:00:00:00:99")).start()
    mac = node.run(f"cat /sys/class/net/{bridge}/address").strip()
    node.run("nft add table ip probe")
    for hook, match in (("input", f"iifname {bridge}"), ("forward", f"iifname {bridge} oifname != {bridge}")):
        node.run(f"nft add chain ip probe {hook} {{ type filter hook {hook} priority 10 ; }}")
        node.run(f"nft add rule ip probe {hook} {match} counter")
    try:
        last = frames.arp(NEAR.mac, NEAR.ip, SERVER.ip)
        with place.server.capturing(until=last):
            for target in (NODE_IP, BEYOND_IP):
                source = stray.port.ip
                stray.send(frames.udp(stray.port.mac, source, ports=(9, 9), to=mac, target=IPv4Address(target)))
            place.near.send(last)
        assert node.run("nft list table ip probe").count("packets 0 ") == 2
    finally:
        node.run("nft delete table ip probe")
        stray.stop()


def test_open_connections_between_guests_are_limited(place: Place) -> None:
    node = place.nodes[0]
    node.restart_agent([SERVER, NEAR], {NETWORK.id: segment(1, 2)}, connections=20)
    try:
        place.filter(filtered(SERVER, a_group(allowing(), *ALL_OUT)))
        with place.near.holding(SERVER.ip, WEB, at_most=40) as count:
            assert count == 20
    finally:
        place.filter(NOTHING_FILTERED)
        node.restart_agent([SERVER, NEAR], {NETWORK.id: segment(1, 2)})


def test_connections_outlive_a_start_of_the_agent(place: Place) -> None:
    node, filters = place.nodes[0], filtered(SERVER, a_group(allowing(ports=(WEB, WEB))))
    place.filter(filters)
    with place.near.conversation(SERVER.ip, WEB) as conversation:
        assert conversation.seen_as() == str(NEAR.ip)
        node.restart_agent([SERVER, NEAR], {NETWORK.id: segment(1, 2)}, filters)
        assert conversation.seen_as() == str(NEAR.ip)
    assert reached(place.near) == [{"web4"}]


def test_ports_with_different_groups_cannot_share_a_mac(place: Place) -> None:
    virtual = "00:00:5e:00:01:07"
    ports = (FilteredPort(SERVER, (SERVER.mac, virtual), (GROUP,)), FilteredPort(NEAR, (NEAR.mac, virtual), (MORE,)))
    groups = {GROUP: a_group(allowing()), MORE: a_group(group=MORE)}
    assert virtual in place.nodes[0].filter(PortFilters(ports, groups))
    assert place.far.call(SERVER.ip, WEB) == "open"
    same = tuple(replace(port, groups=(GROUP,)) for port in ports)
    assert place.nodes[0].filter(PortFilters(same, groups)) == ""
