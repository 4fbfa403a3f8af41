"""Instances: the definition of a guest from the state store, and its requested power state."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from agents.node import cloud_init
from agents.node.adapters.interfaces import (
    ConsolePart,
    GuestAgent,
    GuestDisk,
    GuestNic,
    GuestSpec,
    GuestState,
    Power,
)
from agents.node.adapters.network_specs import bridge_name, tap_name
from agents.node.context import Node
from agents.node.services import metadata, migration_state, network_cards, ports, volumes
from agents.node.specs import AttachmentSpec, InstanceSpec, RestartKind, Subject
from agents.node.state_store import Entry, GuestProgress
from agents.node.trust.start_authorizations import KVM_AFTERMATH, NONE

STOPPED_BY_ITSELF = "Its node was not heard for too long, and stopped it."


@dataclass(frozen=True, slots=True)
class InstanceStatus:
    id: UUID
    generation: int
    power: Power
    virt_type: str
    restart_count: int
    reason: str
    guest_agent: GuestAgent = GuestAgent.UNKNOWN


def ensure(
    node: Node, subject: Subject, spec: InstanceSpec, *, permitted_until: datetime | None = None, has_left: bool = False
) -> InstanceStatus:
    """Define the guest and bring it to the requested power state.

    A changed size takes effect at the guest's next start. libvirt may start the guest until `permitted_until`; None:
    not at all. `has_left`: the source of an arriving guest has let go of it.

    Raises:
        NotFound: its root volume or one of its ports is not on this node.
        VolumeInUse, PortInUse: another instance has one of them.
        GuestMigrating, GuestMigrated, GuestNotArrived: it is not this node's to run now.
        GuestForeign: it has come from another node, and is not as this node would define it.
        DetachPending: the running guest has not let go of a network card; the port counts as used until it has.
    """
    with node.locks.hold(("volume", spec.root_volume_id), ("instance", subject.id)):
        if spec.power is Power.RUNNING:
            migration_state.check_settled(node, subject.id)
        migration_state.check_arrived(node, subject, has_left=has_left)
        _check_own(node, subject, spec)
        leaving = network_cards.leaving(node, subject.id, spec)
        with node.state_store.transaction():
            node.state_store.instances.accept(subject, spec, uses=[*uses(spec), *(("port", each) for each in leaving)])
            volumes.check_free(node, spec.root_volume_id, but_for=subject.id)
            for port_id in spec.port_ids:
                ports.check_free(node, port_id, but_for=subject.id)
            migration_state.adopt(node, subject.id)
        metadata.publish(node, subject.id, spec)
        defined = define(node, subject.id)
        _give_power(node, defined, spec, permitted_until)
        if network_cards.unplug(node, subject.id, spec, leaving):
            node.state_store.instances.set_uses(subject.id, uses(spec))
        node.state_store.instances.confirm(subject.id)
        return status(node, node.state_store.instances.require(subject.id))


def remove(node: Node, subject: Subject) -> bool:
    """Stop the guest and delete its definition, seed and console; False when nothing existed."""
    hypervisor = node.adapters.hypervisor
    with node.locks.hold(("instance", subject.id)):
        before = node.state_store.instances.begin_removal(subject)
        node.permits.starts.end(subject.id)
        hypervisor.power_off(subject.id)
        was_defined = hypervisor.undefine(subject.id)
        node.adapters.disks.remove_instance_files(subject.id)
        with node.state_store.transaction():
            node.state_store.forget_progress(subject.id)
            node.state_store.forget_freeze(subject.id)
            node.state_store.forget_user(subject.id)
            node.state_store.instances.finish_removal(subject.id)
            migration_state.forget(node, subject)
        metadata.withdraw(node, subject.id)
        return was_defined or (before is not None and before.is_held)


def _check_own(node: Node, subject: Subject, spec: InstanceSpec) -> None:
    """Check that an arrived guest is as this node's agent would define it, before it is taken over."""
    if migration_state.expected_guest(node, subject.id) is not None:
        node.state_store.instances.check_new(subject)
        node.adapters.hypervisor.check_domain(guest_spec(node, subject.id, spec, attached(node, subject.id)))


@contextmanager
def hold_if_expected(node: Node, instance_id: UUID) -> Iterator[bool]:
    """Hold the guest's lock. The value is true if the guest is to run here and stays here for now."""
    with node.locks.hold(("instance", instance_id)):
        entry = node.state_store.instances.get(instance_id)
        is_to_run = entry is not None and entry.is_wanted and entry.spec.power is Power.RUNNING
        yield is_to_run and not (
            migration_state.is_moving(node, instance_id) or migration_state.has_left(node, instance_id)
        )


def define(node: Node, instance_id: UUID) -> GuestSpec:
    """Store the definition that follows from the state store: the instance's spec and its attachments."""
    spec = node.state_store.instances.require(instance_id).spec
    guest = guest_spec(node, instance_id, spec, attached(node, instance_id))
    node.adapters.hypervisor.define(guest)
    return guest


