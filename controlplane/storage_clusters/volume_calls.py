"""Calls to storage agents about volumes and images: one function per RPC, over mutual TLS.

Those that bring data into a cluster, or give it to a node, carry the node's permit, which workflows/step_permits.py
gets from the signer. They are not made inside a transaction, nor by a worker that has lost its operation lease.
"""

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc

from agents.protocol import storage_pb2 as pb
from agents.protocol.storage_pb2_grpc import StorageStub
from controlplane.kernel.names import as_uuid
from controlplane.nodes.agent_client import IMAGE_LOOK_S, IMAGE_TIMEOUT_S, CallAuthorization, image_parts
from controlplane.nodes.errors import ImageFileUnreadable
from controlplane.nodes.models import Pool
from controlplane.nodes.service_agents import error_code, is_retryable
from controlplane.operations import lease_guard
from controlplane.storage_clusters.errors import (
    StorageClusterFailed,
    StorageClusterRefused,
    StorageClusterUnreachable,
)
from controlplane.storage_clusters.models import StorageCluster
from controlplane.storage_clusters.storage_client import calling
from telemetry.logs import outgoing_metadata

log = logging.getLogger(__name__)

CODE = re.compile(r"[^a-z0-9_.]")  # what no code of an agent has
TIMEOUT_S = 60  # a storage agent gives up on its cluster before
UNIMPLEMENTED = "storage.unimplemented"  # the code here for an agent of a release without the call


def ensure_image(
    authorization: CallAuthorization, pool: Pool, *, sha256: str, size_bytes: int, image_format: str, file: Path | None
) -> None:
    """Send the image unless the pool has it. `file` None: only check that; without it the agent refuses.

    Raises:
        StorageClusterUnreachable, StorageClusterFailed, StorageClusterRefused
        ImageFileUnreadable: the file cannot be read here.
    """
    header = pb.ImageHeader(
        sha256=sha256,
        size_bytes=size_bytes,
        format=f"IMAGE_FORMAT_{image_format.upper()}",
        permit=permit_of(authorization),
        pool=pool.name,
    )
    problems: list[OSError] = []
    parts = image_parts(pb.ImagePart, header, file, problems)
    try:
        with stub_of_pool(pool) as stub:
            stub.EnsureImage(parts, **terms(IMAGE_TIMEOUT_S if file is not None else IMAGE_LOOK_S))
    except (StorageClusterUnreachable, StorageClusterFailed, StorageClusterRefused):
        if problems:
            raise ImageFileUnreadable(sha256=sha256, cause=str(problems[0])) from problems[0]
        raise


def remove_image(pool: Pool, sha256: str) -> None:
    """Remove the image from the pool. Raises as ensure_image; StorageClusterRefused: a volume is a clone of it."""
    with stub_of_pool(pool) as stub:
        stub.RemoveImage(pb.RemoveImageRequest(sha256=sha256, pool=pool.name), **terms())


def ensure_volume(authorization: CallAuthorization, pool: Pool, request: pb.EnsureVolumeRequest) -> None:
    """Make the volume, or grow it. Raises as ensure_image."""
    request.pool = pool.name
    request.permit.CopyFrom(permit_of(authorization))
    with stub_of_pool(pool) as stub:
        stub.EnsureVolume(request, **terms())


def open_volume(
    authorization: CallAuthorization, pool: Pool, volume_id: UUID, *, addresses: Sequence[str] = ()
) -> pb.VolumeKey:
    """Make the key with which the authorized node opens the volume, and nothing else. Raises as ensure_image.

    `addresses`: of the node, for a shared opening, which other nodes may have beside this one.
    """
    request = pb.OpenVolumeRequest(
        permit=permit_of(authorization),
        volume_id=str(volume_id),
        pool=pool.name,
        is_shared=bool(addresses),
        addresses=addresses,
    )
    with stub_of_pool(pool) as stub:
        key: pb.VolumeKey = stub.OpenVolume(request, **terms())
    return key


def close_volume(pool: Pool, volume_id: UUID, *, node_id: UUID, is_dead: bool) -> pb.Closed:
    """Remove the node's key, and fence what has the volume open with it. Raises as ensure_image."""
    request = pb.CloseVolumeRequest(volume_id=str(volume_id), pool=pool.name, node_id=str(node_id), is_dead=is_dead)
    with stub_of_pool(pool) as stub:
        closed: pb.Closed = stub.CloseVolume(request, **terms())
    return closed


def remove_volume(pool: Pool, volume_id: UUID, *, generation: int) -> bool:
    """Move the volume to the cluster's trash, which the agent empties. False: there was none.

    `generation` 0: whatever is there. Raises as ensure_image; StorageClusterRefused: a newer generation of the volume
    is there, or a client has it open.
    """
    request = pb.RemoveVolumeRequest(volume_id=str(volume_id), pool=pool.name, generation=generation)
    with stub_of_pool(pool) as stub:
        return bool(stub.RemoveVolume(request, **terms()).was_present)


def fence_addresses(cluster: StorageCluster, addresses: Sequence[str], *, seconds: int) -> None:
    """Fence the clients at these addresses for so many seconds: they read and write nothing in the cluster.

    Raises as ensure_image; StorageClusterRefused: one is the storage agent's own.
    """
    with _stub_of(cluster) as stub:
        stub.FenceNode(pb.FenceNodeRequest(addresses=addresses, seconds=seconds), **terms())


def unfence_addresses(cluster: StorageCluster, addresses: Sequence[str]) -> None:
    """Remove the fences of these addresses. Raises as ensure_image."""
    with _stub_of(cluster) as stub:
        stub.UnfenceNode(pb.UnfenceNodeRequest(addresses=addresses), **terms())


