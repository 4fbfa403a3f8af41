"""Disks to which guests of several nodes write at once: permits, refusals, and what their guests are defined with."""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from agents.protocol import agent_pb2 as pb
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest, refusal
from tests.agents.pairs import Pair, second_agent
from tests.agents.permit_checks import permit_code
from tests.agents.test_rbd import opened
from tests.pki import Issued, TestCA


@pytest.fixture
def data() -> pb.EnsureVolumeRequest:
    return opened(specs.volume())


@pytest.fixture
def guest(agent: AgentUnderTest, data: pb.EnsureVolumeRequest) -> pb.EnsureInstanceRequest:
    root = specs.volume()
    guest = specs.instance(root)
    for request in (root, data):
        agent.stub.EnsureVolume(request)
    agent.stub.EnsureInstance(guest)
    return guest


def shareable(agent: AgentUnderTest, guest: pb.EnsureInstanceRequest) -> list[bool]:
    """Return of each disk whether the guest is defined with a shareable one; the root disk is the first."""
    return [disk.is_shareable for disk in agent.fake.guests[UUID(guest.subject.id)].spec.disks]


@pytest.mark.parametrize("is_shared", [True, False])
def test_guest_is_defined_with_a_shareable_disk_as_asked(
    agent: AgentUnderTest, guest: pb.EnsureInstanceRequest, data: pb.EnsureVolumeRequest, *, is_shared: bool
) -> None:
    attachment = specs.attachment(guest, data, is_shared=is_shared)
    agent.stub.EnsureAttachment(attachment)
    assert shareable(agent, guest) == [False, is_shared]
    agent.restart()
    agent.stub.EnsureInstance(later(guest, 1, power=pb.POWER_OFF))
    agent.stub.EnsureInstance(later(guest, 2))
    assert shareable(agent, guest) == [False, is_shared]
    error = refusal(lambda: agent.stub.EnsureAttachment(_otherwise(attachment)))
    assert (error.code, "keeps" in error.message) == ("agent.conflict", True)


def _otherwise(attachment: pb.EnsureAttachmentRequest) -> pb.EnsureAttachmentRequest:
    other = deepcopy(attachment)
    other.subject.generation += 1
    other.is_shared = not attachment.is_shared
    return other


def later(guest: pb.EnsureInstanceRequest, generations: int, **changes: Any) -> pb.EnsureInstanceRequest:
    for _ in range(generations):
        guest = specs.next_generation(guest, **changes)
    return guest


def test_permits_list_the_volume_as_shared(
    agent: AgentUnderTest, guest: pb.EnsureInstanceRequest, data: pb.EnsureVolumeRequest
) -> None:
    attachment = specs.attachment(guest, data)
    attachment.permit.CopyFrom(agent.stub.permit_for(attachment))
    attachment.is_shared = True
    assert permit_code(refusal(lambda: agent.stub.EnsureAttachment(attachment))) == "not_listed"
    attachment.ClearField("permit")
    agent.stub.EnsureAttachment(attachment)
    agent.stub.EnsureInstance(later(guest, 1, power=pb.POWER_OFF))
    agent.authority.shared.clear()
    started = later(guest, 2)
    assert permit_code(refusal(lambda: agent.stub.EnsureInstance(started))) == "not_listed"


def test_volume_with_one_writer_is_not_shared(agent: AgentUnderTest, guest: pb.EnsureInstanceRequest) -> None:
    local = specs.volume()
    agent.stub.EnsureVolume(local)
    error = refusal(lambda: agent.stub.EnsureAttachment(specs.attachment(guest, local, is_shared=True)))
    assert (error.code, "one writer" in error.message) == ("agent.conflict", True)


@pytest.fixture
def other(tmp_path: Path, ca: TestCA, worker: Issued, agent: AgentUnderTest) -> Iterator[AgentUnderTest]:
    yield from second_agent(tmp_path / "other", ca, worker, agent)


def test_guest_migrates_with_a_shared_disk(
    agent: AgentUnderTest, other: AgentUnderTest, guest: pb.EnsureInstanceRequest, data: pb.EnsureVolumeRequest
) -> None:
    port, attachment = specs.port(), specs.attachment(guest, data, is_shared=True)
    agent.stub.EnsureAttachment(attachment)
    pair = Pair(agent, other, guest, data, port, attachment)
    for volume in (specs.volume(guest.root_volume_id, generation=2), opened(data, generation=2)):
        other.stub.EnsureVolume(volume)
    request = pair.arrival()
    request.plugged[0].is_shared = True
    alone = pair.arrival()
    alone.instance.permit.CopyFrom(other.stub.permit_for(alone))
    alone.plugged[0].is_shared = True
    assert permit_code(refusal(lambda: other.stub.EnsureArrival(alone))) == "not_listed"
    departure = pair.departure(other.stub.EnsureArrival(request).uri)
    agent.stub.EnsureDeparture(departure)
    assert pair.end_of(departure).phase == pb.MOVE_PHASE_COMPLETED
    pair.adopt()
    assert shareable(other, guest) == [False, True]
    other.stub.EnsureInstance(later(guest, 2, power=pb.POWER_OFF))
    other.stub.EnsureInstance(later(guest, 3))
    assert shareable(other, guest) == [False, True]
