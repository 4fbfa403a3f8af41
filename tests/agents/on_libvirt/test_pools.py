"""A guest whose disks are in a pool of two nodes with libvirt and QEMU: it runs once, and moves without its disks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.lab import Lab, LabNode
from agents.node.adapters import pools
from agents.protocol import agent_pb2 as pb
from tests.agents import specs
from tests.agents.conftest import refusal
from tests.agents.on_libvirt.lab import LabAgent
from tests.agents.on_libvirt.moves import BOOTED, ROOT_MIB, end_of, peer, two_agents
from tests.limits import PATIENCE_S
from tests.pki import Issued, TestCA

pytestmark = [pytest.mark.lab, pytest.mark.slow]

NAME = "shared"


@pytest.fixture(scope="module")
def lab(lab_node: LabNode) -> Lab:
    return Lab(lab_node.folder.parent)


@pytest.fixture(scope="module")
def agents(lab: Lab, ca: TestCA, worker: Issued) -> Iterator[tuple[LabAgent, LabAgent]]:
    pair = two_agents(lab, ca, worker, "--pool", f"{NAME}={lab.pool_folder}")
    yield pair
    for agent in pair:
        agent.kill()


def in_pool(request: pb.EnsureVolumeRequest, *, generation: int = 1) -> pb.EnsureVolumeRequest:
    """Return the request for a new pool volume, or for one taken over at a later generation."""
    changed = pb.EnsureVolumeRequest()
    changed.CopyFrom(request)
    changed.subject.generation, changed.pool, changed.is_taken_over = generation, NAME, generation > 1
    if generation > 1:
        changed.ClearField("image_sha256")
    return changed


def test_guest_starts_on_one_node_only_and_moves_without_its_disk(
    agents: tuple[LabAgent, LabAgent], lab: Lab, tiny_image: Path
) -> None:
    here, there = agents
    root = specs.volume(size_mib=ROOT_MIB, image=here.cache(tiny_image))
    here.stub.EnsureVolume(in_pool(root))
    guest = specs.instance(root)
    here.stub.EnsureInstance(guest)
    here.wait_for_console(guest.subject.id, BOOTED, within_s=PATIENCE_S)

    _refused_elsewhere(there, root, guest)
    assert here.state(guest.subject.id).power == pb.POWER_RUNNING
    sent = _moved(here, there, root, guest)
    file = lab.pool_folder / pools.VOLUMES / f"{root.subject.id}.qcow2"
    assert sent.total_bytes < 300 * specs.MIB, "memory alone"
    assert there.state(guest.subject.id).power == pb.POWER_RUNNING
    assert (here.node.guest_pids(), len(there.node.guest_pids())) == ([], 1)
    assert here.stub.ForgetVolume(specs.removal(root.subject, 5)).was_present
    assert file.exists()

    there.stub.RemoveInstance(specs.removal(guest.subject, 5))
    removal = specs.removal(root.subject, 5)
    removal.pool = NAME
    assert here.stub.RemoveVolume(removal).was_present, "any node deletes it"
    assert not file.exists()


def _refused_elsewhere(there: LabAgent, root: pb.EnsureVolumeRequest, guest: pb.EnsureInstanceRequest) -> None:
    """Check the error that an operator reads who has mistaken an unreachable node for a dead one."""
    there.stub.EnsureVolume(in_pool(root, generation=2))
    second = specs.next_generation(guest)
    error = refusal(lambda: there.stub.EnsureInstance(second))
    assert (error.code, error.is_retryable) == ("agent.disk_held", True)
    assert "most likely on another node where the guest runs" in error.message
    there.stub.RemoveInstance(specs.removal(second.subject))
    there.stub.ForgetVolume(specs.removal(root.subject, 3))


def _moved(
    here: LabAgent, there: LabAgent, root: pb.EnsureVolumeRequest, guest: pb.EnsureInstanceRequest
) -> pb.DepartureState:
    there.stub.EnsureVolume(in_pool(root, generation=4))
    arrival = pb.EnsureArrivalRequest(instance=guest, source=peer(here))
    arrival.instance.subject.generation = 4
    uri = there.stub.EnsureArrival(arrival).uri
    departure = pb.EnsureDepartureRequest(
        subject=guest.subject, destination=peer(there), uri=uri, deadline_s=PATIENCE_S
    )
    here.stub.EnsureDeparture(departure)
    ended = end_of(here, departure)
    assert ended.phase == pb.MOVE_PHASE_COMPLETED, ended.reason
    there.stub.EnsureInstance(arrival.instance)
    here.stub.RemoveInstance(specs.removal(guest.subject, 4))
    return ended
