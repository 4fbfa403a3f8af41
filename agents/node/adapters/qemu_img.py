"""Images and instance files in folders of the node's file system, and the engines of volumes beside them."""

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO
from uuid import UUID

from agents.node import process
from agents.node.adapters.interfaces import ConsolePart, ImageFormat, IncomingImage
from agents.node.adapters.pools import PoolFacts, Pools
from agents.node.adapters.storage.engine import StorageEngine
from agents.node.adapters.storage.files import UNFINISHED, disk_errors, fsync, publish, unlink
from agents.node.adapters.storage.folder import FolderEngine
from agents.node.adapters.storage.keys import VolumeKeys
from agents.node.adapters.storage.local import LocalEngine
from agents.node.adapters.storage.places import OWN_FOLDER, Place
from agents.node.adapters.storage.rbd import RbdEngine
from agents.node.errors import AdapterError, ImageRefused

GIB = 2**30

INSPECTION_TIMEOUT_S = 20
INSPECTION = process.Limits(cpu_s=10, address_space_bytes=2 * GIB, file_size_bytes=2**20)


class FileDisks:
    """Disks as files; each appears under its final name complete and flushed, or not at all.

    Other users can enter the folders but not list them: QEMU may run as an unprivileged user.
    """

    def __init__(
        self, state_dir: Path, *, pools: Pools | None = None, owner: str = "", keys: VolumeKeys | None = None
    ) -> None:
        """Create the disks. `owner`: the name of this node in the pools, for unfinished files."""
        self._pools = pools or Pools()
        self._owner = owner
        self._keys = keys or VolumeKeys()
        self._folder = state_dir
        self._images = state_dir / "images"
        self._volumes = state_dir / "volumes"
        self._instances = state_dir / "instances"
        for folder in (state_dir, self._images, self._volumes, self._instances):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o711)
        # Orphaned files, apart from all others, for root alone.
        self._quarantine = state_dir / "quarantine"
        self._quarantine.mkdir(exist_ok=True)
        self._quarantine.chmod(0o700)
        # libvirt makes the sockets in it and hands them over to QEMU: only root needs access.
        self._consoles = state_dir / "consoles"
        self._consoles.mkdir(exist_ok=True)
        self._consoles.chmod(0o700)

    def restore(self) -> None:
        for folder in (self._images, self._volumes, self._quarantine):
            for left_over in folder.glob(f"{UNFINISHED}*"):
                left_over.unlink()
        for pool in self._pools.current():
            for left_over in self._pools.folder(pool.name).glob(f"{UNFINISHED}{self._owner}-*"):
                left_over.unlink()

    def pools(self) -> Sequence[PoolFacts]:
        return self._pools.current()

    def capacity_gib(self) -> int:
        return shutil.disk_usage(self._volumes).total // GIB

    def files(self) -> Sequence[str]:
        folders = (self._images, self._volumes)
        names = [f"{folder.name}/{_shown(path)}" for folder in folders for path in folder.iterdir()]
        return sorted(name for name in names if f"/{UNFINISHED}" not in name)

    # ---- images

    def image_size_bytes(self, sha256: str) -> int | None:
        return _size(self._images / sha256)

    @contextmanager
    def receive_image(self, sha256: str) -> Iterator[IncomingImage]:
        unfinished = self._images / f"{UNFINISHED}{sha256}"
        with disk_errors():
            file = unfinished.open("wb")
        try:
            with file:
                yield FileIncoming(file, unfinished, self._images / sha256)
        finally:
            unfinished.unlink(missing_ok=True)

    def remove_image(self, sha256: str) -> bool:
        return unlink(self._images / sha256)

    # ---- volumes

    def folder(self) -> Path:
        return self._folder

    def engine(self, place: Place = OWN_FOLDER, *, key: bytes = b"", is_copy: bool = False) -> StorageEngine:
        if place.rbd is not None:
            return RbdEngine(place.rbd, self._keys, key, is_copy=is_copy)
        if place.pool:
            return FolderEngine(self._pools, place.pool, self._images, self._owner)
        return LocalEngine(self._volumes, self._images)

    # ---- instances

    def write_seed(self, instance_id: UUID, files: Mapping[str, bytes]) -> Path:
        folder = self._instance(instance_id)
        seed, digest_file, digest = folder / "seed.iso", folder / "seed.sha256", _digest(files)
        if seed.exists() and digest_file.exists() and digest_file.read_text() == digest:
            return seed
        with disk_errors(), TemporaryDirectory(dir=folder) as sources:
            for name, content in files.items():
                (Path(sources) / name).write_bytes(content)
            unfinished = Path(sources) / "seed.iso"
            options = ["-quiet", "-volid", "cidata", "-joliet", "-rock", "-output", str(unfinished)]
            process.run(["genisoimage", *options, *(str(Path(sources) / name) for name in files)])
            unfinished.chmod(0o600)
            publish(unfinished, seed)
            digest_file.write_text(digest)
        return seed

    def console_path(self, instance_id: UUID) -> Path:
        return self._instance(instance_id) / "console.log"

    def serial_path(self, instance_id: UUID) -> Path:
        return self._consoles / str(instance_id)

    def read_console(self, instance_id: UUID, *, offset: int, max_bytes: int) -> ConsolePart:
        try:
            with (self._instances / str(instance_id) / "console.log").open("rb") as file:
                total = file.seek(0, os.SEEK_END)
                start = file.seek(min(offset, total) if offset >= 0 else max(0, total + offset))
                return ConsolePart(file.read(max_bytes), start, total)
        except FileNotFoundError:
            return ConsolePart(b"", 0, 0)

    def remove_instance_files(self, instance_id: UUID) -> None:
        folder = self._instances / str(instance_id)
        if folder.exists():
            with disk_errors():
                shutil.rmtree(folder)
        self.serial_path(instance_id).unlink(missing_ok=True)

    # ---- quarantine

    def file_size_bytes(self, name: str) -> int | None:
        return _size_of_all(self._listed(name))

    def set_aside(self, name: str, orphan_id: UUID) -> bool:
        return _move(self._listed(name), self._quarantine / str(orphan_id))

    def put_back(self, name: str, orphan_id: UUID) -> bool:
        return _move(self._quarantine / str(orphan_id), self._listed(name))

    def aside_size_bytes(self, orphan_id: UUID) -> int | None:
        return _size_of_all(self._quarantine / str(orphan_id))

    def keep_definition(self, orphan_id: UUID, definition: str) -> None:
        final = self._quarantine / f"{orphan_id}.xml"
        unfinished = final.with_name(f"{UNFINISHED}{final.name}")
        with disk_errors():
            unfinished.write_text(definition)
            unfinished.chmod(0o600)
        publish(unfinished, final)

    def remove_aside(self, orphan_id: UUID) -> bool:
        path = self._quarantine / str(orphan_id)
        if not path.is_dir() or path.is_symlink():
            return unlink(path)
        with disk_errors():
            shutil.rmtree(path)
            fsync(path.parent)
        return True

    def _listed(self, name: str) -> Path:
        """Return the path of an entry of files(), and of nothing else."""
        folder, _, file = name.partition("/")
        folders = {each.name: each for each in (self._images, self._volumes)}
        if folder not in folders or not file or "/" in file or file in (".", ".."):
            raise AdapterError(f"{name!r} is not a file in the node's folder.", retryable=False)
        path = folders[folder] / file
        if os.path.lexists(path):
            return path
        return next((each for each in path.parent.iterdir() if _shown(each) == file), path)

    def _instance(self, instance_id: UUID) -> Path:
        folder = self._instances / str(instance_id)
        folder.mkdir(exist_ok=True)
        folder.chmod(0o711)  # whatever the agent's umask is
        return folder


