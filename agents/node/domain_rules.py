"""Table of libvirt's additions to a definition: elements and attributes by path, with their permitted values.

Observed with libvirt 11.3 at each stage of a start and of a migration.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from agents.node import domain_xml
from agents.node.adapters.interfaces import Firmware, GuestSpec, guest_name

Patterns = Mapping[str, str]

NUMBER = r"\d{1,9}"
HEX = r"0x[0-9a-f]{1,4}"
ALIAS = r"[a-z][A-Za-z0-9._-]{0,63}"
SWITCH = r"(yes|no|on|off)?"
EMULATORS = r"/usr/bin/(qemu-system-x86_64|kvm|qemu-kvm)|/usr/libexec/qemu-kvm"
FIRMWARE_FILE = r"/usr/share/(OVMF|qemu|edk2/ovmf)/[A-Za-z0-9_.-]+\.fd"
MOST_ROOT_PORTS = 64
# libvirt shortens a guest's name to as many characters in the paths that it chooses.
SHORT_NAME_CHARS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """An element that libvirt may add `times` times to one parent.

    A missing attribute counts as an empty one; an attribute that is not named is refused. Children need rules of their
    own.
    """

    path: str
    attributes: Patterns = field(default_factory=dict)
    text: str = ""
    times: int = 1


class Rules:
    def __init__(self, elements: Iterable[Rule], attributes: Mapping[str, Patterns]) -> None:
        self._elements: dict[str, list[Rule]] = {}
        for rule in elements:
            self._elements.setdefault(rule.path, []).append(rule)
        self._attributes = attributes

    def adds_attribute(self, path: str, name: str, value: str) -> bool:
        pattern = self._attributes.get(path, {}).get(name)
        return pattern is not None and re.fullmatch(pattern, value) is not None

    def rule_for(self, element: ET.Element, path: str) -> Rule | None:
        """Return the rule that explains the element with all of its content."""
        return next((rule for rule in self._candidates(path) if self._fits(rule, element, path)), None)

    def _candidates(self, path: str) -> list[Rule]:
        group, _, name = path.rpartition("/")
        any_device = f"devices/*/{name}" if group.startswith("devices/") and group.count("/") == 1 else ""
        return [*self._elements.get(path, ()), *self._elements.get(any_device, ())]

    def _fits(self, rule: Rule, element: ET.Element, path: str) -> bool:
        if element.keys() - rule.attributes.keys() or not re.fullmatch(rule.text, (element.text or "").strip()):
            return False
        if not all(re.fullmatch(pattern, element.get(name, "")) for name, pattern in rule.attributes.items()):
            return False
        return all(self.rule_for(child, f"{path}/{child.tag}") is not None for child in element)


def rules(guest: GuestSpec, *, is_prepared: bool) -> Rules:
    """Return the rules. `is_prepared`: see `domain_check.check`."""
    elements, attributes = [*_added(guest), *DEVICES], dict(ATTRIBUTES)
    if guest.firmware is Firmware.UEFI:
        elements += _firmware(guest)
        attributes["os"] = {"firmware": "efi"}
    if is_prepared:
        elements += _prepared(guest)
        attributes |= _prepared_attributes(guest)
    return Rules(elements, attributes)


ATTRIBUTES: Mapping[str, Patterns] = {
    "": {"id": NUMBER},
    "vcpu": {"placement": "static"},
    "os/type": {"machine": r"q35|pc-q35-\d{1,2}\.\d{1,2}"},
    "cpu": {"check": "none|partial|full", "migratable": "on"},
    "devices/controller": {"index": "0"},
    # A disk that has changed its place under the guest keeps those of its former place.
    "devices/disk/driver": {"cache": "writeback", "error_policy": "stop", "rerror_policy": "stop"},
    "devices/disk/source": {"index": NUMBER},
    "devices/disk/target": {"dev": "vd[a-z]{1,2}"},
    "devices/serial/target": {"type": "isa-serial"},
    "devices/video/model": {"heads": "1", "primary": "yes"},
}
PCI = {"type": "pci", "domain": HEX, "bus": HEX, "slot": HEX, "function": "0x[0-7]", "multifunction": SWITCH}
DRIVE = {"type": "drive", "controller": NUMBER, "bus": NUMBER, "target": NUMBER, "unit": NUMBER}
DEVICES = (
    Rule("devices/*/address", PCI),
    Rule("devices/*/address", DRIVE),
    Rule("devices/*/address", {"type": "virtio-serial", "controller": NUMBER, "bus": NUMBER, "port": NUMBER}),
    Rule("devices/*/address", {"type": "usb", "bus": NUMBER, "port": r"[0-9.]{1,16}"}),
    Rule("devices/emulator", text=EMULATORS),
    Rule("devices/controller", {"type": "pci", "model": "pcie-root", "index": "0?"}),
    Rule(
        "devices/controller", {"type": "pci", "model": "pcie-root-port", "index": r"(\d{1,2})?"}, times=MOST_ROOT_PORTS
    ),
    Rule("devices/controller/model", {"name": "pcie-root-port"}),
    Rule("devices/controller/target", {"chassis": NUMBER, "port": HEX}),
    Rule("devices/controller", {"type": "sata", "index": "0"}),
    Rule("devices/controller", {"type": "virtio-serial", "index": "0"}),
    Rule("devices/serial/target/model", {"name": "isa-serial"}),
    Rule("devices/input", {"type": "mouse", "bus": "ps2"}),
    Rule("devices/input", {"type": "keyboard", "bus": "ps2"}),
    Rule("devices/audio", {"id": "1", "type": "none"}),
    Rule("devices/watchdog", {"model": "itco", "action": "reset"}),
)


def _added(guest: GuestSpec) -> list[Rule]:
    """Return rules for the backing chain and for labels.

    A definition contains them too after a restart of libvirtd under the guest. The chain may name only the guest's own
    images, and no label may be named.
    """
    serial, log = re.escape(str(guest.serial_socket)), re.escape(str(guest.console_log))
    images = "|".join(re.escape(str(disk.image)) for disk in guest.disks if disk.image is not None)
    return [
        Rule("devices/disk/backingStore"),
        Rule("devices/disk/backingStore", {"type": "file", "index": f"({NUMBER})?"}),
        Rule("devices/disk/backingStore/format", {"type": "qcow2|raw"}),
        Rule("devices/disk/backingStore/source", {"file": images, "index": f"({NUMBER})?"}),
        Rule("devices/disk/backingStore/source/seclabel", {"model": "dac", "relabel": "no"}),
        Rule("devices/disk/backingStore/backingStore"),
        Rule("currentMemory", {"unit": "KiB"}, text=str(guest.memory_mib * 1024)),
        Rule("resource"),
        Rule("resource/partition", text="/machine"),
        Rule("seclabel", {"type": "dynamic", "model": "apparmor|selinux", "relabel": "yes"}),
        *([Rule("seclabel", {"type": "dynamic", "model": "dac", "relabel": "yes"})] if guest.user is None else []),
        Rule("devices/console", {"type": "unix"}),
        Rule("devices/console/source", {"mode": "bind", "path": serial}),
        Rule("devices/console/log", {"file": log, "append": "on"}),
        Rule("devices/console/target", {"type": "serial", "port": "0"}),
    ]


def _firmware(guest: GuestSpec) -> list[Rule]:
    """Return rules for the firmware file and for the guest's copy of the variables.

    Before a migration libvirt replaces the requested firmware by its choice and drops the request.
    """
    variables = {"template": f"({FIRMWARE_FILE})?", "templateFormat": "(raw)?", "format": "(raw)?"}
    return [
        Rule("os/firmware"),
        Rule("os/firmware/feature", {"enabled": "no", "name": "secure-boot|enrolled-keys"}, times=2),
        Rule("os/loader", {"readonly": "yes", "type": "pflash", "format": "(raw)?"}, text=FIRMWARE_FILE),
        Rule("os/nvram", variables, text=re.escape(str(domain_xml.firmware_variables(guest.id)))),
    ]


def _prepared(guest: GuestSpec) -> list[Rule]:
    return [
        Rule("devices/*/alias", {"name": ALIAS}),
        Rule("devices/channel/source", {"mode": "bind", "path": _channel_path(guest)}),
        *_labels(guest),
    ]


def _labels(guest: GuestSpec) -> list[Rule]:
    profile, selinux = re.escape(f"libvirt-{guest.id}"), r"[a-z_]+:[a-z_]+:svirt_[a-z_]+:s0:c\d{1,4},c\d{1,4}"
    if guest.user is None:
        label = rf"\+\d{{1,10}}:\+\d{{1,10}}|{profile}|{selinux}"
        return [Rule("seclabel/label", text=label), Rule("seclabel/imagelabel", text=label)]
    user = rf"\+{guest.user}:\+{guest.user}"
    return [
        Rule("seclabel/label", text=f"{profile}|{selinux}"),
        Rule("seclabel/imagelabel", text=f"{user}|{profile}|{selinux}"),
    ]


def _prepared_attributes(guest: GuestSpec) -> dict[str, Patterns]:
    """Return rules for libvirt's socket path of VNC and for the guest's channel states."""
    vnc = rf"/var/lib/libvirt/qemu/domain-{NUMBER}-{_short_name(guest)}/vnc\.sock"
    return {
        "devices/graphics": {"socket": vnc},
        "devices/graphics/listen": {"socket": vnc},
        "devices/channel/target": {"state": "connected|disconnected"},
    }


def _channel_path(guest: GuestSpec) -> str:
    name, device = _short_name(guest), re.escape(domain_xml.GUEST_AGENT_CHANNEL)
    old = rf"/var/lib/libvirt/qemu/channel/target/domain-{NUMBER}-{name}/{device}"
    return rf"/run/libvirt/qemu/channel/{NUMBER}-{name}/{device}|{old}"


def _short_name(guest: GuestSpec) -> str:
    return re.escape(guest_name(guest.id)[:SHORT_NAME_CHARS])
