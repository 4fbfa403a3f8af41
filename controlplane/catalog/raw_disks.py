"""Content of a disk on its way into the image store: a sparse raw file, then a qcow2 file.

The content is a guest's and untrusted: qemu-img takes it for raw, whatever it begins with, in a process with limits.
"""

import hashlib
import logging
import os
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from controlplane.catalog import image_store
from controlplane.catalog.errors import ImageFileMissing, ImageInspectionFailed, ImageStoreFull, ImageTooLarge
from controlplane.catalog.image_store import ReceivedFile
from controlplane.catalog.inspection import ENVIRONMENT, MEMORY_LIMIT_BYTES
from controlplane.kernel.free_space import require_free_space
from controlplane.kernel.units import MIB

log = logging.getLogger(__name__)

RAW = ".raw"
STORED_BYTES = 512  # unit of st_blocks
CHUNK_BYTES = 4 * MIB
LOOK_EVERY_S = 0.5
NO_SPACE = b"No space left on device"

Check = Callable[[], None]


def raw_path(name: str) -> Path:
    return image_store.incoming_path(name + RAW)


def write_raw(extents: Iterable[tuple[int, bytes]], name: str, *, size_bytes: int) -> None:
    """Write the extents to the raw file of the incoming file `name`, with holes between them.

    The file is there only after the last one. What an attempt before has left is removed.

    Raises:
        ImageStoreFull: the disk has no room for it, or would have less than settings.FREE_SPACE_MIN_MIB left.
    """
    image_store.discard_all(name)
    with image_store.new_file(raw_path(name)) as partial, partial.open("xb") as file:
        for offset, data in extents:
            require_free_space(partial.parent, error=ImageStoreFull)
            file.seek(offset)
            file.write(data)
        file.truncate(size_bytes)


def convert(name: str, *, check: Check) -> ReceivedFile:
    """Convert the raw file of `name` to the incoming file `name`, in the format qcow2, and remove it. Idempotent.

    `check` is called often; its errors end the conversion.

    Raises:
        ImageFileMissing: there is neither a raw file nor the result.
        ImageTooLarge: the result has more than settings.IMAGE_MAX_BYTES.
        ImageStoreFull: the disk has no room for it.
        ImageInspectionFailed: qemu-img failed.
    """
    raw, target = raw_path(name), image_store.incoming_path(name)
    if not raw.exists():
        return _converted_before(target, check)
    used_bytes = raw.stat().st_blocks * STORED_BYTES
    require_free_space(settings.IMAGES_DIR, size_bytes=used_bytes, error=ImageStoreFull)
    with image_store.new_file(target) as partial:
        _run_qemu_img(raw, partial, check)
        received = _sum(partial, check)
    raw.unlink(missing_ok=True)
    return received


def _converted_before(target: Path, check: Check) -> ReceivedFile:
    try:
        return _sum(target, check)
    except FileNotFoundError as exc:
        raise ImageFileMissing() from exc


def _run_qemu_img(raw: Path, target: Path, check: Check) -> None:
    limits = [f"--as={MEMORY_LIMIT_BYTES}", "--core=0", "--nofile=64"]
    command = ["prlimit", *limits, "--", "qemu-img", "convert", "-f", "raw", "-O", "qcow2", "--", str(raw), str(target)]
    with _started(command) as process:
        while process.poll() is None:
            check()
            if target.exists() and target.stat().st_blocks * STORED_BYTES > settings.IMAGE_MAX_BYTES:
                raise ImageTooLarge(limit_bytes=settings.IMAGE_MAX_BYTES)
            _wait(process)
        if process.returncode != 0:
            assert process.stderr is not None
            problem = process.stderr.read()
            log.warning("qemu-img convert: %d %s", process.returncode, problem[-500:].decode(errors="replace"))
            raise ImageStoreFull() if NO_SPACE in problem else ImageInspectionFailed()


@contextmanager
def _started(command: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the process inside the block; it is killed at the end if it is not over."""
    try:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENVIRONMENT)
    except OSError as exc:
        raise ImageInspectionFailed() from exc
    with process:
        try:
            yield process
        finally:
            process.kill()


def _wait(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(LOOK_EVERY_S)
    except subprocess.TimeoutExpired:
        return


def _sum(path: Path, check: Check) -> ReceivedFile:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            check()
            digest.update(chunk)
            size += len(chunk)
        os.fsync(file.fileno())
    if size > settings.IMAGE_MAX_BYTES:
        raise ImageTooLarge(limit_bytes=settings.IMAGE_MAX_BYTES)
    return ReceivedFile(size, digest.hexdigest())
