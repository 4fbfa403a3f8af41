"""The interface of mirrors: copies of disks that running guests have open."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from agents.node.adapters.interfaces import GuestDisk


class MirrorPhase(StrEnum):
    """GONE: the guest does not run, or has neither of the disks. NONE: it has the source, without a mirror.

    READY: the target follows the source. ENDING: the mirror is being ended, in whatever way. PIVOTED: the guest has
    the target in place of the source.
    """

    GONE = "gone"
    NONE = "none"
    COPYING = "copying"
    READY = "ready"
    ENDING = "ending"
    PIVOTED = "pivoted"


@dataclass(frozen=True, slots=True)
class MirrorState:
    phase: MirrorPhase
    total_bytes: int = 0
    moved_bytes: int = 0

    @property
    def missing_bytes(self) -> int:
        """Return how much the target lacks now."""
        return max(0, self.total_bytes - self.moved_bytes)

    @property
    def is_level(self) -> bool:
        """Return whether the target has all that the source has; what the guest writes now is not in it yet."""
        return self.phase is MirrorPhase.READY and not self.missing_bytes


@dataclass(frozen=True, slots=True)
class Mirrored:
    """A disk of a guest, and its mirror: the same volume in two places."""

    guest_id: UUID
    source: GuestDisk
    target: GuestDisk


class Mirrors(Protocol):
    """Every method may be repeated; failures are AdapterError."""

    def state(self, mirrored: Mirrored) -> MirrorState:
        """Return the state, as the running guest has it, not its definition.

        Raises:
            AdapterError: the disk is mirrored to another target.
        """

    def process_has_target(self, mirrored: Mirrored) -> bool:
        """Return whether the process of the running guest has the target, and not the source.

        It is asked past the hypervisor, which may have been interrupted before it took note of a pivot.

        Raises:
            AdapterError: the process does not answer, or has neither of them.
        """

    def begin(self, mirrored: Mirrored, *, max_bytes_per_s: int) -> None:
        """Begin to mirror the disk to the target, which exists and is overwritten whole. `max_bytes_per_s` 0: no limit.

        Raises:
            VolumeKeyMissing: of the target in a Ceph cluster.
        """

    def limit(self, mirrored: Mirrored, max_bytes_per_s: int) -> None:
        """Change the limit of a mirror that is there; 0: none."""

    def pivot(self, mirrored: Mirrored) -> None:
        """Request that the guest gets the target in place of the source; `state` says when it has it.

        The target is flushed by then. Only a mirror that is ready can pivot.
        """

    def abort(self, mirrored: Mirrored) -> None:
        """End the mirror; the guest keeps the source. Return when the target is closed.

        Raises:
            AdapterError: it has pivoted, or does not end yet.
        """
