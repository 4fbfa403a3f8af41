"""Quota of a project's image file: whole GiB, from the moment that the file is complete.

A file that does not fit is rejected before it is stored. Public images are the operator's, and use no quota.
"""

from collections.abc import Iterable, Iterator

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
    size_bytes, fits_bytes = 0, 0
    for chunk in chunks:
        size_bytes += len(chunk)
        if size_bytes > fits_bytes:
            need_room(image, size_bytes)
            fits_bytes = in_whole(size_bytes, GIB) * GIB
        yield chunk


def claim_quota(image: Image, size_bytes: int) -> None:
    """Claim the quota inside the transaction that records the image's file.

    Raises:
        QuotaExceeded
    """
    if image.project_id is not None:
        quotas.claim(image.project_id, image.pk, image_gib=in_whole(size_bytes, GIB))
