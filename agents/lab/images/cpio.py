"""Write archives in the format of the kernel's first file system ("newc")."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def pack(root: Path) -> bytes:
    """Pack `root` (folders, files, symbolic links), owned by root and undated: equal trees give equal archives."""
    paths = sorted(path.relative_to(root) for path in root.rglob("*"))
    members = [_member(str(path), root / path, number) for number, path in enumerate(paths, 1)]
    return b"".join([*members, _entry("TRAILER!!!", 0, 0, b"")])


def _member(name: str, path: Path, number: int) -> bytes:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return _entry(name, number, mode, os.readlink(path).encode())
    return _entry(name, number, mode, path.read_bytes() if stat.S_ISREG(mode) else b"")


def _entry(name: str, number: int, mode: int, content: bytes) -> bytes:
    encoded = name.encode() + b"\0"
    links = 1
    # inode, mode, uid, gid, links, time, size, two devices (major, minor), length of the name, checksum
    fields = [number, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(encoded), 0]
    header = b"070701" + b"".join(b"%08x" % field for field in fields)
    return _padded(header + encoded) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
