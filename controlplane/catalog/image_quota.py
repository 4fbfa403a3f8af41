"""How much of its quota the file of a project's image takes: in whole GiB, from the moment that all of it is there.
What does not fit is refused before it is stored. Public images are the operator's, and take nothing."""

from collections.abc import Iterable, Iterator

from controlplane.catalog.models import Image
from controlplane.kernel.units import GIB, in_whole
from controlplane.quotas import services as quotas


def need_room(image: Image, size_bytes: int) -> None:
    """Raises QuotaExceeded: a file of so many bytes does not fit now. Nothing is claimed."""
    if image.project_id is not None and size_bytes:
        quotas.check(image.project_id, image.pk, image_gib=in_whole(size_bytes, GIB))


def limit_chunks(image: Image, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same pieces, for whoever is not told how many there will be.

    Raises:
        QuotaExceeded: before the first piece that goes beyond what fits; asked once for each GiB that begins.
    """
    size_bytes, fits_bytes = 0, 0
    for chunk in chunks:
        size_bytes += len(chunk)
        if size_bytes > fits_bytes:
            need_room(image, size_bytes)
            fits_bytes = in_whole(size_bytes, GIB) * GIB
        yield chunk


def claim_quota(image: Image, size_bytes: int) -> None:
    """Inside the transaction that writes down that the image has its file.

    Raises:
        QuotaExceeded
    """
    if image.project_id is not None:
        quotas.claim(image.project_id, image.pk, image_gib=in_whole(size_bytes, GIB))
