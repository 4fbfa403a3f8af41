"""A guest with disks in a Ceph cluster, under libvirt and QEMU, each opened with a key of its own."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from agents.lab import Lab, LabNode
from agents.lab.ceph import CephCluster
from agents.lab.shell import wait_until
from agents.node.adapters.storage.files import QCOW2_MAGIC
from agents.protocol import agent_pb2 as pb
from tests.agents import specs
from tests.agents.conftest import refusal
from tests.agents.on_libvirt import rbd_volumes
from tests.agents.on_libvirt.lab import LabAgent
from tests.agents.on_libvirt.moves import ADDRESS, BOOTED, ROOT_MIB, end_of, peer, two_agents
from tests.agents.on_libvirt.rbd_volumes import opened, secrets_of
from tests.agents.specs import MIB
from tests.limits import PATIENCE_S
from tests.pki import Issued, TestCA

pytestmark = [pytest.mark.lab, pytest.mark.slow]

NETWORK_ID = "01980000-0000-7000-8000-00000000b00d"
MEMORY = Path("/dev/shm")
# A qcow2 image of 1 MiB that names a file of the node: probed, the guest could read that file.
HOSTILE = QCOW2_MAGIC + bytes.fromhex("00000003 0000000000000200 0000000b 00000010 0000000000100000") + b"\0" * 480
HOSTILE += b"/etc/passwd"
WRITTEN = b"written by the guest"


@pytest.fixture(scope="module")
def run_dir(lab_node: LabNode) -> Iterator[Path]:
    folder = MEMORY / f"andromede-{lab_node.folder.parent.name}"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def agent(lab_node: LabNode, run_dir: Path, ca: TestCA, worker: Issued) -> Iterator[LabAgent]:
    agent = LabAgent(lab_node, worker, ("--run-dir", str(run_dir / "hv1")))
    agent.enrol(ca)
    yield agent
    agent.kill()


def own_port() -> pb.EnsurePortRequest:
    """Return a port of a network of its own: of others the node may keep signed lists, which do not have the port."""
    port = specs.port()
    port.network.id = NETWORK_ID
    return port


def root_in(cluster: CephCluster, tiny_image: Path) -> pb.EnsureVolumeRequest:
    root = specs.volume(size_mib=ROOT_MIB)
    rbd_volumes.make(cluster, root, image=tiny_image)
    return root


def test_guest_boots_writes_and_grows_disks_in_a_cluster(
    agent: LabAgent, cluster: CephCluster, tiny_image: Path, ssh_key: Path
) -> None:
    assert "rbd" in agent.stub.Describe(pb.DescribeRequest()).inventory.traits
    root, data, port = root_in(cluster, tiny_image), specs.volume(size_mib=64), own_port()
    shared = specs.volume(size_mib=16)
    rbd_volumes.make(cluster, data, content=HOSTILE)
    rbd_volumes.make(cluster, shared, is_multi_attach=True)
    guest = specs.instance(root, port)
    guest.guest_data.ssh_public_keys[:] = [ssh_key.with_suffix(".pub").read_text().strip()]
    for request in (root, data, shared):
        agent.stub.EnsureVolume(opened(cluster, request, agent.node_id))
    agent.stub.EnsurePort(port)
    agent.stub.EnsureInstance(guest)
    agent.wait_for_console(guest.subject.id, BOOTED, within_s=PATIENCE_S)
    assert secrets_of(agent.node) == [], "QEMU has the key, and libvirt no more"

    attachment = specs.attachment(guest, data)
    agent.stub.EnsureAttachment(attachment)
    seen = agent.ssh(ssh_key, ADDRESS, "cat /sys/block/vdb/size; head -c 3 /dev/vdb", network=NETWORK_ID).split()
    assert seen == [str(64 * MIB // 512), "QFI"], "the disk is raw, whatever its first sector says"

    agent.stub.EnsureVolume(opened(cluster, data, agent.node_id, generation=2, size_mib=96))
    text = f"printf '{WRITTEN.decode()}' | dd of=/dev/vdb bs=1M seek=80 conv=fsync; cat /sys/block/vdb/size"
    assert agent.ssh(ssh_key, ADDRESS, text, network=NETWORK_ID).strip() == str(96 * MIB // 512)
    assert rbd_volumes.read(cluster, data.subject.id, offset=80 * MIB, count=len(WRITTEN)) == WRITTEN
    _check_usage(agent, root, data)
    _share(agent, cluster, guest, shared, ssh_key)

    assert agent.stub.RemoveAttachment(specs.removal(attachment.subject)).was_present
    agent.stub.RemoveInstance(specs.removal(guest.subject))
    for request in (root, data, shared):
        assert agent.stub.ForgetVolume(specs.removal(request.subject, 3)).was_present
    agent.stub.RemovePort(specs.removal(port.subject))
    assert secrets_of(agent.node) == []
    key = agent.node.exec(["grep", "-rlF", root.subject.id, "/dev/shm"], check=False).stdout
    assert key == ""


def _share(
    agent: LabAgent,
    cluster: CephCluster,
    guest: pb.EnsureInstanceRequest,
    volume: pb.EnsureVolumeRequest,
    ssh_key: Path,
) -> None:
    """Attach a volume that another client writes to meanwhile, and detach it."""
    attachment = specs.attachment(guest, volume, is_shared=True)
    agent.stub.EnsureAttachment(attachment)

    def run_in_guest(command: str) -> str:
        return agent.ssh(ssh_key, ADDRESS, command, network=NETWORK_ID).strip()

    run_in_guest(f"printf '{WRITTEN.decode()}' | dd of=/dev/vdc conv=fsync")
    assert rbd_volumes.read(cluster, volume.subject.id, offset=0, count=len(WRITTEN)) == WRITTEN
    rbd_volumes.write(cluster, volume.subject.id, b"written by another")
    assert run_in_guest("echo 3 > /proc/sys/vm/drop_caches; head -c 18 /dev/vdc") == "written by another"
    assert agent.stub.RemoveAttachment(specs.removal(attachment.subject)).was_present


def _check_usage(agent: LabAgent, *requests: pb.EnsureVolumeRequest) -> None:
    (usage,) = next(agent.readings(usage_interval_ms=1000)).guests
    assert {disk.volume_id for disk in usage.disks} == {request.subject.id for request in requests}


def test_start_without_a_key_or_with_a_silent_cluster_is_refused(agent: LabAgent, cluster: CephCluster) -> None:
    root = specs.volume(size_mib=64)
    rbd_volumes.make(cluster, root)
    request = opened(cluster, root, agent.node_id)
    request.rbd.monitors[:] = [f"{agent.node.address}:9"]
    agent.stub.EnsureVolume(request)
    guest = specs.instance(root)
    error = refusal(lambda: agent.stub.EnsureInstance(guest))
    assert (error.code, error.is_retryable) == ("agent.adapter_failed", True)
    assert "No monitor of the Ceph cluster answers" in error.message
    (kept,) = Path(agent.options[1], "volumes").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    kept.unlink()  # as a boot of the node does it
    error = refusal(lambda: agent.stub.EnsureInstance(guest))
    assert (error.code, error.is_retryable) == ("agent.volume_key_missing", True)
    agent.stub.RemoveInstance(specs.removal(guest.subject))
    agent.stub.RemoveVolume(specs.removal(root.subject))


@pytest.mark.nightly
def test_guest_migrates_with_its_disk_in_a_cluster(
    lab_node: LabNode, cluster: CephCluster, run_dir: Path, ca: TestCA, worker: Issued, tiny_image: Path
) -> None:
    """Each node has a client of its own: the destination opens the disk with its key, not with the source's."""
    here, there = two_agents(
        Lab(lab_node.folder.parent), ca, worker, options_of=lambda name: ("--run-dir", str(run_dir / name))
    )
    try:
        _migrate(here, there, cluster, root_in(cluster, tiny_image))
    finally:
        for agent in (here, there):
            agent.kill()


