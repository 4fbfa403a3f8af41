"""Error texts of libvirt when QEMU ends during its start, which depend on the moment."""

import libvirt
import pytest

from agents.node.adapters.libvirt import _has_qemu_died


@pytest.mark.parametrize(
    ("message", "has_died"),
    [
        ("internal error: QEMU unexpectedly closed the monitor (vm='x'): qemu: error: failed to set MSR 0x480", True),
        ("internal error: process exited while connecting to monitor", True),
        ("operation failed: domain is no longer running", True),
        ("Unable to read from monitor: Connection reset by peer", True),
        ("Cannot access storage file '/x': No such file or directory", False),
        ("internal error: cannot find a free address", False),
    ],
)
def test_qemu_death_is_recognised_in_the_error_text(message: str, has_died: bool) -> None:
    assert _has_qemu_died(libvirt.libvirtError(message)) is has_died
