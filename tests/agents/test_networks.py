"""With which other nodes an agent carries a network: whom it believes, and what it remembers."""

from ipaddress import IPv4Address
from uuid import UUID

import grpc
import pytest

from agents.node.adapters.network_specs import SegmentSpec
from agents.protocol import agent_pb2 as pb
from andromede_core.permits.trust_documents import MAX_VERSION
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest, refusal
from tests.permits import SigningKey
from tests.pki import issue_controlplane

ME, ZONE, NETWORK = specs.NODE_ID, specs.ZONE, specs.NETWORK_ID
OTHER, THIRD = "01980000-0000-7000-8000-00000000a002", "01980000-0000-7000-8000-00000000a003"
TWO = {ME: "10.0.7.1", OTHER: "10.0.7.2"}
THREE = {**TWO, THIRD: "10.0.7.3"}


def segment(agent: AgentUnderTest, members: dict[UUID | str, str], version: int = 1, **changes: object) -> bytes:
    return agent.authority.segment(ZONE, NETWORK, members, version=version, **changes)  # type: ignore[arg-type]


def ensure_port(agent: AgentUnderTest, document: bytes = b"", number: int = 11) -> pb.EnsurePortRequest:
    request = specs.port(number)
    request.network.segment = document
    agent.stub.EnsurePort(request)
    return request


def send_segment(agent: AgentUnderTest, document: bytes) -> pb.NetworkState:
    state: pb.NetworkState = agent.stub.EnsureNetwork(pb.EnsureNetworkRequest(segment=document))
    return state


def connected(agent: AgentUnderTest) -> SegmentSpec | None:
    return agent.fake.segments.get(UUID(NETWORK))


def spec(*peers: int, vni: int = 0x12345) -> SegmentSpec:
    return SegmentSpec(vni, IPv4Address("10.0.7.1"), tuple(IPv4Address(f"10.0.7.{peer}") for peer in peers))


def test_port_brings_its_segment_and_updates_arrive_alone(agent: AgentUnderTest) -> None:
    ensure_port(agent, segment(agent, TWO))
    assert connected(agent) == spec(2)
    state = send_segment(agent, segment(agent, THREE, 2))
    assert (state.id, state.version, state.problem) == (NETWORK, 2, "")
    assert connected(agent) == spec(2, 3)


def test_network_without_a_segment_is_local(agent: AgentUnderTest) -> None:
    ensure_port(agent)
    assert connected(agent) is None
    ensure_port(agent, segment(agent, {OTHER: "10.0.7.2"}), number=12)  # one of others
    assert connected(agent) is None


def test_older_segment_is_ignored(agent: AgentUnderTest) -> None:
    ensure_port(agent, segment(agent, THREE, 7))
    assert send_segment(agent, segment(agent, TWO, 6)).version == 7
    ensure_port(agent, segment(agent, TWO, 6), number=12)
    assert connected(agent) == spec(2, 3)


def test_a_port_may_be_repeated_with_a_newer_segment(agent: AgentUnderTest) -> None:
    """The segment is no part of the port's own spec."""
    request = ensure_port(agent, segment(agent, TWO))
    request.network.segment = segment(agent, THREE, 2)
    agent.stub.EnsurePort(request)
    assert connected(agent) == spec(2, 3)


def test_restart_keeps_segments(agent: AgentUnderTest) -> None:
    ensure_port(agent, segment(agent, TWO, 3))
    agent.restart()
    assert connected(agent) == spec(2)
    assert send_segment(agent, segment(agent, THREE, 2)).version == 3


def test_network_without_ports_is_forgotten(agent: AgentUnderTest) -> None:
    assert send_segment(agent, segment(agent, TWO, 5)).version == 0
    request = ensure_port(agent, segment(agent, THREE, 4))
    assert connected(agent) == spec(2, 3)
    agent.stub.RemovePort(specs.removal(request.subject))
    assert connected(agent) is None
    assert send_segment(agent, segment(agent, TWO, 5)).version == 0


def test_segment_version_is_remembered_without_ports(agent: AgentUnderTest) -> None:
    request = ensure_port(agent, segment(agent, TWO, 5))
    agent.stub.RemovePort(specs.removal(request.subject))
    ensure_port(agent, segment(agent, THREE, 4), number=12)
    assert connected(agent) == spec(2)


