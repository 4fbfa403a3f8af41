"""Each guest's QEMU has a user of its own, which reaches nothing of another guest."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agents.lab import LabNode
from agents.lab.shell import wait_until
from agents.node.adapters.accelerator import Accelerator
from agents.node.adapters.fake import FakeNode
from agents.node.adapters.fake_switch import FakeSwitch
from agents.node.adapters.interfaces import Adapters, BaseImage, ConsoleKind, GuestSpec, ImageFormat
from agents.node.adapters.libvirt import LibvirtHypervisor
from agents.node.adapters.libvirt_mirrors import LibvirtMirrors
from agents.node.adapters.qemu_img import FileDisks
from agents.node.adapters.storage.keys import VolumeKeys
from agents.node.adapters.volume_secrets import VolumeSecrets
from agents.node.domain_xml import console_socket
from tests.agents.on_libvirt.test_adapters import Rig
from tests.agents.specs import MIB

pytestmark = pytest.mark.lab

IMAGE = "ab" * 32


@pytest.fixture
def rigs(agreeing_node: LabNode) -> Iterator[list[Rig]]:
    """Two guests that run, each with a disk over the same image."""
    folder = agreeing_node.agent_folder / "suite"
    hypervisor = LibvirtHypervisor(
        agreeing_node.libvirt_uri,
        accelerator=Accelerator(folder, requested="qemu", boot_id=""),
        secrets=VolumeSecrets(VolumeKeys()),
    )
    fake = FakeNode()
    adapters = Adapters(
        hypervisor,
        FileDisks(folder),
        FakeSwitch(fake),
        fake.adapters().migrations,
        fake.adapters().metadata,
        LibvirtMirrors(hypervisor),
        fake.adapters().transfers,
    )
    with adapters.disks.receive_image(IMAGE) as incoming:
        incoming.write(b"\0" * MIB)
        incoming.keep()
    found = [Rig(adapters) for _ in range(2)]
    for rig in found:
        layer_over_the_image(rig)
        hypervisor.start(rig.guest.id)
    yield found
    for rig in found:
        hypervisor.power_off(rig.guest.id)
        hypervisor.undefine(rig.guest.id)
        adapters.disks.remove_instance_files(rig.guest.id)
    adapters.disks.remove_image(IMAGE)
    hypervisor.close()


def layer_over_the_image(rig: Rig) -> None:
    disks, (root,) = rig.adapters.disks, rig.guest.disks
    disks.engine().remove(root.volume_id)
    disks.engine().create(root.volume_id, size_bytes=8 * MIB, base=BaseImage(IMAGE, ImageFormat.RAW))
    root = disks.engine().disk(root.volume_id, base=BaseImage(IMAGE, ImageFormat.RAW))
    rig.guest = replace(rig.guest, disks=(root,))
    rig.adapters.hypervisor.define(rig.guest)


def as_guest(guest: GuestSpec, *command: str | Path) -> bool:
    """Tell if the command succeeds for the guest's user."""
    assert guest.user is not None
    done = subprocess.run(command, user=guest.user, group=guest.user, extra_groups=[], capture_output=True, check=False)
    return done.returncode == 0


def can_read(guest: GuestSpec, path: Path) -> bool:
    return as_guest(guest, "head", "-c", "1", path)


def owner(path: Path) -> int:
    return path.stat().st_uid


def test_guest_reads_its_own_disks_and_no_others(agreeing_node: LabNode, rigs: list[Rig]) -> None:
    one, other = (rig.guest for rig in rigs)
    assert one.user != other.user
    users = {os.stat(f"/proc/{pid}").st_uid for pid in agreeing_node.guest_pids()}
    assert users == {one.user, other.user}
    for guest in (one, other):
        assert can_read(guest, guest.disks[0].path) and can_read(guest, guest.seed)
        rigs[0].adapters.hypervisor.check_domain(guest)
    for path in (other.disks[0].path, other.seed, other.console_log):
        assert not can_read(one, path)
    assert not as_guest(one, "socat", "-u", "OPEN:/dev/null", f"UNIX-CONNECT:{other.serial_socket}")


def test_a_guest_does_not_reach_the_display_of_another(agreeing_node: LabNode, rigs: list[Rig]) -> None:
    shown = agreeing_node.exec(["virsh", "dumpxml", str(rigs[1].guest.id)]).stdout
    display = console_socket(shown, ConsoleKind.VNC)
    assert display is not None
    mine, others = (
        ["setpriv", f"--reuid={rig.guest.user}", f"--regid={rig.guest.user}", "--clear-groups"] for rig in rigs
    )
    connect = ["socat", "-u", "OPEN:/dev/null", f"UNIX-CONNECT:{display}"]
    assert agreeing_node.exec([*others, *connect], check=False).returncode == 0
    assert agreeing_node.exec([*mine, *connect], check=False).returncode != 0


def test_shared_image_belongs_to_root(rigs: list[Rig]) -> None:
    image = rigs[0].adapters.disks.folder() / "images" / IMAGE
    assert owner(image) == 0
    for rig in rigs:
        assert can_read(rig.guest, image)
        assert not as_guest(rig.guest, "chmod", "u+w", image)


def test_files_of_a_stopped_guest_belong_to_root(rigs: list[Rig]) -> None:
    guest, hypervisor = rigs[0].guest, rigs[0].adapters.hypervisor
    path = guest.disks[0].path
    assert owner(path) == guest.user
    more = rigs[0].volume()
    hypervisor.plug_disk(guest.id, more)
    assert owner(more.path) == guest.user
    hypervisor.power_off(guest.id)
    wait_until(lambda: owner(path) == owner(more.path) == 0, what="its disks to be root's again")
