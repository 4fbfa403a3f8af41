"""The image `tiny`, booted by plain libvirt on a node of the lab."""

from collections.abc import Callable
from pathlib import Path

import pytest

from agents.lab import LabNode
from agents.lab.shell import run, wait_until
from tests.lab.guests import CLIENT_NETNS, Guest, ensure_bridge

pytestmark = pytest.mark.lab

USER_DATA = "#!/bin/sh\necho ran >>/root/user-data-ran\n"


def test_guest_boots_with_its_seed(hv1: LabNode, tiny_image: Path, make_guest: Callable[..., Guest]) -> None:
    guest = make_guest(hv1, tiny_image, user_data=USER_DATA)
    guest.wait_for("TINY: ssh ready")
    guest.wait_for("TINY: user-data ended with 0")

    assert guest.ssh("hostname") == guest.name
    assert f"TINY: network {guest.address}/24" in guest.serial
    assert "default via 10.1.0.1 dev eth0" in guest.ssh("ip route")
    assert guest.ssh("cat /root/user-data-ran") == "ran"
    root_kib = int(guest.ssh("df -P / | awk 'NR == 2 { print $2 }'"))
    assert root_kib > 900 * 1024, "the root file system fills the disk of 1 GiB"


@pytest.mark.nightly
def test_guest_obeys_the_power_button_and_keeps_its_disk(
    hv1: LabNode, tiny_image: Path, make_guest: Callable[..., Guest]
) -> None:
    guest = make_guest(hv1, tiny_image, user_data=USER_DATA)
    guest.wait_for("TINY: ssh ready")
    host_key = guest.ssh("cat /etc/dropbear/dropbear_ed25519_host_key | sha256sum")
    guest.ssh("echo kept >/root/note; sync")

    guest.virsh("shutdown", guest.name)
    wait_until(lambda: guest.state == "shut off", what="the guest to shut down")
    guest.restart()
    guest.wait_for("TINY: ssh ready")

    assert guest.ssh("cat /root/note /root/user-data-ran") == "kept\nran", "user-data runs once per instance"
    assert guest.ssh("cat /etc/dropbear/dropbear_ed25519_host_key | sha256sum") == host_key


@pytest.mark.nightly
def test_guest_sees_disks_plugged_grown_and_unplugged(
    hv1: LabNode, tiny_image: Path, make_guest: Callable[..., Guest]
) -> None:
    guest = make_guest(hv1, tiny_image)
    guest.wait_for("TINY: ssh ready")
    volume = guest.folder / "volume.qcow2"
    run(["qemu-img", "create", "-q", "-f", "qcow2", str(volume), "64M"])

    options = ["--driver", "qemu", "--subdriver", "qcow2", "--targetbus", "virtio", "--serial", "0123456789abcdef"]
    guest.virsh("attach-disk", guest.name, str(volume), "vdb", *options)
    wait_until(lambda: guest.ssh("cat /sys/block/vdb/serial || true") == "0123456789abcdef", what="the disk")
    guest.ssh("mkfs.ext4 -q /dev/vdb && mount /dev/vdb /mnt && echo data >/mnt/file && umount /mnt")

    guest.virsh("blockresize", guest.name, "vdb", "128M")
    wait_until(lambda: guest.ssh("cat /sys/block/vdb/size") == str(128 * 2048), what="the disk to grow")

    guest.virsh("detach-disk", guest.name, "vdb")
    wait_until(lambda: "vdb" not in guest.ssh("cat /proc/partitions"), what="the disk to go")


@pytest.mark.nightly
def test_guest_uses_dhcp_when_the_seed_has_no_addresses(
    hv1: LabNode, tiny_image: Path, make_guest: Callable[..., Guest]
) -> None:
    ensure_bridge(hv1)
    server = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--interface=eth0"]
    server += ["--dhcp-range=10.1.0.200,10.1.0.220,1h", "--dhcp-leasefile=/run/leases", "--pid-file="]
    dhcp = hv1.spawn(["ip", "netns", "exec", CLIENT_NETNS, *server], log=hv1.folder / "dnsmasq.log")
    try:
        guest = make_guest(hv1, tiny_image, network=None)
        guest.wait_for("TINY: network 10.1.0.2")
    finally:
        dhcp.stop()
