"""Keys with which this node opens volumes of a storage agent: on tmpfs, for root alone, and gone after a reboot.

They are in no state store, log or command line: the disk of a node opens no volume.
"""

import base64
import binascii
import json
import os
from pathlib import Path
from uuid import UUID

from agents.node.errors import AdapterError

MEMORY = frozenset({"tmpfs", "ramfs"})
MOUNTS = Path("/proc/self/mountinfo")
DEFAULT_RUN_DIR = Path("/run/andromede-agent")


class VolumeKeys:
    """The keys, in files by the ids of their volumes. `folder` is made when the first key comes.

    A volume that is copied from one cluster, or pool, to another has two: `of_copies` has that of the destination,
    until the copy is the volume.
    """

    def __init__(self, folder: Path = DEFAULT_RUN_DIR / "volumes") -> None:
        self._folder = folder

    @property
    def of_copies(self) -> "VolumeKeys":
        return VolumeKeys(self._folder.with_name(f"{self._folder.name}-copies"))

    def problem(self) -> str:
        """Return why no key can be kept in the folder; empty: keys can be kept."""
        there = next(path for path in (self._folder, *self._folder.parents) if path.exists())
        return "" if _file_system(there) in MEMORY else f"{self._folder} is not on a tmpfs (--run-dir)."

    def keep(self, volume_id: UUID, key: bytes, size_bytes: int) -> None:
        """Keep the key of the volume, which has this size, in place of an earlier one.

        Raises:
            AdapterError: the folder would keep it beyond a reboot, or cannot be written.
        """
        problem = self.problem()
        if problem:
            raise AdapterError(f"The key of volume {volume_id} cannot be kept: {problem}", retryable=False)
        text = json.dumps({"key": base64.b64encode(key).decode(), "size_bytes": size_bytes})
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            unfinished = self._folder / f".{volume_id}"
            unfinished.unlink(missing_ok=True)
            with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(text)
            unfinished.rename(self._folder / str(volume_id))
        except OSError as exc:
            raise AdapterError(f"The key of volume {volume_id} cannot be kept: {exc}", retryable=True) from exc

    def key(self, volume_id: UUID) -> bytes | None:
        """Return the key as bytes; None when this node has none."""
        kept = self._read(volume_id)
        return base64.b64decode(str(kept["key"])) if kept is not None else None

    def size_bytes(self, volume_id: UUID) -> int | None:
        kept = self._read(volume_id)
        return int(str(kept["size_bytes"])) if kept is not None else None

    def take_over_copy(self, volume_id: UUID) -> None:
        """Let the key of the copy be that of the volume, in place of the one that there is, unless it is so already.

        Raises:
            AdapterError: the folder cannot be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            (self.of_copies._folder / str(volume_id)).rename(self._folder / str(volume_id))
        except FileNotFoundError:
            return
        except OSError as exc:
            raise AdapterError(f"The key of volume {volume_id} cannot be kept: {exc}", retryable=True) from exc

    def drop(self, volume_id: UUID) -> bool:
        try:
            (self._folder / str(volume_id)).unlink()
        except FileNotFoundError:
            return False
        return True

    def _read(self, volume_id: UUID) -> dict[str, object] | None:
        try:
            return dict(json.loads((self._folder / str(volume_id)).read_text()))
        except FileNotFoundError:
            return None


def decoded(text: bytes) -> bytes:
    """Decode a key from base64, as cephx prints it.

    Raises:
        ValueError: it is none.
    """
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error as exc:
        raise ValueError("not base64") from exc
    if not key:
        raise ValueError("empty")
    return key


def _file_system(path: Path) -> str:
    """Return the type of the file system that has the path."""
    number = path.stat().st_dev
    device = f"{os.major(number)}:{os.minor(number)}"
    for line in MOUNTS.read_text().splitlines():
        mount, _, of = line.partition(" - ")
        if mount.split()[2] == device:
            return of.split()[0]
    return ""
