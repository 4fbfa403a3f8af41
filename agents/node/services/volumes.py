"""Volumes: create them empty or as a clone of a cached image, grow them, remove them; by the engine of their place."""

from dataclasses import dataclass, replace
from uuid import UUID

from agents.node.adapters.interfaces import BaseImage, GuestDisk, Power
from agents.node.adapters.pools import VOLUMES
from agents.node.adapters.storage.engine import StorageEngine
from agents.node.adapters.storage.places import OWN_FOLDER, Place
from agents.node.context import Node
from agents.node.errors import AdapterError, Conflict, VolumeCopyHeld, VolumeInUse, VolumeWouldShrink
from agents.node.services import migration_state
from agents.node.specs import AttachmentSpec, Subject, VolumeSpec
from agents.node.state_store import CachedImage, Entry, Phase


@dataclass(frozen=True, slots=True)
class VolumeStatus:
    id: UUID
    generation: int
    size_bytes: int  # 0 while it is not made yet, its pool is not there, or its key
    attached_to: UUID | None
    pool: str = ""


def ensure(node: Node, subject: Subject, spec: VolumeSpec, *, key: bytes = b"") -> VolumeStatus:
    """Create the volume, or give it the requested size and limits, also under a running guest.

    A volume that another node made in a pool is taken over as it is. `key`: opens a volume that a storage agent has
    made; a repeated call replaces it.

    Raises:
        AdapterError: it is to be taken over, and is not there; or it was there, and has vanished.
        VolumeWouldShrink: it is larger already, or its image is.
        NotFound: its image is not in the cache.
        GuestMigrating, GuestMigrated: the guest that uses it is on its way, or has left.
        VolumeCopyHeld: its data is being received from another node.
    """
    with node.locks.hold(("volume", subject.id)):
        _check_received(node, subject.id)
        engine = node.adapters.disks.engine(spec.place, key=key)
        has_clones = engine.capabilities.has_clones
        size = engine.size_bytes(subject.id)
        with node.state_store.transaction():
            before = node.state_store.volumes.accept(subject, spec, uses=_uses(spec) if has_clones else [])
            base = _base(node, spec) if has_clones or size is None else None
            _check_change(spec, before, base, has_clones=has_clones)
        if size is None:
            _create(engine, subject.id, spec, before, base)
        elif size < spec.size_bytes:
            _grow(node, engine, subject.id, spec)
        elif size > spec.size_bytes:
            raise VolumeWouldShrink(
                f"Volume {subject.id} has {size} bytes and cannot shrink to {spec.size_bytes} bytes."
            )
        elif not engine.capabilities.is_made_here:
            engine.create(subject.id, size_bytes=size)  # the key may be a new one
        _limit(node, subject.id)
        node.state_store.volumes.confirm(subject.id)
        return VolumeStatus(subject.id, subject.generation, spec.size_bytes, user_of(node, subject.id), spec.pool)


def remove(node: Node, subject: Subject, pool: str = "") -> bool:
    """Delete the volume's data;

    False when there was none. Refused while an instance uses the volume. `pool`: the location of its file, also for a
    volume that this node never opened. Of a volume that a storage agent has made, only the key is deleted.

    Raises:
        VolumeInUse: an instance of this node uses it.
        VolumeCopyHeld: a copy of it has not been ended.
    """
    with node.locks.hold(("volume", subject.id)):
        before = _begin_removal(node, subject)
        place = before.spec.place if before is not None and before.is_held else Place(pool)
        was_present = node.adapters.disks.engine(place).remove(subject.id)
        node.state_store.volumes.finish_removal(subject.id)
        return was_present


