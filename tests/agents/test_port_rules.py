"""Lists of ports and security groups at an agent: which documents it accepts, stores and applies."""

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any
from uuid import UUID

import grpc
import pytest

from agents.node.adapters.network_specs import HostName
from agents.node.adapters.port_filters import FilteredPort
from agents.node.errors import AdapterError
from agents.node.services.security_groups import MAX_DOCUMENT_BYTES, MAX_DOCUMENTS
from agents.protocol import agent_pb2 as pb
from andromede_core.documents.parsing import Malformed
from andromede_core.permits import network_ports
from andromede_core.permits.network_ports import AllowedAddress, Bandwidth, ListedPort, ListedSubnet
from andromede_core.permits.security_group import Rule
from andromede_core.permits.trust_documents import MAX_VERSION
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest, refusal
from tests.permits import SigningKey
from tests.pki import issue_controlplane

ME, ZONE, NETWORK = str(specs.NODE_ID), specs.ZONE, specs.NETWORK_ID
OTHER_NODE, OTHER_NETWORK = "01980000-0000-7000-8000-00000000a002", "01980000-0000-7000-8000-00000000b002"
GROUP, PEER, UNUSED = (f"01980000-0000-7000-8000-00000000d00{number}" for number in (1, 2, 3))
RULE = "01980000-0000-7000-8000-00000000e001"


def listed(request: pb.EnsurePortRequest, *groups: str, is_filtered: bool = True, node: str = ME) -> ListedPort:
    return ListedPort((node,), request.mac, (IPv4Address(request.ip),), groups=groups if is_filtered else None)


def list_of(agent: AgentUnderTest, ports: dict[str, ListedPort], version: int = 1, **changes: object) -> bytes:
    values = {"zone": ZONE, "network": NETWORK} | changes
    return agent.authority.network_ports(ports=ports, version=version, **values)  # type: ignore[arg-type]


def group(agent: AgentUnderTest, name: str = GROUP, version: int = 1, **changes: object) -> bytes:
    return agent.authority.security_group(**{"zone": ZONE, "group": name, "version": version, **changes})  # type: ignore[arg-type]


def ensure_port(
    agent: AgentUnderTest, *groups: str, documents: Sequence[bytes] = (), version: int = 1, number: int = 11
) -> pb.EnsurePortRequest:
    """Ensure a port that is the only one of its list."""
    request = specs.port(number)
    request.ports = list_of(agent, {request.subject.id: listed(request, *groups)}, version)
    request.security_groups.extend(documents)
    agent.stub.EnsurePort(request)
    return request


def send(agent: AgentUnderTest, ports: Sequence[bytes] = (), groups: Sequence[bytes] = ()) -> pb.PortRulesState:
    state: pb.PortRulesState = agent.stub.EnsurePortRules(
        pb.EnsurePortRulesRequest(ports=ports, security_groups=groups)
    )
    return state


def versions(documents: Sequence[pb.DocumentVersion]) -> dict[str, int]:
    return {document.id: document.version for document in documents}


def filters(agent: AgentUnderTest) -> dict[str, FilteredPort]:
    return {str(port.port.id): port for port in agent.fake.filters.ports}


def group_versions(agent: AgentUnderTest) -> dict[str, int]:
    return {name: found.version for name, found in agent.fake.filters.groups.items()}


# ---- what is applied


def test_port_brings_its_list_and_groups_and_updates_arrive_alone(agent: AgentUnderTest) -> None:
    port = ensure_port(agent, GROUP, documents=[group(agent)])
    assert filters(agent)[port.subject.id].groups == (GROUP,)
    state = send(agent, groups=[group(agent, version=2)])
    assert (versions(state.security_groups), state.problem) == ({GROUP: 2}, "")
    assert group_versions(agent) == {GROUP: 2}
    unfiltered = list_of(agent, {port.subject.id: listed(port, is_filtered=False)}, 2)
    assert versions(send(agent, ports=[unfiltered]).ports) == {NETWORK: 2}
    assert not filters(agent)


