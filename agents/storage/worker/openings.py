"""Openings: a key of cephx for one volume on one node, and the record that it was made.

The records are in the cluster, where no node's key reaches them: the monitors list keys only to those who may read all
of them. A record is written before its key is made, and removed after the key.

Which client opened a volume with which key, Ceph does not tell. So the record has the clients that had the volume open
before its key was made: those are of earlier openings, as of the source of a live migration.

Shared openings come and go in any order while guests of several nodes write. So the record of one has the addresses
of its node; no two of a volume have one in common. A client belongs to an opening if it is at no other's address.

A key has the name of its volume and node. A volume that moves to another pool of the cluster has the same id in both,
and is open in both on one node: the keys that a move makes have names of their pools, so that neither is refused for
the other's capabilities, or removed with it. A key that nothing records is of another pool, and is left alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from agents.storage.errors import OpeningConflict, VolumeMissing
from agents.storage.key_names import KeyEnds, key_ends
from agents.storage.worker import intents, parents, records, revert_records
from agents.storage.worker.cluster import NAMESPACE, Cluster, has_exclusive_lock, opened
from agents.storage.worker.fencing import fence, holders, host_of

RECORDS = "openings"  # an object of the pool
MAX_OPENINGS = 64  # of one volume; two, while its guest migrates, and more if they are shared
EMPTY = '""'  # the default namespace, in capabilities


@dataclass(frozen=True, slots=True)
class Opening:
    """`node`: the end of its key's name. `number`: later openings of a volume have higher ones. `is_closing`: its key
    is being removed. `addresses`: those of the node, of a shared opening; no other one has any.
    """

    node: str
    number: int = 1
    before: list[str] = field(default_factory=list)
    is_closing: bool = False
    addresses: list[str] = field(default_factory=list)

    @property
    def is_shared(self) -> bool:
        return bool(self.addresses)


def open_volume(
    cluster: Cluster,
    *,
    volume: str,
    pool: str,
    node: str,
    is_moving: bool = False,
    addresses: Sequence[str] = (),
) -> dict[str, object]:
    """Return the key of the node, which is made unless it exists. `is_moving`: the volume may be open there in another
    pool too, and a new key gets a name of this pool. `addresses`: of the node, if the opening is a shared one.

    Raises:
        VolumeMissing: there is no such volume.
        RevertUnfinished: it is a mixture of two contents.
        OpeningConflict: it is open in the other way, an address is that of another node that has it open, or the image
            has one writer at a time.
    """
    with cluster.volumes(pool) as ioctx:
        revert_records.require_finished(cluster, volume, pool=pool)
        intents.settle(cluster, ioctx, volume, pool=pool)
        (caps, has_lock), ends = _inspect(cluster, ioctx, volume, pool), _ends(ioctx, node)
        own, others = _split(_read(cluster, pool, volume), ends)
        if own is not None and own.is_closing:
            close_volume(cluster, volume=volume, pool=pool, node=node, is_dead=True)
            own = None
        _check_sharing(volume, addresses, own=own, others=others, has_lock=has_lock)
        if own is None:
            new = Opening(ends.of_pool if is_moving else ends.of_node, addresses=sorted(addresses))
            own = _begin(cluster, ioctx, volume, new, others, pool=pool)
        elif not {*addresses} <= {*own.addresses}:
            own = replace(own, addresses=sorted({*own.addresses, *addresses}))
            _write(cluster, pool, volume, own)
    client = _client(volume, own)
    answer = cluster.command("auth get-or-create", entity=f"client.{client}", caps=["mon", "allow r", "osd", caps])
    return {"client": client, "key": answer[0]["key"], "monitors": cluster.monitors()}


def close_volume(cluster: Cluster, *, volume: str, pool: str, node: str, is_dead: bool) -> dict[str, object]:
    """Remove the key of the node, then fence the clients that use it: in this order none of them opens the volume anew.

    `is_dead`: also what holds no more than a lock.
    """
    with cluster.volumes(pool) as ioctx:
        own, others = _split(_read(cluster, pool, volume), _ends(ioctx, node))
        if own is not None:
            _write(cluster, pool, volume, replace(own, is_closing=True))
            _remove_key(cluster, volume, own)
        intents.settle(cluster, ioctx, volume, pool=pool)
        belongs = _ownership(own, others)
        fenced, left = fence(cluster, ioctx, volume, belongs, with_locks=is_dead)
    if own is not None:
        _forget(cluster, pool, volume, own)
    return {"was_open": own is not None, "fenced": fenced, "watchers": sorted(left.watching)}


def is_open(cluster: Cluster, *, volume: str, pool: str) -> bool:
    """Return whether a node has a key of the volume."""
    return bool(_read(cluster, pool, volume))


def remove_all(cluster: Cluster, *, volume: str, pool: str) -> None:
    """Remove all keys of the volume."""
    for opening in _read(cluster, pool, volume):
        _remove_key(cluster, volume, opening)
        _forget(cluster, pool, volume, opening)


def _check_sharing(
    volume: str, addresses: Sequence[str], *, own: Opening | None, others: list[Opening], has_lock: bool
) -> None:
    """Raise OpeningConflict if the opening, shared or not, could not be told from the others or closed without them."""
    if addresses and has_lock:
        raise OpeningConflict(f"Volume {volume} was not made for several nodes that write at once.")
    for each in (*others, *([own] if own else [])):
        if each.is_shared != bool(addresses):
            state = "shared" if each.is_shared else "not shared"
            raise OpeningConflict(f"Volume {volume} is open on node {each.node}, {state}.")
    for each in others:
        if common := {*each.addresses} & {*addresses}:
            raise OpeningConflict(f"Volume {volume} is open on node {each.node} with the address {min(common)}, too.")


def _begin(cluster: Cluster, ioctx: Any, volume: str, opening: Opening, others: list[Opening], *, pool: str) -> Opening:
    """Record the opening. Clients that have the volume open without a key are fenced, such as a killed worker."""
    if others:
        before = holders(cluster, ioctx, volume)
    else:
        _, before = fence(cluster, ioctx, volume, lambda _: True)
    number = max((each.number for each in others), default=0) + 1
    opening = replace(opening, number=number, before=sorted(before.all))
    _write(cluster, pool, volume, opening)
    return opening


def _ownership(own: Opening | None, others: list[Opening]) -> Callable[[str], bool]:
    """Return whether a client has the volume open with the key of this opening."""
    if not others:
        return lambda _: True
    if own is None:
        return lambda _: False
    if own.is_shared:
        elsewhere = {address for each in others for address in each.addresses}
        return lambda client: host_of(client) not in elsewhere
    later = [each for each in others if each.number > own.number]
    if not later:
        return lambda address: address not in own.before
    of_earlier = {address for each in later for address in each.before}
    return lambda address: address in of_earlier and address not in own.before


def _inspect(cluster: Cluster, ioctx: Any, volume: str, pool: str) -> tuple[str, bool]:
    """Return what the key may do on the disks: this image, and reading what it is a clone of; and whether the image has
    one writer at a time. Prefixes of ids end with a dot where Ceph allows it, since they also match longer ids.
    """
    here = f'pool={pool} namespace="" object_prefix'
    with opened(ioctx, volume) as image:
        if image is None:
            raise VolumeMissing(f"There is no volume {volume} in pool {pool!r}.")
        own, read, has_lock = image.id(), parents.chain(cluster, ioctx, image), has_exclusive_lock(image)
    allowed = [
        f"rx {here} rbd_id.{volume}",
        f"rwx {here} rbd_header.{own}",
        f"rwx {here} rbd_object_map.{own}",
        f"rwx {here} rbd_data.{own}.",
        f"rx {here} rbd_info",
        *(each for parent in read for each in _reading(parent)),
    ]
    return ", ".join(f"allow {each}" for each in dict.fromkeys(allowed)), has_lock


def _reading(parent: parents.Parent) -> list[str]:
    """Return the capabilities to read a parent. The name of a volume is found by its id, without a list of all."""
    # As earlier releases wrote it: the monitors refuse a key that exists with other capabilities, however alike.
    there = f"pool={parent.pool} namespace={parent.namespace or EMPTY} object_prefix"
    find = (
        [f"rx {there} rbd_directory"]
        if parent.namespace == NAMESPACE
        else [f"class rbd dir_get_name {there} rbd_directory", f"class rbd trash_get {there} rbd_trash"]
    )
    return [
        f"rx {there} rbd_header.{parent.id}",
        f"rx {there} rbd_object_map.{parent.id}",
        f"r {there} rbd_data.{parent.id}.",
        *find,
        f"rx {there} rbd_info",
    ]


def _ends(ioctx: Any, node: str) -> KeyEnds:
    return key_ends(node, pool_id=ioctx.get_pool_id())


def _client(volume: str, opening: Opening) -> str:
    return f"v-{volume}.{opening.node}"


def _remove_key(cluster: Cluster, volume: str, opening: Opening) -> None:
    cluster.command("auth rm", entity=f"client.{_client(volume, opening)}")


def _split(records: list[Opening], ends: KeyEnds) -> tuple[Opening | None, list[Opening]]:
    """Return the opening of the node, and those of others."""
    own = next((each for each in records if each.node in ends), None)
    return own, [each for each in records if each is not own]


def _read(cluster: Cluster, pool: str, volume: str) -> list[Opening]:
    found = records.read(cluster, pool, RECORDS, prefix=f"{volume}.", limit=MAX_OPENINGS)
    return [Opening(**value) for value in found.values()]


def _write(cluster: Cluster, pool: str, volume: str, opening: Opening) -> None:
    record = asdict(opening)
    if not opening.is_shared:  # as earlier releases read it
        del record["addresses"]
    records.write(cluster, pool, RECORDS, f"{volume}.{opening.node}", record)


def _forget(cluster: Cluster, pool: str, volume: str, opening: Opening) -> None:
    records.remove(cluster, pool, RECORDS, f"{volume}.{opening.node}")
