"""A node dies under its guest, whose disk is in a pool: another node runs it with what it had written, and the dead one
comes back without it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.lab import Lab, LabNode
from agents.node.adapters import pools
from agents.protocol import agent_pb2 as pb
from tests.agents import specs
from tests.agents.on_libvirt.lab import LabAgent
from tests.agents.on_libvirt.moves import ADDRESS, BOOTED, ROOT_MIB, two_agents
from tests.agents.on_libvirt.test_pools import NAME, in_pool
from tests.limits import PATIENCE_S
from tests.pki import Issued, TestCA

pytestmark = [pytest.mark.lab, pytest.mark.slow]


@pytest.fixture(scope="module")
def lab(lab_node: LabNode) -> Lab:
    return Lab(lab_node.folder.parent)


@pytest.fixture(scope="module")
def agents(lab: Lab, ca: TestCA, worker: Issued) -> Iterator[tuple[LabAgent, LabAgent]]:
    pair = two_agents(lab, ca, worker, "--pool", f"{NAME}={lab.pool_folder}")
    yield pair
    for agent in pair:
        agent.kill()


@pytest.mark.nightly
def test_data_of_the_guest_is_on_the_other_node_after_evacuation(
    agents: tuple[LabAgent, LabAgent], lab: Lab, tiny_image: Path, ssh_key: Path
) -> None:
    dead, other = agents
    root, port = specs.volume(size_mib=ROOT_MIB, image=dead.cache(tiny_image)), specs.port()
    guest = specs.instance(root, port)
    guest.guest_data.ssh_public_keys[:] = [ssh_key.with_suffix(".pub").read_text().strip()]
    _run(dead, root, port, guest, generation=1)
    dead.ssh(ssh_key, ADDRESS, "echo kept >/root/kept && sync")

    dead.node.power_off()
    _run(other, root, port, guest, generation=3)
    assert other.ssh(ssh_key, ADDRESS, "cat /root/kept").strip() == "kept"

    dead.cut_power_and_return()
    dead.stub.RemoveInstance(specs.removal(guest.subject, 3))
    dead.stub.RemovePort(specs.removal(port.subject, 3))
    assert dead.stub.ForgetVolume(specs.removal(root.subject, 3)).was_present
    assert (lab.pool_folder / pools.VOLUMES / f"{root.subject.id}.qcow2").exists()
    assert (dead.node.guest_pids(), len(other.node.guest_pids())) == ([], 1)
    assert other.ssh(ssh_key, ADDRESS, "cat /root/kept").strip() == "kept"
    other.stub.RemoveInstance(specs.removal(guest.subject, 3))
    other.stub.RemovePort(specs.removal(port.subject, 3))
    removal = specs.removal(root.subject, 3)
    removal.pool = NAME
    assert other.stub.RemoveVolume(removal).was_present


def _run(
    agent: LabAgent,
    root: pb.EnsureVolumeRequest,
    port: pb.EnsurePortRequest,
    guest: pb.EnsureInstanceRequest,
    *,
    generation: int,
) -> None:
    """Start the guest like an evacuation does, at a generation above what any node knows."""
    for spec in (port, guest):
        spec.subject.generation = generation
    agent.stub.EnsureVolume(in_pool(root, generation=generation))
    agent.stub.EnsurePort(port)
    agent.stub.EnsureInstance(guest)
    agent.wait_for_console(guest.subject.id, BOOTED, within_s=PATIENCE_S)