def forget(node: Node, subject: Subject) -> bool:
    """Forget the volume, whose data other nodes reach too, so that this node opens it no more;

    False when it was unknown. The data stays.

    Raises:
        VolumeInUse: an instance of this node uses it.
        VolumeCopyHeld: a copy of it has not been ended.
        Conflict: its data is on this node alone.
    """
    with node.locks.hold(("volume", subject.id)):
        _check_no_copy(node, subject.id)
        engine = engine_of(node, subject.id)
        if engine is not None and not engine.capabilities.is_shared:
            raise Conflict(f"Volume {subject.id} is in no pool: forgotten here, it would be lost.")
        before = _begin_removal(node, subject)
        if engine is not None:
            engine.release(subject.id)
        node.state_store.volumes.finish_removal(subject.id)
        return before is not None and before.is_held


def _begin_removal(node: Node, subject: Subject) -> Entry[VolumeSpec] | None:
    with node.state_store.transaction():
        before = node.state_store.volumes.begin_removal(subject)
        _check_no_copy(node, subject.id)
        user = user_of(node, subject.id)
        if user is not None:
            raise VolumeInUse(f"Volume {subject.id} is attached to instance {user}.")
    return before


def _check_no_copy(node: Node, volume_id: UUID) -> None:
    copy = node.state_store.copies.get(volume_id)
    if copy is not None and copy.is_held:
        raise VolumeCopyHeld(volume_id)


def _check_received(node: Node, volume_id: UUID) -> None:
    """Check that no data of the volume is on its way here: an empty disk would take its place."""
    copy = node.state_store.copies.get(volume_id)
    if copy is None or not copy.is_held or copy.phase is Phase.PRESENT:
        return
    if copy.spec.received_from is not None:
        raise VolumeCopyHeld(volume_id)


def status(node: Node, entry: Entry[VolumeSpec]) -> VolumeStatus:
    volume_id, pool = UUID(entry.id), entry.spec.pool
    engine = node.adapters.disks.engine(entry.spec.place)
    size = engine.size_bytes(volume_id) if engine.is_available() else None
    return VolumeStatus(volume_id, entry.generation, size or 0, user_of(node, volume_id), pool)


def disk(node: Node, volume_id: UUID, *, is_read_only: bool = False) -> GuestDisk:
    """Return the volume as a disk of a guest.

    Raises:
        AdapterError: its pool is not there.
    """
    entry = node.state_store.volumes.get(volume_id)
    if entry is None or not entry.is_held:
        return node.adapters.disks.engine().disk(volume_id, is_read_only=is_read_only)
    engine, base = node.adapters.disks.engine(entry.spec.place), base_image(node, entry)
    return replace(engine.disk(volume_id, base=base, is_read_only=is_read_only), limits=entry.spec.limits)


def attached_disk(node: Node, attachment: AttachmentSpec) -> GuestDisk:
    """Return the attached volume as a disk of its guest. Raises as disk."""
    plugged = disk(node, attachment.volume_id, is_read_only=attachment.is_read_only)
    return replace(plugged, is_shareable=attachment.is_shared)


def base_image(node: Node, entry: Entry[VolumeSpec]) -> BaseImage | None:
    """Return the image that the held volume is a layer over; None: it is whole."""
    has_clones = node.adapters.disks.engine(entry.spec.place).capabilities.has_clones
    image = _base(node, entry.spec) if has_clones else None
    return BaseImage(entry.spec.image_sha256, image.format) if image is not None else None


def engine_of(node: Node, volume_id: UUID) -> StorageEngine | None:
    """Return the engine of the volume; None: this node does not know it."""
    entry = node.state_store.volumes.get(volume_id)
    return node.adapters.disks.engine(entry.spec.place) if entry is not None and entry.is_held else None


def is_shared(node: Node, volume_id: UUID) -> bool:
    """Return whether other nodes reach the data of the volume too."""
    engine = engine_of(node, volume_id)
    return engine is not None and engine.capabilities.is_shared


def has_data(node: Node, volume_id: UUID) -> bool:
    """Return whether this node can open the volume.

    Raises:
        AdapterError: its place is not there now.
    """
    engine = engine_of(node, volume_id) or node.adapters.disks.engine(OWN_FOLDER)
    return engine.size_bytes(volume_id) is not None


