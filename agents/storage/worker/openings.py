"""Openings: a key of cephx for one volume on one node, and the record that it was made.

The records are in the cluster, where no node's key reaches them: the monitors list keys only to those who may read all
of them. A record is written before its key is made, and removed after the key.

Which client opened a volume with which key, Ceph does not tell. So the record has the clients that had the volume open
before its key was made: those are of earlier openings, as of the source of a live migration.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

import rados
import rbd

from agents.storage.errors import VolumeMissing
from agents.storage.worker.cluster import NAMESPACE, Cluster, opened
from agents.storage.worker.fencing import fence, holders, watchers

RECORDS = "openings"  # an object of the pool
MAX_OPENINGS = 64  # of one volume; two, while its guest migrates
NODE_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Opening:
    """`number`: later openings of a volume have higher ones. `is_closing`: its key is being removed."""

    node: str
    number: int
    before: list[str] = field(default_factory=list)
    is_closing: bool = False


def open_volume(cluster: Cluster, *, volume: str, pool: str, node: str) -> dict[str, object]:
    """Return the key of the node, which is made unless it exists.

    Raises:
        VolumeMissing: there is no such volume.
    """
    with cluster.volumes(pool) as ioctx:
        caps = _capabilities(ioctx, volume, pool)
        own = _own(_read(cluster, pool, volume), node)
        if own is not None and own.is_closing:
            close_volume(cluster, volume=volume, pool=pool, node=node, is_dead=True)
            own = None
        if own is None:
            _begin(cluster, ioctx, volume, pool=pool, node=node)
    client = _client(volume, node)
    answer = cluster.command("auth get-or-create", entity=f"client.{client}", caps=["mon", "allow r", "osd", caps])
    return {"client": client, "key": answer[0]["key"], "monitors": cluster.monitors()}


def close_volume(cluster: Cluster, *, volume: str, pool: str, node: str, is_dead: bool) -> dict[str, object]:
    """Remove the key of the node, then fence what has the volume open with it. In this order: nobody opens it anew.

    `is_dead`: also what holds no more than a lock.
    """
    records = _read(cluster, pool, volume)
    own = _own(records, node)
    others = [each for each in records if each is not own]
    if own is not None:
        _write(cluster, pool, volume, Opening(own.node, own.number, own.before, is_closing=True))
    _remove_key(cluster, volume, node)
    with cluster.volumes(pool) as ioctx:
        belongs = _ownership(own, others)
        fenced = fence(cluster, ioctx, volume, belongs, with_locks=is_dead)
        left = watchers(cluster, ioctx, volume)
    _forget(cluster, pool, volume, node)
    return {"was_open": own is not None, "fenced": fenced, "watchers": left}


def remove_all(cluster: Cluster, *, volume: str, pool: str) -> None:
    """Remove all keys of the volume."""
    for opening in _read(cluster, pool, volume):
        _remove_key(cluster, volume, opening.node)
        _forget(cluster, pool, volume, opening.node)


def _begin(cluster: Cluster, ioctx: Any, volume: str, *, pool: str, node: str) -> None:
    """Record the opening. What has the volume open that no key is for is fenced, such as a killed worker's lock."""
    others = _read(cluster, pool, volume)
    if not others:
        fence(cluster, ioctx, volume, lambda _: True)
    before = holders(cluster, ioctx, volume)
    number = max((each.number for each in others), default=0) + 1
    _write(cluster, pool, volume, Opening(_short(node), number, before))


def _ownership(own: Opening | None, others: list[Opening]) -> Callable[[str], bool]:
    """Return whether a client has the volume open with the key of this opening."""
    if not others:
        return lambda _: True
    if own is None:
        return lambda _: False
    later = [each for each in others if each.number > own.number]
    if not later:
        return lambda address: address not in own.before
    of_earlier = {address for each in later for address in each.before}
    return lambda address: address in of_earlier and address not in own.before


def _capabilities(ioctx: Any, volume: str, pool: str) -> str:
    """Return what the key may do on the disks: this image, and reading its parent. Prefixes of ids end with a dot
    where Ceph allows it, since they also match longer ids.
    """
    here = f'pool={pool} namespace="" object_prefix'
    parents = f"pool={pool} namespace={NAMESPACE} object_prefix"
    with opened(ioctx, volume) as image:
        if image is None:
            raise VolumeMissing(f"There is no volume {volume} in pool {pool!r}.")
        own, parent = image.id(), _parent_id(image)
    allowed = [
        f"rx {here} rbd_id.{volume}",
        f"rwx {here} rbd_header.{own}",
        f"rwx {here} rbd_object_map.{own}",
        f"rwx {here} rbd_data.{own}.",
        f"rx {here} rbd_info",
    ]
    if parent is not None:
        allowed += [
            f"rx {parents} rbd_header.{parent}",
            f"rx {parents} rbd_object_map.{parent}",
            f"r {parents} rbd_data.{parent}.",
            f"rx {parents} rbd_directory",
            f"rx {parents} rbd_info",
        ]
    return ", ".join(f"allow {each}" for each in allowed)


def _parent_id(image: Any) -> str | None:
    try:
        return str(image.parent_id())
    except rbd.ImageNotFound:
        return None


def _client(volume: str, node: str) -> str:
    return f"v-{volume}.{_short(node)}"


def _short(node: str) -> str:
    return node.replace("-", "")[:NODE_DIGITS]


def _remove_key(cluster: Cluster, volume: str, node: str) -> None:
    cluster.command("auth rm", entity=f"client.{_client(volume, node)}")


def _own(records: list[Opening], node: str) -> Opening | None:
    return next((each for each in records if each.node == _short(node)), None)


def _read(cluster: Cluster, pool: str, volume: str) -> list[Opening]:
    with cluster.images(pool) as ioctx, rados.ReadOpCtx() as operation:
        values, _ = ioctx.get_omap_vals(operation, "", f"{volume}.", MAX_OPENINGS)
        try:
            ioctx.operate_read_op(operation, RECORDS)
        except rados.ObjectNotFound:
            return []
        return [Opening(**json.loads(value)) for _, value in values]


def _write(cluster: Cluster, pool: str, volume: str, opening: Opening) -> None:
    with cluster.images(pool) as ioctx, rados.WriteOpCtx() as operation:
        value = json.dumps(asdict(opening)).encode()
        ioctx.set_omap(operation, (f"{volume}.{opening.node}",), (value,))
        ioctx.operate_write_op(operation, RECORDS)


def _forget(cluster: Cluster, pool: str, volume: str, node: str) -> None:
    with cluster.images(pool) as ioctx, rados.WriteOpCtx() as operation:
        ioctx.remove_omap_keys(operation, (f"{volume}.{_short(node)}",))
        with suppress(rados.ObjectNotFound):  # nothing was opened in this pool before
            ioctx.operate_write_op(operation, RECORDS)
