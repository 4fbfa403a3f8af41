"""Documents that a newer agent has stored, after a return to an earlier release: each closes what needs it, no more."""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from agents.node.specs import StoredDocument
from agents.node.state_store import StateStore, Table
from agents.protocol import agent_pb2 as pb
from andromede_core.documents import signed
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest, refusal
from tests.agents.test_metadata import IDENTITY, LABELS, document, ensured
from tests.agents.test_port_rules import (
    GROUP,
    NETWORK,
    OTHER_NETWORK,
    OTHER_NODE,
    ZONE,
    ensure_port,
    filters,
    group,
    list_of,
    listed,
    send,
    versions,
)
from tests.limits import PATIENCE_S


def store_newer(
    agent: AgentUnderTest,
    kind: str,
    key: str,
    document: bytes,
    *,
    table: Callable[[StateStore], Table[StoredDocument]],
    **more: object,
) -> None:
    """Stop the agent, store the document with a field that this release does not know, and start it."""
    payload = {**signed.read(document).payload, "of_a_later_release": 1, **more}
    agent.stop()
    store = StateStore(agent.state_dir / "ledger.sqlite")
    table(store).record(key, StoredDocument(agent.authority.signer.document(kind, payload)))
    store.close()
    agent.start()


def problem(agent: AgentUnderTest) -> str:
    """Return what the next heartbeat says of the rules."""
    stream = agent.stub.Watch(pb.WatchRequest(heartbeat_interval_ms=100), timeout=PATIENCE_S)
    (event,) = islice((event for event in stream if event.WhichOneof("event") == "heartbeat"), 1)
    stream.cancel()
    text: str = event.heartbeat.networks.rules_problem
    return text


def test_list_that_cannot_be_read_cuts_off_its_network_alone(agent: AgentUnderTest) -> None:
    port = ensure_port(agent, GROUP, documents=[group(agent)])
    other = specs.port(12)
    other.network.id = OTHER_NETWORK
    agent.stub.EnsurePort(other)
    current = list_of(agent, {port.subject.id: listed(port, GROUP)}, 5)
    store_newer(agent, "network-ports", NETWORK, current, table=lambda store: store.port_lists)
    assert {name: found.groups for name, found in filters(agent).items()} == {port.subject.id: None}
    assert set(map(str, agent.fake.ports)) == {port.subject.id, other.subject.id}
    assert NETWORK in problem(agent)
    assert versions(send(agent, ports=[list_of(agent, {port.subject.id: listed(port, GROUP)}, 4)]).ports) == {
        NETWORK: 5
    }
    assert filters(agent)[port.subject.id].groups is None, "no older one counts"
    assert refusal(lambda: agent.stub.EnsurePort(without_documents(port))).code == "agent.port_not_listed"
    assert versions(send(agent, ports=[list_of(agent, {port.subject.id: listed(port, GROUP)}, 6)]).ports) == {
        NETWORK: 6
    }
    assert filters(agent)[port.subject.id].groups == (GROUP,)
    assert problem(agent) == ""


def without_documents(port: pb.EnsurePortRequest) -> pb.EnsurePortRequest:
    """Return the same call without its list and groups."""
    request = pb.EnsurePortRequest()
    request.CopyFrom(port)
    request.ClearField("ports")
    request.ClearField("security_groups")
    return request


def test_group_that_cannot_be_read_cuts_off_its_ports(agent: AgentUnderTest) -> None:
    port = ensure_port(agent, GROUP, documents=[group(agent)])
    store_newer(agent, "security-group", GROUP, group(agent, version=2), table=lambda store: store.security_groups)
    assert filters(agent)[port.subject.id].groups is None
    assert GROUP in problem(agent)
    assert versions(send(agent, groups=[group(agent)]).security_groups) == {GROUP: 2}
    send(agent, groups=[group(agent, version=3)])
    assert filters(agent)[port.subject.id].groups == (GROUP,)
    assert problem(agent) == ""


def test_segment_that_cannot_be_read_ends_the_network_at_the_node(agent: AgentUnderTest) -> None:
    agent.stub.EnsurePort(specs.port())
    members = {str(specs.NODE_ID): "192.0.2.1", OTHER_NODE: "192.0.2.2"}
    segment = agent.authority.segment(ZONE, NETWORK, members, version=2)
    agent.stub.EnsureNetwork(pb.EnsureNetworkRequest(segment=segment))
    assert agent.fake.segments
    store_newer(agent, "segment", NETWORK, segment, table=lambda store: store.segments)
    assert not agent.fake.segments
    assert NETWORK in problem(agent)
    newer = agent.authority.segment(ZONE, NETWORK, members, version=3)
    assert agent.stub.EnsureNetwork(pb.EnsureNetworkRequest(segment=newer)).version == 3
    assert agent.fake.segments and problem(agent) == ""


def test_guest_reads_nothing_of_metadata_that_cannot_be_read(agent: AgentUnderTest) -> None:
    me = ensured(agent).subject.id
    newest = document(agent, me, {"env": "prod"}, version=2)
    agent.stub.EnsureMetadata(pb.EnsureMetadataRequest(documents=[newest]))
    store_newer(agent, "instance-metadata", me, newest, table=lambda store: store.metadata)
    assert not {IDENTITY, LABELS} & agent.fake.metadata[me].pages.keys()
    assert me in problem(agent)
    agent.stub.EnsureMetadata(pb.EnsureMetadataRequest(documents=[document(agent, me, {"env": "test"}, version=3)]))
    assert agent.fake.metadata[me].pages[f"{LABELS}/env"] == "test"
    assert problem(agent) == ""


def test_denials_of_a_list_with_unknown_kinds_stay_in_force(agent: AgentUnderTest) -> None:
    deny: Mapping[str, Any] = signed.read(agent.authority.deny(3, nodes=[str(specs.NODE_ID)])).payload
    agent.stop()
    store = StateStore(agent.state_dir / "ledger.sqlite")
    newer = agent.authority.signer.document("deny", {**deny, "of_a_later_release": ["x"]})
    store.execute("INSERT OR REPLACE INTO trust VALUES ('deny', ?)", newer)
    store.close()
    agent.start()
    assert agent.stub.Describe(pb.DescribeRequest()).inventory.node_id == str(specs.NODE_ID), "it has started"
    assert refusal(lambda: agent.stub.EnsurePort(specs.port())).code.startswith("agent.permit")
