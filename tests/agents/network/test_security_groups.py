"""Traffic of filtered guests: on the real namespaces of two nodes around one switch, with root.

Guests `near` and `server` are on the first node, `far` on the second; all are in one network. IPv6 is let through the
anti-spoofing rules by hand, as long as networks have no IPv6 subnets.
"""

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
    joined_nodes,
)
from tests.agents.network.test_group_rules import an_id
from tests.agents.network.test_overlay import segment

pytestmark = pytest.mark.lab
NETWORK = a_network(1, IPV4, IPV6)
SERVER, NEAR, FAR, NEIGHBOUR = (a_port(NETWORK, number) for number in range(4))
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
class Scenario:
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
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    with joined_nodes(tmp_path_factory.mktemp("nodes"), 2) as nodes:
        server, near = start_guest(nodes, 1, "server", SERVER), start_guest(nodes, 1, "near", NEAR, SERVER)
        scenario = Scenario(nodes, server, near, start_guest(nodes, 2, "far", FAR))
        with scenario.serving(WEB, OTHER):
            yield scenario


@pytest.fixture
def scenario(built: Scenario) -> Iterator[Scenario]:
    yield built
    for number in range(len(built.nodes)):
        built.filter(NOTHING_FILTERED, number + 1)


def start_guest(nodes: list[Node], number: int, name: str, port: PortSpec, *others: PortSpec) -> Guest:
    """Ensure the port on the node with this number, 1 or 2, and start a guest on it."""
    node = nodes[number - 1]
    node.ensure(port, *others)
    assert node.connect(port.network, segment(number, 3 - number)) == ""
    guest = Guest(node, name, port).start()
    guest.run(f"ip link set eth0 mtu {port.network.mtu}")
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
def test_port_receives_what_its_groups_allow(scenario: Scenario, name: str) -> None:
    rules, allowed = CASES[name]
    scenario.filter(filtered(SERVER, a_group(*rules("ipv4"), *rules("ipv6")), peers=PEERS))
    expected = {f"{what}{family}" for what in allowed.split() for family in (4, 6)}
    assert reached(scenario.near, scenario.far) == [expected, expected]
    assert scenario.expected(scenario.near, scenario.far) == [expected, expected]


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_rule_is_for_one_family(scenario: Scenario, family: str) -> None:
    scenario.filter(filtered(SERVER, a_group(allowing("in", family, "any"))))
    expected = {each for each in EVERYTHING if each.endswith(family[-1])}
    assert reached(scenario.near, scenario.far) == [expected, expected]


def test_port_sends_what_its_groups_allow(scenario: Scenario) -> None:
    out = [allowing("out", family, ports=(WEB, WEB)) for family in ("ipv4", "ipv6")]
    group = a_group(*out, allowing("in", "ipv4", "any"), allowing("in", "ipv6", "any"))
    scenario.filter(filtered(NEAR, group))
    scenario.filter(filtered(FAR, group), number=2)
    assert reached(scenario.near, scenario.far) == [{"web4", "web6"}, {"web4", "web6"}]
    assert scenario.expected(scenario.near, scenario.far) == [{"web4", "web6"}, {"web4", "web6"}]


def test_replies_pass_without_a_rule(scenario: Scenario) -> None:
    scenario.filter(filtered(NEAR, a_group(*ALL_OUT)))
    assert reached(scenario.near) == [EVERYTHING]
    assert reached(scenario.server, port=NEAR) == [set()]


@pytest.mark.parametrize("family", [4, 6])
def test_fragments_pass_as_whole_packets(scenario: Scenario, family: int) -> None:
    echo = icmp("ipv4", 8) if family == 4 else icmp("ipv6", 128)
    scenario.filter(filtered(SERVER, a_group(echo)))
    target = SERVER.ip if family == 4 else ipv6(SERVER)
    for guest in (scenario.near, scenario.far):
        assert "1 received" in guest.run(f"ping -c 1 -W 1 -s 4000 {target}", check=False)


def test_both_ports_must_allow_a_packet(scenario: Scenario) -> None:
    silent, open_ = a_group(), a_group(allowing(), *ALL_OUT, group=MORE)
    both = replace(
        filtered(SERVER, open_, peers=(silent,)),
        ports=(FilteredPort(SERVER, (SERVER.mac,), (MORE,)), FilteredPort(NEAR, (NEAR.mac,), (GROUP,))),
    )
    scenario.filter(both)
    assert reached(scenario.near, scenario.far) == [set(), {"web4", "other4"}]


