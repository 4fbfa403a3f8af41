"""Image files that no image needs any more are removed from the image store, the caches of the nodes, and storage
clusters.

Files of private images that stay on nodes are recorded, since they are customers' data.
"""

import logging
from uuid import UUID

from controlplane.catalog import services
from controlplane.catalog.models import Image
from controlplane.compliance.image_copies import record_image_copies
from controlplane.kernel.errors import CloudError
from controlplane.nodes import agent_client
from controlplane.nodes.errors import NodeRefused
from controlplane.nodes.models import Node
from controlplane.storage_clusters import volume_calls
from controlplane.storage_clusters.errors import StorageClusterUnreachable
from controlplane.storage_clusters.models import ClusterImage

log = logging.getLogger(__name__)


def reconcile() -> int:
    """Return how many files were removed from the image store."""
    if removed := services.images_collect():
        log.info("%d files removed from the image store", removed)
    for node in Node.objects.filter(state="ready").exclude(admin_state="retired"):
        try:
            _clean_cache(node)
        except CloudError as exc:
            log.warning("node %s: image cache not cleaned, retried later: %s", node.name, exc)
    _clean_clusters()
    return removed


def _clean_cache(node: Node) -> None:
    """Read the node's cache first and the rows afterwards: an image that was sent in between has its row by then."""
    cached = {image.sha256 for image in agent_client.describe(node).images}
    removed = {sha256 for sha256 in cached - _needed(cached) if _is_removed(node, sha256)}
    record_image_copies(node, cached - removed)


def _needed(cached: set[str]) -> set[str]:
    rows = Image.objects.filter(sha256__in=cached).exclude(state="deleted")
    return set(rows.values_list("sha256", flat=True))


def _is_removed(node: Node, sha256: str) -> bool:
    try:
        agent_client.remove_image(node, sha256=sha256)
    except NodeRefused:
        log.debug("node %s: image %s kept, a disk is cloned from it", node.name, sha256)
        return False
    return True


def _clean_clusters() -> None:
    """Remove images from the pools of clusters; one that volumes are clones of is tried again at the next run."""
    rows = list(ClusterImage.objects.select_related("pool").order_by("pool", "sha256"))
    needed = _needed({row.sha256 for row in rows})
    silent: set[UUID | None] = set()
    for row in rows:
        if row.sha256 in needed or row.pool.cluster_id in silent:
            continue
        row.delete()  # first: an import that begins meanwhile writes its own
        try:
            volume_calls.remove_image(row.pool, row.sha256)
        except CloudError as exc:
            log.info("pool %s: image %s kept for now: %s", row.pool.name, row.sha256, exc)
            ClusterImage.objects.get_or_create(pool=row.pool, sha256=row.sha256)
            if isinstance(exc, StorageClusterUnreachable):
                silent.add(row.pool.cluster_id)
