"""Incoming migrations: make ready for a guest of another node, running or off.

The guest becomes this node's when an EnsureInstance adopts it: under a permit, or under that of its arrival.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from agents.node.adapters.interfaces import GuestSpec, Power
from agents.node.context import Node
from agents.node.errors import AdapterError, Conflict, GuestArrived, NotMigratable
from agents.node.services import instances, metadata, migration_state, ports, volumes
from agents.node.specs import IncomingSpec, InstanceSpec, Subject

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IncomingStatus:
    id: UUID
    generation: int
    uri: str
    cpu_model: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """A guest that is here and not adopted yet. `jti`: of the permit under which it came."""

    spec: InstanceSpec
    jti: str


def ensure(node: Node, subject: Subject, spec: IncomingSpec, *, permitted_until: datetime) -> IncomingStatus:
    """Make ready for the guest. Its arrival may begin until `permitted_until`.

    Raises:
        NotFound: one of its volumes or ports is not on this node.
        VolumeInUse, PortInUse: another instance has one of them.
        Conflict: the guest is this node's already.
        NotMigratable: a disk of it can neither be copied nor is in a pool.
        StaleGeneration: it, or what it brings, could not be adopted.
    """
    volume_ids = (spec.instance.root_volume_id, *(each.volume_id for each in spec.plugged))
    with node.locks.hold(*(("volume", volume_id) for volume_id in volume_ids), ("instance", subject.id)):
        with node.state_store.transaction():
            if instances.is_wanted(node, subject.id):
                raise Conflict(f"Instance {subject.id} is this node's already.")
            node.state_store.instances.check_new(subject)
            _check_copied(node, spec)
            for each in spec.plugged:
                node.state_store.attachments.check_new(Subject(each.id, each.generation))
            node.state_store.arrivals.accept(subject, spec, uses=_uses(spec))
            _check_free(node, subject.id, spec)
        guest = instances.guest_spec(
            node, subject.id, spec.instance, migration_state.incoming_attachments(spec, subject.id)
        )
        metadata.publish(node, subject.id, spec.instance)
        uri = _expect(node, guest, spec, permitted_until)
        node.state_store.arrivals.confirm(subject.id)
    return IncomingStatus(subject.id, subject.generation, uri, node.adapters.hypervisor.host().cpu_model)


def arrived(node: Node, subject: Subject) -> Arrived | None:
    """Return the guest of that generation that its source has handed over; None if it is not here, or adopted already.

    Its adoption as it came gives the node nothing new, so that it needs no other permit.
    """
    entry = node.state_store.arrivals.get(subject.id)
    opening = node.permits.receipts.opening("arrival", subject.id)
    if entry is None or opening is None or not entry.is_wanted or entry.generation != subject.generation:
        return None
    is_here = migration_state.is_handed_over(entry.spec, node.adapters.hypervisor.state(subject.id))
    return Arrived(entry.spec.instance, opening.jti) if is_here else None


def remove(node: Node, subject: Subject) -> bool:
    """Stop expecting the guest, and delete what has arrived of it; False when it was not expected.

    Raises:
        GuestArrived: it is here, and its source has it no more.
    """
    hypervisor = node.adapters.hypervisor
    with node.locks.hold(("instance", subject.id)):
        instance = node.state_store.instances.get(subject.id)
        if instance is not None and instance.is_wanted and instance.generation >= subject.generation:
            raise GuestArrived(subject.id)
        with node.state_store.transaction():
            arrival = node.state_store.arrivals.get(subject.id)
            if (
                arrival is not None
                and arrival.is_held
                and migration_state.is_handed_over(arrival.spec, hypervisor.state(subject.id))
            ):
                raise GuestArrived(subject.id)
            before = node.state_store.arrivals.begin_removal(subject)
        if before is None or not before.is_held:
            return False
        _turn_away(node, subject.id)
        metadata.withdraw(node, subject.id)
        with node.state_store.transaction():
            node.state_store.forget_user(subject.id)
            node.state_store.arrivals.finish_removal(subject.id)
    return True


def restore(node: Node) -> None:
    """Restore expected guests at the agent's start, for as long as their permits are valid."""
    for entry in node.state_store.arrivals.held():
        instance_id = UUID(entry.id)
        opening = node.permits.receipts.opening("arrival", instance_id)
        until = node.permits.admission.expiry(opening.jti) if opening is not None else None
        if not entry.is_wanted or until is None or until <= node.permits.clock.now():
            continue
        guest = instances.guest_spec(
            node, instance_id, entry.spec.instance, migration_state.incoming_attachments(entry.spec, instance_id)
        )
        try:
            _expect(node, guest, entry.spec, until)
        except AdapterError as exc:  # the call that is repeated finds the same, or no more
            log.warning("expected guest not restored", extra={"facts": {"id": instance_id, "problem": exc.message}})


def _expect(node: Node, guest: GuestSpec, spec: IncomingSpec, until: datetime) -> str:
    is_off = spec.instance.power is not Power.RUNNING
    uri = node.adapters.migrations.expect(guest, spec.source.certificate_sha256, is_off=is_off)
    node.permits.starts.expect(guest, until)
    return uri


def _uses(spec: IncomingSpec) -> list[tuple[str, UUID | str]]:
    plugged = [("volume", each.volume_id) for each in spec.plugged]
    return [*instances.uses(spec.instance), *plugged]


def _check_copied(node: Node, spec: IncomingSpec) -> None:
    for each in spec.plugged:
        if each.is_read_only and not volumes.is_shared(node, each.volume_id):
            raise NotMigratable(
                f"Volume {each.volume_id} is attached read-only and cannot be migrated. Detach it first."
            )


def _check_free(node: Node, instance_id: UUID, spec: IncomingSpec) -> None:
    for volume_id in (spec.instance.root_volume_id, *(each.volume_id for each in spec.plugged)):
        volumes.check_free(node, volume_id, but_for=instance_id)
    for attachment in migration_state.incoming_attachments(spec, instance_id).values():
        volumes.check_sharing(node, attachment)
    for port_id in spec.instance.port_ids:
        ports.check_free(node, port_id, but_for=instance_id)


def _turn_away(node: Node, instance_id: UUID) -> None:
    node.permits.starts.end(instance_id)
    node.adapters.migrations.refuse(instance_id)
    node.adapters.hypervisor.power_off(instance_id)
    node.adapters.hypervisor.undefine(instance_id)
    node.adapters.disks.remove_instance_files(instance_id)
