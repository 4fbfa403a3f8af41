"""Guests under libvirt and QEMU."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID
from xml.etree import ElementTree

import libvirt

from agents.node import domain_check, domain_xml
from agents.node.adapters import guest_cpu, libvirt_usage
from agents.node.adapters.accelerator import Accelerator
from agents.node.adapters.channel import Channel
from agents.node.adapters.interfaces import (
    CONFINEMENT,
    GUEST_PREFIX,
    ConsoleKind,
    DomainFacts,
    GuestDisk,
    GuestNic,
    GuestSpec,
    GuestState,
    GuestUsage,
    HostFacts,
    Power,
    Restarts,
    guest_name,
)
from agents.node.adapters.libvirt_connection import LibvirtConnection
from agents.node.adapters.libvirt_guest_agent import GuestAgents, suspend
from agents.node.adapters.libvirt_states import STARTING, guest_state
from agents.node.adapters.volume_secrets import TRAIT as RBD_TRAIT
from agents.node.adapters.volume_secrets import VolumeSecrets
from agents.node.domain_check import ForeignDomain
from agents.node.domain_xml import VirtType
from agents.node.errors import AdapterError, DetachPending, DiskLocked, GuestForeign, NoConsole, NoFreeSlot

log = logging.getLogger(__name__)

# A guest that stops for no reason within this time after its start was stopped by KVM, not by itself.
KVM_PROBATION_S = 10.0
UNPLUG_TIMEOUT_S = 5.0  # on top of the 5 s that libvirt itself waits
START_TIMEOUT_S = 10.0
TAKE_OVER_TIMEOUT_S = 10.0
CONFINING = ("apparmor", "selinux")
IMAGE_LOCKED = ('Failed to get "write" lock', "Failed to get shared")
QEMU_DIED = ("monitor", "no longer running")
UNDEFINE = (
    libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
)
TAKEN_OVER = (libvirt.VIR_DOMAIN_CONTROL_OK, libvirt.VIR_DOMAIN_CONTROL_ERROR)
ENDED = (libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_NO_DOMAIN)
REMOVAL_EVENTS = (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED)


class LibvirtHypervisor:
    """Hypervisor over libvirt.

    Callbacks run in libvirt's event thread and only pass events on: they may not call libvirt.
    """

    def __init__(
        self, uri: str, *, accelerator: Accelerator, secrets: VolumeSecrets, restarts: Restarts | None = None
    ) -> None:
        self.secrets = secrets
        self._accelerator = accelerator
        self._restarts = restarts or Restarts()
        self._listeners: list[Callable[[UUID], None]] = []
        self._virt_types: dict[UUID, str] = {}
        self._on_probation: dict[UUID, tuple[GuestSpec, float]] = {}
        self._defined: dict[UUID, GuestSpec] = {}
        self._removals = threading.Condition()
        self._agents = GuestAgents(uri)
        self._host: HostFacts | None = None
        self._cpus: dict[VirtType, str] = {}
        self.connection = LibvirtConnection(uri, prepare=self._register, on_connect=self._publish_all)

    def host(self) -> HostFacts:
        if self._host is None:
            with self.connection.use() as connection:
                problem = self.secrets.problem(connection)
                facts = _host_facts(connection)
            log.info("rbd support checked", extra={"facts": {"problem": problem}})
            self._host = facts if problem else replace(facts, traits=(*facts.traits, RBD_TRAIT))
        virt_type = self._accelerator.virt_type
        traits = (*self._host.traits, f"virt-type:{virt_type}", f"cpu:{self._cpu(virt_type)}")
        return HostFacts(self._host.cores, self._host.memory_mib, self._host.cpu_model, virt_type, traits)

    def probe(self) -> str:
        return self._accelerator.probe()

    def _cpu(self, virt_type: VirtType) -> str:
        if virt_type not in self._cpus:
            with self.connection.use() as connection:
                self._cpus[virt_type] = guest_cpu.name(
                    connection.getDomainCapabilities(machine="q35", virttype=virt_type)
                )
        return self._cpus[virt_type]

    def define(self, guest: GuestSpec) -> None:
        virt_type = self._accelerator.virt_type
        with self.connection.use() as connection:
            domain = connection.defineXML(domain_xml.domain(guest, virt_type=virt_type))
            if not domain.isActive():
                self._virt_types[guest.id] = virt_type
        self._defined[guest.id] = guest

    def check_domain(self, guest: GuestSpec) -> None:
        with self.connection.use() as connection:
            domain = find(connection, guest.id)
            text = domain.XMLDesc() if domain is not None and domain.isActive() else None
        if text is None:
            return
        try:
            domain_check.check(guest, domain_check.read(text), is_prepared=True, may_share_user=True)
        except ForeignDomain as exc:
            raise GuestForeign(guest.id, str(exc)) from exc

    def undefine(self, guest_id: UUID) -> bool:
        with self.connection.use() as connection:
            domain = find(connection, guest_id)
            if domain is not None:
                domain.undefineFlags(UNDEFINE)
        for memory in (self._virt_types, self._on_probation, self._defined):
            memory.pop(guest_id, None)
        self._agents.forget(guest_id)
        for left_behind in domain_xml.FIRMWARE_VARIABLES.glob(f"{guest_name(guest_id)}_VARS*"):
            left_behind.unlink()  # libvirt forgets a guest that has moved, and not what its firmware remembered
        return domain is not None

    def start(self, guest_id: UUID) -> None:
        with self.connection.use() as connection:
            domain = _get(connection, guest_id)
            _await_start(domain)
            if domain.state()[0] == libvirt.VIR_DOMAIN_PAUSED:
                domain.resume()
            elif not domain.isActive():
                with self._allowing_open(connection, domain, guest_id):
                    self._create(domain, guest_id)

    def bring_up(self, guest_id: UUID) -> None:
        with self.connection.use() as connection:
            domain = _get(connection, guest_id)
            self._virt_types.pop(guest_id, None)
            with self._allowing_open(connection, domain, guest_id):
                domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)

    @contextmanager
    def _allowing_open(self, connection: Any, domain: Any, guest_id: UUID) -> Iterator[None]:
        """Let libvirt open the disks of the guest, which starts within the block."""
        try:
            with self.secrets.during(connection, domain_xml.keyed_disks(domain.XMLDesc())):
                yield
        except libvirt.libvirtError as exc:
            if _is_image_locked(exc):
                raise DiskLocked(guest_id, exc) from exc
            raise

    def request_shutdown(self, guest_id: UUID) -> None:
        with self.connection.use() as connection:
            domain = find(connection, guest_id)
            if domain is not None and domain.isActive():
                domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)

    def power_off(self, guest_id: UUID) -> None:
        with self.connection.use() as connection:
            domain = find(connection, guest_id)
            if domain is not None and domain.isActive():
                _destroy(domain)

    def reboot(self, guest_id: UUID) -> None:
        with self.connection.use() as connection:
            _get(connection, guest_id).reboot(libvirt.VIR_DOMAIN_REBOOT_ACPI_POWER_BTN)

    def reset(self, guest_id: UUID) -> None:
        with self.connection.use() as connection:
            _get(connection, guest_id).reset()

    def state(self, guest_id: UUID) -> GuestState | None:
        with self.connection.use() as connection:
            domain = find(connection, guest_id)
            return None if domain is None else unless_gone(lambda: self._state(domain, guest_id, *domain.state()))

    def states(self) -> Mapping[UUID, GuestState]:
        states: dict[UUID, GuestState] = {}
        with self.connection.use() as connection:
            for domain, stats in connection.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE):
                guest_id = _guest_id(domain)
                if guest_id is None:
                    continue
                known = (stats["state.state"], stats["state.reason"])
                state = unless_gone(partial(self._state, domain, guest_id, *known))
                if state is not None:
                    states[guest_id] = state
        return states

    def usage(self) -> Mapping[UUID, GuestUsage]:
        with self.connection.use() as connection:
            stats_of_domains = connection.getAllDomainStats(libvirt_usage.GROUPS, libvirt_usage.WHICH)
            read = {
                _guest_id(domain): unless_gone(
                    partial(libvirt_usage.guest_usage, stats, now_s=time.time(), definition=domain.XMLDesc)
                )
                for domain, stats in stats_of_domains
            }
        return {guest_id: usage for guest_id, usage in read.items() if guest_id is not None and usage is not None}

    def unknown_domains(self) -> Sequence[str]:
        with self.connection.use() as connection:
            return [domain.name() for domain in connection.listAllDomains() if _guest_id(domain) is None]

    def domain(self, name: str) -> DomainFacts | None:
        with self.connection.use() as connection:
            domain = _named(connection, name)
            if domain is None:
                return None
            text = domain.XMLDesc()
            power = guest_state(*domain.state(), virt_type="").power
            memory_mib = domain.maxMemory() // 1024
            return DomainFacts(
                power, memory_mib, text, tuple(domain_xml.disk_sources(text)), tuple(domain_xml.bridges(text))
            )

    def pause_domain(self, name: str) -> None:
        with self.connection.use() as connection:
            domain = _named(connection, name)
            if domain is None:
                return
            if domain.isPersistent():
                domain.setAutostart(0)
            if domain.state()[0] == libvirt.VIR_DOMAIN_RUNNING:
                domain.suspend()

    def resume_domain(self, name: str) -> None:
        with self.connection.use() as connection:
            domain = _named(connection, name)
            if domain is not None and domain.state()[0] == libvirt.VIR_DOMAIN_PAUSED:
                domain.resume()

    def remove_domain(self, name: str) -> bool:
        with self.connection.use() as connection:
            domain = _named(connection, name)
            if domain is None:
                return False
            is_persistent = domain.isPersistent()
            if domain.isActive():
                _destroy(domain)
            if is_persistent:
                domain.undefineFlags(UNDEFINE)
            return True

    def plugged(self, guest_id: UUID) -> Sequence[str]:
        with self.connection.use() as connection:
            domain = find(connection, guest_id)
            return domain_xml.disk_sources(domain.XMLDesc()) if domain is not None and domain.isActive() else []

    def plug_disk(self, guest_id: UUID, disk: GuestDisk) -> None:
        with self.connection.use() as connection:
            domain = _get(connection, guest_id)
            text = domain.XMLDesc()
            plugged = domain_xml.plugged_disks(text)
            if disk.source in plugged:
                return
            _check_slot(guest_id, text)
            target = domain_xml.free_target(_target(element) for element in plugged.values())
            of_cluster = {disk.volume_id: disk.rbd.monitors} if disk.rbd is not None else {}
            with self.secrets.during(connection, of_cluster):
                domain.attachDeviceFlags(domain_xml.disk_text(disk, target=target), libvirt.VIR_DOMAIN_AFFECT_LIVE)

    def unplug_disk(self, guest_id: UUID, disk: GuestDisk) -> bool:
        with self.connection.use() as connection:
            domain = _get(connection, guest_id)
            element = _plugged(domain, disk)
            if element is None:
                return False
            _request_unplug(domain, element)
            self._await_unplug(lambda: _plugged(domain, disk) is None, what=f"volume {disk.volume_id}")
        return True

    def plug_card(self, guest_id: UUID, nic: GuestNic) -> None:
        with self.connection.use() as connection:
            domain = _get(connection, guest_id)
            text = domain.XMLDesc()
            if nic.device not in domain_xml.plugged_cards(text):
                _check_slot(guest_id, text)
                domain.attachDeviceFlags(domain_xml.card_text(nic), libvirt.VIR_DOMAIN_AFFECT_LIVE)

    def unplug_card(self, guest_id: UUID, device: str) -> bool:
        with self.connection.use() as connection:
            domain = _get(connection, guest_id)
            element = domain_xml.plugged_cards(domain.XMLDesc()).get(device)
            if element is None:
                return False
            _request_unplug(domain, element)
            self._await_unplug(
                lambda: device not in domain_xml.plugged_cards(domain.XMLDesc()), what=f"its network card {device}"
            )
        return True

    def grow_disk(self, guest_id: UUID, disk: GuestDisk, size_bytes: int) -> None:
        with self.connection.use() as connection:
            domain = _get(connection, guest_id)
            target = _target(_required_disk(domain, guest_id, disk))
            domain.blockResize(target, size_bytes, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)

    def limit_disk(self, guest_id: UUID, disk: GuestDisk) -> None:
        limits = {"total_bytes_sec": disk.limits.bytes_per_s, "total_iops_sec": disk.limits.iops}
        with self.connection.use() as connection:
            domain, live = _get(connection, guest_id), libvirt.VIR_DOMAIN_AFFECT_LIVE
            target = _target(_required_disk(domain, guest_id, disk))
            present = domain.blockIoTune(target, live)
            if any(present.get(name, 0) != limit for name, limit in limits.items()):
                domain.setBlockIoTune(target, limits, live)

    def open_console(self, guest_id: UUID, kind: ConsoleKind) -> Channel:
        with self.connection.use() as connection:
            path = domain_xml.console_socket(_get(connection, guest_id).XMLDesc(), kind)
        if path is None:
            raise NoConsole(guest_id, kind)
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(str(path))
        except OSError as exc:
            client.close()
            raise AdapterError(
                f"The {kind} console of guest {guest_id} does not answer: {exc}", retryable=True
            ) from exc
        return Channel(client)

    def freeze(self, guest_id: UUID, *, answer_s: int) -> int:
        return self._agents.freeze(guest_id, answer_s=answer_s)

    def thaw(self, guest_id: UUID, *, answer_s: int) -> int:
        return self._agents.thaw(guest_id, answer_s=answer_s)

    def pause(self, guest_id: UUID) -> None:
        self._on_probation.pop(guest_id, None)  # KVM has not stopped it
        with self.connection.use() as connection:
            suspend(guest_id, find(connection, guest_id))

    def subscribe(self, listener: Callable[[UUID], None]) -> None:
        self._listeners.append(listener)

    def close(self) -> None:
        self.connection.close()

    def _create(self, domain: Any, guest_id: UUID) -> None:
        """Create and start the domain. Under KVM it is on probation for some seconds: see _on_lifecycle."""
        guest = self._defined.get(guest_id)
        self._virt_types.pop(guest_id, None)  # it may have run under the other one before
        if self._virt_type(domain, guest_id) != "kvm" or guest is None:
            domain.create()
            return
        self._on_probation[guest_id] = (guest, time.monotonic() + KVM_PROBATION_S)
        try:
            domain.create()
        except libvirt.libvirtError as exc:
            self._on_probation.pop(guest_id, None)
            if _is_image_locked(exc) or not (_has_qemu_died(exc) and self._accelerator.give_up_kvm(str(exc))):
                raise
            self.define(guest)
            domain.create()

    def _register(self, connection: Any) -> None:
        lifecycle = libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE
        connection.domainEventRegisterAny(None, lifecycle, self._on_lifecycle, None)
        for event in REMOVAL_EVENTS:
            connection.domainEventRegisterAny(None, event, self._on_removal, None)
        self._agents.register(connection)
        _await_take_over(connection)

    def _publish_all(self, connection: Any) -> None:
        """Publish the state of all guests: libvirt does not repeat events that occurred without a listener."""
        for guest_id in filter(None, map(_guest_id, connection.listAllDomains())):
            self._publish(guest_id)

    def _publish(self, guest_id: UUID) -> None:
        for listener in self._listeners:
            listener(guest_id)

    def _on_lifecycle(self, _connection: Any, domain: Any, event: int, detail: int, _opaque: object) -> None:
        guest_id = _guest_id(domain)
        if guest_id is None:
            return
        self._agents.forget(guest_id)
        guest, until = self._on_probation.get(guest_id, (None, 0.0))
        if guest is not None and time.monotonic() < until and _is_sudden_stop(event, detail):
            threading.Thread(target=self._restart_under_tcg, args=(guest,), name="kvm-fallback").start()
        self._publish(guest_id)

    def _on_removal(self, *_: object) -> None:
        with self._removals:
            self._removals.notify_all()

    def _restart_under_tcg(self, guest: GuestSpec) -> None:
        """Restart under TCG, for this guest and later ones:

        KVM passed its probe and still stopped the guest without a reason.
        """
        self._on_probation.pop(guest.id, None)
        self._accelerator.give_up_kvm(f"Guest {guest.id} stopped under KVM without a reason.")
        if self._accelerator.virt_type == "kvm":
            return
        try:
            with self._restarts.guard(guest.id) as is_expected:
                if is_expected and self._is_left_by_kvm(guest):
                    self.power_off(guest.id)
                    self.define(guest)
                    self.start(guest.id)
        except AdapterError as exc:
            log.warning("restart under TCG failed", extra={"facts": {"id": guest.id, "problem": exc.message}})

    def _is_left_by_kvm(self, guest: GuestSpec) -> bool:
        """Return whether the guest still is as KVM left it: another caller may have started, changed or removed it."""
        state = self.state(guest.id)
        return state is not None and state.virt_type == "kvm" and self._defined.get(guest.id) == guest

    def _state(self, domain: Any, guest_id: UUID, state: int, reason: int) -> GuestState:
        found = guest_state(state, reason, virt_type=self._virt_type(domain, guest_id))
        if found.power is not Power.RUNNING:
            return found
        return replace(found, guest_agent=self._agents.state(guest_id, domain.XMLDesc))

    def _virt_type(self, domain: Any, guest_id: UUID) -> str:
        """Return the domain's type, cached, since heartbeats would otherwise fetch every guest's XML every few
        seconds.
        """
        cached = self._virt_types.get(guest_id)
        if cached is None:
            cached = self._virt_types[guest_id] = domain_xml.virt_type_of(domain.XMLDesc())
        return cached

    def _await_unplug(self, is_gone: Callable[[], bool], *, what: str) -> None:
        """Wait until the guest releases the device. Its XML is the truth; the event only shortens the wait."""
        deadline = time.monotonic() + UNPLUG_TIMEOUT_S
        with self._removals:
            while not is_gone():
                if time.monotonic() >= deadline:
                    raise DetachPending(f"The guest has not released {what} yet.")
                self._removals.wait(timeout=0.5)


def find(connection: Any, guest_id: UUID) -> Any:
    return unless_gone(lambda: connection.lookupByUUID(guest_id.bytes))


def _named(connection: Any, name: str) -> Any:
    return unless_gone(lambda: connection.lookupByName(name))


def unless_gone(call: Callable[[], Any]) -> Any:
    """Return the answer about a domain; None: libvirt does not know it, as one that leaves by a migration meanwhile."""
    try:
        return call()
    except libvirt.libvirtError as exc:
        if exc.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise


def _get(connection: Any, guest_id: UUID) -> Any:
    domain = find(connection, guest_id)
    if domain is None:
        raise AdapterError(f"Guest {guest_id} is not defined.", retryable=False)
    return domain


def _guest_id(domain: Any) -> UUID | None:
    return UUID(bytes=domain.UUID()) if domain.name().startswith(GUEST_PREFIX) else None


def _await_start(domain: Any) -> None:
    """Wait for a start in progress: one that an agent began before it was killed goes on in libvirtd."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while tuple(domain.state()) == STARTING:
        if time.monotonic() >= deadline:
            # What a libvirtd looks like that was killed at the wrong moment and started without libvirtd_recovery.
            raise AdapterError("libvirtd does not finish starting the guest. Restart libvirtd.", retryable=True)
        time.sleep(0.05)


