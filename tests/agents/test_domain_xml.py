"""Definitions against golden files. To accept a change: UPDATE_GOLDEN=1 pytest tests/agents/test_domain_xml.py."""

import os
import shutil
import subprocess
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path, PurePosixPath
from uuid import UUID

import pytest

from agents.node import domain_xml
from agents.node.adapters.interfaces import ConsoleKind, Firmware, GuestDisk, GuestNic, GuestSpec, IoLimits
from agents.node.adapters.storage import monitors
from agents.node.adapters.storage.places import RbdSource

GOLDEN = Path(__file__).parent / "golden"
STATE = PurePosixPath("/var/lib/andromede")
ROOT = UUID("01980000-0000-7000-8000-0000000000d1")
DATA = UUID("01980000-0000-7000-8000-0000000000d2")


def disk(volume_id: UUID, *, is_read_only: bool = False) -> GuestDisk:
    return GuestDisk(volume_id, Path(STATE / f"volumes/{volume_id}.qcow2"), is_read_only=is_read_only)


SMALL = GuestSpec(
    id=UUID("01980000-0000-7000-8000-0000000000e1"),
    project_id=UUID("01980000-0000-7000-8000-0000000000c1"),
    vcpus=1,
    memory_mib=128,
    firmware=Firmware.BIOS,
    disks=(disk(ROOT),),
    nics=(GuestNic("tap00000000001", "br00000000001", "52:54:00:00:00:01", 1450),),
    seed=Path(STATE / "instances/e1/seed.iso"),
    console_log=Path(STATE / "instances/e1/console.log"),
    serial_socket=Path(STATE / "consoles/e1"),
)
LARGE = replace(
    SMALL,
    vcpus=8,
    memory_mib=16384,
    firmware=Firmware.UEFI,
    disks=(
        replace(disk(ROOT), limits=IoLimits(iops=3000, bytes_per_s=125_000_000)),
        replace(disk(DATA, is_read_only=True), limits=IoLimits(iops=500)),
    ),
    nics=(*SMALL.nics, GuestNic("tap00000000002", "br00000000002", "52:54:00:00:00:02", 9000)),
)
RBD = RbdSource("vms", str(ROOT), ("10.0.0.1:3300", "[fd00::1]:3300"), f"v-{ROOT}.0198000000a0")
IN_CLUSTER = replace(SMALL, disks=(GuestDisk(ROOT, rbd=RBD), disk(DATA)))
SHARING = replace(SMALL, disks=(disk(ROOT), GuestDisk(DATA, rbd=replace(RBD, image=str(DATA)), is_shareable=True)))
CASES = {
    "small-tcg": (SMALL, "qemu"),
    "small-kvm": (SMALL, "kvm"),
    "large-tcg": (LARGE, "qemu"),
    "rbd-tcg": (IN_CLUSTER, "qemu"),
    "shared-tcg": (SHARING, "qemu"),
}


@pytest.mark.parametrize("name", CASES)
def test_definition_equals_the_golden_file(name: str) -> None:
    guest, virt_type = CASES[name]
    text = domain_xml.domain(guest, virt_type=virt_type)
    golden = GOLDEN / f"{name}.xml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("name", CASES)
def test_libvirt_schema_accepts_the_definition(name: str, tmp_path: Path) -> None:
    if shutil.which("virt-xml-validate") is None:
        pytest.skip("virt-xml-validate is not installed")
    # The schema knows no dot in the name of a client; libvirt takes it, as tests/agents/on_libvirt shows.
    file = tmp_path / "domain.xml"
    file.write_text((GOLDEN / f"{name}.xml").read_text().replace(RBD.client, "client"))
    subprocess.run(["virt-xml-validate", str(file), "domain"], check=True, capture_output=True)


def test_no_text_becomes_markup() -> None:
    evil = replace(SMALL, seed=Path('/x\'/><disk type="file">&amp;'))
    root = domain_xml.ET.fromstring(domain_xml.domain(evil, virt_type="qemu"))
    assert len(root.findall("devices/disk")) == 2


