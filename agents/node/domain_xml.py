"""Build guests as libvirt's XML. Pure. Elements are built as values, so no text of a tenant can become markup."""

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path
from typing import Literal
from uuid import UUID

from agents.node.adapters.interfaces import (
    GUEST_PREFIX,
    RBD,
    ConsoleKind,
    Firmware,
    GuestAgent,
    GuestDisk,
    GuestNic,
    GuestSpec,
    IoLimits,
    guest_name,
)
from agents.node.adapters.storage.monitors import address
from agents.node.adapters.storage.places import RbdSource

VirtType = Literal["kvm", "qemu"]

METADATA_NAMESPACE = "urn:andromede:domain:1"
ET.register_namespace("andromede", METADATA_NAMESPACE)

# A hot-plugged disk or network card needs a free root port, and ports cannot be added to a running guest.
SPARE_ROOT_PORTS = 26
FIXED_ROOT_PORTS = 6  # root disk, SCSI, virtio-serial and USB controllers, balloon, random numbers

# Interval at which QEMU queries the guest's balloon driver for the used memory.
BALLOON_PERIOD_S = 10

# TCG keeps translated code in a cache which by default may outgrow the memory of a small guest. When it is full, all
# is translated again: with an eighth of its memory, a Debian of 512 MiB had that 25 times in one boot.
MIN_TB_CACHE_MIB = 64
MAX_TB_CACHE_MIB = 512

# The name by which qemu-guest-agent finds its channel in the guest.
GUEST_AGENT_CHANNEL = "org.qemu.guest_agent.0"

FIRMWARE_VARIABLES = Path("/var/lib/libvirt/qemu/nvram")
AUTHS = ("auth", "source/auth")  # of a disk in a Ceph cluster; the second after a copy under a running guest


def domain(guest: GuestSpec, *, virt_type: VirtType) -> str:
    root = ET.Element("domain", type=virt_type)
    _text(root, "name", guest_name(guest.id))
    _text(root, "uuid", str(guest.id))
    root.append(_metadata(guest.project_id))
    _text(root, "memory", str(guest.memory_mib), unit="MiB")
    _text(root, "vcpu", str(guest.vcpus))
    root.append(_os(guest.firmware))
    root.append(_features(virt_type, guest.memory_mib))
    root.append(_cpu(virt_type))
    ET.SubElement(root, "clock", offset="utc")
    for event, action in (("poweroff", "destroy"), ("reboot", "restart"), ("crash", "destroy")):
        _text(root, f"on_{event}", action)
    root.append(_devices(guest))
    if guest.user is not None:
        root.append(_own_user(guest.user))
    return _print(root)


def disk(plugged: GuestDisk, *, target: str, boot_order: int | None = None) -> ET.Element:
    element = ET.Element("disk", type="file" if plugged.rbd is None else "network", device="disk")
    element.extend(_file(plugged) if plugged.rbd is None else _rbd(plugged, plugged.rbd))
    ET.SubElement(element, "target", dev=target, bus="virtio")
    if plugged.is_read_only:
        ET.SubElement(element, "readonly")
    if plugged.is_shareable:
        ET.SubElement(element, "shareable")
    if limits := io_limits(plugged.limits):
        below = ET.SubElement(element, "iotune")
        for name, limit in limits.items():
            _text(below, name, str(limit))
    _text(element, "serial", plugged.serial)
    if boot_order is not None:
        ET.SubElement(element, "boot", order=str(boot_order))
    return element


def _file(plugged: GuestDisk) -> list[ET.Element]:
    driver = ET.Element("driver", name="qemu", type="qcow2", discard="unmap")
    return [driver, ET.Element("source", file=plugged.source), _below(plugged)]


