"""Images on their way into the cluster: received into a file, verified, inspected, converted to raw, and imported.

An image is untrusted. qemu-img reads it in a process with limits, which has no key of the cluster.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from agents.node import process
from agents.node.adapters.interfaces import ImageFormat
from agents.node.adapters.qemu_img import GIB, FileIncoming
from agents.node.adapters.storage.folder import COPY_TIMEOUT_S
from agents.node.errors import AdapterError, ImageRefused
from agents.node.services import image_inspection
from agents.node.services.images import ImageStatus, check_same, receive
from agents.node.specs import ImageSpec
from agents.storage.workers import Workers

ADDRESS_SPACE_BYTES = 4 * GIB


class Images:
    """`folder`: of the files, which are gone when a call ends. `max_bytes`: of an image, also as its guest sees it."""

    def __init__(self, folder: Path, *, workers: Workers, copying: Workers, max_bytes: int) -> None:
        self._folder = folder
        self._workers = workers
        self._copying = copying
        self._max_bytes = max_bytes
        folder.mkdir(exist_ok=True, mode=0o700)
        for left_over in folder.iterdir():
            shutil.rmtree(left_over)

    def ensure(self, spec: ImageSpec, pool: str, parts: Iterable[bytes]) -> ImageStatus:
        """Import the image; `parts` are read only when the pool does not have it.

        Raises:
            ImageRefused: they are not those announced, or of a kind that is not accepted; nothing is left.
        """
        found = self._workers.call("image", pool=pool, sha256=spec.sha256)
        if found is not None:
            check_same(spec, size_bytes=found["size_bytes"], image_format=ImageFormat(found["format"]))
            return ImageStatus(spec.sha256, spec.size_bytes, was_cached=True)
        self._check_size(spec.size_bytes)
        with TemporaryDirectory(dir=self._folder) as folder:
            raw = self._received(spec, parts, Path(folder))
            came_as = (spec.size_bytes, spec.format.value)
            self._copying.call("import_image", pool=pool, sha256=spec.sha256, path=str(raw), came_as=came_as)
        return ImageStatus(spec.sha256, spec.size_bytes, was_cached=False)

    def _received(self, spec: ImageSpec, parts: Iterable[bytes], folder: Path) -> Path:
        """Return the raw file."""
        path = folder / "received"
        with path.open("wb") as file:
            incoming = FileIncoming(file, path, path)
            receive(spec, parts, incoming)
            size = image_inspection.check(incoming.inspect(spec.format), declared=spec.format)
        if spec.format is ImageFormat.RAW:
            return path
        self._check_size(size)
        limits = process.Limits(
            cpu_s=int(COPY_TIMEOUT_S), address_space_bytes=ADDRESS_SPACE_BYTES, file_size_bytes=size
        )
        raw = folder / "raw"
        command = ["qemu-img", "convert", "-f", spec.format.value, "-O", "raw", "--", str(path), str(raw)]
        process.run(command, timeout_s=COPY_TIMEOUT_S, limits=limits)
        return raw

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes > self._max_bytes:
            raise ImageRefused(f"The image has {size_bytes} bytes; {self._max_bytes} are accepted (--image-max-gib).")
        if size_bytes > shutil.disk_usage(self._folder).free:
            raise AdapterError(f"The storage agent's state folder has no room for {size_bytes} bytes.", retryable=True)
