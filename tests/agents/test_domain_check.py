"""Domains as libvirt 11.3 shows them, honest ones and those that a node sends which was taken over."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from agents.node import domain_check, domain_xml
from agents.node.adapters.interfaces import Firmware, GuestDisk, GuestNic, GuestSpec, IoLimits
from agents.node.adapters.storage.places import RbdSource
from agents.node.domain_check import ForeignDomain
from agents.node.trust.clock import Clock
from agents.node.trust.start_authorizations import ARRIVAL, START, StartAuthorizations

GOLDEN = Path(__file__).parent / "golden" / "domains"
PROJECT = UUID("01980000-0000-7000-8000-00000000c001")
IMAGE = Path("/run/agent/images/3c1929da5dfa056a8d80c0ed1428c60a7292b88d201b1a58608eeb13e4cdbf07")
FAR = datetime(2100, 1, 1, tzinfo=UTC)


def guest(guest_id: str, *volumes: tuple[str, Path | None]) -> GuestSpec:
    folder = Path("/run/agent")
    disks = [GuestDisk(UUID(each), folder / f"volumes/{each}.qcow2", image=image) for each, image in volumes]
    return GuestSpec(
        id=UUID(guest_id),
        project_id=PROJECT,
        vcpus=1,
        memory_mib=128,
        firmware=Firmware.BIOS,
        disks=tuple(disks),
        nics=(),
        seed=folder / f"instances/{guest_id}/seed.iso",
        console_log=folder / f"instances/{guest_id}/console.log",
        serial_socket=folder / f"consoles/{guest_id}",
    )


ROOT, DATA = "01a222ae-0a89-73ab-a944-2f2b43793159", "01a222ae-0a89-7a9e-b736-e491aabf852c"
CARD = GuestNic("tapc58279f60f7", "br0000000b001", "52:54:00:00:00:0b", 1450)
NEW = replace(guest("01a222ae-0b31-7aba-bfb2-63ffeb60542f", (ROOT, IMAGE)), nics=(CARD,))
MOVED = replace(guest(str(NEW.id), (ROOT, IMAGE), (DATA, None)), nics=(CARD,))
UEFI = replace(
    guest("01a222ae-62f9-7645-8875-bf83fb76bc48", ("01a222ae-62e1-7727-a249-22a597173193", None)),
    memory_mib=256,
    firmware=Firmware.UEFI,
)
# File → whose domain it shows, and whether libvirt has prepared its start.
SHOWN = {
    "prepare": (NEW, False),
    "start": (NEW, True),
    "migrate": (MOVED, False),
    "prepare-arrival": (MOVED, False),
    "start-arrival": (MOVED, True),
    "arrived": (MOVED, True),
    "uefi-prepare": (UEFI, False),
    "uefi-start": (UEFI, True),
    "uefi-migrate": (UEFI, False),
    "uefi-arrived": (UEFI, True),
}


def text_of(name: str) -> str:
    return (GOLDEN / f"{name}.xml").read_text()


def check(name: str, text: str) -> None:
    spec, is_prepared = SHOWN[name]
    domain_check.check(spec, domain_check.read(text), is_prepared=is_prepared)


@pytest.mark.parametrize("name", SHOWN)
def test_definition_as_libvirt_shows_it_is_accepted(name: str) -> None:
    check(name, text_of(name))


@pytest.mark.parametrize("name", SHOWN)
def test_printed_answer_to_libvirt_is_accepted(name: str) -> None:
    check(name, domain_check.printed(domain_check.read(text_of(name))))


@pytest.mark.parametrize("virt_type", ["kvm", "qemu"])
@pytest.mark.parametrize("spec", [NEW, MOVED, UEFI], ids=["new", "moved", "uefi"])
def test_own_definition_is_accepted_before_libvirt_changes_it(spec: GuestSpec, virt_type: domain_xml.VirtType) -> None:
    domain_check.check(spec, domain_check.read(domain_xml.domain(spec, virt_type=virt_type)))


def test_limits_of_a_disk_must_be_its_own() -> None:
    root, *others = MOVED.disks
    limited = replace(MOVED, disks=(replace(root, limits=IoLimits(500, 20_000_000)), *others))
    text = domain_xml.domain(limited, virt_type="qemu")
    domain_check.check(limited, domain_check.read(text))
    for other in (MOVED, replace(MOVED, disks=(replace(root, limits=IoLimits(500, 30_000_000)), *others))):
        with pytest.raises(ForeignDomain):
            domain_check.check(other, domain_check.read(text))


def test_a_guest_under_kvm_passes() -> None:
    under_kvm = text_of("migrate").replace("<domain type='qemu'>", "<domain type='kvm'>")
    under_kvm = under_kvm.replace("<cpu mode='maximum'", "<cpu mode='host-passthrough' migratable='on'")
    without_cache = under_kvm.replace("<tb-cache unit='KiB'>65536</tb-cache>", "").replace("<tcg>", "")
    check("migrate", without_cache.replace("</tcg>", ""))


@pytest.mark.parametrize(
    ("model", "label", "of_images"),
    [
        ("apparmor", f"libvirt-{NEW.id}", f"libvirt-{NEW.id}"),
        ("selinux", "system_u:system_r:svirt_t:s0:c107,c434", "system_u:object_r:svirt_image_t:s0:c107,c434"),
        ("selinux", "system_u:system_r:svirt_tcg_t:s0:c1,c2", "system_u:object_r:svirt_image_t:s0:c1,c2"),
    ],
)
def test_a_guest_that_libvirt_confines_passes(model: str, label: str, of_images: str) -> None:
    labels = f"<label>{label}</label><imagelabel>{of_images}</imagelabel>"
    confined = element(f"<seclabel type='dynamic' model='{model}' relabel='yes'>{labels}</seclabel>")
    for name in ("start", "start-arrival", "arrived"):
        check(name, confined(text_of(name)))


USER = 1_900_000_000
MINE = f"<seclabel type='static' model='dac' relabel='yes'><label>+{USER}:+{USER}</label></seclabel>"
PREPARED = MINE.replace("</seclabel>", f"<imagelabel>+{USER}:+{USER}</imagelabel></seclabel>")


def with_user(name: str, label: str) -> str:
    """Change the text to what libvirt shows of a guest with its own user. The other guests here have none."""
    text = re.sub(r"<seclabel type='dynamic' model='dac'.*?</seclabel>", "", text_of(name), flags=re.DOTALL)
    return element(label)(text)


def check_user(name: str, text: str, *, may_share_user: bool = False) -> None:
    spec, is_prepared = SHOWN[name]
    own = replace(spec, user=USER)
    domain_check.check(own, domain_check.read(text), is_prepared=is_prepared, may_share_user=may_share_user)


@pytest.mark.parametrize("may_share_user", [False, True])
@pytest.mark.parametrize("name", SHOWN)
def test_guest_must_have_its_own_user(name: str, may_share_user: bool) -> None:
    _, is_prepared = SHOWN[name]
    for label in (MINE, PREPARED) if is_prepared else (MINE,):
        check_user(name, with_user(name, label), may_share_user=may_share_user)
    another = [
        MINE.replace(str(USER), "0"),
        MINE.replace(f":+{USER}", ":+0"),
        MINE.replace(str(USER), str(USER + 1)),
        MINE.replace("relabel='yes'", "relabel='no'"),
        MINE.replace(f"<label>+{USER}:+{USER}</label>", ""),
        MINE + "<seclabel type='dynamic' model='dac' relabel='yes'/>",
        PREPARED.replace(f"<imagelabel>+{USER}", "<imagelabel>+0"),
        "<seclabel type='none' model='dac'/>",
        "<seclabel model='dac' relabel='yes'><label>+0:+0</label></seclabel>",
    ]
    for label in another:
        with pytest.raises(ForeignDomain):
            check_user(name, with_user(name, label), may_share_user=may_share_user)


@pytest.mark.parametrize("name", SHOWN)
def test_guest_without_a_user_may_arrive_and_not_start(name: str) -> None:
    check_user(name, text_of(name), may_share_user=True)
    with pytest.raises(ForeignDomain):
        check_user(name, text_of(name))


def test_disk_order_is_checked_and_target_names_are_not() -> None:
    swapped = replace(MOVED, disks=MOVED.disks[::-1])
    with pytest.raises(ForeignDomain):  # the root disk is the one that the guest boots from
        domain_check.check(swapped, domain_check.read(text_of("migrate")))
    check("migrate", text_of("migrate").replace("dev='vdb'", "dev='vdf'"))


Change = Callable[[str], str]


def device(text: str) -> Change:
    return lambda domain: domain.replace("</devices>", f"{text}</devices>")


def element(text: str) -> Change:
    return lambda domain: domain.replace("</domain>", f"{text}</domain>")


def instead(old: str, new: str) -> Change:
    def change(domain: str) -> str:
        assert old in domain
        return domain.replace(old, new, 1)

    return change


def inside(parent: str, text: str) -> Change:
    return instead(f"</{parent}>", f"{text}</{parent}>")


BACKING = "<backingStore type='file'><format type='qcow2'/><source file='{}'/></backingStore>"
PASSED_THROUGH = "<source><address domain='0x0000' bus='0x03' slot='0x00' function='0x0'/></source>"
QEMU = "<q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><q:arg value='-S'/></q:commandline>"
OTHER_DISK = "<disk type='file' device='disk'><source file='/run/agent/volumes/x.qcow2'/><target dev='vdz'/></disk>"
CARD_OF_THE_NODE = "<interface type='direct'><source dev='eth0' mode='bridge'/><model type='virtio'/></interface>"
HOSTILE: dict[str, Change] = {
    "the root user": element("<seclabel type='static' model='dac' relabel='yes'><label>+0:+0</label></seclabel>"),
    "the root user, as if libvirt had chosen": element(
        "<seclabel type='dynamic' model='dac' relabel='no'><label>+0:+0</label></seclabel>"
    ),
    "no label": element("<seclabel type='none'/>"),
    "no label of one model": element("<seclabel type='none' model='apparmor'/>"),
    "another profile": element(
        "<seclabel type='dynamic' model='apparmor' relabel='yes'><label>unconfined</label></seclabel>"
    ),
    "another bridge": instead("bridge='br0000000b001'", "bridge='br0000000b002'"),
    "another tap": instead("dev='tapc58279f60f7'", "dev='tapdeadbeef000'"),
    "another MAC": instead("52:54:00:00:00:0b", "52:54:00:00:00:0c"),
    "a second card": device(
        "<interface type='bridge'><source bridge='br0000000b001'/><target dev='vnet9'/></interface>"
    ),
    "the node's card": device(CARD_OF_THE_NODE),
    "the node's card instead": instead("<interface type='bridge'>", "<interface type='ethernet'>"),
    "a script for the card": inside("interface", "<script path='/tmp/x'/>"),
    "a PCI device of the node": device(
        f"<hostdev mode='subsystem' type='pci' managed='yes'>{PASSED_THROUGH}</hostdev>"
    ),
    "a folder of the node": device("<filesystem type='mount'><source dir='/'/><target dir='root'/></filesystem>"),
    "arguments of QEMU": element(QEMU),
    "another program": instead("/usr/bin/qemu-system-x86_64", "/tmp/qemu-system-x86_64"),
    "a program beside": instead("/usr/bin/qemu-system-x86_64", "/usr/bin/../../tmp/qemu"),
    "a loader": instead("</type>", "</type><loader readonly='yes' type='pflash'>/tmp/OVMF/x.fd</loader>"),
    "variables of another guest": instead("</type>", "</type><nvram>/var/lib/libvirt/qemu/nvram/x_VARS.fd</nvram>"),
    "a kernel": instead("</type>", "</type><kernel>/boot/vmlinuz</kernel>"),
    "another volume": instead("volumes/01a222ae-0a89-73ab", "volumes/01a222ae-0a89-73ac"),
    "another's image below": instead(
        "<target dev='vda'", BACKING.format("/run/agent/volumes/other.qcow2") + "<target dev='vda'"
    ),
    "the node's files below": instead("<target dev='vda'", BACKING.format("/etc/shadow") + "<target dev='vda'"),
    "a disk more": device(OTHER_DISK),
    "a disk of the node": device("<disk type='block' device='lun'><source dev='/dev/sda'/><target dev='sdb'/></disk>"),
    "a network disk": device("<disk type='network'><source protocol='nbd' name='x'/><target dev='sdb'/></disk>"),
    "raw instead of qcow2": instead("type='qcow2' discard", "type='raw' discard"),
    "a writable seed": instead("<readonly/>", ""),
    "labels of a disk": instead("<target dev='vda'", "<seclabel relabel='no'/><target dev='vda'"),
    "a console to a file": device("<serial type='file'><source path='/etc/cron.d/x'/><target port='1'/></serial>"),
    "a log elsewhere": instead("/console.log' append='on'", "/../../../etc/cron.d/x' append='on'"),
    "a console elsewhere": instead("path='/run/agent/consoles/", "path='/run/agent/moves/"),
    "a channel to a socket": device(
        "<channel type='unix'><source mode='connect' path='/run/libvirt/libvirt-sock'/>"
        "<target type='virtio' name='x'/></channel>"
    ),
    "VNC for all": instead("<listen type='socket'", "<listen type='address' address='0.0.0.0'"),
    "VNC at a port": instead("<graphics type='vnc'", "<graphics type='vnc' port='5900'"),
    "another socket of VNC": instead("<graphics type='vnc'", "<graphics type='vnc' socket='/run/agent/hook.sock'"),
    "SPICE": device("<graphics type='spice' port='5901'/>"),
    "random numbers of a file": instead("/dev/urandom", "/dev/mem"),
    "an RNG of a socket": device("<rng model='virtio'><backend model='egd' type='udp'/></rng>"),
    "a TPM": device("<tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>"),
    "a watchdog that dumps": device("<watchdog model='i6300esb' action='dump'/>"),
    "shared memory": element("<memoryBacking><source type='file'/><access mode='shared'/></memoryBacking>"),
    "more memory": instead("<memory unit='KiB'>131072", "<memory unit='KiB'>1310720"),
    "more vCPUs": instead("<vcpu placement='static'>1<", "<vcpu placement='static'>8<"),
    "CPUs of the node": instead("<vcpu placement='static'", "<vcpu placement='static' cpuset='0'"),
    "a partition": instead("</vcpu>", "</vcpu><resource><partition>/</partition></resource>"),
    "another machine": instead("machine='pc-q35-10.0'", "machine='xenfv'"),
    "another project": instead("00000000c001", "00000000c002"),
    "another name": instead("<name>andromede-01a222ae-0b31", "<name>andromede-01a222ae-0b32"),
    "ends otherwise": instead("<on_crash>destroy<", "<on_crash>coredump-destroy<"),
    "another address": instead("bus='0x05' slot='0x00'", "bus='/etc' slot='0x00'"),
    "Xen": instead("<domain type='qemu'", "<domain type='xen'"),
    "no disk": lambda domain: domain[: domain.index("<disk")] + domain[domain.index("</disk>") + 7 :],
}


@pytest.mark.parametrize("name", ["migrate", "prepare", "start", "prepare-arrival", "start-arrival", "arrived"])
def test_changed_definition_is_refused(name: str) -> None:
    honest, accepted = text_of(name), []
    for attack, change in HOSTILE.items():
        hostile = change(honest)
        assert hostile != honest, attack
        try:
            check(name, hostile)
        except ForeignDomain:
            continue
        accepted.append(attack)
    assert accepted == []


@pytest.mark.parametrize(
    "change",
    [
        inside("channel", "<source mode='bind' path='/run/libvirt/qemu/channel/9-andromede-01a222ae-0/x'/>"),
        inside("disk", "<alias name='virtio-disk9'/>"),
        element("<seclabel type='dynamic' model='dac' relabel='yes'><label>+64055:+64055</label></seclabel>"),
        instead("<listen type='socket'", "<listen type='socket' socket='/run/libvirt/libvirt-sock'"),
    ],
    ids=["a channel", "an alias", "a label", "a socket"],
)
def test_values_that_libvirt_chooses_are_refused_from_another_node(change: Change) -> None:
    with pytest.raises(ForeignDomain):
        check("migrate", change(text_of("migrate")))


def test_backing_chain_shown_after_a_libvirtd_restart_is_accepted() -> None:
    honest, label = text_of("migrate"), element("<seclabel type='dynamic' model='dac' relabel='yes'/>")
    own, other = (
        instead("<target dev='vda'", BACKING.format(image) + "<target dev='vda'")(label(honest))
        for image in (IMAGE, "/var/lib/another/image")
    )
    check("migrate", own)
    with pytest.raises(ForeignDomain):
        check("migrate", other)


def test_refusal_names_the_element() -> None:
    with pytest.raises(ForeignDomain, match="<devices/hostdev> is not of its definition"):
        check("migrate", device("<hostdev/>")(text_of("migrate")))
    with pytest.raises(ForeignDomain, match="<vcpu> has other values"):
        check("migrate", HOSTILE["more vCPUs"](text_of("migrate")))
    with pytest.raises(ForeignDomain, match="<devices/interface/source> has other values"):
        check("migrate", HOSTILE["another bridge"](text_of("migrate")))
    with pytest.raises(ForeignDomain, match="<devices/disk> is missing"):
        check("migrate", HOSTILE["no disk"](text_of("migrate")))


@contextmanager
def leave(questions: tuple[str, ...]) -> Iterator[StartAuthorizations]:
    starts = StartAuthorizations(Clock())
    if questions == ARRIVAL:
        starts.expect(MOVED, FAR)
        yield starts
        return
    with starts.allow(NEW, FAR):
        yield starts


FILES = {ARRIVAL: ("migrate", "prepare-arrival", "start-arrival"), START: ("prepare", "start")}
QUESTIONS = [(questions, number) for questions, names in FILES.items() for number in range(len(names))]


@pytest.mark.parametrize("attack", ["the root user", "another bridge", "a PCI device of the node"])
@pytest.mark.parametrize(("questions", "number"), QUESTIONS)
def test_start_and_arrival_checks_compare_the_definition(questions: tuple[str, ...], number: int, attack: str) -> None:
    texts = [text_of(name) for name in FILES[questions]]
    with leave(questions) as starts:
        for operation, text in list(zip(questions, texts, strict=True))[:number]:
            assert starts.use(NEW.id, operation, domain_check.read(text)) is None
        hostile = domain_check.read(HOSTILE[attack](texts[number]))
        assert "is not as the agent defined it" in str(starts.use(NEW.id, questions[number], hostile))
        assert starts.use(NEW.id, questions[number], domain_check.read(texts[number])) is None, "it is not used up"


def test_saved_guest_is_not_restored() -> None:
    with leave(START) as starts:
        for text in (text_of("prepare"), HOSTILE["a PCI device of the node"](text_of("prepare"))):
            assert starts.use(NEW.id, "restore", domain_check.read(text)) is not None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<domain><uuid>", "cannot be read"),
        ("<domain/>", "no UUID"),
        (f"<other><uuid>{NEW.id}</uuid></other>", "no UUID"),
        (f"<domain><uuid>{NEW.id}</uuid><uuid>{NEW.id}</uuid></domain>", "no UUID"),
        ("<!DOCTYPE d [<!ENTITY a 'aa'>]><domain><uuid>&a;</uuid></domain>", "document type"),
    ],
)
def test_text_that_is_no_domain_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ForeignDomain, match=problem):
        domain_check.read(text)


def test_answer_keeps_the_addresses_for_qemu() -> None:
    answer = ET.fromstring(domain_check.printed(domain_check.read(text_of("migrate"))))
    assert answer.find("devices/interface/address") is not None


# ---- disks in a Ceph cluster

RBD = RbdSource("vms", ROOT, ("10.0.0.1:3300", "10.0.0.2:3300"), f"v-{ROOT}.0198000000a0")
IN_CLUSTER = replace(NEW, disks=(GuestDisk(UUID(ROOT), rbd=RBD),))
SHARING = replace(NEW, disks=(GuestDisk(UUID(ROOT), rbd=RBD, is_shareable=True),))
SOURCE = f'name="vms/{ROOT}"'
CLIENT = f'username="{RBD.client}"'
OTHER = "01a222ae-0a89-7a9e-b736-e491aabf8530"


def cluster_text() -> str:
    return domain_xml.domain(IN_CLUSTER, virt_type="qemu")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (SOURCE, f'name="vms/{OTHER}"'),
        (SOURCE, f'name="other/{ROOT}"'),
        (SOURCE, f'name="vms/{ROOT}@snapshot"'),
        ('protocol="rbd"', 'protocol="nbd"'),
        (CLIENT, 'username="admin"'),
        ('type="ceph"', 'type="iscsi"'),
        (f'uuid="{ROOT}"', f'uuid="{OTHER}"'),
        ('type="raw"', 'type="qcow2"'),
        ('cache="writeback"', 'cache="unsafe"'),
        ('error_policy="stop"', 'error_policy="ignore"'),
        ('<host name="10.0.0.1"', '<host name="10.0.0.3"'),
        ("</source>", '<config file="/etc/passwd"/></source>'),
        ("</source>", '<snapshot name="x"/></source>'),
    ],
)
def test_other_disk_in_a_cluster_is_refused(old: str, new: str) -> None:
    text = cluster_text()
    assert old in text
    with pytest.raises(ForeignDomain):
        domain_check.check(IN_CLUSTER, domain_check.read(text.replace(old, new)))


@pytest.mark.parametrize(
    ("guest", "old", "new"),
    [
        (SHARING, "<shareable />", ""),
        (SHARING, 'cache="none"', 'cache="writeback"'),
        (IN_CLUSTER, "<serial>", "<shareable/><serial>"),
        (IN_CLUSTER, 'cache="writeback"', 'cache="none"'),
    ],
)
def test_disk_is_shared_as_expected(guest: GuestSpec, old: str, new: str) -> None:
    text = domain_xml.domain(guest, virt_type="qemu")
    domain_check.check(guest, domain_check.read(text))
    assert old in text
    with pytest.raises(ForeignDomain):
        domain_check.check(guest, domain_check.read(text.replace(old, new)))


def mirrored_text() -> str:
    """Return the definition as libvirt shows it of a guest whose disk came to the cluster while it ran."""
    text = cluster_text()
    (auth,) = re.findall(r"<auth .*</auth>", text, re.S)
    text = text.replace(auth, "").replace("</source>", f"{auth}</source>", 1)
    policy = ' cache="writeback" discard="unmap" error_policy="stop" rerror_policy="stop"'
    assert policy in text
    return text.replace(policy, ' discard="unmap"')


@pytest.mark.parametrize("is_prepared", [False, True])
def test_guest_whose_disk_came_to_the_cluster_while_it_ran_is_accepted(is_prepared: bool) -> None:
    domain_check.check(IN_CLUSTER, domain_check.read(mirrored_text()), is_prepared=is_prepared)
    with pytest.raises(ForeignDomain):
        domain_check.check(IN_CLUSTER, domain_check.read(mirrored_text().replace(CLIENT, 'username="admin"')))


def starts_for_arrival() -> StartAuthorizations:
    starts = StartAuthorizations(Clock())
    starts.expect(IN_CLUSTER, FAR)
    return starts


def test_arriving_guest_opens_its_disk_as_this_node_may() -> None:
    theirs = cluster_text().replace(CLIENT, f'username="v-{ROOT}.0198000000a1"').replace("10.0.0.2", "10.0.0.9")
    domain, starts = domain_check.read(theirs), starts_for_arrival()
    assert starts.use(IN_CLUSTER.id, "migrate", domain) is None
    answer = domain_check.printed(domain)
    assert RBD.client in answer
    assert "0198000000a1" not in answer
    domain_check.check(IN_CLUSTER, domain_check.read(answer))
    assert "other values" in str(starts.use(IN_CLUSTER.id, "prepare", domain_check.read(theirs)))


def test_arriving_guest_gets_no_other_image() -> None:
    domain = domain_check.read(cluster_text().replace(SOURCE, f'name="vms/{OTHER}"'))
    assert "not as the agent defined it" in str(starts_for_arrival().use(IN_CLUSTER.id, "migrate", domain))
