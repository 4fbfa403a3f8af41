"""Interface of transfers of volumes between the own folders of two nodes. Failures are as in interfaces.py."""

from collections.abc import Callable
from typing import Protocol
from uuid import UUID

from agents.node.adapters.interfaces import GuestDisk
from agents.node.adapters.migrations import MigrationTarget
from agents.node.adapters.storage.copying import Copying

Keep = Callable[[Callable[[], None]], None]
"""Called when all of a volume has arrived, with the function that gives its file its name. Raises AgentError if the
volume is not expected any more."""


class Transfers(Protocol):
    """Transfers in both directions. A volume gets its name in the folder when all of it is there and flushed."""

    def accepts_incoming(self) -> bool:
        """Return whether this node accepts volumes of other nodes."""

    def expect(self, volume_id: UUID, *, size_bytes: int, certificate_sha256: str, keep: Keep) -> str:
        """Expect the volume from the node with that certificate. Returns the address of this node for that node.

        A repetition leaves a transfer that is under way alone.

        Raises:
            AdapterError: this node accepts none.
        """

    def refuse(self, volume_id: UUID) -> None:
        """Stop expecting the volume, and delete what has arrived without being kept."""

    def send(self, disk: GuestDisk, target: MigrationTarget, copying: Copying) -> None:
        """Send the content of the disk; returns when the other node has kept it.

        Raises:
            AdapterError: it failed, or was stopped.
        """

    def close(self) -> None: ...
