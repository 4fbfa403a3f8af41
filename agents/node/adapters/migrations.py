"""Interface of migrations, as the agent's services use it: calls and failures are as in interfaces.py."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from agents.node.adapters.interfaces import GuestSpec


class MigrationPhase(StrEnum):
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class MigrationTarget:
    """Destination of a migration: the address from its agent, and the SHA-256 of the certificate that it must show."""

    uri: str
    certificate_sha256: str


class Convergence(StrEnum):
    """Action on a guest that writes faster than it can be sent: slow the guest down, or none."""

    AUTO_CONVERGE = "auto_converge"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class MigrationOptions:
    """Options of a migration. `max_pause_ms`: the longest pause at the end; 0: the hypervisor's default."""

    max_pause_ms: int = 0
    convergence: Convergence = Convergence.AUTO_CONVERGE


@dataclass(frozen=True, slots=True)
class MigrationProgress:
    """Progress of memory and disks, as far as known."""

    total_bytes: int = 0
    moved_bytes: int = 0


@dataclass(frozen=True, slots=True)
class MigrationResult:
    """A completed migration. `pause_ms`: the duration of the guest's pause."""

    progress: MigrationProgress
    pause_ms: int


class Migrations(Protocol):
    """Migrations of running or stopped guests between this node and others.

    Wherever a migration ends, the guest runs at most once: it goes on at its destination only after its source has let
    go of it, and at its source only if it was not let go of.
    """

    def accepts_incoming(self) -> bool:
        """Return whether this node accepts guests of other nodes."""

    def expect(self, guest: "GuestSpec", certificate_sha256: str, *, is_off: bool) -> str:
        """Expect the guest from the node with that certificate. Returns the address of this node for that node.

        `is_off`: the guest is off after its arrival.

        Raises:
            AdapterError: this node takes in no guests.
        """

    def refuse(self, guest_id: UUID) -> None:
        """Stop expecting the guest. Data that has arrived stays with the hypervisor."""

    def send(
        self, guest_id: UUID, route: MigrationTarget, manner: MigrationOptions, *, record: Callable[[], None]
    ) -> MigrationResult:
        """Move the guest; returns when it runs or is paused at its destination and is gone here.

        A guest that is paused here since `bring_up` stays paused wherever it ends. `record` stores that the guest was
        handed over: it is called when the destination has all of it, its process here was killed or has ended, and the
        hypervisor has not said so yet. From then on the guest may run there, whatever this hypervisor knows of it.

        Raises:
            MigrationCancelled: by `cancel`; the guest goes on here.
            AgentStopping: `close` was called; the migration may go on, or was cancelled.
            AdapterError: it failed; the guest goes on here.
        """

    def cancel(self, guest_id: UUID) -> None:
        """Cancel the guest's migration if it is in progress and the guest was not let go of; returns at once."""

    def progress(self, guest_id: UUID) -> MigrationProgress | None:
        """Return the progress; None when the guest is not leaving this node."""

    def close(self) -> None: ...
