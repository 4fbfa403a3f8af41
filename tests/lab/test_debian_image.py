"""The image `debian-13`, built and booted by plain libvirt on a node of the lab."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from agents.lab import LabNode
from agents.lab.images import build
from agents.lab.shell import wait_until
from tests.lab.guests import Guest

pytestmark = [pytest.mark.lab, pytest.mark.slow]

USER_DATA = """#cloud-config
disable_root: false
runcmd:
  - [sh, -c, "echo DEBIAN: runcmd >/dev/ttyS0"]
"""


@pytest.fixture(scope="session")
def debian_image(image_folder: Path) -> Path:
    path = image_folder / "debian-13.qcow2"
    build("debian-13", path)
    return path


def test_boots_with_cloud_init_and_guest_agent(
    hv1: LabNode, debian_image: Path, make_guest: Callable[..., Guest]
) -> None:
    guest = make_guest(hv1, debian_image, memory_mib=1024, disk="4G", user_data=USER_DATA)
    guest.wait_for("DEBIAN: runcmd", within_s=900)

    assert guest.ssh("hostname") == guest.name
    assert "done" in guest.ssh("cloud-init status --wait || true")
    assert guest.ssh("systemctl --failed --no-legend --plain") == ""
    assert int(guest.ssh("df -P -m / | awk 'NR == 2 { print $2 }'")) > 3500, "root fills the disk of 4 GiB"
    guest.virsh("qemu-agent-command", guest.name, json.dumps({"execute": "guest-ping"}))

    guest.ssh("update-grub")  # as a new kernel's package does; the next boot is by its menu
    guest.virsh("shutdown", guest.name, "--mode=acpi")
    wait_until(lambda: guest.state == "shut off", what="the guest to shut down", within_s=180)
    guest.restart()
    guest.wait_for("login:", within_s=900)