def test_several_groups_of_a_port_add_up(scenario: Scenario) -> None:
    scenario.filter(
        filtered(SERVER, a_group(allowing(ports=(WEB, WEB))), a_group(allowing(ports=(OTHER, OTHER)), group=MORE))
    )
    assert reached(scenario.far) == [{"web4", "other4"}]


@pytest.mark.parametrize("seed", range(2))
def test_answer_agrees_with_real_packets(scenario: Scenario, seed: int) -> None:
    """Random groups at all three ports: "is it reachable?" answers for each pair as nftables judges its packets."""
    chance = random.Random(seed)
    groups = {name: a_group(*_random_rules(chance), group=name) for name in (GROUP, FRIENDS, MORE)}
    names = {guest.port.id: tuple(each for each in groups if chance.random() < 0.6) for guest in scenario.guests}
    members = {name: tuple(guest.port for guest in scenario.guests if name in names[guest.port.id]) for name in groups}
    known = {name: a_group(*group.rules, group=name, members=members[name]) for name, group in groups.items()}
    for number, here in ((1, (SERVER, NEAR)), (2, (FAR,))):
        ports = tuple(FilteredPort(port, (port.mac,), names[port.id]) for port in here)
        scenario.filter(PortFilters(ports, known), number)
    assert reached(scenario.near, scenario.far) == scenario.expected(scenario.near, scenario.far)
    for port in (NEAR, FAR):  # only the server listens: the others answer pings
        (observed,), (expected,) = reached(scenario.server, port=port), scenario.expected(scenario.server, port=port)
        assert observed == {each for each in expected if each.startswith("ping")}


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


def test_gateway_is_a_peer_and_the_way_out_is_filtered(scenario: Scenario) -> None:
    node = scenario.nodes[0]
    with node.server(WEB, namespace="outside"):
        ways = ((str(IPV4.gateway_ip), Traffic("icmp")), (BEYOND_IP, Traffic("tcp", WEB)))
        scenario.filter(filtered(SERVER, a_group()))
        assert not scenario.server.pings(IPV4.gateway_ip)
        assert scenario.server.call(BEYOND_IP, WEB) == "silent"
        assert [reaches_address(scenario.filters.values(), SERVER, *way) for way in ways] == [False, False]
        scenario.filter(filtered(SERVER, a_group(*ALL_OUT)))
        assert scenario.server.pings(IPV4.gateway_ip)
        assert scenario.server.call(BEYOND_IP, WEB) == "open"
        assert [reaches_address(scenario.filters.values(), SERVER, *way) for way in ways] == [True, True]
        # The gateway refuses connections, and the answer too.
        assert scenario.server.call(IPV4.gateway_ip, WEB) == "silent"
        assert not reaches_address(scenario.filters.values(), SERVER, str(IPV4.gateway_ip), Traffic("tcp", WEB))
    assert "1 received" not in node.run(
        f"ping -c 1 -W 1 {SERVER.ip}", namespace=namespace_name(NETWORK.id), check=False
    )


def test_tunnel_of_the_node_passes_without_a_rule(scenario: Scenario) -> None:
    scenario.filter(filtered(SERVER, a_group()))
    command = f"{sys.executable} {HERE / 'peers.py'} ask {SERVER.ip} {WEB}"
    assert scenario.nodes[0].run(command, namespace=namespace_name(NETWORK.id)).strip() == "open"


def test_dhcp_and_neighbours_work_without_a_rule(scenario: Scenario) -> None:
    """DHCP replaces the address; the neighbour must be found by ARP and by neighbour discovery again."""
    scenario.filter(filtered(NEAR, a_group()))
    scenario.near.run("ip neigh flush dev eth0")
    assert scenario.near.dhcp()["ip"] == str(NEAR.ip)
    scenario.near.run(f"ip addr replace {ipv6(NEAR)}/64 dev eth0 nodad")
    assert reached(scenario.near) == [set()]
    neighbours = {line.split()[0] for line in scenario.near.run("ip neigh show").splitlines() if "lladdr" in line}
    assert {str(SERVER.ip), str(ipv6(SERVER))} <= neighbours
    scenario.filter(filtered(NEAR, a_group(*ALL_OUT)))
    assert reached(scenario.near) == [EVERYTHING]


