"""Disks in pools of storage clusters: the storage agent makes, opens, closes and removes them for a node.

A node has a key for each of its disks; the key is made when the disk is opened for the node, and removed when the disk
is closed, which fences whatever still has the disk open with it.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from uuid import UUID

from agents.protocol import agent_pb2, storage_pb2
from controlplane.catalog.models import Image
from controlplane.nodes.agent_client import CallAuthorization
from controlplane.nodes.models import Pool
from controlplane.storage_clusters import volume_calls
from controlplane.storage_clusters.errors import (
    StorageClusterFailed,
    StorageClusterNotTrusting,
    StorageClusterRefused,
)
from controlplane.storage_clusters.models import ClusterImage
from controlplane.workflows import image_transfer
from controlplane.workflows.step_permits import invalidate_rejected

log = logging.getLogger(__name__)


def ensure_image(authorization: CallAuthorization, image: Image, pool: Pool) -> None:
    """Import the image into the pool. Raises HandOver when the pool lacks it, and this queue does not send images."""
    ClusterImage.objects.get_or_create(pool=pool, sha256=image.sha256)
    with _using_permit(authorization):
        image_transfer.ensure_image(partial(volume_calls.ensure_image, authorization, pool), image)


def open_for(
    authorization: CallAuthorization, request: agent_pb2.EnsureVolumeRequest, pool: Pool
) -> agent_pb2.RbdSource:
    """Make or grow the requested volume, open it for the authorized node, and return what the node opens it with."""
    volume = storage_pb2.EnsureVolumeRequest(
        volume_id=request.subject.id,
        size_bytes=request.size_bytes,
        image_sha256=request.image_sha256,
        is_taken_over=request.is_taken_over,
    )
    with _using_permit(authorization):
        volume_calls.ensure_volume(authorization, pool, volume)
        key = volume_calls.open_volume(authorization, pool, UUID(request.subject.id))
    return agent_pb2.RbdSource(pool=key.pool, image=key.image, monitors=key.monitors, client=key.client, key=key.key)


def close(pool: Pool, volume_id: UUID, *, node_id: UUID, is_dead: bool = False) -> None:
    """Remove the node's key. What has the volume open with it is fenced: it cannot write any more.

    `is_dead`: the node is; what it has open is fenced, also what the cluster does not see any more.
    """
    closed = volume_calls.close_volume(pool, volume_id, node_id=node_id, is_dead=is_dead)
    if closed.fenced:
        log.warning("volume %s in pool %s: fenced %s of node %s", volume_id, pool.name, list(closed.fenced), node_id)


def remove(pool: Pool, volume_id: UUID) -> None:
    """Delete the volume's data. Its nodes are closed first."""
    volume_calls.remove_volume(pool, volume_id)


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
