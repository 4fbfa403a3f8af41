"""Disks in pools of storage clusters, and their snapshots: the storage agent makes, opens, closes and removes them.

A node has a key for each of its disks; the key is made when the disk is opened for the node, and removed when the disk
is closed, which fences whatever still has the disk open with it.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from agents.protocol import agent_pb2, storage_pb2
from controlplane.catalog.models import Image
from controlplane.kernel import clock
from controlplane.kernel.units import GIB
from controlplane.nodes.agent_client import CallAuthorization
from controlplane.nodes.models import Orphan, Pool
from controlplane.nodes.pools import has_multi_attach, has_snapshots
from controlplane.nodes.storage_addresses import known_to_storage
from controlplane.storage.models import Snapshot, Volume
from controlplane.storage_clusters import snapshot_reads, volume_calls
from controlplane.storage_clusters.errors import (
    StorageAddressUnknown,
    StorageClusterFailed,
    StorageClusterNotTrusting,
    StorageClusterRefused,
)
from controlplane.storage_clusters.models import ClusterImage
from controlplane.storage_clusters.snapshot_reads import SnapshotContent
from controlplane.workflows import image_transfer
from controlplane.workflows.step_permits import invalidate_rejected

log = logging.getLogger(__name__)

EPOCH = datetime.fromtimestamp(0, UTC)
CLOCKS_DIFFER = timedelta(minutes=5)  # at most, between here and a storage cluster


def ensure_image(authorization: CallAuthorization, image: Image, pool: Pool) -> None:
    """Import the image into the pool. Raises HandOver when the pool lacks it, and this queue does not send images."""
    ClusterImage.objects.get_or_create(pool=pool, sha256=image.sha256)
    with _using_permit(authorization):
        image_transfer.ensure_image(partial(volume_calls.ensure_image, authorization, pool), image)


def ensure_volume(
    authorization: CallAuthorization,
    request: agent_pb2.EnsureVolumeRequest,
    pool: Pool,
    *,
    snapshot: Snapshot | None = None,
    is_multi_attach: bool = False,
) -> None:
    """Make or grow the requested volume. `snapshot`: it is a clone of it. `is_multi_attach`: for several nodes at once.

    Raises:
        StorageClusterRefused: the agent is of a release that would make another volume: an empty one, or for one node.
        StorageClusterFailed: the image of that id that is there is an orphan that is being deleted.
    """
    _require_no_discard(pool, request.subject.id)
    if (snapshot is not None and not has_snapshots(pool)) or (is_multi_attach and not has_multi_attach(pool)):
        raise StorageClusterRefused(agent_code=volume_calls.UNIMPLEMENTED)
    volume = storage_pb2.EnsureVolumeRequest(
        volume_id=request.subject.id,
        size_bytes=request.size_bytes,
        image_sha256=request.image_sha256,
        is_taken_over=request.is_taken_over,
        generation=request.subject.generation,
        is_multi_attach=is_multi_attach,
    )
    if snapshot is not None:
        volume.snapshot.pool = snapshot.pool.name
        volume.snapshot.volume_id, volume.snapshot.snapshot_id = str(snapshot.volume_id), str(snapshot.pk)
    with _using_permit(authorization):
        volume_calls.ensure_volume(authorization, pool, volume)


def open_for(
    authorization: CallAuthorization, volume_id: UUID, pool: Pool, *, is_shared: bool = False
) -> agent_pb2.RbdSource:
    """Open the volume for the authorized node, and return what the node opens it with. `is_shared`: beside others.

    Raises:
        StorageAddressUnknown: the node's part of several openings could not be told by its addresses.
    """
    addresses = known_to_storage(authorization.node) if is_shared else []
    if is_shared and not addresses:
        raise StorageAddressUnknown()
    with _using_permit(authorization):
        key = volume_calls.open_volume(authorization, pool, volume_id, addresses=addresses)
    return agent_pb2.RbdSource(pool=key.pool, image=key.image, monitors=key.monitors, client=key.client, key=key.key)


def _require_no_discard(pool: Pool, volume_id: str) -> None:
    """Wait for the deletion of an orphan (reconcilers/cluster_orphans.py), which would take the volume with it.

    The caller's row, allocation or lock is committed: a deletion that has not checked the rows yet is dropped.
    """
    if Orphan.objects.filter(pool=pool, resource_id=volume_id, requested_action="discard").exists():
        raise StorageClusterFailed()


def close(pool: Pool, volume_id: UUID, *, node_id: UUID, is_dead: bool = False) -> None:
    """Remove the node's key. What has the volume open with it is fenced: it cannot write any more.

    `is_dead`: the node is; what it has open is fenced, also what the cluster does not see any more.
    """
    closed = volume_calls.close_volume(pool, volume_id, node_id=node_id, is_dead=is_dead)
    if closed.fenced:
        log.warning("volume %s in pool %s: fenced %s of node %s", volume_id, pool.name, list(closed.fenced), node_id)


def remove(pool: Pool, volume_id: UUID, *, generation: int) -> None:
    """Delete the volume's data. Its nodes are closed first."""
    volume_calls.remove_volume(pool, volume_id, generation=generation)