def test_broadcasts_and_frames_to_other_addresses_reach_no_filtered_port(scenario: Scenario) -> None:
    scenario.filter(filtered(NEAR, a_group(*ALL_OUT)))
    text = b"not for you"
    aimed = frames.udp(SERVER.mac, SERVER.ip, ports=(9, 9), text=text, to=NEAR.mac)
    loud = frames.udp(SERVER.mac, SERVER.ip, ports=(9, 9), text=text)
    last = frames.arp(SERVER.mac, SERVER.ip, NEAR.ip)
    with scenario.near.capturing(until=last) as captured:
        scenario.server.send(aimed, loud, last)
    assert last.hex() in captured
    assert not any(text.hex() in frame for frame in captured)


# ---- changes


def test_removed_rule_ends_its_open_connection_and_no_other(scenario: Scenario) -> None:
    web, other = allowing(ports=(WEB, WEB)), allowing(ports=(OTHER, OTHER), number=101)
    scenario.filter(filtered(SERVER, a_group(web, other)))
    with (
        scenario.near.conversation(SERVER.ip, WEB) as ended,
        scenario.far.conversation(SERVER.ip, WEB) as ended_too,
        scenario.far.conversation(SERVER.ip, OTHER) as other_connection,
    ):
        for conversation in (ended, ended_too, other_connection):
            assert conversation.seen_as() in (str(NEAR.ip), str(FAR.ip))
        scenario.filter(filtered(SERVER, a_group(other)))
        for conversation in (ended, ended_too):
            assert is_silent(scenario, conversation)
        assert other_connection.seen_as() == str(FAR.ip)
        scenario.filter(filtered(SERVER, a_group(web, other)))
        for conversation in (ended, ended_too):
            assert conversation.answer() in (str(NEAR.ip), str(FAR.ip))  # TCP sends it again


def is_silent(scenario: Scenario, conversation: Conversation) -> bool:
    """Ask, and wait until the rules have dropped a packet more."""
    before = dropped(scenario)
    conversation.ask()
    wait_until(lambda: dropped(scenario) > before, what="a dropped packet")
    return not conversation.has_answer()


def dropped(scenario: Scenario) -> int:
    tables = "".join(
        scenario.nodes[0].run(f"nft list table {family} andromede-groups") for family in ("inet", "bridge")
    )
    unnamed = sum(int(count) for count in re.findall(r"counter packets (\d+) bytes \d+ drop", tables))
    return unnamed + sum(scenario.nodes[0].counters(SERVER).group_dropped.values())


def test_member_that_joins_and_leaves_a_group(scenario: Scenario) -> None:
    server = a_group(*(allowing("in", family, ports=(WEB, WEB), group=FRIENDS) for family in ("ipv4", "ipv6")))
    web = {"web4", "web6"}
    for members, expected in (((), [set(), set()]), ((NEAR, FAR), [web, web]), ((NEAR,), [web, set()])):
        scenario.filter(filtered(SERVER, server, peers=(a_group(group=FRIENDS, members=members),)))
        assert reached(scenario.near, scenario.far) == expected


def test_connections_of_networks_with_equal_addresses_are_separate(scenario: Scenario) -> None:
    """A datagram is no reply to one of another network, though addresses and ports are those of a reply."""
    node, twin, text = scenario.nodes[0], a_network(2), b"an answer"
    server_port, client_port = a_port(twin, 0), a_port(twin, 1)
    assert (server_port.ip, client_port.ip) == (SERVER.ip, NEAR.ip)
    node.ensure(server_port)
    node.ensure(client_port, server_port)
    silent, curious = Guest(node, "twin1", server_port).start(), Guest(node, "twin2", client_port).start()
    ports = tuple(FilteredPort(port, (port.mac,), (GROUP,)) for port in (SERVER, server_port))
    scenario.filter(PortFilters(ports, {GROUP: a_group(allowing(protocol="udp"))}))
    scenario.near.send(frames.udp(NEAR.mac, NEAR.ip, ports=(4000, 53), to=SERVER.mac, target=SERVER.ip))
    answer = frames.udp(
        server_port.mac, server_port.ip, ports=(53, 4000), text=text, to=client_port.mac, target=client_port.ip
    )
    last = frames.arp(server_port.mac, server_port.ip, client_port.ip)
    with curious.capturing(until=last) as captured:
        silent.send(answer, last)
    assert last.hex() in captured
    assert not any(text.hex() in frame for frame in captured)
    curious.send(
        frames.udp(client_port.mac, client_port.ip, ports=(4000, 53), to=server_port.mac, target=server_port.ip)
    )
    with curious.capturing(until=last) as captured:
        silent.send(answer, last)
    assert any(text.hex() in frame for frame in captured)
    for guest, others in ((silent, [client_port]), (curious, [])):
        guest.stop()
        node.remove(guest.port, *others)