def _await_take_over(connection: Any) -> None:
    """Wait until libvirtd has connected to the guest's QEMU.

    A libvirtd that has just started calls its guests running until it has spoken with their QEMU, and ends without an
    event those with which it cannot. A QEMU that does not answer delays no call for longer than this.
    """
    deadline = time.monotonic() + TAKE_OVER_TIMEOUT_S
    for domain in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
        while not _is_taken_over(domain) and time.monotonic() < deadline:
            time.sleep(0.05)


def _is_taken_over(domain: Any) -> bool:
    try:
        return domain.controlInfo()[0] in TAKEN_OVER
    except libvirt.libvirtError as exc:
        if exc.get_error_code() in ENDED:
            return True
        raise


def _destroy(domain: Any) -> None:
    try:
        domain.destroy()
    except libvirt.libvirtError:
        if domain.isActive():
            raise  # else it ended by itself meanwhile


def _plugged(domain: Any, disk: GuestDisk) -> ElementTree.Element | None:
    return domain_xml.plugged_disks(domain.XMLDesc()).get(disk.source)


def _check_slot(guest_id: UUID, domain_text: str) -> None:
    """Check that the running guest can get another device.

    Raises:
        NoFreeSlot
    """
    if not domain_xml.has_free_root_port(domain_text):
        raise NoFreeSlot(guest_id)