def test_target_names_are_those_of_libvirt() -> None:
    assert [domain_xml.target_name(i) for i in (0, 25, 26, 701, 702)] == ["vda", "vdz", "vdaa", "vdzz", "vdaaa"]
    assert domain_xml.free_target(["vda", "sda", "vdc"]) == "vdb"


@pytest.mark.parametrize("guest", [LARGE, IN_CLUSTER], ids=["files", "rbd"])
def test_plugged_disks_are_found_by_their_source(guest: GuestSpec) -> None:
    found = domain_xml.plugged_disks(domain_xml.domain(guest, virt_type="qemu"))
    assert {guest.disks[0].source, guest.disks[1].source, str(guest.seed)} == set(found)


def test_disks_in_clusters_are_listed_with_their_monitors() -> None:
    (found,) = domain_xml.keyed_disks(domain_xml.domain(IN_CLUSTER, virt_type="qemu")).items()
    assert (found[0], [monitors.address(each) for each in found[1]]) == (ROOT, [("10.0.0.1", 3300), ("fd00::1", 3300)])
    assert domain_xml.keyed_disks(domain_xml.domain(LARGE, virt_type="qemu")) == {}


def test_disk_that_was_copied_to_a_cluster_under_its_guest_is_listed() -> None:
    """libvirt then has the client in the source of the disk."""
    text = domain_xml.domain(IN_CLUSTER, virt_type="qemu")
    root = ET.fromstring(text)
    (disk,) = root.findall("devices/disk[@type='network']")
    auth, source = disk.find("auth"), disk.find("source")
    assert auth is not None and source is not None
    disk.remove(auth)
    source.append(auth)
    assert domain_xml.keyed_disks(ET.tostring(root, encoding="unicode")) == domain_xml.keyed_disks(text)


def test_secret_is_kept_and_shown_by_nothing() -> None:
    root = domain_xml.ET.fromstring(domain_xml.secret(ROOT))
    assert (root.get("ephemeral"), root.get("private"), root.findtext("uuid")) == ("yes", "yes", str(ROOT))


def test_free_slots_are_counted_in_the_running_definition() -> None:
    ports = "".join(f"<controller type='pci' model='pcie-root-port' index='{index}'/>" for index in (1, 2, 10))
    taken = "<disk><address type='pci' bus='0x01'/></disk><interface><address type='pci' bus='0x0a'/></interface>"
    domain = "<domain><devices>{}</devices></domain>"
    assert domain_xml.has_free_root_port(domain.format(ports + taken))
    last = "<disk><address type='pci' bus='0x02'/></disk><disk><address type='drive' bus='0'/></disk>"
    assert not domain_xml.has_free_root_port(domain.format(ports + taken + last))


def test_all_disk_sources_of_a_domain_are_listed() -> None:
    disks = "<disk><source file='/v/a.qcow2'/></disk><disk><source dev='/dev/sdb'/></disk><disk device='cdrom'/>"
    disks += "<disk type='network'><source protocol='rbd' name='vms/a'><host name='h' port='1'/></source></disk>"
    text = f"<domain><devices>{disks}<disk><source/></disk></devices></domain>"
    assert domain_xml.disk_sources(text) == ["/v/a.qcow2", "dev=/dev/sdb", "rbd:vms/a", "nothing"]


def test_console_sockets_are_read_from_the_running_definition() -> None:
    text = domain_xml.domain(SMALL, virt_type="qemu")
    assert domain_xml.console_socket(text, ConsoleKind.SERIAL) == SMALL.serial_socket
    assert domain_xml.console_socket(text, ConsoleKind.VNC) is None  # libvirt chooses a place when the guest starts
    running = text.replace('<listen type="socket" />', '<listen type="socket" socket="/q/vnc.sock" />')
    assert domain_xml.console_socket(running, ConsoleKind.VNC) == Path("/q/vnc.sock")


def test_guest_started_with_a_pty_has_no_consoles() -> None:
    text = '<domain><devices><serial type="pty"><source path="/dev/pts/3"/></serial></devices></domain>'
    assert {domain_xml.console_socket(text, kind) for kind in ConsoleKind} == {None}
