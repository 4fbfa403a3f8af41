"""Errors of libvirt that depend on the moment: of QEMU's end during its start, and of a guest that has just left."""

import libvirt
import pytest

from agents.node.adapters.libvirt import _has_qemu_died, unless_gone

GUEST = "<domain type='test'><name>leaving</name><memory>1024</memory><os><type>hvm</type></os></domain>"


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


def test_guest_that_has_left_meanwhile_has_no_state() -> None:
    connection = libvirt.open("test:///default")
    domain = connection.createXML(GUEST)
    assert unless_gone(domain.state) == [libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_BOOTED]
    domain.destroy()
    assert unless_gone(domain.state) is None
    assert unless_gone(domain.XMLDesc) is None
    with pytest.raises(libvirt.libvirtError):
        unless_gone(lambda: connection.networkLookupByName("none"))
    connection.close()
