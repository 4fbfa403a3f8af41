"""Disks of a running guest that change their place under its writes: real libvirt, QEMU and Ceph."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.lab import LabNode
from agents.lab.ceph import POOL, CephCluster
from agents.lab.shell import run, wait_until
from agents.protocol import agent_pb2 as pb
from tests.agents import specs
from tests.agents.conftest import refusal
from tests.agents.on_libvirt import rbd_volumes
from tests.agents.on_libvirt.lab import LabAgent
from tests.agents.on_libvirt.moves import ADDRESS, BOOTED, ROOT_MIB
from tests.agents.on_libvirt.rbd_volumes import NAME, opened, secrets_of, wait_for_mirror
from tests.agents.specs import MIB
from tests.limits import PATIENCE_S
from tests.pki import Issued, TestCA

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.nightly]

NETWORK_ID = "01980000-0000-7000-8000-00000000b00e"
DATA_MIB = 64
# Numbers its writes, flushes each, and says on a file in memory how far it is.
WRITER = (
    "i=0; while [ ! -e /tmp/stop ]; do i=$((i+1)); "
    "printf '%08d' $i | dd of=/dev/vdb bs=512 seek=$((i % 4096)) conv=notrunc,fsync 2>/dev/null; "
    "echo $i > /tmp/count; done; echo $i > /tmp/done"
)


@pytest.fixture
def agent(lab_node: LabNode, ca: TestCA, worker: Issued) -> Iterator[LabAgent]:
    run_dir = Path("/dev/shm", f"andromede-mirrors-{lab_node.folder.parent.name}")
    agent = LabAgent(lab_node, worker, ("--run-dir", str(run_dir)))
    agent.enrol(ca)
    yield agent
    agent.kill()
    shutil.rmtree(run_dir, ignore_errors=True)


class Story:
    """A guest with a root disk and a data disk in the node's folder, and what it writes."""

    def __init__(self, agent: LabAgent, cluster: CephCluster, tiny_image: Path, key: Path) -> None:
        self.agent, self.cluster, self.key = agent, cluster, key
        self.root = specs.volume(size_mib=ROOT_MIB, image=agent.cache(tiny_image))
        self.data, self.port = specs.volume(size_mib=DATA_MIB), specs.port()
        self.port.network.id = NETWORK_ID
        self.guest = specs.instance(self.root, self.port)
        self.guest.guest_data.ssh_public_keys[:] = [key.with_suffix(".pub").read_text().strip()]
        for volume in (self.root, self.data):
            agent.stub.EnsureVolume(volume)
        agent.stub.EnsurePort(self.port)
        agent.stub.EnsureInstance(self.guest)
        agent.wait_for_console(self.guest.subject.id, BOOTED, within_s=PATIENCE_S)
        self.attachment = specs.attachment(self.guest, self.data)
        agent.stub.EnsureAttachment(self.attachment)
        wait_until(lambda: self.ssh("ls /dev/vdb || true").strip() == "/dev/vdb", what="the disk in the guest")

    def ssh(self, command: str) -> str:
        return self.agent.ssh(self.key, ADDRESS, command, network=NETWORK_ID)

    def write(self) -> None:
        self.ssh(f"rm -f /tmp/stop /tmp/done; ({WRITER}) >/dev/null 2>&1 </dev/null &")
        wait_until(lambda: self.count() > 20, what="the guest to write")

    def count(self) -> int:
        return int(self.ssh("cat /tmp/count || echo 0").strip() or 0)

    def digest(self) -> str:
        """Stop the writer, and return the digest of the disk as the guest reads it, past its cache."""
        self.ssh("touch /tmp/stop")
        wait_until(lambda: self.ssh("cat /tmp/done || true").strip() != "", what="the writer to stop")
        return self.ssh("sync; echo 3 > /proc/sys/vm/drop_caches; md5sum < /dev/vdb").split()[0]

    def copy(
        self, volume: pb.EnsureVolumeRequest, *, generation: int, back: bool = False
    ) -> pb.EnsureVolumeCopyRequest:
        rbd = opened(self.cluster, volume, self.agent.node_id, generation=generation).rbd
        own, cluster = pb.VolumePlace(), pb.VolumePlace(pool=NAME, rbd=rbd)
        return pb.EnsureVolumeCopyRequest(
            subject=specs.subject(volume.subject.id, generation),
            size_bytes=volume.size_bytes,
            source=cluster if back else own,
            destination=own if back else cluster,
            is_online=True,
        )

    def mirror(self, volume: pb.EnsureVolumeRequest, *, generation: int, back: bool = False) -> pb.RemoveRequest:
        """Have the volume mirrored, and return the request that ends the copy with its source."""
        request = self.copy(volume, generation=generation, back=back)
        self.agent.stub.EnsureVolumeCopy(request)
        wait_for_mirror(self.agent.stub, volume.subject.id)
        return pb.RemoveRequest(subject=specs.subject(volume.subject.id, generation + 1), pool=request.source.pool)

    def pivot(self, volume: pb.EnsureVolumeRequest, *, generation: int) -> None:
        for _ in range(2):  # as after a lost answer
            subject = specs.subject(volume.subject.id, generation)
            pivoted = self.agent.stub.PivotVolumeCopy(pb.PivotVolumeCopyRequest(subject=subject))
            assert pivoted.phase == pb.COPY_PHASE_COMPLETED, pivoted

    def sources(self) -> list[str]:
        name = f"andromede-{self.guest.subject.id}"
        listed = [self.agent.node.exec(["virsh", "domblklist", name, *more]).stdout for more in ([], ["--inactive"])]
        first, second = [[line.split()[1] for line in text.splitlines() if " vd" in line] for text in listed]
        assert first == second, "the definition names what the guest has"
        return first

    def next(self, power: "pb.Power") -> None:
        self.guest = specs.next_generation(self.guest, power=power)
        self.agent.stub.EnsureInstance(self.guest)
        self.agent.wait_for_power(self.guest.subject.id, power)

    def file(self, volume: pb.EnsureVolumeRequest) -> Path:
        return self.agent.node.agent_folder / f"volumes/{volume.subject.id}.qcow2"

    def remove(self) -> None:
        self.next(pb.POWER_OFF)
        self.agent.stub.RemoveAttachment(specs.removal(self.attachment.subject))
        self.agent.stub.RemoveInstance(specs.removal(self.guest.subject))
        for volume in (self.root, self.data):
            for state in self.agent.stub.Describe(pb.DescribeRequest(ids=[volume.subject.id])).volume_copies:
                self.agent.stub.RemoveVolumeCopy(pb.RemoveRequest(subject=state.subject, pool=NAME))
        for volume in (self.root, self.data):
            self.agent.stub.RemoveVolume(specs.removal(volume.subject, 9))
        self.agent.stub.RemovePort(specs.removal(self.port.subject))


