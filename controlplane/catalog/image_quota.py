"""Quota of a project's image file: whole GiB, from the moment that the file is complete.

A file that does not fit is rejected before it is stored. Public images are the operator's, and use no quota.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from controlplane.catalog.models import Image
from controlplane.kernel.units import GIB, in_whole
from controlplane.quotas import services as quotas


def need_room(image: Image, size_bytes: int) -> None:
    """Raise QuotaExceeded if a file of this size does not fit now. Nothing is claimed."""
    if image.project_id is not None and size_bytes:
        quotas.check(image.project_id, image.pk, image_gib=in_whole(size_bytes, GIB))


def limit_chunks(image: Image, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same chunks, for a file whose size is not known in advance.

    Raises:
        QuotaExceeded: before the first chunk that does not fit; checked once for each started GiB.
    """
    growing = GrowingFile(image)
    for chunk in chunks:
        growing.add(len(chunk))
        yield chunk


@dataclass
class GrowingFile:
    """A file that becomes larger; the quota is checked once for each started GiB."""

    image: Image
    size_bytes: int = 0
    _fits_bytes: int = 0

    def add(self, size_bytes: int) -> None:
        """Raise QuotaExceeded if so much more does not fit."""
        self.size_bytes += size_bytes
        if self.size_bytes > self._fits_bytes:
            need_room(self.image, self.size_bytes)
            self._fits_bytes = in_whole(self.size_bytes, GIB) * GIB


def claim_quota(image: Image, size_bytes: int) -> None:
    """Claim the quota inside the transaction that records the image's file.

    Raises:
        QuotaExceeded
    """
    if image.project_id is not None:
        quotas.claim(image.project_id, image.pk, image_gib=in_whole(size_bytes, GIB))
