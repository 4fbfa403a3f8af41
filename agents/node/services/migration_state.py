"""Restrict calls on a guest by the state of its migration.

A guest in migration is not changed, and one that has left is not started again. An expected guest is adopted on
arrival, and never started from half-copied disks.
"""

from collections.abc import Mapping
from uuid import UUID

from agents.node.adapters.interfaces import GuestState, Power
from agents.node.adapters.migrations import MigrationPhase
from agents.node.context import Node
from agents.node.errors import GuestMigrated, GuestMigrating, GuestNotArrived, GuestPivoting
from agents.node.specs import AttachmentSpec, IncomingSpec, Subject
from agents.node.state_store import GuestProgress
from agents.node.trust import replay_guard

ON = (Power.RUNNING, Power.PAUSED)
OFF = (Power.OFF, Power.CRASHED)


# ---- at its source


def check_settled(node: Node, instance_id: UUID) -> None:
    """Check that the guest is this node's and is not in migration.

    Raises:
        GuestMigrating: it is on its way to another node.
        GuestMigrated: it runs on another node, and what is here is only what it left behind.
        GuestPivoting: which disk is its own is not settled.
    """
    if node.state_store.pivots(instance_id):
        raise GuestPivoting(instance_id)
    if is_moving(node, instance_id):
        raise GuestMigrating(instance_id)
    if has_left(node, instance_id):
        raise GuestMigrated(instance_id)


def is_moving(node: Node, instance_id: UUID) -> bool:
    move = node.state_store.migration(instance_id)
    return move is not None and move.phase is MigrationPhase.RUNNING


def has_left(node: Node, instance_id: UUID) -> bool:
    """Return whether the guest has left; true until it is removed here.

    A removed guest may return or be created again.
    """
    move, entry = node.state_store.migration(instance_id), node.state_store.instances.get(instance_id)
    if move is None or move.phase is not MigrationPhase.COMPLETED or entry is None:
        return False
    return entry.is_held and entry.generation <= move.generation


def is_stopped_and_migrating(node: Node, instance_id: UUID) -> bool:
    """Return whether the guest is off and in cold migration: its domain is paused and has never run."""
    entry = node.state_store.departures.get(instance_id)
    return entry is not None and entry.is_wanted and entry.spec.is_off and is_moving(node, instance_id)


def stopped_and_migrating(node: Node) -> frozenset[UUID]:
    """Return all guests that are off and whose domain is up only for a migration, in either direction."""
    leaving = {
        guest_id
        for guest_id in node.state_store.migrations(MigrationPhase.RUNNING)
        if is_stopped_and_migrating(node, guest_id)
    }
    coming = {
        UUID(entry.id) for entry in node.state_store.arrivals.held() if entry.spec.instance.power is not Power.RUNNING
    }
    return frozenset(leaving | coming)


# ---- at its destination


def expected_guest(node: Node, instance_id: UUID) -> IncomingSpec | None:
    entry = node.state_store.arrivals.get(instance_id)
    return entry.spec if entry is not None and entry.is_wanted else None


def incoming_attachments(spec: IncomingSpec, instance_id: UUID) -> Mapping[UUID, AttachmentSpec]:
    """Return the attachments that the guest brings."""
    return {
        each.id: AttachmentSpec(instance_id, each.volume_id, each.is_read_only, each.is_shared) for each in spec.plugged
    }


def check_arrived(node: Node, subject: Subject, *, has_left: bool) -> None:
    """Check that an expected guest has arrived.

    `has_left`: the source has let go of it, so it arrived with all of its disks; if it is not here, it was lost before
    its adoption, as in a power cut. A generation above that of the arrival proves the same, since only the destination
    receives it.

    Raises:
        GuestNotArrived: it is expected, and not here yet, or not whole.
    """
    entry = node.state_store.arrivals.get(subject.id)
    if entry is None or not entry.is_wanted or subject.generation > entry.generation:
        return
    state = node.adapters.hypervisor.state(subject.id)
    is_on_its_way = state is not None and state.is_between
    if is_on_its_way or not (has_left or _is_here(entry.spec, state)):
        raise GuestNotArrived(subject.id)


def _is_here(spec: IncomingSpec, state: GuestState | None) -> bool:
    """Return whether the domain is here as it arrived, confirmed by its source or not."""
    desired = ON if spec.instance.power is Power.RUNNING else (Power.PAUSED, Power.OFF)
    return state is not None and state.power in desired


def is_handed_over(spec: IncomingSpec, state: GuestState | None) -> bool:
    """Return whether the guest is here and let go of by its source, so that it runs or was shut down.

    A guest that is off for another reason was not handed over: the migration failed, or its node went down.
    """
    if state is None or state.is_between:
        return False
    if spec.instance.power is Power.RUNNING:
        return state.power is Power.RUNNING
    return state.power is Power.OFF and state.is_reason_known


def forget(node: Node, subject: Subject) -> None:
    """Forget the expected arrival up to this generation, within the transaction that removes the guest."""
    entry = node.state_store.arrivals.get(subject.id)
    if entry is not None and entry.is_held and entry.generation <= subject.generation:
        node.state_store.arrivals.finish_removal(subject.id)
        node.permits.receipts.closed("arrival", subject.id)
        node.adapters.migrations.refuse(subject.id)


def adopt(node: Node, instance_id: UUID) -> None:
    """Adopt the attachments of the guest, within the transaction that makes the guest this node's."""
    spec = expected_guest(node, instance_id)
    if spec is None:
        return
    attachments = incoming_attachments(spec, instance_id)
    for plugged in spec.plugged:
        used = [("volume", plugged.volume_id), ("instance", instance_id)]
        subject = Subject(plugged.id, plugged.generation)
        node.state_store.attachments.accept(subject, attachments[plugged.id], uses=used)
        node.state_store.attachments.confirm(plugged.id)
        replay_guard.record_generation(node.state_store, str(plugged.id), plugged.generation)
    has_started = spec.instance.power is Power.RUNNING
    node.state_store.record_progress(instance_id, GuestProgress(spec.instance.restart.count, has_started=has_started))
    node.state_store.arrivals.finish_removal(instance_id)
    node.permits.receipts.closed("arrival", instance_id, {"has_arrived": True})
    node.permits.starts.end(instance_id)
    node.adapters.migrations.refuse(instance_id)
