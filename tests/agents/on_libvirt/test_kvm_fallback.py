"""A host whose KVM passes for good and still cannot run guests: they end up running all the same."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from agents.lab import LabNode
from agents.lab.shell import wait_until
from agents.node import domain_xml
from agents.node.adapters import accelerator, libvirt
from agents.node.adapters.accelerator import Accelerator
from agents.node.adapters.interfaces import BaseImage, Firmware, GuestSpec, ImageFormat, Power, always
from agents.node.adapters.libvirt import LibvirtHypervisor
from agents.node.adapters.qemu_img import FileDisks
from agents.node.adapters.storage.keys import VolumeKeys
from agents.node.adapters.volume_secrets import VolumeSecrets
from tests.agents import specs
from tests.limits import PATIENCE_S

pytestmark = pytest.mark.lab


@pytest.fixture
def deceived(agreeing_node: LabNode, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[LibvirtHypervisor, FileDisks]]:
    """A hypervisor whose probe found KVM to work."""
    if not accelerator.DEVICE.exists() or not accelerator.runs_guests("kvm", cpu="host"):
        pytest.skip("needs a KVM that exists and does not work")
    folder = agreeing_node.agent_folder / "kvm"
    disks = FileDisks(folder)
    monkeypatch.setattr(libvirt, "KVM_PROBATION_S", 300.0)  # however busy this machine is
    (folder / "accelerator.json").unlink(missing_ok=True)
    working = Accelerator(folder, requested="auto", boot_id="boot", probe_kvm=lambda: "")
    hypervisor = LibvirtHypervisor(agreeing_node.libvirt_uri, accelerator=working, secrets=VolumeSecrets(VolumeKeys()))
    assert hypervisor.host().virt_type == "kvm"
    yield hypervisor, disks
    for guest_id in hypervisor.states():
        hypervisor.power_off(guest_id)
        hypervisor.undefine(guest_id)
    hypervisor.close()
    assert json.loads((folder / "accelerator.json").read_text())["virt_type"] == "qemu"


def start(hypervisor: LibvirtHypervisor, disks: FileDisks, image: Path) -> UUID:
    guest = guest_of(disks, image)
    hypervisor.define(guest)
    hypervisor.start(guest.id)
    return guest.id


def guest_of(disks: FileDisks, image: Path) -> GuestSpec:
    content, guest_id, root = image.read_bytes(), UUID(specs.new_id()), UUID(specs.new_id())
    with disks.receive_image("tiny") as incoming:
        incoming.write(content)
        incoming.keep()
    disks.engine().create(root, size_bytes=512 * specs.MIB, base=BaseImage("tiny", ImageFormat.QCOW2))
    return GuestSpec(
        id=guest_id,
        project_id=UUID(specs.PROJECT_ID),
        vcpus=1,
        memory_mib=128,
        firmware=Firmware.BIOS,
        disks=(disks.engine().disk(root, base=BaseImage("tiny", ImageFormat.QCOW2)),),
        nics=(),
        seed=disks.write_seed(guest_id, {"meta-data": b"instance-id: x\n"}),
        console_log=disks.console_path(guest_id),
        serial_socket=disks.serial_path(guest_id),
    )


@contextmanager
def not_expected(guest_id: UUID) -> Iterator[bool]:
    yield False


def test_kvm_fallback_restarts_only_an_expected_guest(
    deceived: tuple[LibvirtHypervisor, FileDisks], tiny_image: Path
) -> None:
    """Its removal may come between KVM's failure and the restart."""
    hypervisor, disks = deceived
    guest = guest_of(disks, tiny_image)
    hypervisor.define(guest)
    hypervisor._restarts.guard = not_expected
    hypervisor._restart_under_tcg(guest)
    state = hypervisor.state(guest.id)
    assert state is not None
    assert (state.power, state.virt_type) == (Power.OFF, "kvm")
    hypervisor._restarts.guard = always
    hypervisor._restart_under_tcg(guest)
    assert runs_under_tcg(hypervisor, guest.id)
    hypervisor.power_off(guest.id)
    hypervisor.undefine(guest.id)
    hypervisor._restart_under_tcg(guest)
    assert hypervisor.state(guest.id) is None, "it was removed"


def runs_under_tcg(hypervisor: LibvirtHypervisor, guest_id: UUID) -> bool:
    state = hypervisor.state(guest_id)
    return state is not None and (state.power, state.virt_type) == (Power.RUNNING, "qemu")


def alter_kvm_domains(monkeypatch: pytest.MonkeyPatch, alter: Callable[[str], str]) -> None:
    """Alter the definition of each guest that is to run under KVM."""
    domain = domain_xml.domain

    def altered(guest: GuestSpec, *, virt_type: domain_xml.VirtType) -> str:
        text = domain(guest, virt_type=virt_type)
        return alter(text) if virt_type == "kvm" else text

    monkeypatch.setattr(domain_xml, "domain", altered)


QEMU_NAMESPACE = "http://libvirt.org/schemas/domain/qemu/1.0"


def test_a_guest_that_qemu_refuses_to_start_starts_under_tcg(
    deceived: tuple[LibvirtHypervisor, FileDisks], tiny_image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under KVM QEMU gets an argument that it ends at: some hosts' KVM makes it end by itself, others' does not."""
    commands = f'<commandline xmlns="{QEMU_NAMESPACE}"><arg value="-device"/><arg value="none-such"/></commandline>'
    alter_kvm_domains(monkeypatch, lambda text: text.replace("</domain>", f"{commands}</domain>"))
    hypervisor, disks = deceived
    guest_id = start(hypervisor, disks, tiny_image)
    assert runs_under_tcg(hypervisor, guest_id)
    assert hypervisor.host().virt_type == "qemu"


def test_guest_that_kvm_stops_at_once_restarts_under_tcg(
    deceived: tuple[LibvirtHypervisor, FileDisks], tiny_image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a modest CPU model QEMU starts, and KVM gives up in the guest's boot loader."""
    modest = "<cpu mode='custom' check='none'><model>qemu64</model></cpu>"
    alter_kvm_domains(monkeypatch, lambda text: re.sub("<cpu [^>]*/>", modest, text, count=1))
    hypervisor, disks = deceived
    guest_id = start(hypervisor, disks, tiny_image)
    wait_until(lambda: runs_under_tcg(hypervisor, guest_id), what="the guest to run under TCG", within_s=PATIENCE_S)
