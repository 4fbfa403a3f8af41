"""Volumes: created empty or as a clone of a cached image, grown, removed."""

from dataclasses import dataclass
from uuid import UUID

from agents.node.adapters.base import BaseImage, GuestDisk, Power
from agents.node.context import Node
from agents.node.errors import AdapterError, Conflict, VolumeInUse, VolumeWouldShrink
from agents.node.ledger import CachedImage, Entry, Phase
from agents.node.services import moving
from agents.node.wishes import Subject, VolumeWish


@dataclass(frozen=True, slots=True)
class VolumeStatus:
    id: UUID
    generation: int
    size_bytes: int  # 0 while it is not made yet
    attached_to: UUID | None


def ensure(node: Node, subject: Subject, wish: VolumeWish) -> VolumeStatus:
    """Make the volume exist and be as large as wished, also under a running guest.

    Raises:
        VolumeWouldShrink: it is larger already, or its image is.
        NotFound: its image is not in the cache.
        GuestMoving, GuestMoved: the guest that uses it is on its way, or has left.
    """
    with node.locks.hold(("volume", subject.id)):
        with node.ledger.transaction():
            before = node.ledger.volumes.accept(subject, wish, uses=_uses(wish))
            base = _base(node, wish)
            _check_change(wish, before, base)
        size = node.adapters.disks.volume_size_bytes(subject.id)
        if size is None:
            _create(node, subject.id, wish, before, base)
        elif size < wish.size_bytes:
            _grow(node, subject.id, wish.size_bytes)
        elif size > wish.size_bytes:
            raise VolumeWouldShrink(f"Volume {subject.id} has {size} bytes, more than {wish.size_bytes}.")
        node.ledger.volumes.confirm(subject.id)
        return VolumeStatus(subject.id, subject.generation, wish.size_bytes, user_of(node, subject.id))


def remove(node: Node, subject: Subject) -> bool:
    """Delete the volume's data; False when there was none. Refused while an instance uses it."""
    with node.locks.hold(("volume", subject.id)):
        with node.ledger.transaction():
            node.ledger.volumes.begin_removal(subject)
            user = user_of(node, subject.id)
            if user is not None:
                raise VolumeInUse(f"Volume {subject.id} is plugged into instance {user}.")
        was_present = node.adapters.disks.remove_volume(subject.id)
        node.ledger.volumes.finish_removal(subject.id)
        return was_present


def status(node: Node, entry: Entry[VolumeWish]) -> VolumeStatus:
    volume_id = UUID(entry.id)
    size = node.adapters.disks.volume_size_bytes(volume_id) or 0
    return VolumeStatus(volume_id, entry.generation, size, user_of(node, volume_id))


def user_of(node: Node, volume_id: UUID) -> UUID | None:
    """The instance whose root disk the volume is, or into which it is plugged; also one that is expected to come."""
    for kind in ("instance", "arrival"):
        for instance_id in node.ledger.users_of("volume", volume_id, kind):
            return instance_id
    for attachment_id in node.ledger.users_of("volume", volume_id, "attachment"):
        attachment = node.ledger.attachments.get(attachment_id)
        if attachment is not None and attachment.is_held:
            return attachment.wish.instance_id
    return None


def check_free(node: Node, volume_id: UUID, *, but_for: UUID) -> None:
    """The volume is here and used by nothing except the instance or attachment `but_for`."""
    node.ledger.volumes.wanted(volume_id)
    users = [
        user
        for kind in ("instance", "attachment", "arrival")
        for user in node.ledger.users_of("volume", volume_id, kind)
    ]
    for user in users:
        if user != but_for:
            raise VolumeInUse(f"Volume {volume_id} is used by {user} already.")


def _uses(wish: VolumeWish) -> list[tuple[str, UUID | str]]:
    return [("image", wish.image_sha256)] if wish.image_sha256 else []


def _base(node: Node, wish: VolumeWish) -> CachedImage | None:
    return node.ledger.images.wanted(wish.image_sha256).wish if wish.image_sha256 else None


def _check_change(wish: VolumeWish, before: Entry[VolumeWish] | None, base: CachedImage | None) -> None:
    if before is not None and before.phase is Phase.PRESENT and before.wish.image_sha256 != wish.image_sha256:
        raise Conflict(f"Volume {before.id} keeps the image that it was made from.")
    if base is not None and base.virtual_size_bytes > wish.size_bytes:
        raise VolumeWouldShrink(f"The image has {base.virtual_size_bytes} bytes, more than {wish.size_bytes}.")


def _create(
    node: Node, volume_id: UUID, wish: VolumeWish, before: Entry[VolumeWish] | None, base: CachedImage | None
) -> None:
    if before is not None and before.phase is Phase.PRESENT:
        # An empty disk in its place would look to the guest as if its data had been erased.
        raise AdapterError(f"The data of volume {volume_id} has vanished from this node.", retryable=False)
    image = BaseImage(wish.image_sha256, base.format) if base is not None else None
    node.adapters.disks.create_volume(volume_id, size_bytes=wish.size_bytes, base=image)


def _grow(node: Node, volume_id: UUID, size_bytes: int) -> None:
    instance_id = user_of(node, volume_id)
    if instance_id is None:
        node.adapters.disks.grow_volume(volume_id, size_bytes)
        return
    with node.locks.hold(("instance", instance_id)):
        moving.check_settled(node, instance_id)
        state = node.adapters.hypervisor.state(instance_id)
        if state is not None and state.power in (Power.RUNNING, Power.PAUSED):
            disk = GuestDisk(volume_id, node.adapters.disks.volume_path(volume_id))
            node.adapters.hypervisor.grow_disk(instance_id, disk, size_bytes)
        else:
            node.adapters.disks.grow_volume(volume_id, size_bytes)
