"""Quarantine: find unmanaged resources, isolate them, and restore or destroy them on a call of the control plane.

A file is moved apart, a tap is silenced, and a domain is paused if it concerns tenants: if it has a guest's name, a
file of the node's folder, a disk in a pool, or a card in a tenant network. Any other domain is the operator's own and
keeps running. Only `remove` destroys anything.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from agents.node.adapters.interfaces import GUEST_PREFIX, DomainFacts, Power, guest_name
from agents.node.adapters.network_specs import tap_name
from agents.node.context import Node
from agents.node.errors import GuestMigrating, ImageInUse, NotQuarantined, VolumeInUse
from agents.node.services import attachments, instances, migration_state, ports, volumes
from agents.node.specs import QuarantineSpec, Subject, UnmanagedKind
from agents.node.state_store import Phase
from agents.node.trust.receipts import Opening

BRIDGE = re.compile(r"br[0-9a-f]{11}")
MIB = 2**20


@dataclass(frozen=True, slots=True)
class UnmanagedResource:
    kind: UnmanagedKind
    name: str
    size_bytes: int = 0
    power: Power | None = None
    is_harmless: bool = False
    mac: str = ""


@dataclass(frozen=True, slots=True)
class QuarantineStatus:
    id: UUID
    generation: int
    is_present: bool
    size_bytes: int = 0
    is_harmless: bool = False


# ---- what there is


def unmanaged_resources(node: Node) -> list[UnmanagedResource]:
    """Return everything on the node that the state store does not have."""
    return [*_domains(node), *_files(node), *_taps(node)]


def unknown_domains(node: Node) -> list[str]:
    """Return unknown domains, including those with a guest's name that the agent never received or was to remove."""
    held_ids = {entry.id for shelf in (node.state_store.instances, node.state_store.arrivals) for entry in shelf.held()}
    unknown_guests = [
        guest_name(guest_id) for guest_id in node.adapters.hypervisor.states() if str(guest_id) not in held_ids
    ]
    return sorted([*unknown_guests, *node.adapters.hypervisor.unknown_domains()])


def lost_domains(node: Node) -> list[UUID]:
    """Return instances that were created here and that the hypervisor does not know any more."""
    states = node.adapters.hypervisor.states()
    guest_ids = [UUID(entry.id) for entry in node.state_store.instances.held() if entry.phase is Phase.PRESENT]
    return [
        guest_id
        for guest_id in guest_ids
        if guest_id not in states
        and not migration_state.has_left(node, guest_id)
        and not migration_state.is_moving(node, guest_id)
    ]


def _domains(node: Node) -> Iterator[UnmanagedResource]:
    for name in unknown_domains(node):
        facts = node.adapters.hypervisor.domain(name)
        if facts is not None:
            is_harmless = not _touches_tenants(node, name, facts)
            yield UnmanagedResource(UnmanagedKind.DOMAIN, name, facts.memory_mib * MIB, facts.power, is_harmless)


def _files(node: Node) -> Iterator[UnmanagedResource]:
    """Yield files of no volume of this folder, of no image, and of no copy, one of whose places may be the folder."""
    state_store = node.state_store
    held_names = {_volume(entry.id) for entry in state_store.volumes.held() if not entry.spec.pool}
    held_names |= {_volume(entry.id) for entry in state_store.copies.held()}
    held_names |= {f"images/{entry.id}" for entry in state_store.images.held()}
    for name in node.adapters.disks.files():
        if name not in held_names:
            yield UnmanagedResource(UnmanagedKind.FILE, name, node.adapters.disks.file_size_bytes(name) or 0)


def _taps(node: Node) -> Iterator[UnmanagedResource]:
    held_names = {tap_name(entry.spec.id) for entry in node.state_store.ports.held()}
    for device, mac in sorted(node.adapters.switch.taps().items()):
        if device not in held_names:
            yield UnmanagedResource(UnmanagedKind.PORT, device, mac=mac)


def _volume(volume_id: str) -> str:
    return f"volumes/{volume_id}.qcow2"


def _touches_tenants(node: Node, name: str, facts: DomainFacts) -> bool:
    folder, of_volumes = node.adapters.disks.folder(), volumes.folders(node)
    return (
        name.startswith(GUEST_PREFIX)
        or any(Path(disk).is_relative_to(folder) or disk.rpartition("/")[0] in of_volumes for disk in facts.disks)
        or any(BRIDGE.fullmatch(bridge) for bridge in facts.bridges)
    )


# ---- what becomes of it