def test_names_of_a_list_count_at_once_also_those_of_other_nodes(agent: AgentUnderTest) -> None:
    request = specs.port()
    here = replace(listed(request), name="web")
    there = ListedPort((OTHER_NODE,), "52:54:00:00:00:99", (IPv4Address("10.10.0.99"),), name="db")
    unnamed = ListedPort((OTHER_NODE,), "52:54:00:00:00:98", (IPv4Address("10.10.0.98"),))
    request.ports = list_of(agent, {request.subject.id: here, PEER: there, UNUSED: unnamed})
    agent.stub.EnsurePort(request)
    db = HostName("db", (IPv4Address("10.10.0.99"),))
    assert agent.fake.names == {UUID(NETWORK): (db, HostName("web", here.addresses))}
    send(agent, ports=[list_of(agent, {request.subject.id: replace(here, name="front"), PEER: there}, 2)])
    assert agent.fake.names == {UUID(NETWORK): (db, HostName("front", here.addresses))}
    agent.restart()
    assert agent.fake.names == {UUID(NETWORK): (db, HostName("front", here.addresses))}
    agent.stub.RemovePort(specs.removal(request.subject))
    assert not agent.fake.names


def test_port_of_a_network_without_a_list_is_not_filtered(agent: AgentUnderTest) -> None:
    agent.stub.EnsurePort(specs.port())
    assert not filters(agent)


def test_peers_of_rules_are_needed_and_other_groups_are_not(agent: AgentUnderTest) -> None:
    named = group(agent, rules=[Rule(RULE, "in", "ipv4", "tcp", group=PEER)])
    ensure_port(agent, GROUP, documents=[group(agent, PEER), group(agent, UNUSED), named])
    assert group_versions(agent) == {GROUP: 1, PEER: 1}
    state = send(agent, groups=[group(agent, PEER, 2), group(agent, UNUSED, 2)])
    assert versions(state.security_groups) == {PEER: 2, UNUSED: 0}
    assert group_versions(agent) == {GROUP: 1, PEER: 2}


def test_port_without_its_groups_is_cut_off_until_they_arrive(agent: AgentUnderTest) -> None:
    port = ensure_port(agent, GROUP, UNUSED, documents=[group(agent)])
    assert filters(agent)[port.subject.id].groups is None
    assert port.subject.id in send(agent).problem
    assert send(agent, groups=[group(agent, UNUSED)]).problem == ""
    assert filters(agent)[port.subject.id].groups == (GROUP, UNUSED)


def test_port_that_a_newer_list_leaves_out_is_cut_off(agent: AgentUnderTest) -> None:
    port = ensure_port(agent, GROUP, documents=[group(agent)])
    assert "1 ports are cut off" in send(agent, ports=[list_of(agent, {}, 2)]).problem
    assert filters(agent)[port.subject.id].groups is None
    elsewhere = {port.subject.id: listed(port, GROUP, node=OTHER_NODE)}
    send(agent, ports=[list_of(agent, elsewhere, 3)])
    assert filters(agent)[port.subject.id].groups is None


def test_removed_port_is_not_filtered_any_more(agent: AgentUnderTest) -> None:
    port = ensure_port(agent, GROUP, documents=[group(agent)])
    agent.stub.RemovePort(specs.removal(port.subject))
    assert not filters(agent)


def test_port_may_use_the_mac_addresses_of_its_pairs(agent: AgentUnderTest) -> None:
    request, virtual = specs.port(), "00:00:5e:00:01:07"
    pair = AllowedAddress(IPv4Address("10.10.0.50"), virtual)  # type: ignore[arg-type]
    entry = ListedPort((ME,), request.mac, (IPv4Address(request.ip),), (pair,), groups=())
    request.ports = list_of(agent, {request.subject.id: entry})
    agent.stub.EnsurePort(request)
    assert filters(agent)[request.subject.id].macs == (request.mac, virtual)


