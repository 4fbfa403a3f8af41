"""Volumes: create them empty or as a clone of a cached image, grow them, remove them."""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from agents.node.adapters.interfaces import NO_LIMITS, BaseImage, GuestDisk, Power
from agents.node.context import Node
from agents.node.errors import AdapterError, Conflict, VolumeInUse, VolumeWouldShrink
from agents.node.services import migration_state
from agents.node.specs import Subject, VolumeSpec
from agents.node.state_store import CachedImage, Entry, Phase


@dataclass(frozen=True, slots=True)
class VolumeStatus:
    id: UUID
    generation: int
    size_bytes: int  # 0 while it is not made yet, or its pool is not there
    attached_to: UUID | None
    pool: str = ""


def ensure(node: Node, subject: Subject, spec: VolumeSpec) -> VolumeStatus:
    """Create the volume, or give it the requested size and limits, also under a running guest.

    A volume that another node made in a pool is taken over as it is.

    Raises:
        AdapterError: it is to be taken over, and is not there; or it was there, and has vanished.
        VolumeWouldShrink: it is larger already, or its image is.
        NotFound: its image is not in the cache.
        GuestMigrating, GuestMigrated: the guest that uses it is on its way, or has left.
    """
    with node.locks.hold(("volume", subject.id)):
        size = node.adapters.disks.volume_size_bytes(subject.id, spec.pool)
        with node.state_store.transaction():
            before = node.state_store.volumes.accept(subject, spec, uses=_uses(spec))
            base = None if spec.pool and size is not None else _base(node, spec)
            _check_change(spec, before, base)
        if size is None:
            _create(node, subject.id, spec, before, base)
        elif size < spec.size_bytes:
            _grow(node, subject.id, spec)
        elif size > spec.size_bytes:
            raise VolumeWouldShrink(
                f"Volume {subject.id} has {size} bytes and cannot shrink to {spec.size_bytes} bytes."
            )
        _limit(node, subject.id)
        node.state_store.volumes.confirm(subject.id)
        return VolumeStatus(subject.id, subject.generation, spec.size_bytes, user_of(node, subject.id), spec.pool)


def remove(node: Node, subject: Subject, pool: str = "") -> bool:
    """Delete the volume's data;

    False when there was none. Refused while an instance uses the volume. `pool`: the location of its file, also for a
    volume that this node never opened.
    """
    with node.locks.hold(("volume", subject.id)):
        before = _begin_removal(node, subject)
        if before is not None and before.is_held:
            pool = before.spec.pool
        was_present = node.adapters.disks.remove_volume(subject.id, pool)
        node.state_store.volumes.finish_removal(subject.id)
        return was_present


def forget(node: Node, subject: Subject) -> bool:
    """Forget the volume, whose file is in a pool, so that this node opens it no more;

    False when it was unknown. The file stays.

    Raises:
        VolumeInUse: an instance of this node uses it.
        Conflict: its only file is on this node.
    """
    with node.locks.hold(("volume", subject.id)):
        entry = node.state_store.volumes.get(subject.id)
        if entry is not None and entry.is_held and not entry.spec.pool:
            raise Conflict(f"Volume {subject.id} is in no pool: forgotten here, it would be lost.")
        before = _begin_removal(node, subject)
        node.state_store.volumes.finish_removal(subject.id)
        return before is not None and before.is_held


def _begin_removal(node: Node, subject: Subject) -> Entry[VolumeSpec] | None:
    with node.state_store.transaction():
        before = node.state_store.volumes.begin_removal(subject)
        user = user_of(node, subject.id)
        if user is not None:
            raise VolumeInUse(f"Volume {subject.id} is attached to instance {user}.")
    return before


def status(node: Node, entry: Entry[VolumeSpec]) -> VolumeStatus:
    volume_id, pool = UUID(entry.id), entry.spec.pool
    is_there = not pool or pool in {each.name for each in node.adapters.disks.pools()}
    size = node.adapters.disks.volume_size_bytes(volume_id, pool) if is_there else None
    return VolumeStatus(volume_id, entry.generation, size or 0, user_of(node, volume_id), pool)


def path(node: Node, volume_id: UUID) -> Path:
    """Return the path of a volume that this node knows.

    Raises:
        AdapterError: its pool is not there.
    """
    return node.adapters.disks.volume_path(volume_id, pool_of(node, volume_id))


def disk(node: Node, volume_id: UUID, *, is_read_only: bool = False) -> GuestDisk:
    """Return the volume as a disk of a guest. A volume without an image, or in a pool, is no layer.

    Raises:
        AdapterError: its pool is not there.
    """
    file, entry = path(node, volume_id), node.state_store.volumes.get(volume_id)
    if entry is None or not entry.is_held or not _uses(entry.spec):
        limits = entry.spec.limits if entry is not None and entry.is_held else NO_LIMITS
        return GuestDisk(volume_id, file, is_read_only, limits=limits)
    sha256, limits = entry.spec.image_sha256, entry.spec.limits
    image = node.state_store.images.require(sha256).spec
    below = node.adapters.disks.image_path(sha256)
    return GuestDisk(volume_id, file, is_read_only, below, image.format, limits)


