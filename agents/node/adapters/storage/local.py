"""Volumes as qcow2 files in the node's own folder: a volume with an image is a layer over the cached file."""

from pathlib import Path
from uuid import UUID

from agents.node import process
from agents.node.adapters.interfaces import BaseImage, GuestDisk
from agents.node.adapters.storage.copying import Copying, copy_to_qcow2
from agents.node.adapters.storage.engine import Capabilities, StorageEngine
from agents.node.adapters.storage.files import UNFINISHED, publish, qcow2_size_bytes, resize_qcow2, unlink


class LocalEngine:
    capabilities = Capabilities(is_shared=False, has_clones=True, is_made_here=True)

    def __init__(self, folder: Path, images: Path) -> None:
        self._folder = folder
        self._images = images

    def is_available(self) -> bool:
        return True

    def disk(self, volume_id: UUID, *, base: BaseImage | None = None, is_read_only: bool = False) -> GuestDisk:
        path = self._path(volume_id)
        if base is None:
            return GuestDisk(volume_id, path, is_read_only)
        return GuestDisk(volume_id, path, is_read_only, self._images / base.sha256, base.format)

    def size_bytes(self, volume_id: UUID) -> int | None:
        return qcow2_size_bytes(self._path(volume_id))

    def create(self, volume_id: UUID, *, size_bytes: int, base: BaseImage | None = None) -> None:
        path = self._path(volume_id)
        unfinished = path.with_name(f"{UNFINISHED}{path.name}")
        backing = ["-F", base.format.value, "-b", str(self._images / base.sha256)] if base else []
        try:
            command = ["qemu-img", "create", "-q", "-f", "qcow2", *backing, "--", str(unfinished), str(size_bytes)]
            process.run(command)
            unfinished.chmod(0o600)
            publish(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)

    def key(self, volume_id: UUID) -> bytes | None:
        return None

    def copy_from(self, source: StorageEngine, volume_id: UUID, copying: Copying) -> None:
        path, disk = self._path(volume_id), source.disk(volume_id, base=copying.base)
        unfinished = path.with_name(f"{UNFINISHED}{path.name}")
        copy_to_qcow2(disk, source.key(volume_id), unfinished, path, copying)

    def make_target(self, volume_id: UUID, *, size_bytes: int) -> None:
        unlink(self._path(volume_id))
        self.create(volume_id, size_bytes=size_bytes)

    def replace(self, source: StorageEngine, volume_id: UUID) -> None:
        source.remove(volume_id)

    def grow(self, volume_id: UUID, size_bytes: int) -> None:
        resize_qcow2(self._path(volume_id), size_bytes)

    def remove(self, volume_id: UUID) -> bool:
        return unlink(self._path(volume_id))

    def release(self, volume_id: UUID) -> None:
        """Do nothing: a file is open only while a guest has it."""

    def _path(self, volume_id: UUID) -> Path:
        return self._folder / f"{volume_id}.qcow2"