def test_address_of_the_node_may_be_one_of_the_network(scenario: Scenario) -> None:
    """The node does not track connections to its own ssh server; those of guests at the same address it must."""
    node = scenario.nodes[0]
    node.run(f"ip addr add {SERVER.ip}/32 dev lo")
    try:
        scenario.filter(filtered(SERVER, a_group(allowing(ports=(22, 22)))))
        with node.server(22, namespace="server", host=str(SERVER.ip)):
            assert scenario.near.call(SERVER.ip, 22) == "open"
    finally:
        node.run(f"ip addr del {SERVER.ip}/32 dev lo")


# ---- missing documents, lost rules, limits


def test_port_without_its_documents_is_cut_off(scenario: Scenario) -> None:
    closed = PortFilters((FilteredPort(SERVER, (SERVER.mac,), None),))
    scenario.filter(filtered(SERVER, a_group(allowing(), *ALL_OUT)))
    with scenario.near.conversation(SERVER.ip, WEB) as conversation:
        assert conversation.seen_as() == str(NEAR.ip)
        scenario.filter(closed)
        assert is_silent(scenario, conversation)
        assert reached(scenario.far) == [set()] and not scenario.server.pings(IPV4.gateway_ip)
        scenario.server.run("ip neigh flush dev eth0")
        assert not scenario.server.pings(FAR.ip)


def test_port_is_filtered_before_its_first_packet(scenario: Scenario) -> None:
    """The rules exist before the bridge and the tap do."""
    node, network = scenario.nodes[0], a_network(3)
    first, second = a_port(network, 0), a_port(network, 1)
    scenario.filter(filtered(first, a_group()))
    node.ensure(first)
    node.ensure(second, first)
    guests = [Guest(node, f"new{number}", port).start() for number, port in enumerate((first, second))]
    for guest in guests:
        guest.run(f"ip addr add {guest.port.ip}/24 dev eth0")
    assert not guests[0].pings(second.ip)
    scenario.filter(NOTHING_FILTERED)
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
def test_lost_rules_are_restored(scenario: Scenario, damage: str) -> None:
    node = scenario.nodes[0]
    scenario.filter(filtered(SERVER, a_group(allowing(ports=(WEB, WEB)))))
    node.keep_rules()
    before = node.run("nft --stateless list table inet andromede-groups")
    with scenario.near.conversation(SERVER.ip, WEB) as conversation:
        node.run(damage.replace('"', ""))
        node.keep_rules()
        assert "were gone or changed" in node.problems().rules
        assert node.run("nft --stateless list table inet andromede-groups") == before
        assert conversation.seen_as() == str(NEAR.ip)
    assert reached(scenario.near) == [{"web4"}]


def test_change_after_a_loss_restores_the_other_rules_too(scenario: Scenario) -> None:
    node, rule = scenario.nodes[0], allowing(ports=(WEB, WEB))
    node.restart_agent([SERVER, NEAR], {NETWORK.id: segment(1, 2)})
    scenario.filter(filtered(SERVER, a_group(rule)))
    assert "were gone" not in node.problems().rules
    node.run("nft flush table inet andromede-groups")
    scenario.filter(filtered(SERVER, a_group(rule, allowing(ports=(OTHER, OTHER), number=101))))
    assert reached(scenario.near) == [{"web4", "other4"}]
    assert "were gone" in node.problems().rules


def test_guard_restores_flushed_rules_by_itself(scenario: Scenario) -> None:
    node = scenario.nodes[0]
    scenario.filter(filtered(SERVER, a_group()))
    node.guard()
    try:
        node.run("nft flush ruleset")
        wait_until(lambda: "ports_in_" in node.run("nft list ruleset"), what="the rules of the port")
        assert reached(scenario.near) == [set()]
    finally:
        node.restart_agent([SERVER, NEAR])
        assert node.connect(NETWORK, segment(1, 2)) == ""


def test_change_writes_no_rule_that_stays(scenario: Scenario) -> None:
    """The handles of the other rules and of the tables stay the same."""
    node, rule = scenario.nodes[0], allowing(ports=(WEB, WEB), group=FRIENDS)
    listing = "nft -a --stateless list table inet andromede-groups"

    def handles(members: tuple[PortSpec, ...]) -> list[str]:
        scenario.filter(filtered(SERVER, a_group(rule), peers=(a_group(group=FRIENDS, members=members),)))
        return [line for line in node.run(listing).splitlines() if "# handle" in line]

    assert handles((NEAR,)) == handles((NEAR, FAR))
    assert scenario.far.call(SERVER.ip, WEB) == "open"