def folders(node: Node) -> frozenset[str]:
    """Return the folders of volumes, as they begin the sources of disks; of a Ceph cluster, the pools used here."""
    disks = node.adapters.disks
    kept = {str(disks.folder() / VOLUMES), *(str(pool.path / VOLUMES) for pool in disks.pools())}
    used = {disk(node, UUID(e.id)).source for e in node.state_store.volumes.held() if e.spec.rbd is not None}
    return frozenset(kept | {source.rpartition("/")[0] for source in used})


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


def check_sharing(node: Node, attachment: AttachmentSpec) -> None:
    """Check that guests of several nodes may write to the volume, if they are to."""
    engine = engine_of(node, attachment.volume_id)
    if attachment.is_shared and (engine is None or not engine.capabilities.has_multi_attach):
        raise Conflict(f"Volume {attachment.volume_id} has one writer at a time, and cannot be shared.")


def _uses(spec: VolumeSpec) -> list[tuple[str, UUID | str]]:
    """Return what a volume uses that is a layer over its image."""
    return [("image", spec.image_sha256)] if spec.image_sha256 else []


def _base(node: Node, spec: VolumeSpec) -> CachedImage | None:
    return node.state_store.images.require(spec.image_sha256).spec if spec.image_sha256 else None


def _check_change(
    spec: VolumeSpec, before: Entry[VolumeSpec] | None, base: CachedImage | None, *, has_clones: bool
) -> None:
    if before is not None and before.phase is Phase.PRESENT:
        if before.spec.pool != spec.pool or _rbd_image(before.spec) != _rbd_image(spec):
            raise Conflict(f"Volume {before.id} stays in the pool, or on the node, where it is.")
        if before.spec.image_sha256 != spec.image_sha256 and has_clones:
            raise Conflict(f"Volume {before.id} keeps the image that it was made from.")
    if base is not None and base.virtual_size_bytes > spec.size_bytes:
        raise VolumeWouldShrink(f"The image needs {base.virtual_size_bytes} bytes; the volume has {spec.size_bytes}.")


def _rbd_image(spec: VolumeSpec) -> tuple[str, str] | None:
    """Return the image, which stays; its cluster may get other monitors, and each opening has a client of its own."""
    return (spec.rbd.pool, spec.rbd.image) if spec.rbd is not None else None


def _create(
    engine: StorageEngine,
    volume_id: UUID,
    spec: VolumeSpec,
    before: Entry[VolumeSpec] | None,
    base: CachedImage | None,
) -> None:
    is_old = spec.is_taken_over or (before is not None and before.phase is Phase.PRESENT)
    if is_old and engine.capabilities.is_made_here:
        # An empty disk in its place would look to the guest as if its data had been erased.
        where = f"pool {spec.pool!r}" if spec.pool else "this node"
        raise AdapterError(f"The data file of volume {volume_id} is missing from {where}.", retryable=False)
    image = BaseImage(spec.image_sha256, base.format) if base is not None else None
    engine.create(volume_id, size_bytes=spec.size_bytes, base=image)


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
        if plugged.source in node.adapters.hypervisor.plugged(instance_id):
            node.adapters.hypervisor.limit_disk(instance_id, plugged)


def _grow(node: Node, engine: StorageEngine, volume_id: UUID, spec: VolumeSpec) -> None:
    size_bytes = spec.size_bytes
    instance_id = user_of(node, volume_id)
    if instance_id is None:
        engine.grow(volume_id, size_bytes)
        return
    with node.locks.hold(("instance", instance_id)):
        migration_state.check_settled(node, instance_id)
        state = node.adapters.hypervisor.state(instance_id)
        if state is not None and state.power in (Power.RUNNING, Power.PAUSED):
            node.adapters.hypervisor.grow_disk(instance_id, disk(node, volume_id), size_bytes)
            if engine.capabilities.is_made_here:
                return
        engine.grow(volume_id, size_bytes)