def _rbd(plugged: GuestDisk, rbd: RbdSource) -> list[ET.Element]:
    """Return the image as raw: what a guest writes to its first sector never counts as a format.

    On an error QEMU pauses the guest, which goes on when the cluster answers again. The secret has the volume's id.
    """
    cache = "none" if plugged.is_shareable else "writeback"
    policy = {"cache": cache, "discard": "unmap", "error_policy": "stop", "rerror_policy": "stop"}
    auth = ET.Element("auth", username=rbd.client)
    ET.SubElement(auth, "secret", type="ceph", uuid=str(plugged.volume_id))
    source = ET.Element("source", protocol="rbd", name=f"{rbd.pool}/{rbd.image}")
    for monitor in rbd.monitors:
        host, port = address(monitor)
        ET.SubElement(source, "host", name=host, port=str(port))
    driver = ET.Element("driver", {"name": "qemu", "type": "raw", **policy})
    return [driver, auth, source, ET.Element("backingStore")]


def io_limits(limits: IoLimits) -> dict[str, int]:
    """Return the limits by libvirt's names, without those that are 0."""
    named = {"total_bytes_sec": limits.bytes_per_s, "total_iops_sec": limits.iops}
    return {name: limit for name, limit in named.items() if limit}


def _below(plugged: GuestDisk) -> ET.Element:
    """Return the backing chain of the disk.

    Without it libvirt would trust the disk's own header, which QEMU writes, and would relabel the image, which many
    guests read, for the guest that started last.
    """
    if plugged.image is None:
        return ET.Element("backingStore")
    below = ET.Element("backingStore", type="file")
    ET.SubElement(below, "format", type=plugged.image_format.value)
    source = ET.SubElement(below, "source", file=str(plugged.image))
    ET.SubElement(source, "seclabel", model="dac", relabel="no")
    ET.SubElement(below, "backingStore")
    return below


def disk_text(plugged: GuestDisk, *, target: str) -> str:
    return _print(disk(plugged, target=target))


def free_target(taken: Iterable[str]) -> str:
    """Return the first of vda, vdb … that is not taken."""
    used = set(taken)
    return next(name for name in map(target_name, range(len(used) + 1)) if name not in used)


def target_name(index: int) -> str:
    """Return vda … vdz, vdaa …: the names that libvirt gives to virtio disks."""
    letters = ""
    number = index + 1
    while number:
        number, letter = divmod(number - 1, 26)
        letters = chr(ord("a") + letter) + letters
    return f"vd{letters}"


def plugged_disks(domain_text: str) -> dict[str, ET.Element]:
    """Return the disks of a domain's XML by their source, as `GuestDisk.source`."""
    return disks_of(ET.fromstring(domain_text))


def disks_of(root: ET.Element) -> dict[str, ET.Element]:
    return {
        place(source): element
        for element in root.iterfind("devices/disk")
        if (source := element.find("source")) is not None
    }


def keyed_disks(domain_text: str) -> dict[UUID, list[str]]:
    """Return the monitors of the disks in Ceph clusters, by volume, which is the name of the secret too.

    libvirt has the secret of a disk that was copied there under a running guest as a part of the disk's source.
    """
    return {
        UUID(secret.get("uuid", "")): [
            f"[{host.get('name')}]:{host.get('port')}" for host in element.iterfind("source[@protocol='rbd']/host")
        ]
        for element in ET.fromstring(domain_text).iterfind("devices/disk[@type='network']")
        for auth in AUTHS
        for secret in element.iterfind(f"{auth}/secret[@type='ceph']")
    }


def replace_client(element: ET.Element, own: ET.Element) -> None:
    """Give a disk in a Ceph cluster the client and the monitors of `own`, a definition of the same disk."""
    for path in AUTHS:
        for auth in element.iterfind(path):
            auth.set("username", own.find("auth").get("username", ""))  # type: ignore[union-attr]
    source = element.find("source")
    assert source is not None
    for host in source.findall("host"):
        source.remove(host)
    source[:0] = own.findall("source/host")


def secret(volume_id: UUID) -> str:
    """Return the definition of the secret that opens the volume: libvirtd has it in memory, and shows it to nobody."""
    element = ET.Element("secret", ephemeral="yes", private="yes")
    _text(element, "uuid", str(volume_id))
    usage = ET.SubElement(element, "usage", type="ceph")
    _text(usage, "name", f"{GUEST_PREFIX}volume-{volume_id}")
    return _print(element)


