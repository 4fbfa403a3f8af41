"""GRUB for BIOS on a GPT disk, installed without a device: the work of grub-install, on files."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

from agents.lab.images import disk
from agents.lab.shell import run

PLATFORM = "i386-pc"

# Where the two parts of GRUB's first stage keep what its installer writes into them (GRUB's boot.S and diskboot.S).
CODE_BYTES = 440
CORE_SECTOR_AT = 0x5C
DRIVE_CHECK_AT = 0x66
NOPS = b"\x90\x90"
BLOCK_LIST_AT = disk.SECTOR - 12
LOADED_SEGMENT = 0x820


def copy_modules(tree: Path) -> None:
    """Put the modules of the guest's own package where GRUB looks for them at boot."""
    shutil.copytree(tree / "usr/lib/grub" / PLATFORM, tree / "boot/grub" / PLATFORM)


def install(raw: Path, *, tree: Path, scratch: Path, core_mib: int, root_partition: int) -> None:
    """Make `raw` start GRUB from the partition of `core_mib` (MiB), which reads the guest's /boot/grub/grub.cfg."""
    modules = tree / "usr/lib/grub" / PLATFORM
    core_file = scratch / "core.img"
    prefix = f"(hd0,gpt{root_partition})/boot/grub"
    make = ["grub-mkimage", "-d", str(modules), "-O", PLATFORM, "-o", str(core_file), "-p", prefix]
    run([*make, "biosdisk", "part_gpt", "ext2"])
    first = core_mib * disk.MIB // disk.SECTOR
    disk.write_at(raw, offset=core_mib * disk.MIB, data=_core(core_file.read_bytes(), first))
    disk.write_at(raw, offset=0, data=_boot((modules / "boot.img").read_bytes(), first))


def _boot(image: bytes, first: int) -> bytes:
    """Return the code of the master boot record; the partition table after it stays."""
    code = bytearray(image[:CODE_BYTES])
    struct.pack_into("<Q", code, CORE_SECTOR_AT, first)
    code[DRIVE_CHECK_AT : DRIVE_CHECK_AT + 2] = NOPS  # some BIOSes do not say from which disk they boot
    return bytes(code)


def _core(image: bytes, first: int) -> bytes:
    """Return the core image. Its first sector loads the others and contains their position."""
    core = bytearray(image)
    others = -(-len(core) // disk.SECTOR) - 1
    struct.pack_into("<QHH", core, BLOCK_LIST_AT, first + 1, others, LOADED_SEGMENT)
    return bytes(core)
