"""Attachments: plug a volume into an instance, at once if the guest runs, else at its next start."""

from dataclasses import dataclass
from uuid import UUID

from agents.node.adapters.interfaces import Power, disk_serial
from agents.node.context import Node
from agents.node.errors import Conflict, GuestMigrating, GuestPivoting
from agents.node.services import instances, migration_state, volumes
from agents.node.specs import AttachmentSpec, Subject
from agents.node.state_store import Entry


@dataclass(frozen=True, slots=True)
class AttachmentStatus:
    id: UUID
    generation: int
    instance_id: UUID
    volume_id: UUID
    serial: str


def ensure(node: Node, subject: Subject, spec: AttachmentSpec) -> AttachmentStatus:
    """Plug the volume in.

    Raises:
        NotFound: the instance or the volume is not on this node.
        VolumeInUse: something else has the volume.
        GuestMigrating, GuestMigrated
    """
    locks = (("attachment", subject.id), ("volume", spec.volume_id), ("instance", spec.instance_id))
    with node.locks.hold(*locks):
        with node.state_store.transaction():
            uses = [("volume", spec.volume_id), ("instance", spec.instance_id)]
            before = node.state_store.attachments.accept(subject, spec, uses=uses)
            node.state_store.instances.require(spec.instance_id)
            migration_state.check_settled(node, spec.instance_id)
            volumes.check_free(node, spec.volume_id, but_for=subject.id)
            volumes.check_sharing(node, spec)
            if before is not None and before.is_held and before.spec != spec:
                raise Conflict(f"Attachment {subject.id} keeps its instance, its volume and its mode.")
        _plug(node, spec)
        node.state_store.attachments.confirm(subject.id)
    return AttachmentStatus(
        subject.id, subject.generation, spec.instance_id, spec.volume_id, disk_serial(spec.volume_id)
    )


def remove(node: Node, subject: Subject) -> bool:
    """Unplug the volume; False when it was not plugged in.

    Raises:
        DetachPending: the guest has not let go of the disk; the volume counts as used until it has.
        GuestMigrating
    """
    with node.locks.hold(("attachment", subject.id)):
        before = node.state_store.attachments.begin_removal(subject)
        if before is None or not before.is_held:
            return False
        _unplug(node, before.spec)
        node.state_store.attachments.finish_removal(subject.id)
    return True


def status(entry: Entry[AttachmentSpec]) -> AttachmentStatus:
    spec = entry.spec
    return AttachmentStatus(
        UUID(entry.id), entry.generation, spec.instance_id, spec.volume_id, disk_serial(spec.volume_id)
    )


def _plug(node: Node, spec: AttachmentSpec) -> None:
    instances.define(node, spec.instance_id)
    if _is_pluggable(node, spec):
        node.adapters.hypervisor.plug_disk(spec.instance_id, volumes.attached_disk(node, spec))


def _unplug(node: Node, spec: AttachmentSpec) -> None:
    with node.locks.hold(("volume", spec.volume_id), ("instance", spec.instance_id)):
        if migration_state.is_moving(node, spec.instance_id):
            raise GuestMigrating(spec.instance_id)
        if node.state_store.pivots(spec.instance_id):
            raise GuestPivoting(spec.instance_id)
        if instances.is_wanted(node, spec.instance_id) and not migration_state.has_left(node, spec.instance_id):
            instances.define(node, spec.instance_id)
        if _is_pluggable(node, spec):
            node.adapters.hypervisor.unplug_disk(spec.instance_id, volumes.attached_disk(node, spec))


def _is_pluggable(node: Node, spec: AttachmentSpec) -> bool:
    state = node.adapters.hypervisor.state(spec.instance_id)
    return state is not None and state.power in (Power.RUNNING, Power.PAUSED)