@dataclass(frozen=True, slots=True)
class ListedVolume:
    """An image of a pool. `snapshots`: the ids of its first ones, in their order."""

    name: str
    size_bytes: int
    snapshots: tuple[str, ...] = ()
    has_more_snapshots: bool = False


def list_volumes(pool: Pool, *, after: str) -> list[ListedVolume]:
    """Return the next images of the pool, in the order of their names; empty: none.

    `after`: the last name of the page before. Raises as ensure_image.
    """
    with stub_of_pool(pool) as stub:
        page = stub.ListVolumes(pb.ListVolumesRequest(pool=pool.name, after=after), **terms())
    return [
        ListedVolume(each.name, each.size_bytes, _ids(each.snapshots), each.has_more_snapshots) for each in page.volumes
    ]


def list_snapshots(pool: Pool, volume_id: UUID, *, after: str) -> tuple[str, ...]:
    """Return the ids of the volume's next snapshots, in their order; empty: none. Raises as ensure_image."""
    request = pb.ListSnapshotsRequest(volume_id=str(volume_id), pool=pool.name, after=after)
    with stub_of_pool(pool) as stub:
        page = stub.ListSnapshots(request, **terms())
    return _ids(each.snapshot_id for each in page.snapshots)


def _ids(names: Iterable[str]) -> tuple[str, ...]:
    """Return those of the names that are ids, of which a storage agent gives no others."""
    return tuple(name for name in names if str(as_uuid(name)) == name)


def ensure_snapshot(
    authorization: CallAuthorization, pool: Pool, snapshot_id: UUID, *, volume_id: UUID, size_bytes: int
) -> pb.SnapshotState:
    """Take the snapshot of the volume, which has this size. Raises as ensure_image."""
    request = pb.EnsureSnapshotRequest(
        permit=permit_of(authorization),
        volume_id=str(volume_id),
        pool=pool.name,
        snapshot_id=str(snapshot_id),
        size_bytes=size_bytes,
    )
    with stub_of_pool(pool) as stub:
        state: pb.SnapshotState = stub.EnsureSnapshot(request, **terms())
    return state


def remove_snapshot(pool: Pool, snapshot_id: UUID, *, volume_id: UUID) -> bool:
    """Remove the snapshot; volumes that were made from it stay whole. False: there was none. Raises as ensure_image."""
    request = pb.RemoveSnapshotRequest(volume_id=str(volume_id), pool=pool.name, snapshot_id=str(snapshot_id))
    with stub_of_pool(pool) as stub:
        return bool(stub.RemoveSnapshot(request, **terms()).was_present)


def revert_volume(
    authorization: CallAuthorization, pool: Pool, volume_id: UUID, *, snapshot_id: UUID, size_bytes: int
) -> None:
    """Give the volume the content of the snapshot, which is copied, and this size.

    Raises as ensure_image; StorageClusterRefused: a client has the volume open to write.
    """
    request = pb.RevertVolumeRequest(
        permit=permit_of(authorization),
        volume_id=str(volume_id),
        pool=pool.name,
        snapshot_id=str(snapshot_id),
        size_bytes=size_bytes,
    )
    with stub_of_pool(pool) as stub:
        stub.RevertVolume(request, **terms(IMAGE_TIMEOUT_S))


def finish_revert(pool: Pool, volume_id: UUID, *, snapshot_id: UUID, generation: int) -> bool:
    """Finish the revert for this generation of the volume; False: its copy has not begun, and nothing was changed.

    Raises as ensure_image; StorageClusterRefused: there was a later revert, or the snapshot is gone.
    """
    request = pb.FinishRevertRequest(
        volume_id=str(volume_id), pool=pool.name, snapshot_id=str(snapshot_id), generation=generation
    )
    with stub_of_pool(pool) as stub:
        return bool(stub.FinishRevert(request, **terms(IMAGE_TIMEOUT_S)).has_begun)


@contextmanager
def stub_of_pool(pool: Pool) -> Iterator[StorageStub]:
    """Return the stub of the pool's storage agent, for a worker that still has its lease. Raises as ensure_image."""
    cluster = pool.cluster
    assert cluster is not None, "only pools of clusters have an agent"
    with _stub_of(cluster) as stub:
        yield stub


@contextmanager
def _stub_of(cluster: StorageCluster) -> Iterator[StorageStub]:
    try:
        with calling(cluster) as stub:
            lease_guard.require_lease()
            yield stub
    except grpc.RpcError as exc:
        raise _error(cluster, exc) from exc


def _error(
    cluster: StorageCluster, exc: grpc.RpcError
) -> StorageClusterUnreachable | StorageClusterFailed | StorageClusterRefused:
    """Return the error for the tenant, which names neither the cluster nor its clients; the log does."""
    code = error_code(exc)
    log.warning("storage agent of %s: %s %s %s", cluster.name, exc.code().name, code, exc.details())
    if not code and exc.code() is grpc.StatusCode.UNIMPLEMENTED:
        log.error("storage agent of %s: its release is too old for this call; upgrade it", cluster.name)
        return StorageClusterRefused(agent_code=UNIMPLEMENTED)
    if not code:
        return StorageClusterUnreachable()
    error = StorageClusterFailed if is_retryable(exc) else StorageClusterRefused
    return error(agent_code=CODE.sub("", code)[:64])


def permit_of(authorization: CallAuthorization) -> pb.Permit:
    message = authorization.as_message()
    return pb.Permit(document=message.document, policies=message.policies, cosignature=message.cosignature)


def terms(timeout_s: int = TIMEOUT_S) -> dict[str, Any]:
    return {"timeout": timeout_s, "metadata": outgoing_metadata()}
