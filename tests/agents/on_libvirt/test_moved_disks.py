"""Migrations of a guest whose disk has moved to a Ceph cluster while it ran: real libvirt, QEMU and Ceph."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agents.lab import Lab, LabNode
from agents.lab.ceph import CephCluster
from agents.protocol import agent_pb2 as pb
from tests.agents import specs
from tests.agents.on_libvirt import rbd_volumes
from tests.agents.on_libvirt.lab import LabAgent
from tests.agents.on_libvirt.moves import DATA_MIB, Trip, start_guest, two_agents
from tests.agents.on_libvirt.rbd_volumes import NAME, wait_for_mirror
from tests.agents.specs import MIB
from tests.pki import Issued, TestCA

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.nightly]

FILL = "dd if=/dev/urandom of=/dev/vdb bs=1024 count=8192 conv=fsync 2>/dev/null"
DIGEST = "echo 3 >/proc/sys/vm/drop_caches; md5sum < /dev/vdb"


@dataclass
class ClusterTrip(Trip):
    """A guest whose data disk is in the cluster. Each node opens it by a key of its own."""

    cluster: CephCluster = field(kw_only=True)

    def volumes(self, generation: int) -> list[pb.EnsureVolumeRequest]:
        root, _ = super().volumes(generation)
        return [root, self.opened(self.destination, generation)]

    def opened(self, agent: LabAgent, generation: int) -> pb.EnsureVolumeRequest:
        data = specs.volume(self.attachment.volume_id, size_mib=DATA_MIB)
        return rbd_volumes.opened(self.cluster, data, agent.node_id, generation=generation)


@pytest.fixture
def agents(lab_node: LabNode, ca: TestCA, worker: Issued) -> Iterator[tuple[LabAgent, LabAgent]]:
    """Two agents with keys of their own: on the machine of the lab their folders of keys would be one."""
    folder = Path("/dev/shm", f"andromede-moved-disks-{lab_node.folder.parent.name}")
    lab = Lab(lab_node.folder.parent)
    pair = two_agents(lab, ca, worker, options_of=lambda name: ("--run-dir", str(folder / name)))
    yield pair
    for agent in pair:
        agent.kill()
    shutil.rmtree(folder, ignore_errors=True)


def test_guest_migrates_after_its_disk_moved_to_a_cluster(
    agents: tuple[LabAgent, LabAgent], cluster: CephCluster, tiny_image: Path, ssh_key: Path
) -> None:
    started = start_guest(*agents, tiny_image, ssh_key.with_suffix(".pub").read_text().strip())
    trip = ClusterTrip(**vars(started), cluster=cluster)
    trip.ssh(ssh_key, trip.source, FILL)
    before = trip.ssh(ssh_key, trip.source, DIGEST)
    move_to_cluster(trip)
    trip.generation = 3
    for _ in range(2):
        ended = trip.go()
        assert ended.phase == pb.MOVE_PHASE_COMPLETED, ended.reason
        assert trip.runs_only_at(trip.destination)
        assert trip.ssh(ssh_key, trip.destination, DIGEST) == before
        trip = trip.arrived()  # type: ignore[assignment]
        trip.ssh(ssh_key, trip.source, FILL)
        before = trip.ssh(ssh_key, trip.source, DIGEST)
    trip.source.stub.EnsureInstance(trip.standing(trip.generation + 1))
    trip.source.wait_for_power(trip.id, pb.POWER_OFF)
    trip.forget(trip.source, trip.generation + 2)


def move_to_cluster(trip: ClusterTrip) -> None:
    """Move the data disk of the running guest, and erase its source."""
    stub, volume_id = trip.source.stub, trip.attachment.volume_id
    rbd_volumes.make(trip.cluster, specs.volume(volume_id, size_mib=DATA_MIB))
    subject = specs.subject(volume_id, 2)
    request = pb.EnsureVolumeCopyRequest(
        subject=subject,
        size_bytes=DATA_MIB * MIB,
        source=pb.VolumePlace(),
        destination=pb.VolumePlace(pool=NAME, rbd=trip.opened(trip.source, 2).rbd),
        is_online=True,
    )
    stub.EnsureVolumeCopy(request)
    wait_for_mirror(stub, volume_id)
    pivoted = stub.PivotVolumeCopy(pb.PivotVolumeCopyRequest(subject=subject))
    assert pivoted.phase == pb.COPY_PHASE_COMPLETED, pivoted
    assert stub.RemoveVolumeCopy(pb.RemoveRequest(subject=specs.subject(volume_id, 3))).was_present