def ensure(node: Node, subject: Subject, spec: QuarantineSpec) -> QuarantineStatus:
    """Quarantine or release the resource. A resource that does not exist is no failure.

    Raises:
        VolumeInUse, ImageInUse: a managed resource uses the file.
        GuestMigrating: the guest is on its way, or expected.
    """
    with node.locks.hold(("quarantine", spec.name), *_locks(spec)):
        if not spec.is_released:
            _check_free(node, spec)
        with node.state_store.transaction():
            before = node.state_store.quarantine.accept(subject, spec, uses=())
        status = _carry_out(node, subject, spec)
        node.state_store.quarantine.confirm(subject.id)
    if status.is_present and (before is None or before.generation < subject.generation):
        _record_receipt(node, subject, "released" if spec.is_released else "quarantined", spec, status.size_bytes)
    return status


def remove(node: Node, subject: Subject) -> QuarantineStatus:
    """Destroy the quarantined resource; a repetition finds nothing.

    Raises:
        NotQuarantined: it was never quarantined here, or has been released.
    """
    entry = node.state_store.quarantine.get(subject.id)
    if entry is not None and not entry.is_held:
        return QuarantineStatus(subject.id, entry.generation, is_present=False)
    if entry is None or entry.spec.is_released:
        raise NotQuarantined(subject.id)
    spec = entry.spec
    with node.locks.hold(("quarantine", spec.name)):
        node.state_store.quarantine.begin_removal(subject)
        status = _destroy(node, subject, spec)
        if status.is_present:
            _record_receipt(node, subject, "discarded", spec, status.size_bytes)
        node.state_store.quarantine.finish_removal(subject.id)
    return status


def _locks(spec: QuarantineSpec) -> list[tuple[str, UUID | str]]:
    """Return the locks that the resource would need if it were managed."""
    if spec.kind is UnmanagedKind.DOMAIN and (guest_id := _guest_id(spec.name)) is not None:
        return [("instance", guest_id)]
    folder, _, file = spec.name.partition("/")
    if spec.kind is not UnmanagedKind.FILE:
        return []
    if folder == "images":
        return [("image", file)]
    return [("volume", volume_id)] if (volume_id := _volume_id(file)) is not None else []


def _check_free(node: Node, spec: QuarantineSpec) -> None:
    guest_id = _guest_id(spec.name) if spec.kind is UnmanagedKind.DOMAIN else None
    if guest_id is not None and (
        migration_state.is_moving(node, guest_id) or migration_state.expected_guest(node, guest_id) is not None
    ):
        raise GuestMigrating(guest_id)
    if spec.kind is UnmanagedKind.FILE:
        _check_file(node, spec.name)


def _check_file(node: Node, name: str) -> None:
    folder, _, file = name.partition("/")
    if folder == "images" and (users := node.state_store.users_of("image", file, "volume")):
        raise ImageInUse(f"{len(users)} volumes use {name} as their base, among them {users[0]}.")
    volume_id = _volume_id(file)
    if volume_id is not None and (user := volumes.user_of(node, volume_id)) is not None:
        raise VolumeInUse(f"{name} is used by instance {user}.")
    hypervisor = node.adapters.hypervisor
    names = [*(guest_name(guest_id) for guest_id in hypervisor.states()), *hypervisor.unknown_domains()]
    for domain in names:
        facts = hypervisor.domain(domain)
        if facts is not None and facts.power is Power.RUNNING and _is_among(name, facts.disks):
            raise VolumeInUse(f"{name} is open in the running domain {domain}.")


def _is_among(name: str, disks: Sequence[str]) -> bool:
    return any("/".join(Path(disk).parts[-2:]) == name for disk in disks)


def _carry_out(node: Node, subject: Subject, spec: QuarantineSpec) -> QuarantineStatus:
    if spec.kind is UnmanagedKind.DOMAIN:
        return _domain(node, subject, spec)
    if spec.kind is UnmanagedKind.FILE:
        return _file(node, subject, spec)
    if spec.kind is UnmanagedKind.PORT:
        switch = node.adapters.switch
        is_present = switch.open_tap(spec.name) if spec.is_released else switch.silence_tap(spec.name)
        return _status(subject, is_present=is_present or _port_id(node, spec.name) is not None)
    attachment = node.state_store.attachments.get(spec.name)
    return _status(subject, is_present=attachment is not None and attachment.is_held)