def test_bridge_without_filtered_ports_has_no_hooks(scenario: Scenario) -> None:
    node = scenario.nodes[0]
    link = f"ip -d link show {bridge_name(NETWORK.id)}"
    assert "nf_call_iptables 0 nf_call_ip6tables 0" in node.run(link)
    assert "andromede-groups" not in node.run("nft list ruleset")
    scenario.filter(filtered(SERVER, a_group()))
    assert "nf_call_iptables 1 nf_call_ip6tables 1" in node.run(link)
    assert node.run("sysctl -n net.bridge.bridge-nf-call-iptables").strip() == "0"
    scenario.filter(NOTHING_FILTERED)
    assert "nf_call_iptables 0 nf_call_ip6tables 0" in node.run(link)
    assert "andromede-groups" not in node.run("nft list ruleset")


def test_unknown_device_in_a_filtered_bridge_does_not_reach_the_node(scenario: Scenario) -> None:
    """Its packets pass the node's hooks; they are neither taken nor forwarded."""
    node, bridge = scenario.nodes[0], bridge_name(NETWORK.id)
    scenario.filter(filtered(SERVER, a_group(allowing(protocol="any"), *ALL_OUT)))
    unknown = Guest(node, "unknown", a_port(NETWORK, 9, mac="52:54:00:00:00:99")).start()
    mac = node.run(f"cat /sys/class/net/{bridge}/address").strip()
    node.run("nft add table ip probe")
    for hook, match in (("input", f"iifname {bridge}"), ("forward", f"iifname {bridge} oifname != {bridge}")):
        node.run(f"nft add chain ip probe {hook} {{ type filter hook {hook} priority 10 ; }}")
        node.run(f"nft add rule ip probe {hook} {match} counter")
    try:
        last = frames.arp(NEAR.mac, NEAR.ip, SERVER.ip)
        with scenario.server.capturing(until=last):
            for target in (NODE_IP, BEYOND_IP):
                source = unknown.port.ip
                unknown.send(frames.udp(unknown.port.mac, source, ports=(9, 9), to=mac, target=IPv4Address(target)))
            scenario.near.send(last)
        assert node.run("nft list table ip probe").count("packets 0 ") == 2
    finally:
        node.run("nft delete table ip probe")
        unknown.stop()


def test_open_connections_between_guests_are_limited(scenario: Scenario) -> None:
    node = scenario.nodes[0]
    node.restart_agent([SERVER, NEAR], {NETWORK.id: segment(1, 2)}, connections=20)
    try:
        scenario.filter(filtered(SERVER, a_group(allowing(), *ALL_OUT)))
        with scenario.near.holding(SERVER.ip, WEB, at_most=40) as count:
            assert count == 20
        assert scenario.near.reopen(SERVER.ip, WEB, at_most=400) < 200  # closed ones, by their rate
    finally:
        scenario.filter(NOTHING_FILTERED)
        node.restart_agent([SERVER, NEAR], {NETWORK.id: segment(1, 2)})


def test_connections_outlive_a_start_of_the_agent(scenario: Scenario) -> None:
    node, filters = scenario.nodes[0], filtered(SERVER, a_group(allowing(ports=(WEB, WEB))))
    scenario.filter(filters)
    with scenario.near.conversation(SERVER.ip, WEB) as conversation:
        assert conversation.seen_as() == str(NEAR.ip)
        node.restart_agent([SERVER, NEAR], {NETWORK.id: segment(1, 2)}, filters)
        assert conversation.seen_as() == str(NEAR.ip)
    assert reached(scenario.near) == [{"web4"}]


def test_ports_with_different_groups_cannot_share_a_mac(scenario: Scenario) -> None:
    virtual = "00:00:5e:00:01:07"
    ports = (FilteredPort(SERVER, (SERVER.mac, virtual), (GROUP,)), FilteredPort(NEAR, (NEAR.mac, virtual), (MORE,)))
    groups = {GROUP: a_group(allowing()), MORE: a_group(group=MORE)}
    assert virtual in scenario.nodes[0].filter(PortFilters(ports, groups))
    assert scenario.far.call(SERVER.ip, WEB) == "open"
    same = tuple(replace(port, groups=(GROUP,)) for port in ports)
    assert scenario.nodes[0].filter(PortFilters(same, groups)) == ""