def take_snapshot(authorization: CallAuthorization, snapshot: Snapshot, *, requested_at: datetime) -> datetime:
    """Take the snapshot, unless it is taken already, and return when the cluster took it.

    The moment is kept in a header of the volume, which a node that has the volume open can rewrite: one that is not
    between `asked_at` and now is not accepted, and now takes its place.
    """
    with _using_permit(authorization):
        state = volume_calls.ensure_snapshot(
            authorization,
            snapshot.pool,
            snapshot.pk,
            volume_id=snapshot.volume_id,
            size_bytes=snapshot.size_gib * GIB,
        )
    earliest, now = requested_at - CLOCKS_DIFFER, clock.now()
    taken_at_ms = state.taken_at_ms
    if _ms(earliest) <= taken_at_ms <= _ms(now + CLOCKS_DIFFER):
        return EPOCH + timedelta(milliseconds=taken_at_ms)
    log.warning("snapshot %s: its moment is stated as %s ms since 1970, and is not accepted", snapshot.pk, taken_at_ms)
    return now


def _ms(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)


def remove_snapshot(snapshot: Snapshot) -> None:
    volume_calls.remove_snapshot(snapshot.pool, snapshot.pk, volume_id=snapshot.volume_id)


@contextmanager
def reading_snapshot(authorization: CallAuthorization, snapshot: Snapshot) -> Iterator[SnapshotContent]:
    """Have the storage agent send the content of the snapshot while the block goes on."""
    reading = snapshot_reads.reading_snapshot(authorization, snapshot.pool, snapshot.pk, volume_id=snapshot.volume_id)
    with _using_permit(authorization), reading as content:
        yield content


def revert(authorization: CallAuthorization, volume: Volume, snapshot: Snapshot) -> None:
    """Give the volume the content of the snapshot. It keeps its size, which may be larger."""
    with _using_permit(authorization):
        volume_calls.revert_volume(
            authorization, snapshot.pool, volume.pk, snapshot_id=snapshot.pk, size_bytes=volume.size_gib * GIB
        )


def finish_revert(volume: Volume, snapshot: Snapshot) -> bool:
    """Finish a revert whose copy has begun, under the permit that it began with; False: it has not begun."""
    return volume_calls.finish_revert(snapshot.pool, volume.pk, snapshot_id=snapshot.pk, generation=volume.generation)


@contextmanager
def _using_permit(authorization: CallAuthorization) -> Iterator[None]:
    """Invalidate a permit that the storage agent rejects, so that it is not used again.

    Raises:
        StorageClusterNotTrusting: the agent lacks trust documents, which its reconciler sends.
    """
    try:
        yield
    except (StorageClusterFailed, StorageClusterRefused) as exc:
        code = invalidate_rejected(authorization, exc)
        if not code:
            raise
        raise StorageClusterNotTrusting(agent_code=code) from exc
