"""Messages of ReadSnapshot, of what a worker process sends."""

from collections.abc import Generator, Iterator
from typing import Any

from agents.protocol import storage_pb2 as pb
from agents.storage.worker.data_frames import HEADER, OFFSET


def snapshot_parts(sent: Generator[bytes, None, dict[str, Any]]) -> Iterator[pb.SnapshotPart]:
    """Return the header, the extents, and the end if the worker has answered."""
    size_bytes, used_bytes = HEADER.unpack(next(sent))
    yield pb.SnapshotPart(header=pb.SnapshotHeader(size_bytes=size_bytes, used_bytes=used_bytes))
    end = yield from _extents(sent)
    yield pb.SnapshotPart(end=pb.SnapshotEnd(**end))


def _extents(
    sent: Generator[bytes, None, dict[str, Any]],
) -> Generator[pb.SnapshotPart, None, dict[str, Any]]:
    while True:
        try:
            data = next(sent)
        except StopIteration as exc:
            answer: dict[str, Any] = exc.value
            return answer
        (offset,) = OFFSET.unpack_from(data)
        yield pb.SnapshotPart(extent=pb.SnapshotExtent(offset=offset, data=data[OFFSET.size :]))