def test_allowed_addresses_of_a_list_count_at_once(agent: AgentUnderTest) -> None:
    port, other = specs.port(), specs.port(12)
    port_id = UUID(port.subject.id)

    def with_allowed(version: int, *cidrs: str) -> bytes:
        pairs = tuple(AllowedAddress(ip_network(cidr)) for cidr in cidrs)
        mine = ListedPort((ME,), port.mac, (IPv4Address(port.ip),), pairs, groups=())
        return list_of(agent, {port.subject.id: mine, other.subject.id: listed(other)}, version)

    port.ports = with_allowed(1, "10.10.0.50/32")
    agent.stub.EnsurePort(port)
    assert [str(pair.cidr) for pair in agent.fake.ports[port_id].allowed] == ["10.10.0.50/32"]
    send(agent, ports=[with_allowed(2, "10.10.0.64/28")])
    assert [str(pair.cidr) for pair in agent.fake.ports[port_id].allowed] == ["10.10.0.64/28"]
    other.ports = with_allowed(3)
    agent.stub.EnsurePort(other)
    send(agent, ports=[with_allowed(4)])
    assert agent.fake.ports[port_id].allowed == ()


def test_bandwidth_of_a_list_counts_at_once_and_after_a_restart(agent: AgentUnderTest) -> None:
    port = specs.port()
    port_id = UUID(port.subject.id)

    def with_limits(version: int, limits: Bandwidth | None) -> bytes:
        mine = ListedPort((ME,), port.mac, (IPv4Address(port.ip),), groups=(), bandwidth=limits)
        return list_of(agent, {port.subject.id: mine}, version)

    port.ports = with_limits(1, Bandwidth(500, 100))
    agent.stub.EnsurePort(port)
    assert agent.fake.ports[port_id].bandwidth == Bandwidth(500, 100)
    send(agent, ports=[with_limits(2, Bandwidth(to_guest=200))])
    assert agent.fake.ports[port_id].bandwidth == Bandwidth(200, None)
    agent.restart()
    assert agent.fake.ports[port_id].bandwidth == Bandwidth(200, None)
    send(agent, ports=[with_limits(3, None)])
    assert agent.fake.ports[port_id].bandwidth is None


def test_subnets_and_addresses_of_a_list_count_at_once_and_after_a_restart(agent: AgentUnderTest) -> None:
    port = specs.port()
    port_id, network = UUID(port.subject.id), ip_network("10.10.0.0/24")
    both = (IPv4Address(port.ip), IPv6Address("fd00:10::2"))
    ipv4 = ListedSubnet(network, IPv4Address("10.10.0.1"), (IPv4Address("10.10.0.53"),))
    ipv6 = ListedSubnet(ip_network("fd00:10::/64"), IPv6Address("fd00:10::1"))

    def with_subnets(version: int, addresses: tuple[Any, ...], *subnets: ListedSubnet) -> bytes:
        mine = ListedPort((ME,), port.mac, addresses, groups=())
        return list_of(agent, {port.subject.id: mine}, version, subnets=subnets or None)

    port.ports = with_subnets(1, both[:1])
    agent.stub.EnsurePort(port)
    before = agent.fake.ports[port_id]
    send(agent, ports=[with_subnets(2, both)])
    assert agent.fake.ports[port_id] == before, "the address waits for its subnet"
    send(agent, ports=[with_subnets(3, both, ipv4, ipv6)])
    for restart in (lambda: None, agent.restart):
        restart()
        found = agent.fake.ports[port_id]
        assert found.addresses == both
        assert [(each.cidr, each.gateway_ip, each.dns_servers) for each in found.network.subnets] == [
            (each.cidr, each.gateway_ip, each.dns_servers) for each in (ipv4, ipv6)
        ]
    assert filters(agent)[port.subject.id].port.addresses == both
    send(agent, ports=[with_subnets(4, both)])
    assert agent.fake.ports[port_id].addresses == both, "a list without subnets leaves those of before"


