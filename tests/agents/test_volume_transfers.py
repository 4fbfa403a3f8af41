"""Copies of volumes between the own folders of two nodes, with the fake adapters: what each call does and refuses."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from agents.node.adapters.fake_hang import Hang
from agents.node.errors import AdapterError
from agents.node.services.volume_copies import OTHER_NODE
from agents.protocol import agent_pb2 as pb
from andromede_core.documents import signed
from scripts.polling import wait_until
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest, refusal
from tests.agents.pairs import peer, second_agent
from tests.agents.specs import MIB
from tests.agents.test_volume_copies import state
from tests.limits import PATIENCE_S
from tests.pki import Issued, TestCA

ENDED = (pb.COPY_PHASE_COMPLETED, pb.COPY_PHASE_FAILED)


@pytest.fixture
def other(tmp_path: Path, ca: TestCA, worker: Issued, agent: AgentUnderTest) -> Iterator[AgentUnderTest]:
    yield from second_agent(tmp_path / "other", ca, worker, agent)


def request(volume: pb.EnsureVolumeRequest, *, generation: int = 2) -> pb.EnsureVolumeCopyRequest:
    return pb.EnsureVolumeCopyRequest(
        subject=specs.subject(volume.subject.id, generation),
        size_bytes=volume.size_bytes,
        source=pb.VolumePlace(),
        destination=pb.VolumePlace(),
        max_bytes_per_s=5 * 10**6,
    )


def received(
    volume: pb.EnsureVolumeRequest, source: AgentUnderTest, *, generation: int = 2
) -> pb.EnsureVolumeCopyRequest:
    message = request(volume, generation=generation)
    message.received_from.CopyFrom(peer(source))
    return message


def sent(
    volume: pb.EnsureVolumeRequest, destination: AgentUnderTest, uri: str, *, generation: int = 2
) -> pb.EnsureVolumeCopyRequest:
    message = request(volume, generation=generation)
    message.sent_to.CopyFrom(peer(destination))
    message.uri = uri
    return message


def transferred(agent: AgentUnderTest, other: AgentUnderTest, volume: pb.EnsureVolumeRequest) -> None:
    uri = other.stub.EnsureVolumeCopy(received(volume, agent)).uri
    agent.stub.EnsureVolumeCopy(sent(volume, other, uri))
    wait_until(lambda: state(agent, volume).phase in ENDED, limit_s=PATIENCE_S)


def removal(volume: pb.EnsureVolumeRequest, pool: str, *, generation: int) -> pb.RemoveRequest:
    return pb.RemoveRequest(subject=specs.subject(volume.subject.id, generation), pool=pool)


def receipts(agent: AgentUnderTest) -> list[tuple[str, str]]:
    """Return event and kind of each receipt, in order."""
    rows: list[Any] = agent.server.node.state_store.execute("SELECT document FROM receipt ORDER BY number")
    payloads = [signed.read(bytes(row[0])).payload for row in rows]
    return [(str(payload["event"]), str(payload["kind"])) for payload in payloads]


def is_volume(agent: AgentUnderTest, volume: pb.EnsureVolumeRequest) -> bool:
    entry = agent.server.node.state_store.volumes.get(volume.subject.id)
    return entry is not None and entry.is_held


@pytest.fixture
def volume(agent: AgentUnderTest) -> pb.EnsureVolumeRequest:
    made = specs.volume()
    agent.stub.EnsureVolume(made)
    return made


def test_volume_is_at_its_destination_alone(
    agent: AgentUnderTest, other: AgentUnderTest, volume: pb.EnsureVolumeRequest
) -> None:
    volume_id = UUID(volume.subject.id)
    transferred(agent, other, volume)
    for each in (agent, other):
        found = state(each, volume)
        assert (found.phase, found.total_bytes) == (pb.COPY_PHASE_COMPLETED, 64 * MIB)
        assert each.fake.volumes[volume_id] == 64 * MIB
    assert agent.fake.copied[volume_id] == 5 * 10**6
    assert not is_volume(other, volume)
    for was_present in (True, False):
        reply = other.stub.RemoveVolumeCopy(removal(volume, OTHER_NODE, generation=3))
        assert reply.was_present is was_present
    assert is_volume(other, volume)
    assert refusal(lambda: agent.stub.RemoveVolume(removal(volume, "", generation=3))).code == "agent.volume_copy_held"
    assert agent.stub.RemoveVolumeCopy(removal(volume, OTHER_NODE, generation=3)).was_present
    assert agent.stub.RemoveVolume(removal(volume, "", generation=3)).was_present
    assert (agent.fake.volumes, other.fake.volumes) == ({}, {volume_id: 64 * MIB})
    of_departure = [(event, "volume-departure") for event in ("opened", "closed")]
    assert receipts(agent) == [("opened", "volume"), *of_departure, ("closed", "volume")]
    assert receipts(other) == [("opened", "volume-copy"), ("closed", "volume-copy")]


@pytest.mark.parametrize("is_complete", [False, True])
def test_undone_transfer_leaves_the_volume_at_its_source(
    agent: AgentUnderTest, other: AgentUnderTest, volume: pb.EnsureVolumeRequest, is_complete: bool
) -> None:
    if is_complete:
        transferred(agent, other, volume)
    else:
        other.stub.EnsureVolumeCopy(received(volume, agent))
    assert other.stub.RemoveVolumeCopy(removal(volume, "", generation=2)).was_present
    agent.stub.RemoveVolumeCopy(removal(volume, OTHER_NODE, generation=2))
    assert (len(agent.fake.volumes), other.fake.volumes) == (1, {})
    assert is_volume(agent, volume)
    assert refusal(lambda: other.stub.EnsureVolumeCopy(received(volume, agent))).code.endswith("stale_generation")


def test_incomplete_copy_is_not_the_volume(
    agent: AgentUnderTest, other: AgentUnderTest, volume: pb.EnsureVolumeRequest
) -> None:
    other.stub.EnsureVolumeCopy(received(volume, agent))
    error = refusal(lambda: other.stub.RemoveVolumeCopy(removal(volume, OTHER_NODE, generation=3)))
    assert (error.code, "not complete" in error.message) == ("agent.conflict", True)
    assert not is_volume(other, volume)


def test_no_empty_volume_takes_the_place_of_one_that_is_received(
    agent: AgentUnderTest, other: AgentUnderTest, volume: pb.EnsureVolumeRequest
) -> None:
    other.stub.EnsureVolumeCopy(received(volume, agent))
    opened = specs.volume(volume.subject.id, generation=4)
    assert refusal(lambda: other.stub.EnsureVolume(opened)).code == "agent.volume_copy_held"
    transferred(agent, other, volume)
    other.stub.EnsureVolume(opened)
    assert other.stub.RemoveVolumeCopy(removal(volume, OTHER_NODE, generation=3)).was_present
    assert (is_volume(other, volume), len(other.fake.volumes)) == (True, 1)
    copied = [("opened", "volume-copy")] * 2  # once for each permit
    assert receipts(other) == [*copied, ("opened", "volume"), ("closed", "volume-copy")]


def test_source_erases_nothing_by_the_end_of_a_transfer(
    agent: AgentUnderTest, other: AgentUnderTest, volume: pb.EnsureVolumeRequest
) -> None:
    transferred(agent, other, volume)
    error = refusal(lambda: agent.stub.RemoveVolumeCopy(removal(volume, "", generation=3)))
    assert error.code == "agent.bad_request"
    assert UUID(volume.subject.id) in agent.fake.volumes


def test_only_an_expected_volume_is_taken(
    agent: AgentUnderTest, other: AgentUnderTest, volume: pb.EnsureVolumeRequest
) -> None:
    uri = other.stub.EnsureVolumeCopy(received(volume, agent)).uri
    assert other.stub.RemoveVolumeCopy(removal(volume, "", generation=2)).was_present
    agent.stub.EnsureVolumeCopy(sent(volume, other, uri))
    wait_until(lambda: state(agent, volume).phase in ENDED, limit_s=PATIENCE_S)
    found = state(agent, volume)
    assert (found.phase, "not expected" in found.reason) == (pb.COPY_PHASE_FAILED, True)
    assert other.fake.volumes == {}


def test_failed_transfer_is_begun_anew(
    agent: AgentUnderTest, other: AgentUnderTest, volume: pb.EnsureVolumeRequest
) -> None:
    agent.fake.fail_next("send_volume", AdapterError("the wire is cut", retryable=True))
    transferred(agent, other, volume)
    assert (state(agent, volume).phase, state(agent, volume).reason) == (pb.COPY_PHASE_FAILED, "the wire is cut")
    transferred(agent, other, volume)
    assert state(other, volume).phase == pb.COPY_PHASE_COMPLETED


def test_restarted_agents_wait_for_the_call_to_be_repeated(
    agent: AgentUnderTest, other: AgentUnderTest, volume: pb.EnsureVolumeRequest, tmp_path: Path
) -> None:
    hanging = tmp_path / "hanging"
    hanging.write_text("send_volume")
    agent.fake.hang = Hang(hanging)
    uri = other.stub.EnsureVolumeCopy(received(volume, agent)).uri
    agent.stub.EnsureVolumeCopy(sent(volume, other, uri))
    hanging.unlink()
    wait_until(lambda: state(agent, volume).phase in ENDED, limit_s=PATIENCE_S)
    other.restart()
    agent.restart()
    assert state(other, volume).phase == pb.COPY_PHASE_COMPLETED
    assert state(agent, volume).phase == pb.COPY_PHASE_COMPLETED


def test_interrupted_transfer_is_reported_as_failed(
    agent: AgentUnderTest, other: AgentUnderTest, volume: pb.EnsureVolumeRequest
) -> None:
    agent.fake.fail_next("send_volume", AdapterError("the wire is cut", retryable=True))
    transferred(agent, other, volume)
    for each in (agent, other):
        each.restart()
        found = state(each, volume)
        assert (found.phase, "restarted" in found.reason) == (pb.COPY_PHASE_FAILED, True)
    transferred(agent, other, volume)
    assert state(other, volume).phase == pb.COPY_PHASE_COMPLETED


def test_volume_that_is_here_is_not_received(
    agent: AgentUnderTest, other: AgentUnderTest, volume: pb.EnsureVolumeRequest
) -> None:
    other.stub.EnsureVolume(volume)
    error = refusal(lambda: other.stub.EnsureVolumeCopy(received(volume, agent)))
    assert (error.code, "already" in error.message) == ("agent.conflict", True)


def test_message_names_one_other_node_and_own_folders(
    agent: AgentUnderTest, other: AgentUnderTest, volume: pb.EnsureVolumeRequest
) -> None:
    both = received(volume, agent)
    both.sent_to.CopyFrom(peer(other))
    online = received(volume, agent)
    online.is_online = True
    elsewhere = received(volume, agent)
    elsewhere.destination.pool = "fast"
    without_uri = sent(volume, other, "")
    for each in (both, online, elsewhere, without_uri):
        assert refusal(lambda: other.stub.EnsureVolumeCopy(each)).code == "agent.bad_request"  # noqa: B023


def test_open_volume_is_not_sent(agent: AgentUnderTest, other: AgentUnderTest) -> None:
    root = specs.volume()
    agent.stub.EnsureVolume(root)
    agent.stub.EnsureInstance(specs.instance(root))
    error = refusal(lambda: agent.stub.EnsureVolumeCopy(sent(root, other, "fake://127.0.0.1:1")))
    assert error.code == "agent.volume_in_use"
