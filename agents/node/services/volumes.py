"""Volumes: created empty or as a clone of a cached image, grown, removed."""

from dataclasses import dataclass
from pathlib import Path
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
    size_bytes: int  # 0 while it is not made yet, or its pool is not there
    attached_to: UUID | None
    pool: str = ""


def ensure(node: Node, subject: Subject, wish: VolumeWish) -> VolumeStatus:
    """Make the volume exist and be as large as wished, also under a running guest. One that another node has made in a
    pool is taken over as it is.

    Raises:
        AdapterError: it is to be taken over, and is not there; or it was there, and has vanished.
        VolumeWouldShrink: it is larger already, or its image is.
        NotFound: its image is not in the cache.
        GuestMoving, GuestMoved: the guest that uses it is on its way, or has left.
    """
    with node.locks.hold(("volume", subject.id)):
        size = node.adapters.disks.volume_size_bytes(subject.id, wish.pool)
        with node.ledger.transaction():
            before = node.ledger.volumes.accept(subject, wish, uses=_uses(wish))
            base = None if wish.pool and size is not None else _base(node, wish)
            _check_change(wish, before, base)
        if size is None:
            _create(node, subject.id, wish, before, base)
        elif size < wish.size_bytes:
            _grow(node, subject.id, wish)
        elif size > wish.size_bytes:
            raise VolumeWouldShrink(f"Volume {subject.id} has {size} bytes, more than {wish.size_bytes}.")
        node.ledger.volumes.confirm(subject.id)
        return VolumeStatus(subject.id, subject.generation, wish.size_bytes, user_of(node, subject.id), wish.pool)


def remove(node: Node, subject: Subject, pool: str = "") -> bool:
    """Delete the volume's data; False when there was none. Refused while an instance uses it. `pool`: where its file
    is, also of a volume that this node never had open."""
    with node.locks.hold(("volume", subject.id)):
        before = _begin_removal(node, subject)
        if before is not None and before.is_held:
            pool = before.wish.pool
        was_present = node.adapters.disks.remove_volume(subject.id, pool)
        node.ledger.volumes.finish_removal(subject.id)
        return was_present


def forget(node: Node, subject: Subject) -> bool:
    """The volume, whose file is in a pool, is this node's to open no more; False when it was not. The file stays.

    Raises:
        VolumeInUse: an instance of this node uses it.
        Conflict: its only file is on this node.
    """
    with node.locks.hold(("volume", subject.id)):
        entry = node.ledger.volumes.get(subject.id)
        if entry is not None and entry.is_held and not entry.wish.pool:
            raise Conflict(f"Volume {subject.id} is in no pool: forgotten here, it would be lost.")
        before = _begin_removal(node, subject)
        node.ledger.volumes.finish_removal(subject.id)
        return before is not None and before.is_held


def _begin_removal(node: Node, subject: Subject) -> Entry[VolumeWish] | None:
    with node.ledger.transaction():
        before = node.ledger.volumes.begin_removal(subject)
        user = user_of(node, subject.id)
        if user is not None:
            raise VolumeInUse(f"Volume {subject.id} is plugged into instance {user}.")
    return before


def status(node: Node, entry: Entry[VolumeWish]) -> VolumeStatus:
    volume_id, pool = UUID(entry.id), entry.wish.pool
    is_there = not pool or pool in {each.name for each in node.adapters.disks.pools()}
    size = node.adapters.disks.volume_size_bytes(volume_id, pool) if is_there else None
    return VolumeStatus(volume_id, entry.generation, size or 0, user_of(node, volume_id), pool)


def path(node: Node, volume_id: UUID) -> Path:
    """Where a volume's file is that this node was told of.

    Raises:
        AdapterError: its pool is not there.
    """
    return node.adapters.disks.volume_path(volume_id, pool_of(node, volume_id))


def disk(node: Node, volume_id: UUID, *, is_read_only: bool = False) -> GuestDisk:
    """The volume as a guest has it. One without an image, and each in a pool, is no layer.

    Raises:
        AdapterError: its pool is not there.
    """
    file, entry = path(node, volume_id), node.ledger.volumes.get(volume_id)
    if entry is None or not entry.is_held or not _uses(entry.wish):
        return GuestDisk(volume_id, file, is_read_only)
    sha256 = entry.wish.image_sha256
    image = node.ledger.images.wanted(sha256).wish
    return GuestDisk(volume_id, file, is_read_only, node.adapters.disks.image_path(sha256), image.format)


def pool_of(node: Node, volume_id: UUID) -> str:
    """Name of the pool that has it; empty: the node's own folder does."""
    entry = node.ledger.volumes.get(volume_id)
    return entry.wish.pool if entry is not None and entry.is_held else ""


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
    """In a pool it is a whole copy, which needs its image no more."""
    return [("image", wish.image_sha256)] if wish.image_sha256 and not wish.pool else []


def _base(node: Node, wish: VolumeWish) -> CachedImage | None:
    return node.ledger.images.wanted(wish.image_sha256).wish if wish.image_sha256 else None


def _check_change(wish: VolumeWish, before: Entry[VolumeWish] | None, base: CachedImage | None) -> None:
    if before is not None and before.phase is Phase.PRESENT:
        if before.wish.pool != wish.pool:
            raise Conflict(f"Volume {before.id} stays in the pool, or on the node, where it is.")
        if before.wish.image_sha256 != wish.image_sha256 and not wish.pool:
            raise Conflict(f"Volume {before.id} keeps the image that it was made from.")
    if base is not None and base.virtual_size_bytes > wish.size_bytes:
        raise VolumeWouldShrink(f"The image has {base.virtual_size_bytes} bytes, more than {wish.size_bytes}.")


def _create(
    node: Node, volume_id: UUID, wish: VolumeWish, before: Entry[VolumeWish] | None, base: CachedImage | None
) -> None:
    if wish.is_taken_over or (before is not None and before.phase is Phase.PRESENT):
        # An empty disk in its place would look to the guest as if its data had been erased.
        where = f"pool {wish.pool!r}" if wish.pool else "this node"
        raise AdapterError(f"The data of volume {volume_id} has vanished from {where}.", retryable=False)
    image = BaseImage(wish.image_sha256, base.format) if base is not None else None
    node.adapters.disks.create_volume(volume_id, size_bytes=wish.size_bytes, base=image, pool=wish.pool)


def _grow(node: Node, volume_id: UUID, wish: VolumeWish) -> None:
    size_bytes, pool = wish.size_bytes, wish.pool
    instance_id = user_of(node, volume_id)
    if instance_id is None:
        node.adapters.disks.grow_volume(volume_id, size_bytes, pool)
        return
    with node.locks.hold(("instance", instance_id)):
        moving.check_settled(node, instance_id)
        state = node.adapters.hypervisor.state(instance_id)
        if state is not None and state.power in (Power.RUNNING, Power.PAUSED):
            node.adapters.hypervisor.grow_disk(instance_id, disk(node, volume_id), size_bytes)
        else:
            node.adapters.disks.grow_volume(volume_id, size_bytes, pool)