def with_dns(agent: AgentUnderTest, port: pb.EnsurePortRequest, version: int, server: str) -> bytes:
    """Return a list that has the port, and its subnet with this DNS server."""
    subnet = ListedSubnet(ip_network("10.10.0.0/24"), IPv4Address("10.10.0.1"), (IPv4Address(server),))
    return list_of(agent, {port.subject.id: listed(port)}, version, subnets=(subnet,))


def dns_of(agent: AgentUnderTest, port: pb.EnsurePortRequest) -> list[str]:
    (subnet,) = agent.fake.ports[UUID(port.subject.id)].network.subnets
    return list(map(str, subnet.dns_servers))


def test_port_of_an_older_call_does_not_replace_listed_subnets(agent: AgentUnderTest) -> None:
    port = specs.port()
    port.ports = with_dns(agent, port, 1, "10.10.0.53")
    agent.stub.EnsurePort(port)
    send(agent, ports=[with_dns(agent, port, 2, "10.10.0.54")])
    agent.stub.EnsurePort(port)
    assert dns_of(agent, port) == ["10.10.0.54"]


@pytest.mark.parametrize("where", ["ensure_filters", "ensure_public", "ensure_port"])
def test_list_that_was_not_applied_is_applied_by_the_next_call(agent: AgentUnderTest, where: str) -> None:
    port = specs.port()
    port.ports = with_dns(agent, port, 1, "10.10.0.53")
    agent.stub.EnsurePort(port)
    agent.fake.fail_next(where, AdapterError("Not now.", retryable=True))
    assert refusal(lambda: send(agent, ports=[with_dns(agent, port, 2, "10.10.0.54")])).is_retryable
    send(agent, ports=[with_dns(agent, port, 3, "10.10.0.54")])
    assert dns_of(agent, port) == ["10.10.0.54"]


@pytest.mark.parametrize(
    ("subnet", "problem"),
    [
        ({"gateway_ip": "10.9.0.1"}, "must be in 10.10.0.0/24"),
        ({"cidr": "fd00::/48", "gateway_ip": "fd00::1"}, "must be a /64"),
        ({"dns_servers": ["10.0.0.1"] * 17}, "must have at most 16 entries"),
        ({"more": 1}, "unknown key"),
        ({"options": {"domain_search": ["a\n"]}}, "options/domain_search/0: must be a text"),
        ({"options": {"domain_search": ["a,b"]}}, "must be a domain name"),
        ({"options": {"ntp_servers": ["10.0.0.1,2"]}}, "must be an IP address"),
        ({"options": {"static_routes": [{"destination": "10.9.0.0/16", "next_hop": "10.9.0.1"}]}}, "10.10.0.1 to"),
        ({"options": {"more": []}}, "unknown key"),
    ],
)
def test_impossible_subnet_of_a_list_is_refused(subnet: dict[str, Any], problem: str) -> None:
    whole = {"cidr": "10.10.0.0/24", "gateway_ip": "10.10.0.1", "dns_servers": [], **subnet}
    body = {"zone": ZONE, "network": specs.port().network.id, "version": 1, "ports": {}}
    with pytest.raises(Malformed, match=problem):
        network_ports.parse(body | {"subnets": [whole]})
    with pytest.raises(Malformed):
        network_ports.parse(body | {"subnets": [whole, whole]})


def test_problem_of_the_switch_is_reported(agent: AgentUnderTest) -> None:
    agent.fake.filter_problem = "The kernel has no br_netfilter."
    ensure_port(agent, GROUP, documents=[group(agent)])
    assert send(agent).problem == agent.fake.filter_problem


# ---- what is stored


