"""Images that a node accepts, decided from the inspector's report alone."""

import pytest

from agents.node.adapters.interfaces import ImageFormat
from agents.node.errors import ImageRefused
from agents.node.services import image_inspection

FEATURES = {
    "compat": "1.1",
    "compression-type": "zlib",
    "lazy-refcounts": False,
    "refcount-bits": 16,
    "corrupt": False,
    "extended-l2": False,
}


def report(**changes: object) -> dict[str, object]:
    data = FEATURES | {name[2:].replace("_", "-"): value for name, value in changes.items() if name.startswith("q_")}
    plain = {name.replace("_", "-"): value for name, value in changes.items() if not name.startswith("q_")}
    return {
        "format": "qcow2",
        "probed-format": "qcow2",
        "virtual-size": 2**30,
        "format-specific": {"type": "qcow2", "data": data},
    } | plain


def test_an_ordinary_image_is_accepted_with_its_size() -> None:
    assert image_inspection.check(report(), declared=ImageFormat.QCOW2) == 2**30


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "vmdk"},
        {"probed_format": "raw"},
        {"backing_filename": "/etc/shadow"},
        {"full_backing_filename": "/etc/shadow"},
        {"encrypted": True},
        {"snapshots": [{"id": "1"}]},
        {"virtual_size": 0},
        {"virtual_size": 2**50},
        {"virtual_size": "1G"},
        {"format_specific": None},
        {"q_data_file": "/dev/sda"},
        {"q_data_file_raw": True},
        {"q_extended_l2": True},
        {"q_corrupt": True},
        {"q_encrypt": {"format": "luks"}},
        {"q_bitmaps": []},
        {"q_refcount_bits": 1},
        {"q_something_new": True},
    ],
)
def test_unlisted_feature_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ImageRefused):
        image_inspection.check(report(**changes), declared=ImageFormat.QCOW2)