def has_free_root_port(domain_text: str) -> bool:
    """Return whether another device can be plugged into the running guest."""
    devices = ET.fromstring(domain_text).find("devices")
    assert devices is not None
    ports = {int(each.get("index", "0")) for each in devices.iterfind("controller[@model='pcie-root-port']")}
    used = {int(each.get("bus", "0"), 16) for each in devices.iterfind("*/address[@type='pci']")}
    return bool(ports - used)


def sources_by_target(domain_text: str) -> dict[str, str]:
    """Return the sources of a domain's disks by the guest's names of the disks."""
    return {
        target.get("dev", ""): source
        for source, element in plugged_disks(domain_text).items()
        if (target := element.find("target")) is not None
    }


def plugged_cards(domain_text: str) -> dict[str, ET.Element]:
    """Return the network cards of a domain's XML by their tap."""
    root = ET.fromstring(domain_text)
    return {
        target.get("dev", ""): element
        for element in root.iterfind("devices/interface")
        if (target := element.find("target")) is not None
    }


def card_text(nic: GuestNic) -> str:
    return _print(_nic(nic))


def disk_sources(domain_text: str) -> list[str]:
    """Return the sources of all disks of any kind; a drive without a medium has none."""
    sources = (element.find("source") for element in ET.fromstring(domain_text).iterfind("devices/disk"))
    return [place(source) for source in sources if source is not None]


def bridges(domain_text: str) -> list[str]:
    """Return the bridges that the cards are plugged into."""
    sources = ET.fromstring(domain_text).iterfind("devices/interface/source")
    return [bridge for source in sources if (bridge := source.get("bridge"))]


def place(source: ET.Element) -> str:
    """Return the source as text: a file, an RBD image, or another kind of source."""
    if source.get("protocol") == "rbd":
        return f"{RBD}{source.get('name')}"
    return source.get("file") or " ".join(f"{name}={source.get(name)}" for name in sorted(source.keys())) or "nothing"


def firmware_variables(guest_id: UUID) -> Path:
    """Return the path of the guest's firmware variables, which is the same on each node."""
    return FIRMWARE_VARIABLES / f"{guest_name(guest_id)}_VARS.fd"


def virt_type_of(domain_text: str) -> str:
    return ET.fromstring(domain_text).get("type", "")


def _metadata(project_id: UUID) -> ET.Element:
    metadata = ET.Element("metadata")
    instance = ET.SubElement(metadata, f"{{{METADATA_NAMESPACE}}}instance")
    _text(instance, f"{{{METADATA_NAMESPACE}}}project", str(project_id))
    return metadata


def _os(firmware: Firmware) -> ET.Element:
    if firmware is Firmware.BIOS:
        element = ET.Element("os")
        _text(element, "type", "hvm", arch="x86_64", machine="q35")
        return element
    element = ET.Element("os", firmware="efi")
    _text(element, "type", "hvm", arch="x86_64", machine="q35")
    chosen = ET.SubElement(element, "firmware")
    ET.SubElement(chosen, "feature", enabled="no", name="secure-boot")
    return element


