"""Volumes in a Ceph cluster, made and opened for nodes as a storage agent does it."""

from ipaddress import ip_network
from pathlib import Path
from uuid import UUID

from agents.lab import LabNode
from agents.lab.ceph import POOL, CephCluster
from agents.lab.ceph.config import MON_PORT
from agents.lab.network import MACHINE_HOST
from agents.lab.shell import run, wait_until
from agents.protocol import agent_pb2 as pb
from tests.agents.specs import MIB
from tests.limits import PATIENCE_S
from tests.permits import PermittedStub

NAME = "fast"  # of the pool, in the control plane


def address_for(node: LabNode) -> str:
    """Return the machine's address that the nodes of the lab reach."""
    return str(ip_network(f"{node.address}/24", strict=False)[MACHINE_HOST])


def make(
    cluster: CephCluster,
    volume: pb.EnsureVolumeRequest,
    *,
    content: bytes = b"",
    image: Path | None = None,
    is_multi_attach: bool = False,
) -> None:
    import rbd  # Debian's build: other tests run without it

    from agents.storage.worker.volumes import FOR_ONE, FOR_SEVERAL

    name, features = volume.subject.id, FOR_SEVERAL if is_multi_attach else FOR_ONE
    with cluster.client() as client, client.open_ioctx(POOL) as ioctx:
        rbd.RBD().create(ioctx, name, volume.size_bytes, old_format=False, features=features)
    write(cluster, name, content)
    if image is not None:
        run(["qemu-img", "convert", "-n", "-O", "raw", str(image), f"rbd:{POOL}/{name}:conf={cluster.conf}"])


def write(cluster: CephCluster, volume_id: str, content: bytes) -> None:
    import rbd

    with cluster.client() as client, client.open_ioctx(POOL) as ioctx, rbd.Image(ioctx, volume_id) as image:
        image.write(content, 0)


def read(cluster: CephCluster, volume_id: str, *, offset: int, count: int) -> bytes:
    import rbd

    with cluster.client() as client, client.open_ioctx(POOL) as ioctx:
        image = rbd.Image(ioctx, volume_id, read_only=True)
        with image:
            return bytes(image.read(offset, count))


def opened(
    cluster: CephCluster, volume: pb.EnsureVolumeRequest, node_id: UUID, *, generation: int = 1, size_mib: int = 0
) -> pb.EnsureVolumeRequest:
    """Return the request by which a node opens the volume, with a key of its own."""
    request, name = pb.EnsureVolumeRequest(), volume.subject.id
    request.CopyFrom(volume)
    request.subject.generation, request.pool = generation, NAME
    request.size_bytes = size_mib * MIB or volume.size_bytes
    client, plan = f"v-{name}.{node_id.hex[-12:]}", cluster.plan
    assert plan is not None
    (entity,) = cluster.command(
        "auth get-or-create", entity=f"client.{client}", caps=["mon", "allow r", "osd", _osd_caps(cluster, name)]
    )
    request.rbd.CopyFrom(
        pb.RbdSource(
            pool=POOL,
            image=name,
            monitors=[f"{plan.address}:{MON_PORT}"],
            client=client,
            key=str(entity["key"]).encode(),
        )
    )
    return request


def wait_for_mirror(stub: PermittedStub, volume_id: str) -> None:
    """Wait until the copy of a running guest's disk follows what the guest writes."""

    def is_ready() -> bool:
        (state,) = stub.Describe(pb.DescribeRequest(ids=[volume_id])).volume_copies
        assert state.phase != pb.COPY_PHASE_FAILED, state.reason
        return bool(state.phase == pb.COPY_PHASE_READY)

    wait_until(is_ready, what="the mirror", within_s=PATIENCE_S)


def secrets_of(node: LabNode) -> list[str]:
    """Return libvirt's secrets on the node, as virsh prints them."""
    return node.exec(["virsh", "--quiet", "secret-list"]).stdout.split()


def _osd_caps(cluster: CephCluster, name: str) -> str:
    import rbd

    with cluster.client() as client, client.open_ioctx(POOL) as ioctx, rbd.Image(ioctx, name, read_only=True) as image:
        image_id = image.id()
    own = [("rx", f"rbd_id.{name}"), ("rx", "rbd_info")]
    own += [("rwx", f"rbd_{kind}.{image_id}") for kind in ("header", "object_map", "data")]
    return ", ".join(f"allow {rights} pool={POOL} object_prefix {prefix}" for rights, prefix in own)