def test_older_documents_are_ignored(agent: AgentUnderTest) -> None:
    port = ensure_port(agent, GROUP, documents=[group(agent, version=7)], version=7)
    state = send(agent, ports=[list_of(agent, {}, 6)], groups=[group(agent, version=6)])
    assert (versions(state.ports), versions(state.security_groups)) == ({NETWORK: 7}, {GROUP: 7})
    assert filters(agent)[port.subject.id].groups == (GROUP,)
    assert group_versions(agent) == {GROUP: 7}


def test_restart_keeps_lists_and_groups(agent: AgentUnderTest) -> None:
    port = ensure_port(agent, GROUP, documents=[group(agent, version=3)], version=3)
    agent.restart()
    assert filters(agent)[port.subject.id].groups == (GROUP,)
    assert group_versions(agent) == {GROUP: 3}


def test_versions_are_remembered_without_ports(agent: AgentUnderTest) -> None:
    port = ensure_port(agent, GROUP, documents=[group(agent, version=5)], version=5)
    agent.stub.RemovePort(specs.removal(port.subject))
    assert versions(send(agent, ports=[list_of(agent, {}, 9)]).ports) == {NETWORK: 5}
    old = specs.port(12)
    old.ports = list_of(agent, {old.subject.id: listed(old, GROUP)}, 4)
    old.security_groups.append(group(agent, version=4))
    assert refusal(lambda: agent.stub.EnsurePort(old)).code == "agent.port_not_listed"
    ensure_port(agent, GROUP, documents=[group(agent, version=4)], version=6, number=12)
    assert group_versions(agent) == {GROUP: 5}


def test_documents_that_nothing_needs_are_not_stored(agent: AgentUnderTest) -> None:
    state = send(agent, ports=[list_of(agent, {}, 5)], groups=[group(agent, version=5)])
    assert (versions(state.ports), versions(state.security_groups)) == ({NETWORK: 0}, {GROUP: 0})


def test_stolen_key_with_the_last_version_does_not_lock_a_document(agent: AgentUnderTest) -> None:
    thief, authority = SigningKey.ed25519("signer-0"), agent.authority
    keys = [authority.signer.entry("permit"), authority.officer.entry("facts")]
    agent.stub.EnsureTrust(pb.EnsureTrustRequest(keyset=authority.keyset(2, [*keys, thief.entry("permit")])))
    port = ensure_port(agent, GROUP, documents=[group(agent)])
    entry = {port.subject.id: listed(port, GROUP)}
    stolen = [list_of(agent, {}, MAX_VERSION, by=thief)], [group(agent, version=MAX_VERSION, by=thief)]
    assert versions(send(agent, *stolen).ports) == {NETWORK: MAX_VERSION}
    send(agent, ports=[list_of(agent, entry, MAX_VERSION, by=thief)])
    agent.stub.EnsureTrust(pb.EnsureTrustRequest(keyset=authority.keyset(3, keys)))
    state = send(agent, [list_of(agent, entry, 2)], [group(agent, version=2)])
    assert (versions(state.ports), versions(state.security_groups)) == ({NETWORK: 2}, {GROUP: 2})
    assert filters(agent)[port.subject.id].groups == (GROUP,)


# ---- what is refused


def test_port_that_differs_from_its_list_is_refused(agent: AgentUnderTest) -> None:
    good = listed(specs.port(11), GROUP)
    bad = {
        "it is not listed": None,
        "not listed for this node": listed(specs.port(11), GROUP, node=OTHER_NODE),
        "its MAC address": ListedPort((ME,), "52:54:00:00:00:99", good.addresses, groups=()),
        "its addresses": ListedPort((ME,), good.mac, (*good.addresses, IPv6Address("fd00::1")), groups=()),
    }
    for number, (problem, entry) in enumerate(bad.items(), start=1):
        request = specs.port(11)
        request.ports = list_of(agent, {} if entry is None else {request.subject.id: entry}, number)
        error = refusal(lambda request=request: agent.stub.EnsurePort(request))  # type: ignore[misc]
        assert (error.status, error.code) == (grpc.StatusCode.PERMISSION_DENIED, "agent.port_not_listed")
        assert problem in error.message
    assert not agent.fake.ports


