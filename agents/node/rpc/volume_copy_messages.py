"""Messages of copies of volumes."""

from agents.node.adapters.storage.places import Place
from agents.node.errors import BadRequest
from agents.node.rpc import decoding
from agents.node.services.volume_copies import CopyPhase, CopyStatus
from agents.node.specs import VolumeCopySpec
from agents.protocol import agent_pb2 as pb

PHASES = {
    CopyPhase.RUNNING: pb.COPY_PHASE_RUNNING,
    CopyPhase.READY: pb.COPY_PHASE_READY,
    CopyPhase.COMPLETED: pb.COPY_PHASE_COMPLETED,
    CopyPhase.FAILED: pb.COPY_PHASE_FAILED,
}


def spec(message: pb.EnsureVolumeCopyRequest) -> VolumeCopySpec:
    volume_id = message.subject.id
    source, destination = _place(volume_id, message.source), _place(volume_id, message.destination)
    if (source.rbd is None) == (destination.rbd is None):
        raise BadRequest("destination.rbd", "has to be given, or that of the source, and not both")
    return VolumeCopySpec(
        decoding.volume_size(message.size_bytes),
        source,
        destination,
        decoding.within("max_bytes_per_s", message.max_bytes_per_s, 0, decoding.MAX_BYTES_PER_S),
        is_online=message.is_online,
    )


def key(message: pb.EnsureVolumeCopyRequest) -> bytes:
    """Return the key of the place in a Ceph cluster; empty: neither is in one."""
    for place in (message.source, message.destination):
        if place.HasField("rbd"):
            return decoding.rbd_key(place.rbd)
    return b""


def state(status: CopyStatus) -> pb.VolumeCopyState:
    return pb.VolumeCopyState(
        subject=pb.Subject(id=str(status.id), generation=status.generation),
        phase=PHASES[status.phase],
        reason=status.reason,
        total_bytes=status.total_bytes,
        moved_bytes=status.moved_bytes,
    )


def _place(volume_id: str, message: pb.VolumePlace) -> Place:
    pool = decoding.pool(message.pool)
    if not message.HasField("rbd"):
        if pool:
            raise BadRequest("pool", "is a folder that other nodes reach: volumes are not copied from there or to it")
        return Place(pool)
    if not pool:
        raise BadRequest("rbd", "is only for a place in a pool")
    return Place(pool, decoding.rbd_source(volume_id, message.rbd))
