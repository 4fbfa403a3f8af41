"""Store of image files, for every process of the control plane that needs them.

settings.IMAGES_DIR/<sha256> are the files of accepted images; they never change. Files before their inspection are in
incoming/, under a name that only their operation knows.
"""

import errno
import fcntl
import hashlib
import os
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.conf import settings

from controlplane.catalog.errors import ImageDigestMismatch, ImageStoreFull, ImageTooLarge
from controlplane.kernel.free_space import require_free_space
from controlplane.kernel.ids import new_id

FORGOTTEN_AFTER = timedelta(hours=1)


@dataclass(frozen=True)
class ReceivedFile:
    size_bytes: int
    sha256: str


def path_of(sha256: str) -> Path:
    folder: Path = settings.IMAGES_DIR
    return folder / sha256


def incoming_path(name: str) -> Path:
    folder: Path = settings.IMAGES_DIR
    return folder / "incoming" / name


def receive(chunks: Iterable[bytes], name: str, *, sha256: str = "") -> ReceivedFile:
    """Write the chunks to the incoming file `name`, atomically and flushed to disk. A file of that name is replaced.

    Raises:
        ImageTooLarge: more than settings.IMAGE_MAX_BYTES arrived.
        ImageDigestMismatch: `sha256` was declared and the bytes have another one.
        ImageStoreFull: the disk has no room for it, or would have less than settings.FREE_SPACE_MIN_MIB left.
    """
    with new_file(incoming_path(name)) as partial:
        received = _write(chunks, partial)
        if sha256 and received.sha256 != sha256:
            raise ImageDigestMismatch(found=received.sha256, declared=sha256)
    return received


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """Yield the path of a partial file beside `target`, which it replaces at the end; after an error it is removed.

    Raises:
        ImageStoreFull: the disk has no room for it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{new_id()}")
    try:
        yield partial
        partial.replace(target)
    except BaseException as exc:
        partial.unlink(missing_ok=True)
        if isinstance(exc, OSError) and exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ImageStoreFull() from exc
        raise


def _write(chunks: Iterable[bytes], path: Path) -> ReceivedFile:
    digest = hashlib.sha256()
    size = 0
    limit: int = settings.IMAGE_MAX_BYTES
    with path.open("xb") as file:
        for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise ImageTooLarge(limit_bytes=limit)
            require_free_space(path.parent, error=ImageStoreFull)
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return ReceivedFile(size, digest.hexdigest())


def discard_all(name: str) -> None:
    """Remove the incoming file and all partial ones of that name, such as a killed worker left. Idempotent."""
    for path in incoming_path(name).parent.glob(f"{name}*"):
        path.unlink(missing_ok=True)


def publish(name: str, sha256: str) -> bool:
    """Rename the incoming file to its digest. Idempotent. False: neither of the two files exists."""
    with _locked():
        try:
            incoming_path(name).replace(path_of(sha256))
        except FileNotFoundError:
            return path_of(sha256).exists()
        os.utime(path_of(sha256))
    _sync_folder()
    return True


def discard(name: str) -> None:
    """Remove an incoming file; a missing one is ignored."""
    incoming_path(name).unlink(missing_ok=True)


def collect_garbage(*, keep: Collection[str]) -> int:
    """Remove the files that are not in `keep` (digests and incoming names), unless they are younger than
    FORGOTTEN_AFTER: their row may not be committed yet. Returns the number of removed files.
    """
    folder: Path = settings.IMAGES_DIR
    if not folder.exists():
        return 0
    with _locked():
        old = [path for path in (*folder.glob("*"), *folder.glob("incoming/*")) if _is_forgotten(path, keep)]
        for path in old:
            path.unlink()
    return len(old)


def _is_forgotten(path: Path, keep: Collection[str]) -> bool:
    if path.name.partition(".")[0] in keep or not path.is_file():
        return False
    return time.time() - path.stat().st_mtime > FORGOTTEN_AFTER.total_seconds()


@contextmanager
def _locked() -> Iterator[None]:
    """Lock against the garbage collector: a file that has just been published is not collected."""
    folder: Path = settings.IMAGES_DIR
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sync_folder() -> None:
    descriptor = os.open(settings.IMAGES_DIR, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
