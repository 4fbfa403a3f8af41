"""Instances: a definition made from the ledger, and the power that was wished for."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from agents.node import seed
from agents.node.adapters.base import (
    ConsolePart,
    GuestDisk,
    GuestNic,
    GuestSpec,
    GuestState,
    Power,
    bridge_name,
    tap_name,
)
from agents.node.context import Node
from agents.node.ledger import Entry, GuestProgress
from agents.node.services import moving, ports, volumes
from agents.node.trust.starts import KVM_AFTERMATH, NONE
from agents.node.wishes import AttachmentWish, InstanceWish, RestartKind, Subject

STOPPED_BY_ITSELF = "Its node was not heard for too long, and stopped it."


@dataclass(frozen=True, slots=True)
class InstanceStatus:
    id: UUID
    generation: int
    power: Power
    virt_type: str
    restart_count: int
    reason: str


def ensure(
    node: Node, subject: Subject, wish: InstanceWish, *, leave: datetime | None = None, has_left: bool = False
) -> InstanceStatus:
    """Define the guest and give it the power wished for. A changed size waits for the guest's next start.

    `leave`: until when libvirt may be told to start the guest; None: not at all. `has_left`: of one that comes from
    another node, that this one has it no more.

    Raises:
        NotFound: its root volume or one of its ports is not on this node.
        VolumeInUse, PortInUse: another instance has one of them.
        GuestMoving, GuestMoved, GuestNotArrived: it is not this node's to run now.
        GuestForeign: it has come from another node, and is not as this node would define it.
    """
    with node.locks.hold(("volume", wish.root_volume_id), ("instance", subject.id)):
        if wish.power is Power.RUNNING:
            moving.check_settled(node, subject.id)
        moving.check_arrived(node, subject, has_left=has_left)
        _check_own(node, subject, wish)
        with node.ledger.transaction():
            node.ledger.instances.accept(subject, wish, uses=uses(wish))
            volumes.check_free(node, wish.root_volume_id, but_for=subject.id)
            for port_id in wish.port_ids:
                ports.check_free(node, port_id, but_for=subject.id)
            moving.adopt(node, subject.id)
        defined = define(node, subject.id)
        _give_power(node, defined, wish, leave)
        node.ledger.instances.confirm(subject.id)
        return status(node, node.ledger.instances.wanted(subject.id))


def remove(node: Node, subject: Subject) -> bool:
    """Pull the plug and forget the guest, its seed and its console; False when there was nothing of it."""
    hypervisor = node.adapters.hypervisor
    with node.locks.hold(("instance", subject.id)):
        before = node.ledger.instances.begin_removal(subject)
        node.permits.starts.end(subject.id)
        hypervisor.power_off(subject.id)
        was_defined = hypervisor.undefine(subject.id)
        node.adapters.disks.remove_instance_files(subject.id)
        with node.ledger.transaction():
            node.ledger.forget_progress(subject.id)
            node.ledger.forget_user(subject.id)
            node.ledger.instances.finish_removal(subject.id)
            moving.forget(node, subject)
        return was_defined or (before is not None and before.is_held)


def _check_own(node: Node, subject: Subject, wish: InstanceWish) -> None:
    """A guest that has come from another node is taken over only if it is as this node's agent would define it."""
    if moving.expected(node, subject.id) is not None:
        node.ledger.instances.check_new(subject)
        node.adapters.hypervisor.check_domain(spec(node, subject.id, wish, attached(node, subject.id)))


@contextmanager
def still_meant(node: Node, instance_id: UUID) -> Iterator[bool]:
    """Hold the guest's lock. The value: it is to run here, and stays here for now."""
    with node.locks.hold(("instance", instance_id)):
        entry = node.ledger.instances.get(instance_id)
        is_to_run = entry is not None and entry.is_wanted and entry.wish.power is Power.RUNNING
        yield is_to_run and not (moving.is_moving(node, instance_id) or moving.has_left(node, instance_id))


def define(node: Node, instance_id: UUID) -> GuestSpec:
    """Store the definition that follows from the ledger: the instance's wish and its attachments."""
    wish = node.ledger.instances.wanted(instance_id).wish
    guest = spec(node, instance_id, wish, attached(node, instance_id))
    node.adapters.hypervisor.define(guest)
    return guest


def spec(node: Node, instance_id: UUID, wish: InstanceWish, plugged: Mapping[UUID, AttachmentWish]) -> GuestSpec:
    """The definition; the medium that it boots with is written. `plugged`: its attachments."""
    port_specs = [node.ledger.ports.wanted(port_id).wish for port_id in wish.port_ids]
    disks = node.adapters.disks
    return GuestSpec(
        id=instance_id,
        project_id=wish.project_id,
        vcpus=wish.vcpus,
        memory_mib=wish.memory_mib,
        firmware=wish.firmware,
        disks=_disks(node, wish, plugged),
        nics=tuple(GuestNic(tap_name(p.id), bridge_name(p.network.id), p.mac, p.network.mtu) for p in port_specs),
        seed=disks.write_seed(instance_id, seed.files(instance_id, wish.guest_data, port_specs)),
        console_log=disks.console_path(instance_id),
        serial_socket=disks.serial_path(instance_id),
        user=node.ledger.guest_user(instance_id, node.guest_users.candidates(instance_id)),
    )


