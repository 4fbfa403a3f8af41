"""Fencing: a client on the blocklist reads and writes nothing any more, whatever it has open.

Clients are fenced by instance (address and nonce), which hurts none that starts later; whole addresses only for a node
that is dead.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from agents.storage.errors import ClusterFailed, OwnAddress
from agents.storage.worker.cluster import Cluster, opened

INSTANCE_S = 30 * 24 * 3600.0
"""Longer than any client sleeps. Entries by instance are small, and nobody else ever gets the same nonce."""

INSTANCE = re.compile(r"(\[[0-9a-f:.]+\]|[0-9.]+):[0-9]+/[1-9][0-9]*")
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Holders:
    """The clients of a volume, besides this one.

    `watching`: have it open to write. `locking`: have a lock. One that only has a lock may have ended without a word,
    sleep, or be cut off.
    """

    watching: frozenset[str]
    locking: frozenset[str]

    @property
    def all(self) -> frozenset[str]:
        return self.watching | self.locking

    @property
    def asleep(self) -> frozenset[str]:
        return self.locking - self.watching


def watchers(cluster: Cluster, image: Any) -> list[str]:
    """Return the clients, besides this one, that have the open image open to write now."""
    return sorted({str(each["addr"]) for each in image.watchers_list()} - {cluster.own_address})


def holders(cluster: Cluster, ioctx: Any, volume: str) -> Holders:
    """Open the volume, since librbd keeps the locks of the moment when an image is opened, and return its clients."""
    with opened(ioctx, volume) as image:
        watching = () if image is None else watchers(cluster, image)
        locking = {address for _, _, address in _locks(image)}
    return Holders(frozenset(watching), frozenset(locking - {cluster.own_address}))


def fence(
    cluster: Cluster, ioctx: Any, volume: str, belongs: Callable[[str], bool], *, with_locks: bool = True
) -> tuple[list[str], Holders]:
    """Fence the clients that have the volume open and `belongs` names, and break their locks.

    `with_locks`: also those that only have a lock: they ended without a word, or sleep. Returns the fenced ones, and
    who is left.

    Raises:
        ClusterFailed: new ones came again and again.
    """
    fenced: list[str] = []
    for _ in range(ROUNDS):
        found = holders(cluster, ioctx, volume)
        targets = sorted(filter(belongs, found.all if with_locks else found.watching))
        if not targets:
            return fenced, found
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
    own = host_of(cluster.own_address)
    if own in {str(ip_address(address)) for address in addresses}:
        raise OwnAddress(f"{own} is the address of the storage agent itself: it could not end that any more.")
    for address in addresses:
        cluster.command("osd blocklist", blocklistop="add", addr=_whole(address), expire=float(seconds))
    cluster.rados.wait_for_latest_osdmap()


def unfence_addresses(cluster: Cluster, *, addresses: list[str]) -> None:
    for address in addresses:
        cluster.command("osd blocklist", blocklistop="rm", addr=_whole(address))


def host_of(client: str) -> str:
    """Return the IP address of a client, as str(ip_address(…)) writes it; empty: it has none, as nobody's client."""
    return str(ip_address(client.rpartition(":")[0].strip("[]"))) if INSTANCE.fullmatch(client) else ""


def _blocklist(cluster: Cluster, address: str) -> None:
    if not INSTANCE.fullmatch(address):  # without a nonce it would fence the whole machine
        raise ClusterFailed(f"A client has the address {address!r}, by which it cannot be fenced alone.")
    cluster.command("osd blocklist", blocklistop="add", addr=address, expire=INSTANCE_S)


def _locks(image: Any | None) -> list[tuple[str, str, str]]:
    """Return client, cookie and address of the owner of each lock at the opening; there is at most one."""
    found = None if image is None else image.list_lockers()
    return list(found["lockers"]) if found else []


def _break_locks(ioctx: Any, volume: str, *, of: set[str]) -> None:
    with opened(ioctx, volume) as image:
        for client, cookie, address in _locks(image):
            if image is not None and address in of:
                image.break_lock(client, cookie)


def _whole(address: str) -> str:
    parsed = ip_address(address)
    return f"[{parsed}]:0/0" if parsed.version == 6 else f"{parsed}:0/0"
