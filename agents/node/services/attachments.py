"""Attachments: a volume plugged into an instance, at once when the guest runs, else at its next start."""

from dataclasses import dataclass
from uuid import UUID

from agents.node.adapters.base import GuestDisk, Power, disk_serial
from agents.node.context import Node
from agents.node.errors import Conflict, GuestMoving
from agents.node.ledger import Entry
from agents.node.services import instances, moving, volumes
from agents.node.wishes import AttachmentWish, Subject


@dataclass(frozen=True, slots=True)
class AttachmentStatus:
    id: UUID
    generation: int
    instance_id: UUID
    volume_id: UUID
    serial: str


def ensure(node: Node, subject: Subject, wish: AttachmentWish) -> AttachmentStatus:
    """Plug the volume in.

    Raises:
        NotFound: the instance or the volume is not on this node.
        VolumeInUse: something else has the volume.
        GuestMoving, GuestMoved
    """
    locks = (("attachment", subject.id), ("volume", wish.volume_id), ("instance", wish.instance_id))
    with node.locks.hold(*locks):
        with node.ledger.transaction():
            uses = [("volume", wish.volume_id), ("instance", wish.instance_id)]
            before = node.ledger.attachments.accept(subject, wish, uses=uses)
            node.ledger.instances.wanted(wish.instance_id)
            moving.check_settled(node, wish.instance_id)
            volumes.check_free(node, wish.volume_id, but_for=subject.id)
            if before is not None and before.is_held and before.wish != wish:
                raise Conflict(f"Attachment {subject.id} keeps its instance, its volume and its mode.")
        _plug(node, wish)
        node.ledger.attachments.confirm(subject.id)
    return AttachmentStatus(
        subject.id, subject.generation, wish.instance_id, wish.volume_id, disk_serial(wish.volume_id)
    )


def remove(node: Node, subject: Subject) -> bool:
    """Unplug the volume; False when it was not plugged in.

    Raises:
        DetachPending: the guest has not let go of the disk; the volume counts as used until it has.
        GuestMoving
    """
    with node.locks.hold(("attachment", subject.id)):
        before = node.ledger.attachments.begin_removal(subject)
        if before is None or not before.is_held:
            return False
        _unplug(node, before.wish)
        node.ledger.attachments.finish_removal(subject.id)
    return True


def status(entry: Entry[AttachmentWish]) -> AttachmentStatus:
    wish = entry.wish
    return AttachmentStatus(
        UUID(entry.id), entry.generation, wish.instance_id, wish.volume_id, disk_serial(wish.volume_id)
    )


def _plug(node: Node, wish: AttachmentWish) -> None:
    instances.define(node, wish.instance_id)
    if _is_pluggable(node, wish):
        node.adapters.hypervisor.plug_disk(wish.instance_id, _disk(node, wish))


def _unplug(node: Node, wish: AttachmentWish) -> None:
    with node.locks.hold(("volume", wish.volume_id), ("instance", wish.instance_id)):
        if moving.is_moving(node, wish.instance_id):
            raise GuestMoving(wish.instance_id)
        if instances.is_wanted(node, wish.instance_id) and not moving.has_left(node, wish.instance_id):
            instances.define(node, wish.instance_id)
        if _is_pluggable(node, wish):
            node.adapters.hypervisor.unplug_disk(wish.instance_id, _disk(node, wish))


def _is_pluggable(node: Node, wish: AttachmentWish) -> bool:
    state = node.adapters.hypervisor.state(wish.instance_id)
    return state is not None and state.power in (Power.RUNNING, Power.PAUSED)


def _disk(node: Node, wish: AttachmentWish) -> GuestDisk:
    return volumes.disk(node, wish.volume_id, is_read_only=wish.is_read_only)
