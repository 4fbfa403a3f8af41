"""Checks of free disk space before a caller fills a disk: a database that cannot write stops the whole cloud."""

import shutil
from pathlib import Path

from django.conf import settings

from controlplane.kernel.errors import InsufficientStorage
from controlplane.kernel.units import MIB


def require_free_space(
    folder: Path, *, size_bytes: int = 0, error: type[InsufficientStorage] = InsufficientStorage
) -> None:
    """Check the free space of a file system for so many bytes; call it outside a transaction.

    Raises:
        InsufficientStorage: less than settings.FREE_SPACE_MIN_MIB would be left; the class is `error`.
    """
    needed = size_bytes + settings.FREE_SPACE_MIN_MIB * MIB
    if needed and free_bytes(folder) < needed:
        raise error()


def free_bytes(folder: Path) -> int:
    """Return the free bytes of the folder's file system or, if the folder does not exist, of its nearest existing
    parent.
    """
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    return shutil.disk_usage(there).free
