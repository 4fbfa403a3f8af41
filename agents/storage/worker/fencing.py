"""Fencing: a client on the blocklist reads and writes nothing any more, whatever it has open.

Clients are fenced by instance (address and nonce), which hurts none that starts later; whole addresses only for a node
that is dead.
"""

import re
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from agents.storage.errors import ClusterFailed, OwnAddress
from agents.storage.worker.cluster import Cluster, opened

INSTANCE_S = 30 * 24 * 3600.0
"""Longer than any client sleeps. Entries by instance are small, and nobody else ever gets the same nonce."""

INSTANCE = re.compile(r"(\[[0-9a-f:.]+\]|[0-9.]+):[0-9]+/[1-9][0-9]*")
ROUNDS = 3


def watchers(cluster: Cluster, ioctx: Any, volume: str) -> list[str]:
    """Return the clients, besides this one, that have the volume open to write."""
    with opened(ioctx, volume) as image:
        found = [] if image is None else [str(each["addr"]) for each in image.watchers_list()]
    return sorted(set(found) - {cluster.own_address})


def holders(cluster: Cluster, ioctx: Any, volume: str) -> list[str]:
    """Return `watchers`, and who has a lock: such a client may have ended without a word, sleep, or be cut off."""
    locked = {address for _, _, address in _locks(ioctx, volume)} - {cluster.own_address}
    return sorted({*watchers(cluster, ioctx, volume), *locked})


def fence(
    cluster: Cluster, ioctx: Any, volume: str, belongs: Callable[[str], bool], *, with_locks: bool = True
) -> list[str]:
    """Fence the clients that have the volume open and `belongs` names, and break their locks; returns them.

    `with_locks`: also those that only have a lock: they ended without a word, or sleep.

    Raises:
        ClusterFailed: new ones came again and again.
    """
    fenced: list[str] = []
    for _ in range(ROUNDS):
        present = holders(cluster, ioctx, volume) if with_locks else watchers(cluster, ioctx, volume)
        targets = sorted(filter(belongs, present))
        if not targets:
            return fenced
        for address in targets:
            _blocklist(cluster, address)
        # The disks that are asked from now on know it, and the next opening begins after it.
        cluster.rados.wait_for_latest_osdmap()
        _break_locks(ioctx, volume, of={*fenced, *targets})
        fenced += targets
    raise ClusterFailed(f"Volume {volume} is opened again and again while it is fenced.")


def fence_addresses(cluster: Cluster, *, addresses: list[str], seconds: int) -> None:
    """Fence all clients of these addresses.

    Raises:
        OwnAddress: one is that of this agent.
    """
    own = cluster.own_address.rpartition(":")[0].strip("[]")
    if ip_address(own) in map(ip_address, addresses):
        raise OwnAddress(f"{own} is the address of the storage agent itself: it could not end that any more.")
    for address in addresses:
        cluster.command("osd blocklist", blocklistop="add", addr=_whole(address), expire=float(seconds))
    cluster.rados.wait_for_latest_osdmap()


def unfence_addresses(cluster: Cluster, *, addresses: list[str]) -> None:
    for address in addresses:
        cluster.command("osd blocklist", blocklistop="rm", addr=_whole(address))


def _blocklist(cluster: Cluster, address: str) -> None:
    if not INSTANCE.fullmatch(address):  # without a nonce it would fence the whole machine
        raise ClusterFailed(f"A client has the address {address!r}, by which it cannot be fenced alone.")
    cluster.command("osd blocklist", blocklistop="add", addr=address, expire=INSTANCE_S)


def _locks(ioctx: Any, volume: str) -> list[tuple[str, str, str]]:
    """Return client, cookie and address of the owner of each lock; there is at most one."""
    with opened(ioctx, volume) as image:
        found = None if image is None else image.list_lockers()
    return list(found["lockers"]) if found else []


def _break_locks(ioctx: Any, volume: str, *, of: set[str]) -> None:
    for client, cookie, address in _locks(ioctx, volume):
        if address in of:
            with opened(ioctx, volume) as image:
                if image is not None:
                    image.break_lock(client, cookie)


def _whole(address: str) -> str:
    parsed = ip_address(address)
    return f"[{parsed}]:0/0" if parsed.version == 6 else f"{parsed}:0/0"