def test_all_addresses_of_the_call_count(agent: AgentUnderTest) -> None:
    request = specs.port(11)
    request.network.subnets.add(id=request.network.id, cidr=request.network.cidr, gateway_ip=request.network.gateway_ip)
    request.network.subnets.add(id=request.network.id, cidr="fd00::/64", gateway_ip="fd00::1")
    request.addresses.extend([request.ip, "fd00::11"])
    both = (IPv4Address(request.ip), IPv6Address("fd00::11"))
    request.ports = list_of(agent, {request.subject.id: ListedPort((ME,), request.mac, both, groups=())})
    agent.stub.EnsurePort(request)
    assert UUID(request.subject.id) in agent.fake.ports
    other = specs.port(12)
    other.addresses.append("fd00::zz")
    assert refusal(lambda: agent.stub.EnsurePort(other)).code == "agent.bad_request"


def test_list_of_another_network_is_refused_with_a_port(agent: AgentUnderTest) -> None:
    request = specs.port()
    request.ports = list_of(agent, {request.subject.id: listed(request)}, network=OTHER_NETWORK)
    assert refusal(lambda: agent.stub.EnsurePort(request)).code == "agent.bad_request"


@pytest.mark.parametrize("kind", ["list", "group"])
@pytest.mark.parametrize("forgery", ["stranger", "officer", "tampered", "another zone", "another kind", "no document"])
def test_forged_document_is_refused(agent: AgentUnderTest, kind: str, forgery: str) -> None:
    port = ensure_port(agent, GROUP, documents=[group(agent)])
    by = {"stranger": SigningKey.ed25519("stranger"), "officer": agent.authority.officer}.get(forgery)
    changes: dict[str, Any] = {"by": by, "zone": "de-fra-1" if forgery == "another zone" else ZONE}
    documents = {"list": list_of(agent, {}, 222, **changes), "group": group(agent, version=222, **changes)}
    forged = documents["group" if (kind == "list") is (forgery == "another kind") else "list"]
    if forgery == "tampered":
        forged = forged.replace(b"222", b"333")
    if forgery == "no document":
        forged = b"[]"
    ports, groups = ([forged], []) if kind == "list" else ([], [forged])
    error = refusal(lambda: send(agent, ports, groups))
    assert (error.status, error.code) == (grpc.StatusCode.PERMISSION_DENIED, "agent.trust_refused")
    assert filters(agent)[port.subject.id].groups == (GROUP,)
    assert group_versions(agent) == {GROUP: 1}


@pytest.mark.parametrize("field", ["ports", "security_groups"])
def test_number_and_size_of_documents_are_limited(agent: AgentUnderTest, field: str) -> None:
    many = pb.EnsurePortRulesRequest(**{field: [b"x"] * (MAX_DOCUMENTS + 1)})
    long = pb.EnsurePortRulesRequest(**{field: [b"x" * (MAX_DOCUMENT_BYTES + 1)]})
    for request in (many, long):
        error = refusal(lambda request=request: agent.stub.EnsurePortRules(request))  # type: ignore[misc]
        assert (error.code, field in error.message) == ("agent.bad_request", True)


@pytest.mark.parametrize("process", ["web", "watcher", "stream"])
def test_only_the_worker_sends_port_rules(agent: AgentUnderTest, process: str) -> None:
    stub = agent.connect(issue_controlplane(agent.ca, agent.ca.folder / process, process=process))
    assert refusal(lambda: stub.EnsurePortRules(pb.EnsurePortRulesRequest())).code == "agent.unknown_peer"
