"""Whether there is room left on a disk before a caller fills it: a database that cannot write any more stops the whole
cloud."""

import shutil
from pathlib import Path

from django.conf import settings

from controlplane.kernel.errors import InsufficientStorage
from controlplane.kernel.units import MIB


def require_free_space(folder: Path, *, error: type[InsufficientStorage] = InsufficientStorage) -> None:
    """Not inside a transaction, since it asks the file system.

    Raises:
        InsufficientStorage: less than settings.FREE_SPACE_MIN_MIB would be left; of the class that `error` names.
    """
    if settings.FREE_SPACE_MIN_MIB and free_bytes(folder) < settings.FREE_SPACE_MIN_MIB * MIB:
        raise error()


def free_bytes(folder: Path) -> int:
    """On the file system of the folder, or, while it is not there, of the nearest one above it."""
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    return shutil.disk_usage(there).free