def stopped(node: Node, instance_id: UUID, wish: InstanceWish) -> InstanceWish | None:
    """The guest as it is, but for the power and the restarts of `wish`: what may be done to it without a permit. None
    when the wish is not to stop a guest that is here."""
    entry = node.ledger.instances.get(instance_id)
    if entry is None or not entry.is_wanted or wish.power is Power.RUNNING:
        return None
    return replace(entry.wish, power=wish.power, restart=wish.restart)


def attached(node: Node, instance_id: UUID) -> Mapping[UUID, AttachmentWish]:
    """The attachments that the guest has, or will have at its next start; of one that is expected, what it brings."""
    coming = moving.expected(node, instance_id)
    if coming is not None:
        return moving.brought(coming, instance_id)
    return {UUID(entry.id): entry.wish for entry in node.ledger.attachments.using("instance", instance_id)}


def is_wanted(node: Node, instance_id: UUID) -> bool:
    entry = node.ledger.instances.get(instance_id)
    return entry is not None and entry.is_wanted


def status(node: Node, entry: Entry[InstanceWish]) -> InstanceStatus:
    return observed(node, entry, node.adapters.hypervisor.state(UUID(entry.id)))


def observed(node: Node, entry: Entry[InstanceWish], state: GuestState | None) -> InstanceStatus:
    """What the hypervisor says of the guest, read in the light of what the agent was told."""
    instance_id = UUID(entry.id)
    progress = node.ledger.guest_progress(instance_id)
    if state is None:
        state = GuestState(Power.OFF, "", "The hypervisor does not know the guest.", is_reason_known=False)
    elif state.power is Power.PAUSED and moving.is_carried(node, instance_id):
        state = GuestState(Power.OFF, state.virt_type)
    power, reason = state.power, state.reason
    if progress.stop_reason and power in (Power.OFF, Power.CRASHED):
        power, reason = Power.CRASHED, STOPPED_BY_ITSELF
    elif not progress.has_started and power in (Power.OFF, Power.CRASHED):
        power, reason = Power.OFF, ""  # it was told to stop, so how it stopped is no news
    elif power is Power.OFF and not state.is_reason_known:
        power, reason = Power.CRASHED, reason or "The node or its hypervisor was restarted."
    return InstanceStatus(instance_id, entry.generation, power, state.virt_type, progress.restart_count, reason)


def uses(wish: InstanceWish) -> list[tuple[str, UUID | str]]:
    return [("volume", wish.root_volume_id), *(("port", port_id) for port_id in wish.port_ids)]


def _disks(node: Node, wish: InstanceWish, plugged: Mapping[UUID, AttachmentWish]) -> tuple[GuestDisk, ...]:
    wanted = [(wish.root_volume_id, False), *((each.volume_id, each.is_read_only) for each in plugged.values())]
    return tuple(volumes.disk(node, volume_id, is_read_only=is_read_only) for volume_id, is_read_only in wanted)


def _give_power(node: Node, guest: GuestSpec, wish: InstanceWish, leave: datetime | None) -> None:
    hypervisor, instance_id = node.adapters.hypervisor, guest.id
    node.permits.starts.end(instance_id)
    if wish.power is Power.RUNNING:
        is_kvm = hypervisor.host().virt_type == "kvm"
        aftermath = KVM_AFTERMATH if is_kvm else NONE
        with node.permits.starts.allow(guest, leave, aftermath=aftermath):
            _run(node, instance_id, wish)
    elif wish.power is Power.SHUTDOWN:
        hypervisor.request_shutdown(instance_id)
    else:
        hypervisor.power_off(instance_id)
    node.ledger.record_progress(instance_id, GuestProgress(wish.restart.count, has_started=wish.power is Power.RUNNING))


def _run(node: Node, instance_id: UUID, wish: InstanceWish) -> None:
    """A guest that is off starts, and with that has been restarted as often as wished.

    The count is recorded after the restart: an agent killed in between restarts it twice, never not at all.
    """
    hypervisor = node.adapters.hypervisor
    state = hypervisor.state(instance_id)
    if state is None or state.power is not Power.RUNNING:
        hypervisor.start(instance_id)
    elif wish.restart.count > node.ledger.guest_progress(instance_id).restart_count:
        if wish.restart.kind is RestartKind.RESET:
            hypervisor.reset(instance_id)
        else:
            hypervisor.reboot(instance_id)


def read_console(node: Node, instance_id: UUID, *, offset: int, max_bytes: int) -> ConsolePart:
    node.ledger.instances.wanted(instance_id)
    return node.adapters.disks.read_console(instance_id, offset=offset, max_bytes=max_bytes)