def _required_disk(domain: Any, guest_id: UUID, disk: GuestDisk) -> ElementTree.Element:
    """Return the disk in the domain's XML. Raises AdapterError: it is not plugged into the guest."""
    element = _plugged(domain, disk)
    if element is None:
        raise AdapterError(f"Volume {disk.volume_id} is not plugged into guest {guest_id}.", retryable=True)
    return element


def _target(element: ElementTree.Element) -> str:
    target = element.find("target")
    return target.get("dev", "") if target is not None else ""


def _request_unplug(domain: Any, element: ElementTree.Element) -> None:
    try:
        domain.detachDeviceFlags(ElementTree.tostring(element, encoding="unicode"), libvirt.VIR_DOMAIN_AFFECT_LIVE)
    except libvirt.libvirtError as exc:
        # While the guest has not answered the first request, a second one fails; the first stays valid.
        if "unplug" not in str(exc) and exc.get_error_code() != libvirt.VIR_ERR_DEVICE_MISSING:
            raise


def _is_image_locked(error: Any) -> bool:
    """Return whether QEMU's lock on the image caused the error, which only the text shows."""
    return any(words in str(error) for words in IMAGE_LOCKED)


def _has_qemu_died(error: Exception) -> bool:
    """Return whether QEMU ended while it was starting, as it does when KVM refuses a need of the CPU model.

    libvirt has no code of its own for it, and its text depends on the moment of the end.
    """
    return any(words in str(error) for words in QEMU_DIED)


