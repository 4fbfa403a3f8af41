"""The image cache: bytes come in once, are proved to be those announced, inspected, and never change."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from agents.node.adapters.base import IncomingImage
from agents.node.context import Node
from agents.node.errors import ImageInUse, ImageRefused
from agents.node.ledger import CachedImage
from agents.node.services import image_inspection
from agents.node.wishes import ImageWish


@dataclass(frozen=True, slots=True)
class ImageStatus:
    sha256: str
    size_bytes: int
    was_cached: bool


def ensure(node: Node, wish: ImageWish, parts: Iterable[bytes]) -> ImageStatus:
    """Cache the image; `parts` are read only when it is not cached yet.

    Raises:
        ImageRefused: they are not those announced, or of a kind that is not accepted; nothing is left.
    """
    with node.locks.hold(("image", wish.sha256)):
        cached = _cached(node, wish.sha256)
        if cached is not None:
            return _status_of_cached(wish, cached)
        with node.adapters.disks.receive_image(wish.sha256) as incoming:
            _receive(wish, parts, incoming)
            virtual_size = image_inspection.check(incoming.inspect(wish.format), declared=wish.format)
            node.ledger.images.remember(wish.sha256, CachedImage(wish.size_bytes, wish.format, virtual_size))
            incoming.keep()
    return ImageStatus(wish.sha256, wish.size_bytes, was_cached=False)


def remove(node: Node, sha256: str) -> bool:
    """Drop it from the cache; False when it was not there. Refused while a volume stands on it."""
    with node.locks.hold(("image", sha256)):
        with node.ledger.transaction():
            volumes = node.ledger.users_of("image", sha256, "volume")
            if volumes:
                raise ImageInUse(f"{len(volumes)} volumes stand on image {sha256}, one of them {volumes[0]}.")
            node.ledger.images.forget(sha256)
        return node.adapters.disks.remove_image(sha256)


def all_cached(node: Node) -> list[ImageStatus]:
    entries = [(entry.id, _cached(node, entry.id)) for entry in node.ledger.images.held()]
    return [ImageStatus(sha256, image.size_bytes, was_cached=True) for sha256, image in entries if image]


def _cached(node: Node, sha256: str) -> CachedImage | None:
    """A row without its file is an image whose arrival was cut short."""
    entry = node.ledger.images.get(sha256)
    if entry is None or node.adapters.disks.image_size_bytes(sha256) is None:
        return None
    return entry.wish


def _status_of_cached(wish: ImageWish, cached: CachedImage) -> ImageStatus:
    if (wish.size_bytes, wish.format) != (cached.size_bytes, cached.format):
        raise ImageRefused(
            f"Image {wish.sha256} is cached as {cached.format} of {cached.size_bytes} bytes, "
            f"but was announced as {wish.format} of {wish.size_bytes} bytes."
        )
    return ImageStatus(wish.sha256, cached.size_bytes, was_cached=True)


def _receive(wish: ImageWish, parts: Iterable[bytes], incoming: IncomingImage) -> None:
    digest = hashlib.sha256()
    received = 0
    for part in parts:
        received += len(part)
        if received > wish.size_bytes:
            raise ImageRefused(f"More bytes came than the {wish.size_bytes} announced.")
        digest.update(part)
        incoming.write(part)
    if received != wish.size_bytes:
        raise ImageRefused(f"{received} bytes came of the {wish.size_bytes} announced.")
    if digest.hexdigest() != wish.sha256:
        raise ImageRefused(f"The bytes have the digest {digest.hexdigest()}, not the one announced.")
