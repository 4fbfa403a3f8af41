"""Storage engines of a fake node: volumes are numbers in memory, in pools files with a number."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from agents.node.adapters.interfaces import BaseImage, GuestDisk
from agents.node.adapters.storage.copying import Copying
from agents.node.adapters.storage.engine import StorageEngine
from agents.node.adapters.storage.folder import FolderEngine
from agents.node.adapters.storage.local import LocalEngine
from agents.node.adapters.storage.places import Place, RbdSource
from agents.node.adapters.storage.rbd import RbdEngine
from agents.node.errors import AdapterError

if TYPE_CHECKING:
    from agents.node.adapters.fake import FakeNode

FOLDER = Path("/fake")


class FakeEngine(ABC):
    """Base of the fake engines: calls are counted, and may fail."""

    def __init__(self, node: FakeNode) -> None:
        self._node = node

    def create(self, volume_id: UUID, *, size_bytes: int, base: BaseImage | None = None) -> None:
        with self._node.call("create_volume"):
            if base is not None and base.sha256 not in self._node.images:
                raise AdapterError(f"Image {base.sha256} is not cached.", retryable=False)
            self._resize(volume_id, size_bytes)

    def key(self, volume_id: UUID) -> bytes | None:
        """Return None: no key of the fake opens anything."""
        return None

    def copy_from(self, source: StorageEngine, volume_id: UUID, copying: Copying) -> None:
        with self._node.call("copy_volume"):
            if source.size_bytes(volume_id) is None:
                raise AdapterError(f"Volume {volume_id} is not in the place that it is copied from.", retryable=True)
            self._node.copied[volume_id] = copying.max_bytes_per_s
            copying.on_progress(100)
            self._resize(volume_id, copying.size_bytes)

    def make_target(self, volume_id: UUID, *, size_bytes: int) -> None:
        with self._node.call("make_target"):
            self._resize(volume_id, size_bytes)

    def replace(self, source: StorageEngine, volume_id: UUID) -> None:
        source.remove(volume_id)

    def grow(self, volume_id: UUID, size_bytes: int) -> None:
        with self._node.call("grow_volume"):
            self._resize(volume_id, size_bytes)

    def remove(self, volume_id: UUID) -> bool:
        with self._node.call("remove_volume"):
            return self._remove(volume_id)

    @abstractmethod
    def _resize(self, volume_id: UUID, size_bytes: int) -> None: ...

    @abstractmethod
    def _remove(self, volume_id: UUID) -> bool: ...


class FakeLocal(FakeEngine):
    capabilities = LocalEngine.capabilities

    def is_available(self) -> bool:
        return True

    def disk(self, volume_id: UUID, *, base: BaseImage | None = None, is_read_only: bool = False) -> GuestDisk:
        path = FOLDER / f"volumes/{volume_id}.qcow2"
        if base is None:
            return GuestDisk(volume_id, path, is_read_only)
        return GuestDisk(volume_id, path, is_read_only, FOLDER / f"images/{base.sha256}", base.format)

    def size_bytes(self, volume_id: UUID) -> int | None:
        return self._node.volumes.get(volume_id)

    def release(self, volume_id: UUID) -> None:
        """Do nothing, as the real one."""

    def _resize(self, volume_id: UUID, size_bytes: int) -> None:
        self._node.volumes[volume_id] = size_bytes

    def _remove(self, volume_id: UUID) -> bool:
        return self._node.volumes.pop(volume_id, None) is not None


class FakeFolder(FakeEngine):
    capabilities = FolderEngine.capabilities

    def __init__(self, node: FakeNode, pool: str) -> None:
        super().__init__(node)
        self._pool = pool

    def is_available(self) -> bool:
        return self._pool in {pool.name for pool in self._node.pools.current()}

    def disk(self, volume_id: UUID, *, base: BaseImage | None = None, is_read_only: bool = False) -> GuestDisk:
        return GuestDisk(volume_id, self._node.pools.folder(self._pool) / f"{volume_id}.qcow2", is_read_only)

    def size_bytes(self, volume_id: UUID) -> int | None:
        return size_in(self._path(volume_id))

    def release(self, volume_id: UUID) -> None:
        """Do nothing, as the real one."""

    def _resize(self, volume_id: UUID, size_bytes: int) -> None:
        self._path(volume_id).write_text(str(size_bytes))

    def _remove(self, volume_id: UUID) -> bool:
        was_present = self.size_bytes(volume_id) is not None
        self._path(volume_id).unlink(missing_ok=True)
        return was_present

    def _path(self, volume_id: UUID) -> Path:
        return self._node.pools.mounted(self._pool) / f"{volume_id}.qcow2"


class FakeRbd(FakeEngine):
    """Images of a cluster, of which this node has keys: `FakeNode.opened`, with the size, and `opened_copies`. They end
    with the process.
    """

    capabilities = RbdEngine.capabilities

    def __init__(self, node: FakeNode, source: RbdSource, *, is_copy: bool) -> None:
        super().__init__(node)
        self._source = source
        self._is_copy = is_copy
        self._opened = node.opened_copies if is_copy else node.opened

    def is_available(self) -> bool:
        return True

    def disk(self, volume_id: UUID, *, base: BaseImage | None = None, is_read_only: bool = False) -> GuestDisk:
        return GuestDisk(volume_id, is_read_only=is_read_only, rbd=self._source)

    def size_bytes(self, volume_id: UUID) -> int | None:
        return self._opened.get(volume_id)

    def replace(self, source: StorageEngine, volume_id: UUID) -> None:
        if not self._is_copy:
            super().replace(source, volume_id)
            return
        with self._node.call("remove_volume"):
            if (size := self._opened.pop(volume_id, None)) is not None:
                self._node.opened[volume_id] = size

    def release(self, volume_id: UUID) -> None:
        self._opened.pop(volume_id, None)

    def _resize(self, volume_id: UUID, size_bytes: int) -> None:
        self._opened[volume_id] = size_bytes

    def _remove(self, volume_id: UUID) -> bool:
        return self._opened.pop(volume_id, None) is not None


def engine_of(node: FakeNode, place: Place, *, is_copy: bool) -> FakeLocal | FakeFolder | FakeRbd:
    if place.rbd is not None:
        return FakeRbd(node, place.rbd, is_copy=is_copy)
    return FakeFolder(node, place.pool) if place.pool else FakeLocal(node)


def size_in(file: Path) -> int | None:
    """Return the size of a volume in a pool."""
    try:
        return int(file.read_text())
    except FileNotFoundError:
        return None
