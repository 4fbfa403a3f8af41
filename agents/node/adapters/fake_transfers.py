"""Transfers of volumes between fake nodes, over the same sockets as their guests; a volume is its size."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from uuid import UUID

from agents.node.adapters.fake_migrations import FakeTunnel
from agents.node.adapters.interfaces import GuestDisk
from agents.node.adapters.migrations import MigrationTarget
from agents.node.adapters.storage.copying import Copying
from agents.node.adapters.transfers import Keep
from agents.node.errors import AdapterError


class FakeTransfers:
    """`volumes`: those in the node's folder, with their sizes. `copied`: the limit of the last copy of each."""

    def __init__(
        self,
        tunnel: FakeTunnel,
        volumes: dict[UUID, int],
        copied: dict[UUID, int],
        call: Callable[[str], AbstractContextManager[None]],
    ) -> None:
        self._tunnel = tunnel
        self._volumes = volumes
        self._copied = copied
        self._call = call

    def accepts_incoming(self) -> bool:
        return True

    def expect(self, volume_id: UUID, *, size_bytes: int, certificate_sha256: str, keep: Keep) -> str:
        with self._call("expect_volume"):
            self._tunnel.volumes[volume_id] = lambda size: keep(partial(self._volumes.__setitem__, volume_id, size))
            return self._tunnel.uri

    def refuse(self, volume_id: UUID) -> None:
        with self._call("refuse_volume"):
            self._tunnel.volumes.pop(volume_id, None)

    def send(self, disk: GuestDisk, target: MigrationTarget, copying: Copying) -> None:
        with self._call("send_volume"):
            size = self._volumes.get(disk.volume_id)
            if size is None:
                raise AdapterError(f"Volume {disk.volume_id} is not on this node.", retryable=False)
            self._copied[disk.volume_id] = copying.max_bytes_per_s
            copying.on_progress(100)
        self._tunnel.send_volume(disk.volume_id, size, target.uri)

    def close(self) -> None:
        """Do nothing: a transfer takes no time."""
