"""Volumes as qcow2 files in a pool, a folder that several nodes have mounted: each is whole, without another file."""

from pathlib import Path
from uuid import UUID

from agents.node import process
from agents.node.adapters.interfaces import BaseImage, GuestDisk
from agents.node.adapters.pools import Pools
from agents.node.adapters.storage.copying import Copying
from agents.node.adapters.storage.engine import Capabilities, StorageEngine
from agents.node.adapters.storage.files import UNFINISHED, publish_once, qcow2_size_bytes, resize_qcow2, unlink
from agents.node.errors import AdapterError

COPY_TIMEOUT_S = 1700.0  # of an image; callers wait a little longer


class FolderEngine:
    """The volumes of one pool. `owner`: the name of this node in it, for unfinished files."""

    capabilities = Capabilities(is_shared=True, has_clones=False, is_made_here=True)

    def __init__(self, pools: Pools, name: str, images: Path, owner: str) -> None:
        self._pools = pools
        self._name = name
        self._images = images
        self._owner = owner

    def is_available(self) -> bool:
        return self._name in {pool.name for pool in self._pools.current()}

    def disk(self, volume_id: UUID, *, base: BaseImage | None = None, is_read_only: bool = False) -> GuestDisk:
        return GuestDisk(volume_id, self._pools.folder(self._name) / f"{volume_id}.qcow2", is_read_only)

    def size_bytes(self, volume_id: UUID) -> int | None:
        return qcow2_size_bytes(self._path(volume_id))

    def create(self, volume_id: UUID, *, size_bytes: int, base: BaseImage | None = None) -> None:
        """Create the volume under a temporary name of this node alone."""
        path = self._path(volume_id)
        unfinished = path.with_name(f"{UNFINISHED}{self._owner}-{path.name}")
        try:
            if base is None:
                process.run(["qemu-img", "create", "-q", "-f", "qcow2", "--", str(unfinished), str(size_bytes)])
            else:
                image = str(self._images / base.sha256)
                formats = ["-f", base.format.value, "-O", "qcow2"]
                process.run(["qemu-img", "convert", *formats, "--", image, str(unfinished)], timeout_s=COPY_TIMEOUT_S)
                resize_qcow2(unfinished, size_bytes)
            unfinished.chmod(0o600)
            publish_once(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)

    def key(self, volume_id: UUID) -> bytes | None:
        return None

    def make_target(self, volume_id: UUID, *, size_bytes: int) -> None:
        """Refuse, as `copy_from` does. Raises AdapterError: always."""
        raise AdapterError(f"Volume {volume_id} is not copied into a pool that is a folder.", retryable=False)

    def copy_from(self, source: StorageEngine, volume_id: UUID, copying: Copying) -> None:
        """Refuse: no fence keeps a node that was away from writing over a file that other nodes reach.

        Raises:
            AdapterError: always.
        """
        raise AdapterError(f"Volume {volume_id} is not copied into a pool that is a folder.", retryable=False)

    def replace(self, source: StorageEngine, volume_id: UUID) -> None:
        """Refuse, as `copy_from` does. Raises AdapterError: always."""
        raise AdapterError(f"Volume {volume_id} is not copied into a pool that is a folder.", retryable=False)

    def grow(self, volume_id: UUID, size_bytes: int) -> None:
        resize_qcow2(self._path(volume_id), size_bytes)

    def remove(self, volume_id: UUID) -> bool:
        return unlink(self._path(volume_id))

    def release(self, volume_id: UUID) -> None:
        """Do nothing: a file is open only while a guest has it."""

    def _path(self, volume_id: UUID) -> Path:
        """Return the path of the volume, if its pool is mounted."""
        return self._pools.mounted(self._name) / f"{volume_id}.qcow2"
