"""Public addresses at an agent: which it answers for by the lists of ports, and while a guest migrates."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from agents.lab.shell import wait_until
from agents.node.adapters.network_specs import Address
from agents.node.departed_addresses import SENT_ON_S, DepartedAddresses, Home
from agents.protocol import agent_pb2 as pb
from andromede_core.documents.parsing import Malformed
from andromede_core.permits import network_ports
from andromede_core.permits.network_ports import (
    AllowedAddress,
    EgressAddress,
    ListedPort,
    NetworkPorts,
    PublicAddress,
)
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest
from tests.agents.pairs import OTHER_ID, Pair, make_pair, second_agent
from tests.pki import Issued, TestCA

ME, OTHER, NETWORK, OTHER_NETWORK = str(specs.NODE_ID), str(OTHER_ID), specs.NETWORK_ID, specs.new_id()
PUBLIC, ROUTED, PUBLIC6 = IPv4Address("203.0.113.64"), IPv4Address("203.0.113.65"), IPv6Address("2001:db8::1")
UNDERLAY: dict[UUID | str, str] = {specs.NODE_ID: "10.0.7.1", OTHER: "10.0.7.2"}


def listed(request: pb.EnsurePortRequest, *public: PublicAddress, nodes: tuple[str, ...] = (ME,)) -> ListedPort:
    return ListedPort(nodes, request.mac, (IPv4Address(request.ip),), public=public)


def translated(request: pb.EnsurePortRequest, address: IPv4Address = PUBLIC) -> PublicAddress:
    return PublicAddress(address, IPv4Address(request.ip))


def send(
    agent: AgentUnderTest,
    version: int,
    ports: dict[str, ListedPort],
    network: str = NETWORK,
    egress: EgressAddress | None = None,
) -> pb.PortRulesState:
    fields: dict[str, Any] = {"version": version, "ports": ports, "egress": egress}
    document = agent.authority.network_ports(zone=specs.ZONE, network=network, **fields)
    state: pb.PortRulesState = agent.stub.EnsurePortRules(pb.EnsurePortRulesRequest(ports=[document]))
    return state


def ensure_port(agent: AgentUnderTest, number: int = 11, **fields: Any) -> pb.EnsurePortRequest:
    request = specs.port(number, **fields)
    agent.stub.EnsurePort(request)
    return request


def local(agent: AgentUnderTest) -> dict[Address, tuple[str, bool]]:
    """Return port and `is_arriving` by address."""
    return {each.address: (str(each.port.id), each.is_arriving) for each in agent.fake.public.local}


def test_newest_list_decides_about_public_addresses(agent: AgentUnderTest) -> None:
    port = ensure_port(agent)
    port_id = port.subject.id
    assert not agent.fake.public
    send(agent, 1, {port_id: listed(port, translated(port), PublicAddress(PUBLIC6))})
    assert local(agent) == {PUBLIC: (port_id, False), PUBLIC6: (port_id, False)}
    assert {each.address: each.to for each in agent.fake.public.local} == {PUBLIC: IPv4Address(port.ip), PUBLIC6: None}
    send(agent, 3, {port_id: listed(port)})
    assert not agent.fake.public
    send(agent, 2, {port_id: listed(port, translated(port))})
    assert not agent.fake.public
    send(agent, 4, {port_id: listed(port, translated(port), nodes=(OTHER,))})
    assert not agent.fake.public.local


def test_addresses_are_added_and_removed_with_their_port(agent: AgentUnderTest) -> None:
    port = specs.port()
    ports = {port.subject.id: listed(port, translated(port))}
    port.ports = agent.authority.network_ports(zone=specs.ZONE, network=NETWORK, version=1, ports=ports)
    agent.stub.EnsurePort(port)
    assert local(agent) == {PUBLIC: (port.subject.id, False)}
    agent.restart()
    assert local(agent) == {PUBLIC: (port.subject.id, False)}
    agent.stub.RemovePort(specs.removal(port.subject))
    assert not agent.fake.public


def test_guest_may_use_a_routed_address_and_no_translated_one(agent: AgentUnderTest) -> None:
    port = ensure_port(agent)
    port_id = UUID(port.subject.id)
    send(agent, 1, {port.subject.id: listed(port, translated(port), PublicAddress(ROUTED))})
    assert agent.fake.ports[port_id].allowed == (AllowedAddress(ip_network(ROUTED)),)
    send(agent, 2, {port.subject.id: listed(port, translated(port))})
    assert agent.fake.ports[port_id].allowed == ()


def test_address_is_translated_to_the_port_s_own_addresses_alone(agent: AgentUnderTest) -> None:
    port, other = ensure_port(agent), ensure_port(agent, 12)
    entries = {port.subject.id: listed(port, translated(other)), other.subject.id: listed(other)}
    send(agent, 1, entries)
    assert not agent.fake.public


def test_newer_one_of_two_lists_with_an_address_counts(agent: AgentUnderTest) -> None:
    port, other = ensure_port(agent), specs.port(12)
    other.network.id = OTHER_NETWORK
    agent.stub.EnsurePort(other)
    send(agent, 5, {port.subject.id: listed(port, translated(port))})
    send(agent, 6, {other.subject.id: listed(other, translated(other))}, OTHER_NETWORK)
    assert local(agent) == {PUBLIC: (other.subject.id, False)}
    send(agent, 7, {port.subject.id: listed(port, translated(port))})
    assert local(agent) == {PUBLIC: (port.subject.id, False)}


# ---- egress addresses


def egress(agent: AgentUnderTest) -> list[tuple[Address, bool, bool]]:
    """Return address, whether this node is the gateway, and whether there is one."""
    return [(each.address, each.is_gateway, each.gateway_mac is not None) for each in agent.fake.public.egress]


def test_newest_list_decides_about_the_egress_address(agent: AgentUnderTest) -> None:
    port = ensure_port(agent)
    ports = {port.subject.id: listed(port)}
    for version, gateway, known in (
        (1, ME, (PUBLIC, True, True)),
        (2, OTHER, (PUBLIC, False, True)),
        (3, None, (PUBLIC, False, False)),
    ):
        send(agent, version, ports, egress=EgressAddress(PUBLIC, gateway))
        assert egress(agent) == [known]
    send(agent, 2, ports, egress=EgressAddress(PUBLIC, ME))
    assert egress(agent) == [(PUBLIC, False, False)]
    agent.restart()
    assert egress(agent) == [(PUBLIC, False, False)]
    send(agent, 4, ports)
    assert not agent.fake.public
    send(agent, 5, ports, egress=EgressAddress(PUBLIC, ME))
    agent.stub.RemovePort(specs.removal(port.subject))
    assert not agent.fake.public


def test_egress_address_that_a_newer_list_gives_to_a_port_is_no_more_the_network_s(agent: AgentUnderTest) -> None:
    port, other = ensure_port(agent), specs.port(12)
    other.network.id = OTHER_NETWORK
    agent.stub.EnsurePort(other)
    send(agent, 5, {port.subject.id: listed(port)}, egress=EgressAddress(PUBLIC, ME))
    send(agent, 6, {other.subject.id: listed(other, translated(other))}, OTHER_NETWORK)
    assert local(agent) == {PUBLIC: (other.subject.id, False)}
    assert egress(agent) == [(PUBLIC, False, False)]
    send(agent, 7, {port.subject.id: listed(port)}, egress=EgressAddress(PUBLIC, ME))
    assert local(agent) == {} and egress(agent) == [(PUBLIC, True, True)]


@pytest.mark.parametrize("value", [{"address": "2001:db8::1"}, {"address": "203.0.113.64", "gateway": "node-1"}, {}])
def test_malformed_egress_address_is_refused(value: dict[str, str]) -> None:
    payload = NetworkPorts(specs.ZONE, NETWORK, 1).payload() | {"egress": value}
    with pytest.raises(Malformed):
        network_ports.parse(payload)


# ---- while a guest migrates


@pytest.fixture
def pair(tmp_path: Path, ca: TestCA, worker: Issued, agent: AgentUnderTest) -> Iterator[Pair]:
    for other in second_agent(tmp_path / "other", ca, worker, agent):
        yield make_pair(agent, other)


def test_node_on_which_the_guest_runs_answers_and_the_former_one_sends_on(pair: Pair) -> None:
    source, destination, port = pair.source, pair.destination, pair.port
    segment = source.authority.segment(specs.ZONE, NETWORK, UNDERLAY, version=1)
    source.stub.EnsureNetwork(pb.EnsureNetworkRequest(segment=segment))
    both = {port.subject.id: listed(port, translated(port), nodes=(ME, OTHER))}
    send(source, 1, both)
    uri = pair.make_ready().uri
    send(destination, 1, both)
    assert local(source) == {PUBLIC: (port.subject.id, False)}
    assert local(destination) == {PUBLIC: (port.subject.id, True)}
    request = pair.departure(uri)
    source.stub.EnsureDeparture(request)
    pair.end_of(request)
    wait_until(lambda: not source.fake.public.local, what="the source to notice that the guest has left")
    assert source.fake.public.moved == {PUBLIC: IPv4Address(UNDERLAY[OTHER])}
    wait_until(lambda: local(destination) == {PUBLIC: (port.subject.id, False)}, what="the guest's address")
    pair.adopt()
    assert local(destination) == {PUBLIC: (port.subject.id, False)}
    source.stub.RemoveInstance(specs.removal(pair.spec.subject))
    send(source, 2, {port.subject.id: listed(port, translated(port), nodes=(OTHER,))})
    assert (source.fake.public.local, len(source.fake.public.moved)) == ((), 1)
    send(source, 3, {port.subject.id: listed(port, nodes=(OTHER,))})
    assert not source.fake.public, "the address has been taken from the port meanwhile"


def test_guest_that_stays_keeps_its_address(pair: Pair) -> None:
    both = {pair.port.subject.id: listed(pair.port, translated(pair.port), nodes=(ME, OTHER))}
    pair.make_ready()
    send(pair.source, 1, both)
    send(pair.destination, 1, both)
    assert pair.is_where_it_was()
    assert local(pair.source) == {PUBLIC: (pair.port.subject.id, False)}


def test_addresses_are_sent_on_for_a_minute() -> None:
    now_s = 0.0
    departed, home = DepartedAddresses(now_s=lambda: now_s), Home(NETWORK, ME)
    assert departed.record({PUBLIC: home, ROUTED: home}) == {}
    assert departed.record({ROUTED: home}) == {PUBLIC: home}
    now_s = SENT_ON_S - 1
    assert departed.record({}) == {PUBLIC: home, ROUTED: home}
    now_s = SENT_ON_S
    assert departed.record({}) == {ROUTED: home}
    assert departed.has_been_here(ROUTED) and not departed.has_been_here(PUBLIC)
    assert departed.record({ROUTED: home}) == {}
    assert not departed.is_any
