"""Image cache: bytes arrive once, are verified against their digest and inspected, and never change."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from agents.node.adapters.interfaces import ImageFormat, IncomingImage
from agents.node.context import Node
from agents.node.errors import ImageInUse, ImageRefused
from agents.node.services import image_inspection
from agents.node.specs import ImageSpec
from agents.node.state_store import CachedImage


@dataclass(frozen=True, slots=True)
class ImageStatus:
    sha256: str
    size_bytes: int
    was_cached: bool


def ensure(node: Node, spec: ImageSpec, parts: Iterable[bytes]) -> ImageStatus:
    """Cache the image; `parts` are read only when it is not cached yet.

    Raises:
        ImageRefused: they are not those announced, or of a kind that is not accepted; nothing is left.
    """
    with node.locks.hold(("image", spec.sha256)):
        cached = _cached(node, spec.sha256)
        if cached is not None:
            check_same(spec, size_bytes=cached.size_bytes, image_format=cached.format)
            return ImageStatus(spec.sha256, cached.size_bytes, was_cached=True)
        with node.adapters.disks.receive_image(spec.sha256) as incoming:
            receive(spec, parts, incoming)
            virtual_size = image_inspection.check(incoming.inspect(spec.format), declared=spec.format)
            node.state_store.images.record(spec.sha256, CachedImage(spec.size_bytes, spec.format, virtual_size))
            incoming.keep()
    return ImageStatus(spec.sha256, spec.size_bytes, was_cached=False)


def remove(node: Node, sha256: str) -> bool:
    """Remove the image from the cache; False when it was not cached. Refused while a volume is based on it."""
    with node.locks.hold(("image", sha256)):
        with node.state_store.transaction():
            volumes = node.state_store.users_of("image", sha256, "volume")
            if volumes:
                raise ImageInUse(f"{len(volumes)} volumes use image {sha256} as their base, among them {volumes[0]}.")
            node.state_store.images.forget(sha256)
        return node.adapters.disks.remove_image(sha256)


def all_cached(node: Node) -> list[ImageStatus]:
    entries = [(entry.id, _cached(node, entry.id)) for entry in node.state_store.images.held()]
    return [ImageStatus(sha256, image.size_bytes, was_cached=True) for sha256, image in entries if image]


def _cached(node: Node, sha256: str) -> CachedImage | None:
    """Return the cached image. A row without its file is an image whose arrival was interrupted."""
    entry = node.state_store.images.get(sha256)
    if entry is None or node.adapters.disks.image_size_bytes(sha256) is None:
        return None
    return entry.spec


def check_same(spec: ImageSpec, *, size_bytes: int, image_format: ImageFormat) -> None:
    """Compare what is announced with the image of that digest that is there; raises ImageRefused."""
    if (spec.size_bytes, spec.format) != (size_bytes, image_format):
        raise ImageRefused(
            f"Image {spec.sha256} is cached as {image_format} of {size_bytes} bytes, "
            f"but was declared as {spec.format} of {spec.size_bytes} bytes."
        )


def receive(spec: ImageSpec, parts: Iterable[bytes], incoming: IncomingImage) -> None:
    """Write the bytes; raises ImageRefused if they are not those announced."""
    digest = hashlib.sha256()
    received = 0
    for part in parts:
        received += len(part)
        if received > spec.size_bytes:
            raise ImageRefused(f"The image has more than the declared {spec.size_bytes} bytes.")
        digest.update(part)
        incoming.write(part)
    if received != spec.size_bytes:
        raise ImageRefused(f"Only {received} of the declared {spec.size_bytes} bytes were received.")
    if digest.hexdigest() != spec.sha256:
        raise ImageRefused(f"The image has the SHA-256 {digest.hexdigest()}, not the declared one.")
