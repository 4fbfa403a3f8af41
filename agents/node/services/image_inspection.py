"""Decide which disk images a node accepts, from the inspector's report. Pure.

An image is untrusted. A backing file or an external data file would let a guest read files of the node, and an unknown
feature could change what the bytes mean to the next tool: a feature that is not listed is refused.
"""

from collections.abc import Mapping

from agents.node.adapters.interfaces import ImageFormat
from agents.node.errors import ImageRefused

MAX_VIRTUAL_SIZE_BYTES = 64 * 2**40
MIN_VIRTUAL_SIZE_BYTES = 512
REFERENCES = ("backing-filename", "full-backing-filename", "backing-filename-format", "backing-image")

# What qemu-img reports as "format-specific" of a qcow2 file, and the values that are accepted.
QCOW2_FEATURES: Mapping[str, tuple[object, ...]] = {
    "compat": ("0.10", "1.1"),
    "compression-type": ("zlib", "zstd"),
    "lazy-refcounts": (False, True),
    "refcount-bits": (16,),
    "corrupt": (False,),
    "extended-l2": (False,),
}


def check(report: Mapping[str, object], *, declared: ImageFormat) -> int:
    """Return the image's virtual size in bytes; raises ImageRefused when the node must not open the image."""
    for key in ("format", "probed-format"):
        if report.get(key) != declared.value:
            raise ImageRefused(f"The image was declared as {declared.value}, but is {report.get(key)!r}.")
    for key in REFERENCES:
        if key in report:
            raise ImageRefused("The image refers to a backing file.")
    if report.get("encrypted"):
        raise ImageRefused("The image is encrypted.")
    if report.get("snapshots"):
        raise ImageRefused("The image contains internal snapshots.")
    if declared is ImageFormat.QCOW2:
        _check_qcow2(report.get("format-specific"))
    return _virtual_size(report.get("virtual-size"))


def _check_qcow2(specific: object) -> None:
    data = specific.get("data") if isinstance(specific, Mapping) else None
    if not isinstance(data, Mapping):
        raise ImageRefused("The image's qcow2 features could not be read.")
    for feature, value in data.items():
        if value not in QCOW2_FEATURES.get(str(feature), ()):
            raise ImageRefused(f"The image has the qcow2 feature {feature}={value!r}, which is not accepted.")


def _virtual_size(size: object) -> int:
    if not isinstance(size, int) or not MIN_VIRTUAL_SIZE_BYTES <= size <= MAX_VIRTUAL_SIZE_BYTES:
        raise ImageRefused(f"The image's virtual size of {size} bytes is out of bounds.")
    return size
