"""Messages of copies of volumes."""

from agents.node.adapters.storage.copying import CopyKeys
from agents.node.adapters.storage.places import OWN_FOLDER, Place
from agents.node.errors import BadRequest
from agents.node.rpc import decoding
from agents.node.services.volume_copies import OTHER_NODE, CopyPhase, CopyStatus
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
    if message.HasField("received_from") or message.HasField("sent_to"):
        return _between_nodes(message, source, destination)
    if source.pool == destination.pool:
        raise BadRequest("destination.pool", "is the place of the source")
    if source.rbd is not None and destination.rbd is not None:
        if source.rbd.pool == destination.rbd.pool:  # its image has the same name: it would be its own copy
            raise BadRequest("destination.rbd.pool", "is that of the source")
        if message.is_online:
            raise BadRequest("is_online", "is only for a copy from the node's own folder, or to it")
    return VolumeCopySpec(
        decoding.volume_size(message.size_bytes),
        source,
        destination,
        decoding.within("max_bytes_per_s", message.max_bytes_per_s, 0, decoding.MAX_BYTES_PER_S),
        is_online=message.is_online,
    )


def _between_nodes(message: pb.EnsureVolumeCopyRequest, source: Place, destination: Place) -> VolumeCopySpec:
    is_received = message.HasField("received_from")
    if is_received and message.HasField("sent_to"):
        raise BadRequest("sent_to", "is only for a copy that is not received")
    if message.is_online or (source, destination) != (OWN_FOLDER, OWN_FOLDER):
        raise BadRequest("sent_to", "is only for a copy between the own folders of two nodes, and not online")
    return VolumeCopySpec(
        decoding.volume_size(message.size_bytes),
        source,
        destination,
        decoding.within("max_bytes_per_s", message.max_bytes_per_s, 0, decoding.MAX_BYTES_PER_S),
        received_from=decoding.peer("received_from", message.received_from) if is_received else None,
        sent_to=None if is_received else decoding.peer("sent_to", message.sent_to),
    )


def uri(message: pb.EnsureVolumeCopyRequest) -> str:
    """Return where a copy that is sent goes; empty: it is not sent."""
    return decoding.uri(message.uri) if message.HasField("sent_to") else ""


def erased_place(name: str) -> str:
    """Return the place that a removal names."""
    return OTHER_NODE if name == OTHER_NODE else decoding.pool(name)


def keys(message: pb.EnsureVolumeCopyRequest) -> CopyKeys:
    """Return the keys of the places in Ceph clusters."""
    return CopyKeys(*(_key(place) for place in (message.source, message.destination)))


def _key(place: pb.VolumePlace) -> bytes | None:
    return decoding.rbd_key(place.rbd) if place.HasField("rbd") else None


def state(status: CopyStatus) -> pb.VolumeCopyState:
    return pb.VolumeCopyState(
        subject=pb.Subject(id=str(status.id), generation=status.generation),
        phase=PHASES[status.phase],
        reason=status.reason,
        total_bytes=status.total_bytes,
        moved_bytes=status.moved_bytes,
        uri=status.uri,
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