def _domain(node: Node, subject: Subject, spec: QuarantineSpec) -> QuarantineStatus:
    hypervisor = node.adapters.hypervisor
    facts = hypervisor.domain(spec.name)
    if facts is None:
        return _status(subject, is_present=False)
    is_harmless = not _touches_tenants(node, spec.name, facts)
    if spec.is_released:
        hypervisor.resume_domain(spec.name)
    else:
        node.adapters.disks.keep_definition(subject.id, facts.definition)
        if not is_harmless:
            hypervisor.pause_domain(spec.name)
    return QuarantineStatus(subject.id, subject.generation, True, facts.memory_mib * MIB, is_harmless)


def _file(node: Node, subject: Subject, spec: QuarantineSpec) -> QuarantineStatus:
    disks = node.adapters.disks
    if spec.is_released:
        disks.put_back(spec.name, subject.id)
        size_bytes = disks.file_size_bytes(spec.name)
    else:
        disks.set_aside(spec.name, subject.id)
        size_bytes = disks.aside_size_bytes(subject.id)
    return _status(subject, is_present=size_bytes is not None, size_bytes=size_bytes or 0)


def _destroy(node: Node, subject: Subject, spec: QuarantineSpec) -> QuarantineStatus:
    if spec.kind is UnmanagedKind.DOMAIN:
        facts = node.adapters.hypervisor.domain(spec.name)
        was_present = _destroy_domain(node, spec.name)
        return _status(subject, is_present=was_present, size_bytes=facts.memory_mib * MIB if facts else 0)
    if spec.kind is UnmanagedKind.FILE:
        with node.locks.hold(*_locks(spec)):
            size_bytes = node.adapters.disks.aside_size_bytes(subject.id) or 0
            was_present = node.adapters.disks.remove_aside(subject.id)
            _forget_volume(node, spec.name)
        return _status(subject, is_present=was_present, size_bytes=size_bytes)
    if spec.kind is UnmanagedKind.PORT:
        return _status(subject, is_present=_destroy_port(node, spec.name))
    entry = node.state_store.attachments.get(spec.name)
    generation = entry.generation if entry is not None else 1
    return _status(subject, is_present=attachments.remove(node, Subject(UUID(spec.name), generation)))


def _destroy_domain(node: Node, name: str) -> bool:
    """Destroy a domain; one with a guest's name goes as a deleted guest does."""
    guest_id = _guest_id(name)
    entry = node.state_store.instances.get(guest_id) if guest_id is not None else None
    if guest_id is None or entry is None or not entry.is_held:
        return node.adapters.hypervisor.remove_domain(name)
    was_present = instances.remove(node, Subject(guest_id, entry.generation))
    node.permits.receipts.closed("instance", guest_id)
    return was_present


def _forget_volume(node: Node, name: str) -> None:
    volume_id = _volume_id(name.partition("/")[2])
    entry = node.state_store.volumes.get(volume_id) if volume_id is not None else None
    if volume_id is not None and entry is not None and entry.is_held and not entry.spec.pool:
        with node.state_store.transaction():
            node.state_store.volumes.begin_removal(Subject(volume_id, entry.generation))
            node.state_store.volumes.finish_removal(volume_id)
        node.permits.receipts.closed("volume", volume_id)


def _destroy_port(node: Node, device: str) -> bool:
    port_id = _port_id(node, device)
    if port_id is None:
        return node.adapters.switch.remove_tap(device)
    was_present = ports.remove(node, port_id)
    node.permits.receipts.closed("port", port_id.id)
    return was_present


def _port_id(node: Node, device: str) -> Subject | None:
    for entry in node.state_store.ports.held():
        if tap_name(entry.spec.id) == device:
            return Subject(entry.spec.id, entry.generation)
    return None


def _guest_id(name: str) -> UUID | None:
    return _as_uuid(name.removeprefix(GUEST_PREFIX)) if name.startswith(GUEST_PREFIX) else None


def _volume_id(file: str) -> UUID | None:
    return _as_uuid(file.removesuffix(".qcow2")) if file.endswith(".qcow2") else None


def _as_uuid(text: str) -> UUID | None:
    try:
        parsed = UUID(text)
    except ValueError:
        return None
    return parsed if str(parsed) == text else None


def _status(subject: Subject, *, is_present: bool, size_bytes: int = 0) -> QuarantineStatus:
    return QuarantineStatus(subject.id, subject.generation, is_present, size_bytes)


def _record_receipt(node: Node, subject: Subject, event: str, spec: QuarantineSpec, size_bytes: int) -> None:
    measured = {"kind": spec.kind.value, "name": spec.name, "size_bytes": size_bytes}
    node.permits.receipts.record(event, Opening("quarantine", str(subject.id), "", subject.generation), measured)
