"""Stamp beside an image: the digest of its sources."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sources() -> str:
    """Return a digest of every file of the builders."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix != ".pyc"):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def is_fresh(image: Path, expected: str) -> bool:
    path = _path(image)
    return image.exists() and path.exists() and path.read_text() == expected


def write(image: Path, made_from: str) -> None:
    _path(image).write_text(made_from)


def _path(image: Path) -> Path:
    return image.with_name(image.name + ".stamp")