@pytest.fixture
def story(agent: LabAgent, cluster: CephCluster, tiny_image: Path, ssh_key: Path) -> Iterator[Story]:
    story = Story(agent, cluster, tiny_image, ssh_key)
    for volume in (story.root, story.data):
        rbd_volumes.make(cluster, volume, content=b"left by an interrupted copy")
    story.write()
    yield story
    story.remove()


def test_disks_move_to_a_cluster_and_back_while_the_guest_writes(story: Story, cluster: CephCluster) -> None:
    for volume in (story.data, story.root):
        ended = story.mirror(volume, generation=2)
        story.pivot(volume, generation=2)
        assert story.file(volume).exists()
        assert story.agent.stub.RemoveVolumeCopy(ended).was_present
        assert not story.file(volume).exists()
    assert all(source.startswith(f"{POOL}/") for source in story.sources()), story.sources()
    assert secrets_of(story.agent.node) == []
    before = story.count()
    wait_until(lambda: story.count() > before + 20, what="the guest to write on")
    digest = story.digest()
    read = rbd_volumes.read(cluster, story.data.subject.id, offset=0, count=DATA_MIB * MIB)
    assert hashlib.md5(read).hexdigest() == digest
    story.next(pb.POWER_OFF)
    story.next(pb.POWER_RUNNING)
    story.agent.wait_for_console(story.guest.subject.id, BOOTED, count=2, within_s=PATIENCE_S)
    assert story.ssh("md5sum < /dev/vdb").split()[0] == digest, "the guest was started from the cluster"
    _move_back(story)


def _move_back(story: Story) -> None:
    """Move the data disk back while agent and libvirtd are restarted."""
    story.write()
    ended = story.mirror(story.data, generation=4, back=True)
    story.agent.restart()
    story.agent.restart_libvirtd()
    wait_until(story.agent.answers, what="the agent to find its libvirtd again")
    story.pivot(story.data, generation=4)
    assert story.agent.stub.RemoveVolumeCopy(ended).was_present
    digest = story.digest()
    assert any(each.endswith(f"/{story.file(story.data).name}") for each in story.sources())
    story.next(pb.POWER_OFF)
    raw = story.agent.node.agent_folder / "read.raw"
    run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", str(story.file(story.data)), str(raw)])
    assert hashlib.md5(raw.read_bytes()).hexdigest() == digest
    assert story.file(story.data).stat().st_size < 8 * MIB, "holes stay holes"
    raw.unlink()


@pytest.mark.parametrize("dies", ["agent", "libvirtd"])
def test_pivot_that_is_interrupted_is_settled_by_the_process_of_the_guest(story: Story, dies: str) -> None:
    """The agent ends within a pivot, or libvirtd does: the guest goes on with one disk, and has all that it wrote."""
    story.mirror(story.data, generation=2)
    subject = specs.subject(story.data.subject.id, 2)
    asked = story.agent.stub.PivotVolumeCopy.future(pb.PivotVolumeCopyRequest(subject=subject))
    if dies == "agent":
        story.agent.restart()
    else:
        story.agent.restart_libvirtd()
    wait_until(story.agent.answers, what="the agent to find its libvirtd again")
    asked.cancel()
    before = story.count()
    wait_until(lambda: story.count() > before, what="the guest to go on")
    digest, (source, *_) = story.digest(), sorted(story.sources(), key=lambda each: story.data.subject.id not in each)
    story.next(pb.POWER_OFF)
    story.next(pb.POWER_RUNNING)
    story.agent.wait_for_console(story.guest.subject.id, BOOTED, count=2, within_s=PATIENCE_S)
    assert story.ssh("md5sum < /dev/vdb").split()[0] == digest
    assert source in story.sources()


def test_undone_mirror_leaves_the_guest_where_it_is(story: Story) -> None:
    ended = story.mirror(story.data, generation=2)
    assert refusal(lambda: story.agent.stub.RemoveVolumeCopy(ended)).code == "agent.conflict"
    story.agent.stub.RemoveVolumeCopy(pb.RemoveRequest(subject=specs.subject(story.data.subject.id, 2), pool=NAME))
    before = story.count()
    wait_until(lambda: story.count() > before + 20, what="the guest to write on")
    digest = story.digest()
    story.next(pb.POWER_OFF)
    story.next(pb.POWER_RUNNING)
    story.agent.wait_for_console(story.guest.subject.id, BOOTED, count=2, within_s=PATIENCE_S)
    assert story.ssh("md5sum < /dev/vdb").split()[0] == digest
