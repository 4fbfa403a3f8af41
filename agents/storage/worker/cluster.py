"""The connection to the cluster, its pools, and commands to its monitors."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import rados
import rbd

from agents.storage.errors import ClusterFailed

NAMESPACE = "andromede"
"""RADOS namespace, in each pool, of the images that volumes are clones of, and of the openings: there a node's key
reads the directory of images, which in the namespace of the volumes would name all of them."""

SETTINGS = {
    # It would replace our entry, for 30 days, by one for an hour.
    "rbd_blocklist_on_break_lock": "false",
    # Longer than it takes the monitors to replace a disk that hangs. After it the request fails, in seconds.
    "rados_osd_op_timeout": "60",
}


class Cluster:
    """Connects when it is first used. Images and I/O contexts are closed before the connection, else librbd crashes."""

    def __init__(
        self,
        *,
        conf: str,
        client: str,
        keyring: str,
        progress: Callable[[], None],
        send: Callable[[bytes], None],
    ) -> None:
        self._conf, self._client, self._keyring = conf, client, keyring
        self.progress = progress
        """Tells the agent that the call goes on."""
        self.send = send
        """Sends the agent data before the answer; waits while the agent does not take them."""
        self.request, self.stopped = 0, -1
        """The numbers of the request that is served, and of the last one that the agent wants to end."""

    @property
    def is_to_stop(self) -> bool:
        """Return whether the agent wants the call to end."""
        return self.request == self.stopped

    def on_progress(self, done: int, total: int) -> int:
        """Tell the agent of librbd's progress; 0: it is to go on."""
        self.progress()
        return 0

    @cached_property
    def rados(self) -> Any:
        settings = SETTINGS | ({"keyring": self._keyring} if self._keyring else {})
        connection = rados.Rados(name=f"client.{self._client}", conffile=self._conf, conf=settings)
        connection.connect()
        return connection

    @property
    def own_address(self) -> str:
        """Return the address of this client, as ADDRESS:PORT/NONCE."""
        return str(self.rados.get_addrs())

    @contextmanager
    def volumes(self, pool: str) -> Iterator[Any]:
        """Return the pool's I/O context, in the namespace of volumes."""
        with self.rados.open_ioctx(pool) as ioctx:
            yield ioctx

    @contextmanager
    def images(self, pool: str) -> Iterator[Any]:
        """Return the pool's I/O context, in the namespace of images and openings."""
        with self.rados.open_ioctx(pool) as ioctx:
            ioctx.set_namespace(NAMESPACE)
            yield ioctx

    def command(self, prefix: str, **arguments: object) -> Any:
        """Send the monitors a command, and return its answer, decoded.

        Raises:
            ClusterFailed: they refused.
        """
        words = json.dumps({"prefix": prefix, "format": "json", **arguments})
        code, answer, remark = self.rados.mon_command(words, b"")
        if code != 0:
            raise ClusterFailed(f"Ceph refused {prefix!r}: {remark} (error {-code}).")
        return json.loads(answer) if answer.strip().startswith((b"{", b"[")) else None

    def monitors(self) -> list[str]:
        """Return each monitor's HOST:PORT, of messenger version 2 where it has that."""
        found = []
        for monitor in self.command("mon dump")["mons"]:
            addresses = monitor["public_addrs"]["addrvec"]
            best = next((each for each in addresses if each["type"] == "v2"), addresses[0])
            found.append(best["addr"])
        return found


@contextmanager
def opened(ioctx: Any, name: str | None, **options: object) -> Iterator[Any | None]:
    """Open an image, to read unless `read_only` is False; None if it does not exist. A reader is no watcher."""
    try:
        image = rbd.Image(ioctx, name, **({"read_only": True} | options))
    except rbd.ImageNotFound:
        yield None
        return
    with image:
        yield image


def has_exclusive_lock(image: Any) -> bool:
    """Return whether the image has one writer at a time, as all have that are not made for several."""
    return bool(image.features() & rbd.RBD_FEATURE_EXCLUSIVE_LOCK)