def _is_sudden_stop(event: int, detail: int) -> bool:
    sudden_stop = (libvirt.VIR_DOMAIN_EVENT_SUSPENDED, libvirt.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED)
    return (event, detail) == sudden_stop


def _host_facts(connection: Any) -> HostFacts:
    # Memory as the kernel reports it: libvirt adds up NUMA nodes, whose figures are wrong under some hypervisors.
    memory_mib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    _arch, _memory, cores, *_ = connection.getInfo()
    host = ElementTree.fromstring(connection.getCapabilities())
    cpu = host.findtext("host/cpu/model") or "unknown"
    capabilities = ElementTree.fromstring(connection.getDomainCapabilities(machine="q35", virttype="qemu"))
    firmwares = [value.text for value in capabilities.iterfind("os/enum[@name='firmware']/value")]
    traits = ["firmware:bios"] + (["firmware:uefi"] if "efi" in firmwares else [])
    return HostFacts(cores, memory_mib, cpu, "", (*traits, f"{CONFINEMENT}{_confinement(host)}"))


def _confinement(capabilities: ElementTree.Element) -> str:
    """Return the mandatory access control under which libvirt puts guests."""
    models = {model.text for model in capabilities.iterfind("host/secmodel/model")}
    return next((each for each in CONFINING if each in models), "none")
