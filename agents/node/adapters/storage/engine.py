"""The interface of a storage engine, for the volumes of one place."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from agents.node.adapters.interfaces import BaseImage, GuestDisk
from agents.node.adapters.storage.copying import Copying


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Facts of an engine that services decide by.

    `is_shared`: other nodes reach the data too, so that it does not travel with a guest, and this node can forget it.
    `has_clones`: a volume is a layer over a cached image of this node, which it needs from then on. `is_made_here`:
    this agent makes, grows and deletes the data; otherwise the storage agent does, and this agent keeps the key that
    opens it. `has_multi_attach`: guests of several nodes can write to a volume at once.
    """

    is_shared: bool
    has_clones: bool
    is_made_here: bool
    has_multi_attach: bool = False


class StorageEngine(Protocol):
    """Every method may be repeated; failures are AdapterError."""

    @property
    def capabilities(self) -> Capabilities: ...

    def is_available(self) -> bool:
        """Return whether the place is there now, without waiting for it."""

    def disk(self, volume_id: UUID, *, base: BaseImage | None = None, is_read_only: bool = False) -> GuestDisk:
        """Return the volume as a disk of a guest. `base`: the image that it was made from.

        Raises:
            AdapterError: this node does not have the place.
        """

    def size_bytes(self, volume_id: UUID) -> int | None:
        """Return the size that a guest sees; None when this node cannot open such a volume.

        Raises:
            AdapterError: the place is not there now.
        """

    def create(self, volume_id: UUID, *, size_bytes: int, base: BaseImage | None = None) -> None:
        """Create a volume, whole or not at all, empty or from an image. One that exists by then keeps its data.

        Where the data is not made here: keep the key of the volume, which has this size.
        """

    def key(self, volume_id: UUID) -> bytes | None:
        """Return the key that opens the volume here; None: it needs none, or this node has none."""

    def copy_from(self, source: "StorageEngine", volume_id: UUID, copying: Copying) -> None:
        """Make the volume a whole copy of the one in `source`, in place of what is here.

        It is complete and flushed at the end. What is made here is there only then; otherwise the storage agent has
        made it, and it is written in place.
        """

    def make_target(self, volume_id: UUID, *, size_bytes: int) -> None:
        """Make the volume an empty one that a running guest's disk can be mirrored to, in place of what is here.

        Where the data is not made here it is there already, and the mirror overwrites all of it.

        Raises:
            AdapterError: this place takes no copies.
        """

    def replace(self, source: "StorageEngine", volume_id: UUID) -> None:
        """Let the copy here be the volume, and delete what is made on this node of the one in `source`.

        Raises:
            AdapterError: this place takes no copies.
        """

    def grow(self, volume_id: UUID, size_bytes: int) -> None:
        """Grow a volume that no guest has open; otherwise `Hypervisor.grow_disk` does it."""

    def remove(self, volume_id: UUID) -> bool:
        """Delete what is made here of the volume; False when there was nothing."""

    def release(self, volume_id: UUID) -> None:
        """Open the volume no more. Its data stays."""
