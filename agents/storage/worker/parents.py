"""The images that a clone reads from: its parent, the parent of that, and so on.

A node's key writes to the header of its volume, where the volume's parent stands. So a volume counts as a clone of
another only if the other one knows it as its clone: that is recorded where the node's key does not reach.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import rbd

from agents.storage.errors import ClusterFailed
from agents.storage.worker.cluster import NAMESPACE, Cluster

MAX_DEPTH = 64
"""Longer chains are none of ours."""


@dataclass(frozen=True, slots=True)
class Parent:
    """`id`: the internal one of RBD. Images are in NAMESPACE, volumes in the default namespace."""

    pool: str
    namespace: str
    id: str


@dataclass(frozen=True, slots=True)
class _Link:
    parent: Parent
    snapshot: str


def chain(cluster: Cluster, image: Any) -> list[Parent]:
    """Return what the open image reads from, the nearest first.

    Raises:
        ClusterFailed: one of them does not know the other as its clone, or it never ends.
    """
    found: list[Parent] = []
    child, link = str(image.id()), _link(image)
    while link is not None:
        if len(found) == MAX_DEPTH:
            raise ClusterFailed(f"RBD image {child} has more than {MAX_DEPTH} parents.")
        found.append(link.parent)
        if link.parent.namespace == NAMESPACE:
            return found
        following = _of_volume(cluster, child, link)
        child, link = link.parent.id, following
    return found


def is_detached(cluster: Cluster, image: Any) -> bool:
    """Return whether the image has a parent that does not know it: its flattening lacks nothing but its last step."""
    link = _link(image)
    if link is None:
        return False
    with _opened(cluster, link) as parent:
        return str(image.id()) not in _clones(parent)


def has_clones(image: Any) -> bool:
    """Return whether a snapshot of the open image has clones, also in the trash. Leaves `image` at its head."""
    return any(clones_of(image, snapshot["id"]) for snapshot in list(image.list_snaps()))


def clones_of(image: Any, snapshot_id: int) -> set[str]:
    """Return the ids of the clones of a snapshot, given by RBD's number. Leaves `image` at its head."""
    image.set_snap_by_id(snapshot_id)
    try:
        return _clones(image)
    finally:
        image.set_snap_by_id(None)


def _of_volume(cluster: Cluster, child: str, link: _Link) -> _Link | None:
    with _opened(cluster, link) as parent:
        if child not in _clones(parent):
            raise ClusterFailed(f"RBD image {child} names the parent {link.parent.id}, which does not know it.")
        return _link(parent)


@contextmanager
def _opened(cluster: Cluster, link: _Link) -> Iterator[Any]:
    """Open the parent at the snapshot of which the child is a clone; one that was removed since has another name."""
    with cluster.rados.open_ioctx(link.parent.pool) as ioctx:
        ioctx.set_namespace(link.parent.namespace)
        with rbd.Image(ioctx, image_id=link.parent.id, read_only=True) as image:
            numbers = [each["id"] for each in image.list_snaps() if each["name"] == link.snapshot]
            if not numbers:
                raise ClusterFailed(f"RBD image {link.parent.id} has no snapshot {link.snapshot!r}.")
            image.set_snap_by_id(numbers[0])
            yield image


def _clones(image: Any) -> set[str]:
    return {str(clone["id"]) for clone in image.list_children2()}


def _link(image: Any) -> _Link | None:
    try:
        parent_id, spec = str(image.parent_id()), image.get_parent_image_spec()
    except rbd.ImageNotFound:
        return None
    return _Link(Parent(spec["pool_name"], spec["pool_namespace"], parent_id), spec["snap_name"])
