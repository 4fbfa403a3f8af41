"""Steps on files, for engines and the node's folders: each is complete and flushed, or has not happened."""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from agents.node import process
from agents.node.errors import AdapterError

UNFINISHED = ".unfinished-"  # prefix of incomplete files
QCOW2_HEADER = struct.Struct(">4s20xQ")  # magic, then at offset 24 the size that a guest sees
QCOW2_MAGIC = b"QFI\xfb"
QCOW2_BACKING = struct.Struct(">8xQ")  # at offset 8 where the name of another file is, of which it is a layer; 0: none


def publish(unfinished: Path, final: Path) -> None:
    """Flush the file, give it its name in one step, flush the name."""
    with disk_errors():
        fsync(unfinished)
        unfinished.rename(final)
        fsync(final.parent)


def publish_once(unfinished: Path, final: Path) -> None:
    """Publish the file, unless another node was faster: the other node's file stays."""
    with disk_errors():
        fsync(unfinished)
        with suppress(FileExistsError):
            os.link(unfinished, final)
        fsync(final.parent)


def unlink(path: Path) -> bool:
    try:
        with disk_errors():
            path.unlink()
            fsync(path.parent)
    except FileNotFoundError:
        return False
    return True


def fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def qcow2_size_bytes(path: Path) -> int | None:
    """Return the size from the file's own header, which guests cannot write; qemu-img would take a process."""
    try:
        with path.open("rb") as file:
            header = file.read(QCOW2_HEADER.size)
    except FileNotFoundError:
        return None
    magic, size = QCOW2_HEADER.unpack(header.ljust(QCOW2_HEADER.size, b"\0"))
    if magic != QCOW2_MAGIC:
        raise AdapterError(f"The file {path.name} is not a qcow2 file.", retryable=False)
    return int(size)


def check_whole(path: Path) -> None:
    """Raise AdapterError if there is no such file, or its header names another file, of which it is a layer."""
    try:
        with disk_errors(), path.open("rb") as file:
            (backing,) = QCOW2_BACKING.unpack(file.read(QCOW2_BACKING.size).ljust(QCOW2_BACKING.size, b"\0"))
    except FileNotFoundError as exc:
        raise AdapterError(f"The file {path.name} is missing.", retryable=False) from exc
    if backing:
        raise AdapterError(f"The file {path.name} is a layer over another file.", retryable=False)


def create_qcow2(path: Path, size_bytes: int) -> None:
    process.run(["qemu-img", "create", "-q", "-f", "qcow2", "--", str(path), str(size_bytes)])


def resize_qcow2(path: Path, size_bytes: int) -> None:
    process.run(["qemu-img", "resize", "-q", "-f", "qcow2", "--", str(path), str(size_bytes)])


@contextmanager
def disk_errors() -> Iterator[None]:
    """Map errors: a full or failing disk is a fault of the node, and may pass."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise AdapterError(f"The node's disk failed: {exc}", retryable=True) from exc