def _features(virt_type: VirtType, memory_mib: int) -> ET.Element:
    features = ET.Element("features")
    ET.SubElement(features, "acpi")
    ET.SubElement(features, "apic")
    if virt_type == "qemu":
        cache_mib = min(max(memory_mib // 2, MIN_TB_CACHE_MIB), MAX_TB_CACHE_MIB)
        _text(ET.SubElement(features, "tcg"), "tb-cache", str(cache_mib), unit="MiB")
    return features


def _cpu(virt_type: VirtType) -> ET.Element:
    if virt_type == "kvm":
        return ET.Element("cpu", mode="host-passthrough", migratable="on")
    return ET.Element("cpu", mode="maximum")


def _devices(guest: GuestSpec) -> ET.Element:
    devices = ET.Element("devices")
    ET.SubElement(devices, "controller", type="pci", model="pcie-root")
    for _ in range(FIXED_ROOT_PORTS + len(guest.nics) + SPARE_ROOT_PORTS):
        ET.SubElement(devices, "controller", type="pci", model="pcie-root-port")
    ET.SubElement(devices, "controller", type="usb", model="qemu-xhci")
    ET.SubElement(devices, "controller", type="scsi", index="0", model="virtio-scsi")
    for index, plugged in enumerate(guest.disks):
        devices.append(disk(plugged, target=target_name(index), boot_order=1 if index == 0 else None))
    devices.append(_seed(guest))
    devices.extend(_nic(nic) for nic in guest.nics)
    devices.append(_serial(guest))
    devices.extend(_display())
    agent = ET.SubElement(devices, "channel", type="unix")
    ET.SubElement(agent, "target", type="virtio", name=GUEST_AGENT_CHANNEL)
    balloon = ET.SubElement(devices, "memballoon", model="virtio")
    ET.SubElement(balloon, "stats", period=str(BALLOON_PERIOD_S))
    random = ET.SubElement(devices, "rng", model="virtio")
    _text(random, "backend", "/dev/urandom", model="random")
    return devices


def _own_user(user: int) -> ET.Element:
    """Return the guest's own user, to which libvirt gives the guest's files and sockets at its start."""
    label = ET.Element("seclabel", type="static", model="dac", relabel="yes")
    _text(label, "label", f"+{user}:+{user}")
    return label


def _seed(guest: GuestSpec) -> ET.Element:
    element = ET.Element("disk", type="file", device="cdrom")
    ET.SubElement(element, "driver", name="qemu", type="raw")
    ET.SubElement(element, "source", file=str(guest.seed))
    ET.SubElement(element, "target", dev="sda", bus="scsi")
    ET.SubElement(element, "readonly")
    return element


def _nic(nic: GuestNic) -> ET.Element:
    element = ET.Element("interface", type="bridge")
    ET.SubElement(element, "mac", address=nic.mac)
    ET.SubElement(element, "source", bridge=nic.bridge)
    ET.SubElement(element, "target", dev=nic.device)
    ET.SubElement(element, "model", type="virtio")
    ET.SubElement(element, "mtu", size=str(nic.mtu))
    return element


def _serial(guest: GuestSpec) -> ET.Element:
    """Return the serial console. QEMU does not wait for a client of the socket; the log has all output."""
    element = ET.Element("serial", type="unix")
    ET.SubElement(element, "source", mode="bind", path=str(guest.serial_socket))
    ET.SubElement(element, "log", file=str(guest.console_log), append="on")
    ET.SubElement(element, "target", port="0")
    return element


def _display() -> list[ET.Element]:
    """Return the display: VNC at a socket in a folder that only QEMU's user and root may enter.

    libvirt chooses the path. Any number of viewers may connect at once, whatever one of them requests. A tablet reports
    absolute pointer positions, a mouse only movements.
    """
    graphics = ET.Element("graphics", type="vnc", sharePolicy="ignore")
    ET.SubElement(graphics, "listen", type="socket")
    video = ET.Element("video")
    ET.SubElement(video, "model", type="vga", vram="16384")
    return [ET.Element("input", type="tablet", bus="usb"), graphics, video]


def console_socket(domain_text: str, kind: ConsoleKind) -> Path | None:
    """Return the path of a running domain's console socket, from its XML; None if it has none."""
    root = ET.fromstring(domain_text)
    if kind is ConsoleKind.SERIAL:
        source = root.find("devices/serial[@type='unix']/source[@mode='bind']")
        path = source.get("path") if source is not None else None
    else:
        listen = root.find("devices/graphics[@type='vnc']/listen[@type='socket']")
        path = listen.get("socket") if listen is not None else None
    return Path(path) if path else None


def guest_agent(domain_text: str) -> GuestAgent:
    """Return the state of a running domain's guest agent, from its XML."""
    target = ET.fromstring(domain_text).find(f"devices/channel/target[@name='{GUEST_AGENT_CHANNEL}']")
    state = target.get("state", "") if target is not None else ""
    return GuestAgent(state) if state in ("connected", "disconnected") else GuestAgent.UNKNOWN


def _text(parent: ET.Element, tag: str, text: str, **attributes: str) -> None:
    ET.SubElement(parent, tag, attributes).text = text


def _print(element: ET.Element) -> str:
    ET.indent(element)
    return ET.tostring(element, encoding="unicode") + "\n"