def _migrate(here: LabAgent, there: LabAgent, cluster: CephCluster, root: pb.EnsureVolumeRequest) -> None:
    guest = specs.instance(root)
    here.stub.EnsureVolume(opened(cluster, root, here.node_id))
    here.stub.EnsureInstance(guest)
    here.wait_for_console(guest.subject.id, BOOTED, within_s=PATIENCE_S)

    there.stub.EnsureVolume(opened(cluster, root, there.node_id, generation=2))
    arrival = pb.EnsureArrivalRequest(instance=guest, source=peer(here))
    arrival.instance.subject.generation = 2
    uri = there.stub.EnsureArrival(arrival).uri
    assert root.subject.id in secrets_of(there.node)
    departure = pb.EnsureDepartureRequest(
        subject=guest.subject, destination=peer(there), uri=uri, deadline_s=PATIENCE_S
    )
    here.stub.EnsureDeparture(departure)
    ended = end_of(here, departure)
    assert ended.phase == pb.MOVE_PHASE_COMPLETED, ended.reason
    assert ended.total_bytes < ROOT_MIB * MIB, "memory alone"
    assert there.stub.EnsureInstance(arrival.instance).power == pb.POWER_RUNNING
    assert secrets_of(there.node) == []
    there.restart_libvirtd()  # which forgets secrets
    wait_until(there.answers, what="the agent to find its libvirtd again")
    there.wait_for_power(guest.subject.id, pb.POWER_RUNNING)
    client = f"v-{root.subject.id}.{there.node_id.hex[-12:]}"
    name = f"andromede-{UUID(guest.subject.id)}"
    for options in ([], ["--inactive"]):
        assert client in there.node.exec(["virsh", "dumpxml", name, *options]).stdout
    here.stub.RemoveInstance(specs.removal(guest.subject, 2))
    assert here.stub.ForgetVolume(specs.removal(root.subject, 2)).was_present
    there.stub.RemoveInstance(specs.removal(guest.subject, 3))
    assert there.stub.ForgetVolume(specs.removal(root.subject, 3)).was_present
