"""The images that a clone reads from: its parent, the parent of that, and so on.

A node's key writes to the header of its volume, where the volume's parent stands. So a volume counts as a clone of
another only if the other one knows it as its clone: that is recorded where the node's key does not reach.
"""

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import rados
import rbd

from agents.storage.errors import ClusterFailed
from agents.storage.worker.cluster import Cluster

MAX_DEPTH = 64
"""Longer chains are none of ours."""

MAX_CLONES_BYTES = 32 * 2**20
INTERNAL_ID = re.compile(r"[0-9A-Za-z]{1,64}")
"""Images have no other ids; a node can write any into the header of its volume."""


@dataclass(frozen=True, slots=True)
class Parent:
    """`id`: the internal one of RBD. `namespace`: that of images, or empty for a volume."""

    pool: str
    namespace: str
    id: str


@dataclass(frozen=True, slots=True)
class _Link:
    parent: Parent
    snapshot: str


@dataclass(frozen=True, slots=True)
class _Clone:
    """`entry`: as the parent has it."""

    pool_id: int
    namespace: str
    id: str
    entry: bytes


def chain(cluster: Cluster, ioctx: Any, image: Any) -> list[Parent]:
    """Return what the open image reads from, the nearest first.

    Raises:
        ClusterFailed: one of them does not know the other as its clone, or it never ends.
    """
    found: list[Parent] = []
    child, link = (ioctx.get_pool_id(), str(image.id())), _link(image)
    while link is not None:
        if len(found) == MAX_DEPTH:
            raise ClusterFailed(f"RBD image {child[1]} has more than {MAX_DEPTH} parents.")
        found.append(link.parent)
        with _opened(cluster, link) as (of_parent, parent, number):
            if child not in clones(of_parent, link.parent.id, number):
                raise ClusterFailed(f"RBD image {child[1]} names the parent {link.parent.id}, which does not know it.")
            child, link = (of_parent.get_pool_id(), link.parent.id), _link(parent)
    return found


def is_detached(cluster: Cluster, ioctx: Any, image: Any) -> bool:
    """Return whether the image has a parent that does not list it: only the last step of its flattening is missing."""
    link = _link(image)
    if link is None:
        return False
    with _opened(cluster, link) as (of_parent, _, number):
        return (ioctx.get_pool_id(), str(image.id())) not in clones(of_parent, link.parent.id, number)


def has_clones(ioctx: Any, image: Any) -> bool:
    """Return whether a snapshot of the open image has clones, also in the trash."""
    return any(clones(ioctx, image.id(), snapshot["id"]) for snapshot in image.list_snaps())


def clones(ioctx: Any, image_id: str, snapshot: int) -> set[tuple[int, str]]:
    """Return the pool and the id of each clone of a snapshot, given by RBD's number, as its image lists them."""
    return {(each.pool_id, each.id) for each in _listed(ioctx, image_id, snapshot)}


def has_real_clones(cluster: Cluster, ioctx: Any, image_id: str, snapshot: int) -> bool:
    """Return whether a clone that the image lists exists and names the snapshot as its parent.

    A node can write any into its volume's header. A clone names its parent before it is listed, and for longer, but for
    the end of its flattening: see `intents.detaching`.

    Raises:
        rados.Error: the agent cannot read one, as in a pool that it does not serve.
    """
    parent = (ioctx.get_pool_id(), image_id, snapshot)
    for each in _listed(ioctx, image_id, snapshot):
        if _named_parent(cluster, each) == parent:
            return True
        cluster.progress()
    return False


def forget_clones(ioctx: Any, image_id: str, snapshot: int) -> None:
    """Remove the clones of the snapshot from the image's list: librbd would keep the snapshot for them."""
    for each in _listed(ioctx, image_id, snapshot):
        ioctx.execute(f"rbd_header.{image_id}", "rbd", "child_detach", struct.pack("<Q", snapshot) + each.entry)


def _listed(ioctx: Any, image_id: str, snapshot: int) -> list[_Clone]:
    """Return the clones that the image lists.

    librbd's own function for it also looks for clones of format 1, in all pools of the cluster, and fails if the agent
    may not read one of them.
    """
    try:
        size, answer = ioctx.execute(
            f"rbd_header.{image_id}", "rbd", "children_list", struct.pack("<Q", snapshot), MAX_CLONES_BYTES
        )
    except rados.ObjectNotFound:
        return []
    return list(_decoded(answer[:size]))


def _decoded(answer: bytes) -> Iterator[_Clone]:
    """Decode a set of `cls::rbd::ChildImageSpec`."""
    (count,) = struct.unpack_from("<I", answer)
    offset = 4
    for _ in range(count):
        _, _, length, pool_id = struct.unpack_from("<BBIq", answer, offset)
        image_id, after = _text(answer, offset + struct.calcsize("<BBIq"))
        namespace, _ = _text(answer, after)
        end = offset + struct.calcsize("<BBI") + length
        yield _Clone(pool_id, namespace, image_id, answer[offset:end])
        offset = end


def _named_parent(cluster: Cluster, clone: _Clone) -> tuple[int, str, int] | None:
    """Return the pool, the id and RBD's number of the snapshot that the clone names; None if it does not exist."""
    if not INTERNAL_ID.fullmatch(clone.id):
        return None
    try:
        with cluster.rados.open_ioctx2(clone.pool_id) as ioctx:
            ioctx.set_namespace(clone.namespace)
            _, answer = ioctx.execute(f"rbd_header.{clone.id}", "rbd", "parent_get", b"")
    except rados.ObjectNotFound:
        return None
    _, _, _, pool_id = struct.unpack_from("<BBIq", answer)  # `cls::rbd::ParentImageSpec`; without a parent, pool -1
    _, after = _text(answer, struct.calcsize("<BBIq"))
    image_id, after = _text(answer, after)
    (number,) = struct.unpack_from("<Q", answer, after)
    return pool_id, image_id, number


def _text(answer: bytes, offset: int) -> tuple[str, int]:
    """Return a string, and the offset after it. A node chose its bytes."""
    (length,) = struct.unpack_from("<I", answer, offset)
    start = offset + struct.calcsize("<I")
    return answer[start : start + length].decode(errors="replace"), start + length


@contextmanager
def _opened(cluster: Cluster, link: _Link) -> Iterator[tuple[Any, Any, int]]:
    """Open the parent at the snapshot of which the child is a clone; one that was removed since has another name.

    Returns its I/O context, its image and RBD's number of the snapshot.
    """
    with cluster.rados.open_ioctx(link.parent.pool) as ioctx:
        ioctx.set_namespace(link.parent.namespace)
        with rbd.Image(ioctx, image_id=link.parent.id, read_only=True) as image:
            numbers = [each["id"] for each in image.list_snaps() if each["name"] == link.snapshot]
            if not numbers:
                raise ClusterFailed(f"RBD image {link.parent.id} has no snapshot {link.snapshot!r}.")
            image.set_snap_by_id(numbers[0])
            yield ioctx, image, numbers[0]


def _link(image: Any) -> _Link | None:
    try:
        parent_id, spec = str(image.parent_id()), image.get_parent_image_spec()
    except rbd.ImageNotFound:
        return None
    return _Link(Parent(spec["pool_name"], spec["pool_namespace"], parent_id), spec["snap_name"])