def test_underlay_problem_is_reported_and_ports_are_still_created(agent: AgentUnderTest) -> None:
    agent.fake.underlay_problem = "The underlay address 10.0.7.1 is on no device of this node."
    ensure_port(agent, segment(agent, TWO))
    assert send_segment(agent, segment(agent, TWO)).problem == agent.fake.underlay_problem


# ---- whom it believes


@pytest.mark.parametrize("by", ["stranger", "officer"])
def test_only_a_signer_defines_a_segment(agent: AgentUnderTest, by: str) -> None:
    key = agent.authority.officer if by == "officer" else SigningKey.ed25519("stranger")
    ensure_port(agent, segment(agent, TWO))
    forged = segment(agent, THREE, 2, by=key)
    error = refusal(lambda: send_segment(agent, forged))
    assert (error.status, error.code) == (grpc.StatusCode.PERMISSION_DENIED, "agent.trust_refused")
    assert refusal(lambda: ensure_port(agent, forged, number=12)).code == "agent.trust_refused"
    assert connected(agent) == spec(2)
    assert len(agent.fake.ports) == 1


def test_tampered_segment_is_refused(agent: AgentUnderTest) -> None:
    ensure_port(agent, segment(agent, TWO))
    changed = segment(agent, THREE, 2).replace(b"10.0.7.3", b"10.0.9.9")
    assert refusal(lambda: send_segment(agent, changed)).code == "agent.trust_refused"
    assert refusal(lambda: send_segment(agent, b"[]")).code == "agent.trust_refused"


def test_segment_of_another_zone_is_refused(agent: AgentUnderTest) -> None:
    elsewhere = agent.authority.segment("de-fra-1", NETWORK, TWO)
    assert refusal(lambda: send_segment(agent, elsewhere)).code == "agent.trust_refused"
    assert refusal(lambda: ensure_port(agent, elsewhere)).code == "agent.trust_refused"


def test_key_of_another_zone_is_refused(agent: AgentUnderTest) -> None:
    foreign = SigningKey.ed25519("signer-2")
    authority = agent.authority
    keys = [authority.signer.entry("permit"), authority.officer.entry("facts")]
    keys.append(foreign.entry("permit", zones=frozenset({"de-fra-1"})))
    agent.stub.EnsureTrust(pb.EnsureTrustRequest(keyset=authority.keyset(2, keys)))
    assert refusal(lambda: send_segment(agent, segment(agent, TWO, by=foreign))).code == "agent.trust_refused"


def test_segment_of_another_network_is_refused_with_a_port(agent: AgentUnderTest) -> None:
    other = agent.authority.segment(ZONE, specs.new_id(), TWO)
    assert refusal(lambda: ensure_port(agent, other)).code == "agent.bad_request"
    assert not agent.fake.ports


def test_stolen_key_with_the_last_version_does_not_lock_the_network(agent: AgentUnderTest) -> None:
    thief, authority = SigningKey.ed25519("signer-0"), agent.authority
    keys = [authority.signer.entry("permit"), authority.officer.entry("facts")]
    agent.stub.EnsureTrust(pb.EnsureTrustRequest(keyset=authority.keyset(2, [*keys, thief.entry("permit")])))
    ensure_port(agent, segment(agent, THREE, MAX_VERSION, by=thief))
    assert send_segment(agent, segment(agent, TWO, 2)).version == MAX_VERSION
    agent.stub.EnsureTrust(pb.EnsureTrustRequest(keyset=authority.keyset(3, keys)))
    assert send_segment(agent, segment(agent, TWO, 2)).version == 2
    assert connected(agent) == spec(2)


@pytest.mark.parametrize("process", ["web", "watcher", "stream"])
def test_only_the_worker_sends_segments(agent: AgentUnderTest, process: str) -> None:
    stub = agent.connect(issue_controlplane(agent.ca, agent.ca.folder / process, process=process))
    request = pb.EnsureNetworkRequest(segment=segment(agent, TWO))
    assert refusal(lambda: stub.EnsureNetwork(request)).code == "agent.unknown_peer"


@pytest.mark.parametrize("address", ["224.0.0.1", "0.0.0.0"])
def test_invalid_node_address_is_refused(agent: AgentUnderTest, address: str) -> None:
    assert refusal(lambda: send_segment(agent, segment(agent, {ME: address}))).code == "agent.trust_refused"
