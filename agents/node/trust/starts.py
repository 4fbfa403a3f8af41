"""Which guests libvirt may start at this moment: those that the agent is starting or that are expected from
another node, while the permit for it holds."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from agents.node.trust.clock import Clock

# A guest that KVM gives up in its first seconds is started once more by the agent, as an emulated one.
KVM_AFTERMATH = timedelta(seconds=15)
NONE = timedelta(0)
# What libvirt asks about one start, and about one guest that comes from another node.
START = ("prepare", "start")
ARRIVAL = ("migrate", "prepare", "start")


@dataclass(frozen=True, slots=True)
class Shape:
    """What a permit says of a guest and libvirt's XML shows: `disks` are the places where they come from, sorted."""

    vcpus: int
    memory_kib: int
    disks: tuple[str, ...]


@dataclass(slots=True)
class _Leave:
    """`attempts`: how many more starts may begin, each with all of `questions`, in their order; `due`: those that are
    still to come in one that has begun."""

    shape: Shape
    until: datetime
    attempts: int
    questions: tuple[str, ...] = START
    due: tuple[str, ...] = ()


class Starts:
    """Kept in memory alone: an agent that was killed is not starting anything. Safe for use by many threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._leaves: dict[UUID, _Leave] = {}
        self._lock = threading.Lock()

    @contextmanager
    def allow(
        self, instance_id: UUID, until: datetime | None, shape: Shape, *, aftermath: timedelta = NONE
    ) -> Iterator[None]:
        """Leave to start the guest of that shape, for who holds its lock: once within the block, and once more there or
        for `aftermath` if it succeeds, but no longer than `until`. None: no leave at all.
        """
        if until is not None:
            with self._lock:
                self._leaves[instance_id] = _Leave(shape, until, attempts=2 if aftermath else 1)
        try:
            yield
        except BaseException:
            self.end(instance_id)
            raise
        with self._lock:
            leave = self._leaves.get(instance_id)
            if leave is not None:
                leave.until = min(leave.until, self._clock.now() + aftermath)

    def expect(self, instance_id: UUID, until: datetime, shape: Shape) -> None:
        """Leave for the guest to come from another node, once, and to begin with that no later than `until`."""
        with self._lock:
            self._leaves[instance_id] = _Leave(shape, until, attempts=1, questions=ARRIVAL)

    def end(self, instance_id: UUID) -> None:
        with self._lock:
            self._leaves.pop(instance_id, None)

    def end_all(self) -> None:
        with self._lock:
            self._leaves.clear()

    def use(self, instance_id: UUID, operation: str, shape: Shape) -> str | None:
        """None if libvirt may go on with this start, and then that is used up; else the reason against it."""
        with self._lock:
            leave = self._leaves.get(instance_id)
            if leave is None or self._clock.now() >= leave.until:
                return f"The agent is not starting instance {instance_id}: no permit is in force for it."
            if leave.shape != shape:
                return f"Instance {instance_id} has other disks, memory or vCPUs than the agent defined."
            if operation == leave.questions[0] and leave.attempts > 0:
                leave.attempts, leave.due = leave.attempts - 1, leave.questions[1:]
                return None
            if leave.due and operation == leave.due[0]:
                leave.due = leave.due[1:]
                return None
        return f"The agent has not begun another start of instance {instance_id}."
