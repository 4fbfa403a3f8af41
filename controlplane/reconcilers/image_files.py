"""Image files that no image needs any more go: from the image store, and from the caches of the nodes. What
stays there of private images is noted, since it is somebody's data."""

import logging

from controlplane.catalog import services
from controlplane.catalog.models import Image
from controlplane.compliance.image_copies import copies_note
from controlplane.kernel.errors import CloudError
from controlplane.nodes import agent_client
from controlplane.nodes.errors import NodeRefused
from controlplane.nodes.models import Node

log = logging.getLogger(__name__)


def reconcile() -> int:
    """How many files were removed from the image store."""
    if removed := services.images_collect():
        log.info("%d files were removed from the image store", removed)
    needed = set(Image.objects.exclude(state="deleted").values_list("sha256", flat=True))
    for node in Node.objects.filter(state="ready").exclude(duty="retired"):
        try:
            _clean_cache(node, needed)
        except CloudError as exc:
            log.warning("node %s: its cached images stay for now: %s", node.name, exc)
    return removed


def _clean_cache(node: Node, needed: set[str]) -> None:
    cached = {image.sha256 for image in agent_client.describe(node).images}
    removed = {sha256 for sha256 in cached - needed if _is_removed(node, sha256)}
    copies_note(node, cached - removed)


def _is_removed(node: Node, sha256: str) -> bool:
    try:
        agent_client.remove_image(node, sha256=sha256)
    except NodeRefused:
        log.debug("node %s: a disk was cloned from the image %s, which therefore stays", node.name, sha256)
        return False
    return True
