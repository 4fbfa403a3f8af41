"""Volumes as images of a Ceph cluster. The storage agent makes them; this agent keeps the keys that open them."""

from uuid import UUID

from agents.node.adapters.interfaces import BaseImage, GuestDisk
from agents.node.adapters.storage.copying import Copying, CopyKeys, copy_disk
from agents.node.adapters.storage.engine import Capabilities, StorageEngine
from agents.node.adapters.storage.keys import VolumeKeys
from agents.node.adapters.storage.places import RbdSource


class RbdEngine:
    """One image. `key`: of this opening; empty where none is to be kept.

    `is_copy`: it is the copy of an image in another cluster, or pool, whose key is that of the volume until `replace`.
    """

    capabilities = Capabilities(is_shared=True, has_clones=False, is_made_here=False, has_multi_attach=True)

    def __init__(self, source: RbdSource, keys: VolumeKeys, key: bytes, *, is_copy: bool = False) -> None:
        self._source = source
        self._of_volumes = keys
        self._keys = keys.of_copies if is_copy else keys
        self._is_copy = is_copy
        self._key = key

    def is_available(self) -> bool:
        return True

    def disk(self, volume_id: UUID, *, base: BaseImage | None = None, is_read_only: bool = False) -> GuestDisk:
        return GuestDisk(volume_id, is_read_only=is_read_only, rbd=self._source)

    def size_bytes(self, volume_id: UUID) -> int | None:
        """Return the size that came with the key, for which this node does not ask the cluster."""
        return self._keys.size_bytes(volume_id)

    def create(self, volume_id: UUID, *, size_bytes: int, base: BaseImage | None = None) -> None:
        self._keys.keep(volume_id, self._key, size_bytes)

    def key(self, volume_id: UUID) -> bytes | None:
        return self._keys.key(volume_id)

    def copy_from(self, source: StorageEngine, volume_id: UUID, copying: Copying) -> None:
        """Write the image whole, with its holes: an interrupted copy may have left something in them."""
        disk, keys = source.disk(volume_id, base=copying.base), CopyKeys(source.key(volume_id), self.key(volume_id))
        copy_disk(disk, self.disk(volume_id), copying, keys=keys, is_empty=False)

    def make_target(self, volume_id: UUID, *, size_bytes: int) -> None:
        """Do nothing: the storage agent has made the image."""

    def replace(self, source: StorageEngine, volume_id: UUID) -> None:
        if self._is_copy:
            self._of_volumes.take_over_copy(volume_id)
        else:
            source.remove(volume_id)

    def grow(self, volume_id: UUID, size_bytes: int) -> None:
        """Record the size: the storage agent has grown the image, or the hypervisor has."""
        self._keys.keep(volume_id, self._key, size_bytes)

    def remove(self, volume_id: UUID) -> bool:
        return self._keys.drop(volume_id)

    def release(self, volume_id: UUID) -> None:
        self._keys.drop(volume_id)
