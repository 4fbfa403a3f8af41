"""Images, volumes and instance files in folders of the node's file system, with qemu-img and genisoimage."""

import hashlib
import json
import os
import shutil
import stat
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO
from uuid import UUID

from agents.node import process
from agents.node.adapters.interfaces import BaseImage, ConsolePart, ImageFormat, IncomingImage
from agents.node.adapters.pools import PoolFacts, Pools
from agents.node.errors import AdapterError, ImageRefused

GIB = 2**30
UNFINISHED = ".unfinished-"  # prefix of incomplete files

INSPECTION_TIMEOUT_S = 20
COPY_TIMEOUT_S = 1700.0  # of an image into a pool; callers wait a little longer
INSPECTION = process.Limits(cpu_s=10, address_space_bytes=2 * GIB, file_size_bytes=2**20)

QCOW2_HEADER = struct.Struct(">4s20xQ")  # magic, then at offset 24 the size that a guest sees
QCOW2_MAGIC = b"QFI\xfb"


class FileDisks:
    """Disks as files; each appears under its final name complete and flushed, or not at all.

    Other users can enter the folders but not list them: QEMU may run as an unprivileged user.
    """

    def __init__(self, state_dir: Path, *, pools: Pools | None = None, owner: str = "") -> None:
        """Create the disks. `owner`: the name of this node in the pools, for unfinished files."""
        self._pools = pools or Pools()
        self._owner = owner
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

    def image_path(self, sha256: str) -> Path:
        return self._images / sha256

    @contextmanager
    def receive_image(self, sha256: str) -> Iterator[IncomingImage]:
        unfinished = self._images / f"{UNFINISHED}{sha256}"
        with _disk_errors():
            file = unfinished.open("wb")
        try:
            with file:
                yield FileIncoming(file, unfinished, self._images / sha256)
        finally:
            unfinished.unlink(missing_ok=True)

    def remove_image(self, sha256: str) -> bool:
        return _unlink(self._images / sha256)

    # ---- volumes

    def volume_path(self, volume_id: UUID, pool: str = "") -> Path:
        folder = self._pools.folder(pool) if pool else self._volumes
        return folder / f"{volume_id}.qcow2"

    def _there(self, volume_id: UUID, pool: str) -> Path:
        """Return the path of the volume, if its pool is mounted."""
        if pool:
            self._pools.mounted(pool)
        return self.volume_path(volume_id, pool)

    def volume_size_bytes(self, volume_id: UUID, pool: str = "") -> int | None:
        """Return the size from the file's own header, which guests cannot write; qemu-img would take a process."""
        try:
            with self._there(volume_id, pool).open("rb") as file:
                header = file.read(QCOW2_HEADER.size)
        except FileNotFoundError:
            return None
        magic, size = QCOW2_HEADER.unpack(header.ljust(QCOW2_HEADER.size, b"\0"))
        if magic != QCOW2_MAGIC:
            raise AdapterError(f"The file of volume {volume_id} is not a qcow2 file.", retryable=False)
        return int(size)

    def create_volume(self, volume_id: UUID, *, size_bytes: int, base: BaseImage | None, pool: str = "") -> None:
        if pool:
            self._create_in_pool(volume_id, pool, size_bytes, base)
            return
        path = self.volume_path(volume_id)
        unfinished = path.with_name(f"{UNFINISHED}{path.name}")
        backing = ["-F", base.format.value, "-b", str(self._images / base.sha256)] if base else []
        try:
            command = ["qemu-img", "create", "-q", "-f", "qcow2", *backing, "--", str(unfinished), str(size_bytes)]
            process.run(command)
            unfinished.chmod(0o600)
            _publish(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)

    def _create_in_pool(self, volume_id: UUID, pool: str, size_bytes: int, base: BaseImage | None) -> None:
        """Create the volume in a pool, without a backing file, under a temporary name of this node alone."""
        path = self._there(volume_id, pool)
        unfinished = path.with_name(f"{UNFINISHED}{self._owner}-{path.name}")
        try:
            if base is None:
                process.run(["qemu-img", "create", "-q", "-f", "qcow2", "--", str(unfinished), str(size_bytes)])
            else:
                image = str(self._images / base.sha256)
                formats = ["-f", base.format.value, "-O", "qcow2"]
                process.run(["qemu-img", "convert", *formats, "--", image, str(unfinished)], timeout_s=COPY_TIMEOUT_S)
                _resize(unfinished, size_bytes)
            unfinished.chmod(0o600)
            _publish_once(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)

    def grow_volume(self, volume_id: UUID, size_bytes: int, pool: str = "") -> None:
        _resize(self._there(volume_id, pool), size_bytes)

    def remove_volume(self, volume_id: UUID, pool: str = "") -> bool:
        return _unlink(self._there(volume_id, pool))

    # ---- instances

    def write_seed(self, instance_id: UUID, files: Mapping[str, bytes]) -> Path:
        folder = self._instance(instance_id)
        seed, digest_file, digest = folder / "seed.iso", folder / "seed.sha256", _digest(files)
        if seed.exists() and digest_file.exists() and digest_file.read_text() == digest:
            return seed
        with _disk_errors(), TemporaryDirectory(dir=folder) as sources:
            for name, content in files.items():
                (Path(sources) / name).write_bytes(content)
            unfinished = Path(sources) / "seed.iso"
            options = ["-quiet", "-volid", "cidata", "-joliet", "-rock", "-output", str(unfinished)]
            process.run(["genisoimage", *options, *(str(Path(sources) / name) for name in files)])
            unfinished.chmod(0o600)
            _publish(unfinished, seed)
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
            with _disk_errors():
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
        with _disk_errors():
            unfinished.write_text(definition)
            unfinished.chmod(0o600)
        _publish(unfinished, final)

    def remove_aside(self, orphan_id: UUID) -> bool:
        path = self._quarantine / str(orphan_id)
        if not path.is_dir() or path.is_symlink():
            return _unlink(path)
        with _disk_errors():
            shutil.rmtree(path)
            _fsync(path.parent)
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
        with _disk_errors():
            self._file.write(data)

    def inspect(self, image_format: ImageFormat) -> Mapping[str, object]:
        """Inspect the file twice: as the announced format, and as the one that qemu-img detects."""
        with _disk_errors():
            self._file.flush()
        report = self._info("-f", image_format.value)
        return report | {"probed-format": self._info().get("format")}

    def keep(self) -> None:
        with _disk_errors():
            self._file.flush()
            self._path.chmod(0o444)
            _publish(self._path, self._final)

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


def _publish(unfinished: Path, final: Path) -> None:
    """Flush the file, give it its name in one step, flush the name."""
    with _disk_errors():
        _fsync(unfinished)
        unfinished.rename(final)
        _fsync(final.parent)


def _publish_once(unfinished: Path, final: Path) -> None:
    """Publish the file, unless another node was faster: the other node's file stays."""
    with _disk_errors():
        _fsync(unfinished)
        with suppress(FileExistsError):
            os.link(unfinished, final)
        _fsync(final.parent)


def _resize(path: Path, size_bytes: int) -> None:
    process.run(["qemu-img", "resize", "-q", "-f", "qcow2", "--", str(path), str(size_bytes)])


def _unlink(path: Path) -> bool:
    try:
        with _disk_errors():
            path.unlink()
            _fsync(path.parent)
    except FileNotFoundError:
        return False
    return True


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
    with _disk_errors():
        source.rename(target)
        for folder in (source.parent, target.parent):
            _fsync(folder)
    return True


def _digest(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


@contextmanager
def _disk_errors() -> Iterator[None]:
    """Map errors: a full or failing disk is a fault of the node, and may pass."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise AdapterError(f"The node's disk failed: {exc}", retryable=True) from exc
