"""Build raw disks from files, with no loop device and no mount."""

from __future__ import annotations

from pathlib import Path

from agents.lab.shell import run

MIB = 2**20
SECTOR = 512


def make_ext4(path: Path, *, tree: Path, label: str, size_mib: int) -> None:
    """Make an ext4 image filled with `tree`, with its owners and modes."""
    _truncate(path, size_mib * MIB)
    run(["mke2fs", "-q", "-F", "-t", "ext4", "-L", label, "-d", str(tree), str(path)])


def make_fat(path: Path, *, files: dict[str, Path], size_mib: int, start_mib: int) -> None:
    """Make a FAT16 image with `files` (name -> source), for the partition that begins at `start_mib`."""
    _truncate(path, size_mib * MIB)
    hidden_sectors = str(start_mib * MIB // SECTOR)
    run(["mkfs.fat", "-F", "16", "-n", "BOOT", "-h", hidden_sectors, str(path)])
    for name, source in files.items():
        run(["mcopy", "-i", str(path), str(source), f"::{name}"])


def partition(path: Path, *, size_mib: int, script: str) -> None:
    """Make a raw disk with the partition table that the sfdisk script describes."""
    _truncate(path, size_mib * MIB)
    run(["sfdisk", "--quiet", str(path)], stdin=script)


def write_at(path: Path, *, offset: int, data: bytes) -> None:
    with path.open("r+b") as disk:
        disk.seek(offset)
        disk.write(data)


def copy_into(path: Path, *, source: Path, start_mib: int) -> None:
    """Copy an image to its place in a disk; its blocks of zeros stay holes."""
    run(
        [
            "dd",
            f"if={source}",
            f"of={path}",
            "bs=1M",
            f"seek={start_mib}",
            "conv=notrunc,sparse",
            "status=none",
        ],
    )


def compress(raw: Path, out: Path, *, method: str) -> None:
    """Convert a raw disk to a compressed qcow2 (`method`: zlib or zstd)."""
    options = ["-o", f"compression_type={method}"]
    run(["qemu-img", "convert", "-q", "-c", "-f", "raw", "-O", "qcow2", *options, str(raw), str(out)])


def _truncate(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)
