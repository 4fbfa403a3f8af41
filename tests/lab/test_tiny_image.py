"""The image `tiny`, booted by plain libvirt on a node of the lab."""

from collections.abc import Callable
from pathlib import Path

import pytest

from agents.lab import LabNode
from agents.lab.shell import wait_until
from tests.lab.guests import Guest

pytestmark = pytest.mark.lab

USER_DATA = "#!/bin/sh\necho ran >>/root/user-data-ran\n"


def test_boots_with_its_seed(hv1: LabNode, tiny_image: Path, make_guest: Callable[..., Guest]) -> None:
    guest = make_guest(hv1, tiny_image, user_data=USER_DATA)
    guest.wait_for("TINY: ssh ready")
    guest.wait_for("TINY: user-data ended with 0")

    assert guest.ssh("hostname") == guest.name
    assert f"TINY: network {guest.address}/24" in guest.serial
    assert "default via 10.1.0.1 dev eth0" in guest.ssh("ip route")
    assert guest.ssh("cat /root/user-data-ran") == "ran"
    root_kib = int(guest.ssh("df -P / | awk 'NR == 2 { print $2 }'"))
    assert root_kib > 900 * 1024, "the root file system fills the disk of 1 GiB"