def guest_spec(node: Node, instance_id: UUID, spec: InstanceSpec, plugged: Mapping[UUID, AttachmentSpec]) -> GuestSpec:
    """Return the definition, and write the seed. `plugged` are the guest's attachments."""
    port_specs = [ports.current(node, node.state_store.ports.require(port_id).spec) for port_id in spec.port_ids]
    disks = node.adapters.disks
    return GuestSpec(
        id=instance_id,
        project_id=spec.project_id,
        vcpus=spec.vcpus,
        memory_mib=spec.memory_mib,
        firmware=spec.firmware,
        disks=_disks(node, spec, plugged),
        nics=tuple(GuestNic(tap_name(p.id), bridge_name(p.network.id), p.mac, p.network.mtu) for p in port_specs),
        seed=disks.write_seed(instance_id, cloud_init.files(instance_id, spec.guest_data, port_specs)),
        console_log=disks.console_path(instance_id),
        serial_socket=disks.serial_path(instance_id),
        user=node.state_store.guest_user(instance_id, node.guest_users.candidates(instance_id)),
    )


def stopped(node: Node, instance_id: UUID, spec: InstanceSpec) -> InstanceSpec | None:
    """Return the stored spec with the power and restarts of the new one: the change that needs no permit.

    None if the new spec does not stop a guest that is here.
    """
    entry = node.state_store.instances.get(instance_id)
    if entry is None or not entry.is_wanted or spec.power is Power.RUNNING:
        return None
    return replace(entry.spec, power=spec.power, restart=spec.restart)


def attached(node: Node, instance_id: UUID) -> Mapping[UUID, AttachmentSpec]:
    """Return the attachments of the guest, or of its next start; for an expected guest, those that it brings."""
    coming = migration_state.expected_guest(node, instance_id)
    if coming is not None:
        return migration_state.incoming_attachments(coming, instance_id)
    return {UUID(entry.id): entry.spec for entry in node.state_store.attachments.using("instance", instance_id)}


def is_wanted(node: Node, instance_id: UUID) -> bool:
    entry = node.state_store.instances.get(instance_id)
    return entry is not None and entry.is_wanted


def status(node: Node, entry: Entry[InstanceSpec]) -> InstanceStatus:
    return observed_status(node, entry, node.adapters.hypervisor.state(UUID(entry.id)))


def observed_status(node: Node, entry: Entry[InstanceSpec], state: GuestState | None) -> InstanceStatus:
    """Combine the hypervisor's state with the agent's records into the status."""
    instance_id = UUID(entry.id)
    progress = node.state_store.guest_progress(instance_id)
    if state is None:
        state = GuestState(Power.OFF, "", "The hypervisor does not know the guest.", is_reason_known=False)
    elif state.power is Power.PAUSED and migration_state.is_stopped_and_migrating(node, instance_id):
        state = GuestState(Power.OFF, state.virt_type)
    power, reason = state.power, state.reason
    if progress.stop_reason and power in (Power.OFF, Power.CRASHED):
        power, reason = Power.CRASHED, STOPPED_BY_ITSELF
    elif not progress.has_started and power in (Power.OFF, Power.CRASHED):
        power, reason = Power.OFF, ""  # a stop was requested, so its reason is not reported
    elif power is Power.OFF and not state.is_reason_known:
        power, reason = Power.CRASHED, reason or "The node or its hypervisor was restarted."
    return InstanceStatus(
        instance_id, entry.generation, power, state.virt_type, progress.restart_count, reason, state.guest_agent
    )


def uses(spec: InstanceSpec) -> list[tuple[str, UUID | str]]:
    return [("volume", spec.root_volume_id), *(("port", port_id) for port_id in spec.port_ids)]


def _disks(node: Node, spec: InstanceSpec, plugged: Mapping[UUID, AttachmentSpec]) -> tuple[GuestDisk, ...]:
    return (volumes.disk(node, spec.root_volume_id), *(volumes.attached_disk(node, each) for each in plugged.values()))


def _give_power(node: Node, guest: GuestSpec, spec: InstanceSpec, permitted_until: datetime | None) -> None:
    hypervisor, instance_id = node.adapters.hypervisor, guest.id
    node.permits.starts.end(instance_id)
    if spec.power is Power.RUNNING:
        is_kvm = hypervisor.host().virt_type == "kvm"
        aftermath = KVM_AFTERMATH if is_kvm else NONE
        with node.permits.starts.allow(guest, permitted_until, aftermath=aftermath):
            _run(node, guest, spec)
    elif spec.power is Power.SHUTDOWN:
        hypervisor.request_shutdown(instance_id)
    else:
        hypervisor.power_off(instance_id)
    node.state_store.record_progress(
        instance_id, GuestProgress(spec.restart.count, has_started=spec.power is Power.RUNNING)
    )


def _run(node: Node, guest: GuestSpec, spec: InstanceSpec) -> None:
    """Start a guest that is off, which also counts as the requested restart; one that is on gets its new cards.

    The count is recorded after the restart: an agent killed in between restarts the guest twice, never zero times.
    """
    hypervisor, instance_id = node.adapters.hypervisor, guest.id
    state = hypervisor.state(instance_id)
    if state is not None and state.power in (Power.RUNNING, Power.PAUSED):
        network_cards.plug(node, guest)
    if state is None or state.power is not Power.RUNNING:
        hypervisor.start(instance_id)
    elif spec.restart.count > node.state_store.guest_progress(instance_id).restart_count:
        if spec.restart.kind is RestartKind.RESET:
            hypervisor.reset(instance_id)
        else:
            hypervisor.reboot(instance_id)


def read_console(node: Node, instance_id: UUID, *, offset: int, max_bytes: int) -> ConsolePart:
    node.state_store.instances.require(instance_id)
    return node.adapters.disks.read_console(instance_id, offset=offset, max_bytes=max_bytes)
