"""Mirrors of a fake node: what guests write is counted by disk, and a mirror takes the count over."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID

from agents.node.adapters.interfaces import GuestDisk, Power
from agents.node.adapters.mirrors import Mirrored, MirrorPhase, MirrorState
from agents.node.errors import AdapterError, VolumeKeyMissing

if TYPE_CHECKING:
    from agents.node.adapters.fake import FakeNode

RUNS = (Power.RUNNING, Power.PAUSED)


@dataclass(slots=True)
class FakeMirror:
    """A block copy in the memory of the guest's process: it ends with it. `starts`: of the guest, when it began."""

    mirrored: Mirrored
    starts: int
    max_bytes_per_s: int


class FakeMirrors:
    """Mirrors, and what guests write.

    While they are `lagging`, the targets are not ready; while `hanging`, no pivot ends. `written`: how often guests
    wrote to each disk, by its source; -1: the disk is half copied. `forgotten`: volumes of whose pivots the hypervisor
    knows nothing.
    """

    def __init__(self, node: FakeNode) -> None:
        self._node = node
        self.jobs: dict[UUID, FakeMirror] = {}
        self.is_lagging, self.is_hanging = False, False
        self.written: dict[str, int] = {}
        self.forgotten: set[UUID] = set()

    def write(self, guest_id: UUID, volume_id: UUID) -> None:
        """Have the running guest write to the disk."""
        with self._node.call("write"):
            guest = self._node.guests[guest_id]
            if guest.running is None or guest.power is not Power.RUNNING:
                raise ValueError("The guest does not run.")
            (source,) = [disk.source for disk in guest.running.disks if disk.volume_id == volume_id]
            self.written[source] = self.written.get(source, 0) + 1

    def content(self, guest_id: UUID, volume_id: UUID) -> int:
        """Return how often the disk that the running guest has was written."""
        running = self._node.guests[guest_id].running
        assert running is not None
        (source,) = [disk.source for disk in running.disks if disk.volume_id == volume_id]
        return self.written.get(source, 0)

    def take_target(self, mirrored: Mirrored) -> None:
        """Let the guest go on with the target of the mirror, which has all that the source has."""
        guest = self._node.guests[mirrored.guest_id]
        assert guest.running is not None
        guest.running = replace(guest.running, disks=with_target(guest.running.disks, mirrored))
        self.written[mirrored.target.source] = self.written.get(mirrored.source.source, 0)
        del self.jobs[mirrored.source.volume_id]

    def state(self, mirrored: Mirrored) -> MirrorState:
        with self._node.call("mirror_state"):
            return self._state(mirrored)

    def process_has_target(self, mirrored: Mirrored) -> bool:
        with self._node.call("process_has_target"):
            running = self._node.guests[mirrored.guest_id].running
            return running is not None and mirrored.target.source in {disk.source for disk in running.disks}

    def begin(self, mirrored: Mirrored, *, max_bytes_per_s: int) -> None:
        with self._node.call("mirror_disk"):
            if self._state(mirrored).phase is not MirrorPhase.NONE:
                raise AdapterError("The guest does not run with the source alone.", retryable=True)
            if mirrored.target.rbd is not None and mirrored.target.volume_id not in self._node.opened:
                raise VolumeKeyMissing(mirrored.target.volume_id)
            starts = self._node.guests[mirrored.guest_id].starts
            self.jobs[mirrored.source.volume_id] = FakeMirror(mirrored, starts, max_bytes_per_s)
            self._node.copied[mirrored.source.volume_id] = max_bytes_per_s
            self.written[mirrored.target.source] = -1

    def limit(self, mirrored: Mirrored, max_bytes_per_s: int) -> None:
        with self._node.call("limit_mirror"):
            self.jobs[mirrored.source.volume_id].max_bytes_per_s = max_bytes_per_s

    def pivot(self, mirrored: Mirrored) -> None:
        with self._node.call("pivot_disk"):
            if self._state(mirrored).phase is not MirrorPhase.READY:
                raise AdapterError("The mirror is not ready.", retryable=True)
            if not self.is_hanging:
                self.take_target(mirrored)

    def abort(self, mirrored: Mirrored) -> None:
        with self._node.call("abort_mirror"):
            if self._state(mirrored).phase is MirrorPhase.PIVOTED:
                raise AdapterError("The guest has the copy by now.", retryable=False)
            self.jobs.pop(mirrored.source.volume_id, None)

    def _state(self, mirrored: Mirrored) -> MirrorState:
        guest, volume_id = self._node.guests.get(mirrored.guest_id), mirrored.source.volume_id
        if guest is None or guest.running is None or guest.power not in RUNS:
            self.jobs.pop(volume_id, None)
            return MirrorState(MirrorPhase.GONE)
        sources = {disk.source for disk in guest.running.disks}
        if volume_id in self.forgotten:
            return MirrorState(MirrorPhase.NONE)
        if mirrored.target.source in sources:
            return MirrorState(MirrorPhase.PIVOTED)
        if mirrored.source.source not in sources:
            return MirrorState(MirrorPhase.GONE)
        mirror = self.jobs.get(volume_id)
        if mirror is None or mirror.starts != guest.starts:
            return MirrorState(MirrorPhase.NONE)
        if self.is_lagging:
            return MirrorState(MirrorPhase.COPYING, 100, 40)
        return MirrorState(MirrorPhase.READY, 100, 100)


def with_target(disks: tuple[GuestDisk, ...], mirrored: Mirrored) -> tuple[GuestDisk, ...]:
    """Return the disks with the target in place of the source. Limits stay those of the plugged disk."""
    return tuple(
        replace(mirrored.target, is_read_only=disk.is_read_only, limits=disk.limits)
        if disk.source == mirrored.source.source
        else disk
        for disk in disks
    )