def pool_of(node: Node, volume_id: UUID) -> str:
    """Return the name of the pool of the volume; empty: the node's own folder."""
    entry = node.state_store.volumes.get(volume_id)
    return entry.spec.pool if entry is not None and entry.is_held else ""


def user_of(node: Node, volume_id: UUID) -> UUID | None:
    """Return the instance whose root disk the volume is, or which has it attached; also an instance that is
    expected.
    """
    for kind in ("instance", "arrival"):
        for instance_id in node.state_store.users_of("volume", volume_id, kind):
            return instance_id
    for attachment_id in node.state_store.users_of("volume", volume_id, "attachment"):
        attachment = node.state_store.attachments.get(attachment_id)
        if attachment is not None and attachment.is_held:
            return attachment.spec.instance_id
    return None


def check_free(node: Node, volume_id: UUID, *, but_for: UUID) -> None:
    """Check that the volume exists here and is used by nothing except the instance or attachment `but_for`."""
    node.state_store.volumes.require(volume_id)
    users = [
        user
        for kind in ("instance", "attachment", "arrival")
        for user in node.state_store.users_of("volume", volume_id, kind)
    ]
    for user in users:
        if user != but_for:
            raise VolumeInUse(f"Volume {volume_id} is already used by {user}.")


def _uses(spec: VolumeSpec) -> list[tuple[str, UUID | str]]:
    """Return what the volume uses. In a pool a volume is a whole copy, which needs its image no more."""
    return [("image", spec.image_sha256)] if spec.image_sha256 and not spec.pool else []


def _base(node: Node, spec: VolumeSpec) -> CachedImage | None:
    return node.state_store.images.require(spec.image_sha256).spec if spec.image_sha256 else None


def _check_change(spec: VolumeSpec, before: Entry[VolumeSpec] | None, base: CachedImage | None) -> None:
    if before is not None and before.phase is Phase.PRESENT:
        if before.spec.pool != spec.pool:
            raise Conflict(f"Volume {before.id} stays in the pool, or on the node, where it is.")
        if before.spec.image_sha256 != spec.image_sha256 and not spec.pool:
            raise Conflict(f"Volume {before.id} keeps the image that it was made from.")
    if base is not None and base.virtual_size_bytes > spec.size_bytes:
        raise VolumeWouldShrink(f"The image needs {base.virtual_size_bytes} bytes; the volume has {spec.size_bytes}.")


def _create(
    node: Node, volume_id: UUID, spec: VolumeSpec, before: Entry[VolumeSpec] | None, base: CachedImage | None
) -> None:
    if spec.is_taken_over or (before is not None and before.phase is Phase.PRESENT):
        # An empty disk in its place would look to the guest as if its data had been erased.
        where = f"pool {spec.pool!r}" if spec.pool else "this node"
        raise AdapterError(f"The data file of volume {volume_id} is missing from {where}.", retryable=False)
    image = BaseImage(spec.image_sha256, base.format) if base is not None else None
    node.adapters.disks.create_volume(volume_id, size_bytes=spec.size_bytes, base=image, pool=spec.pool)


def _limit(node: Node, volume_id: UUID) -> None:
    """Give the disk of a running guest the volume's limits. A guest that is off has them from its next start on."""
    instance_id = user_of(node, volume_id)
    guest = node.state_store.instances.get(instance_id) if instance_id is not None else None
    if instance_id is None or guest is None or not guest.is_wanted:
        return
    with node.locks.hold(("instance", instance_id)):
        state = node.adapters.hypervisor.state(instance_id)
        if state is None or state.power not in (Power.RUNNING, Power.PAUSED):
            return
        migration_state.check_settled(node, instance_id)
        plugged = disk(node, volume_id)
        if str(plugged.path) in node.adapters.hypervisor.plugged(instance_id):
            node.adapters.hypervisor.limit_disk(instance_id, plugged)


def _grow(node: Node, volume_id: UUID, spec: VolumeSpec) -> None:
    size_bytes, pool = spec.size_bytes, spec.pool
    instance_id = user_of(node, volume_id)
    if instance_id is None:
        node.adapters.disks.grow_volume(volume_id, size_bytes, pool)
        return
    with node.locks.hold(("instance", instance_id)):
        migration_state.check_settled(node, instance_id)
        state = node.adapters.hypervisor.state(instance_id)
        if state is not None and state.power in (Power.RUNNING, Power.PAUSED):
            node.adapters.hypervisor.grow_disk(instance_id, disk(node, volume_id), size_bytes)
        else:
            node.adapters.disks.grow_volume(volume_id, size_bytes, pool)
