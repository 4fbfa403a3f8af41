"""Content of a snapshot, as the storage agent of its cluster sends it."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from agents.protocol import storage_pb2 as pb
from controlplane.nodes.agent_client import CallAuthorization
from controlplane.nodes.models import Pool
from controlplane.storage_clusters.errors import SnapshotCut
from controlplane.storage_clusters.volume_calls import permit_of, stub_of_pool, terms

TIMEOUT_S = 6 * 3600
OFFSET_BYTES = 8


@dataclass(frozen=True)
class SnapshotContent:
    """The content of a snapshot. `used_bytes`: at least as much as comes.

    `extents`: offset and bytes; what is between them is zeros. They end only if all came as it was sent, and else raise
    SnapshotCut.
    """

    size_bytes: int
    used_bytes: int
    extents: Iterator[tuple[int, bytes]]


@contextmanager
def reading_snapshot(
    authorization: CallAuthorization, pool: Pool, snapshot_id: UUID, *, volume_id: UUID
) -> Iterator[SnapshotContent]:
    """Have the agent send the snapshot while the block goes on.

    Raises:
        SnapshotCut, StorageClusterUnreachable, StorageClusterFailed, StorageClusterRefused
    """
    request = pb.ReadSnapshotRequest(
        permit=permit_of(authorization), volume_id=str(volume_id), pool=pool.name, snapshot_id=str(snapshot_id)
    )
    with stub_of_pool(pool) as stub:
        parts = stub.ReadSnapshot(request, **terms(TIMEOUT_S))
        first = next(parts, None)
        if first is None or first.WhichOneof("part") != "header":
            raise SnapshotCut()
        header = first.header
        yield SnapshotContent(header.size_bytes, header.used_bytes, _extents(parts, header.size_bytes))


def _extents(parts: Iterator[pb.SnapshotPart], size_bytes: int) -> Iterator[tuple[int, bytes]]:
    digest, sent_bytes, end = hashlib.sha256(), 0, 0
    for part in parts:
        kind = part.WhichOneof("part")
        if kind == "end" and (part.end.sent_bytes, part.end.sha256) == (sent_bytes, digest.hexdigest()):
            return
        offset, data = part.extent.offset, part.extent.data
        if kind != "extent" or offset < end or offset + len(data) > size_bytes:
            break
        digest.update(offset.to_bytes(OFFSET_BYTES, "big") + data)
        sent_bytes, end = sent_bytes + len(data), offset + len(data)
        yield offset, data
    raise SnapshotCut()
