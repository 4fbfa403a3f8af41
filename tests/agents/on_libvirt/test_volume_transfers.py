"""Transfers of volumes between two agents, each with the folder and the network of a node of its own."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.lab import Lab, LabNode
from agents.node.services.inventory import VOLUME_TRANSFER
from agents.node.services.volume_copies import OTHER_NODE
from agents.protocol import agent_pb2 as pb
from scripts.polling import wait_until
from tests.agents import specs
from tests.agents.on_libvirt.lab import LabAgent
from tests.agents.on_libvirt.moves import peer, two_agents
from tests.agents.test_volume_copies_real import content_of, fill
from tests.agents.test_volume_transfers import ENDED, removal, request
from tests.limits import PATIENCE_S
from tests.pki import Issued, TestCA

pytestmark = [pytest.mark.lab, pytest.mark.slow]


@pytest.fixture
def agents(lab_node: LabNode, ca: TestCA, worker: Issued) -> Iterator[tuple[LabAgent, LabAgent]]:
    pair = two_agents(Lab(lab_node.folder.parent), ca, worker)
    yield pair
    for agent in pair:
        agent.kill()


def path(agent: LabAgent, volume: pb.EnsureVolumeRequest) -> Path:
    return agent.node.agent_folder / f"volumes/{volume.subject.id}.qcow2"


def state(agent: LabAgent, volume: pb.EnsureVolumeRequest) -> pb.VolumeCopyState:
    (found,) = agent.stub.Describe(pb.DescribeRequest(ids=[volume.subject.id])).volume_copies
    return found


def test_volume_goes_to_another_node_and_back(agents: tuple[LabAgent, LabAgent]) -> None:
    volume, (source, destination) = specs.volume(), agents
    source.stub.EnsureVolume(volume)
    content = fill(path(source, volume))
    for generation in (2, 5):
        transfer(source, destination, volume, generation=generation)
        there = path(destination, volume)
        assert hashlib.sha256(content_of(there)).digest() == hashlib.sha256(content).digest()
        assert not path(source, volume).exists()
        source, destination = destination, source
    source.stub.RemoveVolume(removal(volume, "", generation=9))


def transfer(source: LabAgent, destination: LabAgent, volume: pb.EnsureVolumeRequest, *, generation: int) -> None:
    for agent in (source, destination):
        assert VOLUME_TRANSFER in agent.stub.Describe(pb.DescribeRequest()).inventory.traits
    received, sent = (request(volume, generation=generation) for _ in range(2))
    received.received_from.CopyFrom(peer(source))
    sent.sent_to.CopyFrom(peer(destination))
    sent.uri = destination.stub.EnsureVolumeCopy(received).uri
    source.stub.EnsureVolumeCopy(sent)
    wait_until(lambda: state(source, volume).phase in ENDED, limit_s=PATIENCE_S)
    for agent in (source, destination):
        found = state(agent, volume)
        assert found.phase == pb.COPY_PHASE_COMPLETED, found.reason
        assert agent.stub.RemoveVolumeCopy(removal(volume, OTHER_NODE, generation=generation + 1)).was_present
    assert source.stub.RemoveVolume(removal(volume, "", generation=generation + 1)).was_present
    assert destination.stub.Describe(pb.DescribeRequest(ids=[volume.subject.id])).volumes[0].size_bytes == (
        volume.size_bytes
    )