class FileIncoming:
    def __init__(self, file: BinaryIO, path: Path, final: Path) -> None:
        self._file = file
        self._path = path
        self._final = final

    def write(self, data: bytes) -> None:
        with disk_errors():
            self._file.write(data)

    def inspect(self, image_format: ImageFormat) -> Mapping[str, object]:
        """Inspect the file twice: as the announced format, and as the one that qemu-img detects."""
        with disk_errors():
            self._file.flush()
        report = self._info("-f", image_format.value)
        return report | {"probed-format": self._info().get("format")}

    def keep(self) -> None:
        with disk_errors():
            self._file.flush()
            self._path.chmod(0o444)
            publish(self._path, self._final)

    def _info(self, *options: str) -> dict[str, object]:
        command = ["qemu-img", "info", "--output=json", *options, "--", str(self._path)]
        try:
            done = process.run(command, timeout_s=INSPECTION_TIMEOUT_S, limits=INSPECTION)
            report = json.loads(done.stdout)
        except (AdapterError, ValueError) as exc:
            raise ImageRefused(f"The image cannot be inspected: {exc}") from exc
        if not isinstance(report, dict):
            raise ImageRefused("The image cannot be inspected: the inspector's report is not a JSON object.")
        return report


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _shown(path: Path) -> str:
    """Return the name as text: not every file name is valid text."""
    return os.fsencode(path.name).decode(errors="backslashreplace")


def _size_of_all(path: Path) -> int | None:
    """Return the size of all files, without following any link."""
    try:
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode):
            return status.st_size
        return sum(each.lstat().st_size for each in path.rglob("*") if not each.is_dir())
    except FileNotFoundError:
        return None


def _move(source: Path, target: Path) -> bool:
    """Move the file in one step, within one file system. A repetition succeeds; False: there is nothing to move."""
    if _size_of_all(source) is None:
        return False
    if _size_of_all(target) is not None:
        raise AdapterError(f"Another file now has the name {target.name}.", retryable=False)
    with disk_errors():
        source.rename(target)
        for folder in (source.parent, target.parent):
            fsync(folder)
    return True


def _digest(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
