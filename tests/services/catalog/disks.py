"""Disk images by qemu-img, and malicious ones."""

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path


def qemu_img(*arguments: str) -> None:
    subprocess.run(["qemu-img", *arguments], check=True, capture_output=True)


def qcow2(folder: Path, *options: str, size: str = "8M", content: bytes = b"", name: str = "disk.qcow2") -> Path:
    """A qcow2 file, written by qemu-img from a raw one with `content` at its start."""
    source, path = folder / f"{name}.source", folder / name
    with source.open("wb") as file:
        file.write(content)
        file.truncate(max(len(content), 8 * 2**20))
    if content:
        qemu_img("convert", "-f", "raw", "-O", "qcow2", *options, str(source), str(path))
    else:
        qemu_img("create", "-q", "-f", "qcow2", *options, str(path), size)
    return path


def raw(folder: Path, *, size: int = 8 * 2**20, head: bytes = b"\xeb\x63\x90") -> Path:
    """A raw disk that begins like one with a boot loader."""
    path = folder / "disk.raw"
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)
    return path


def patched(path: Path, offset: int, data: bytes) -> Path:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)
    return path


def truncated(path: Path, size: int) -> Path:
    with path.open("r+b") as file:
        file.truncate(size)
    return path


def chunks_of(path: Path, size: int = 64 * 1024) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(size):
            yield chunk


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files_in(folder: Path) -> set[str]:
    """Return all files below the folder, by their relative paths."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
