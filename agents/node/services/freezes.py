"""Freezes: a guest writes nothing for some seconds, so that snapshots of its disks are consistent, or of one moment.

Its agent freezes its file systems, or the hypervisor pauses it. A freeze is recorded before the guest is asked, and
forgotten when the guest has confirmed the thaw, was resumed or has stopped. While it is recorded, the node thaws: at a
call, when the limit has passed, when the agent stops or starts, and after a failure again and again. A guest whose
agent does not answer delays none of this for others: each freeze keeps its slot until the first attempt to thaw has
ended, and later attempts have a thread of their own.
"""

import logging
import threading
import time
from dataclasses import dataclass, field, replace
from uuid import UUID

from agents.node.adapters.interfaces import Power, guest_name
from agents.node.context import Node
from agents.node.errors import AgentError, Exhausted, GuestAgentMissing, GuestAgentSilent, GuestFrozen, GuestNotRunning
from agents.node.services import migration_state
from agents.node.services.guest_event_thread import GuestEventThread
from agents.node.specs import MAX_FREEZE_MS, FreezeLevel
from agents.node.state_store import Freeze

log = logging.getLogger(__name__)

LOCK = "guest-agent"
THAW_ANSWER_S = 3
# libvirtd has 20 threads for calls that may hang.
FREEZES_AT_ONCE = 6
STOP_WITHIN_S = 2 * THAW_ANSWER_S + 2.0
POLL_INTERVAL_S = 2.0
MAX_RETRY_S = 320.0
OFF = (Power.OFF, Power.CRASHED)


@dataclass(frozen=True, slots=True)
class ThawStatus:
    """`file_systems`: how many were thawed, as the guest reports. `was_frozen`: from the freeze up to the call."""

    file_systems: int
    was_frozen: bool


@dataclass(slots=True)
class _Retry:
    """The next attempt to thaw a guest, in seconds of the monotonic clock."""

    delay_s: float = POLL_INTERVAL_S
    at_s: float = 0.0

    def fail(self) -> None:
        self.at_s = time.monotonic() + self.delay_s
        self.delay_s = min(self.delay_s * 2, MAX_RETRY_S)


@dataclass(eq=False, slots=True)
class _Window:
    """A freeze of this process, until the first attempt to thaw has ended."""

    timer: threading.Timer = field(init=False)


class Freezes(GuestEventThread):
    """The freezes of the node's guests. Its thread thaws what is left of earlier ones."""

    def __init__(self, node: Node, *, poll_interval_s: float = POLL_INTERVAL_S) -> None:
        self._node = node
        self._slots = threading.BoundedSemaphore(FREEZES_AT_ONCE)
        self._windows: dict[UUID, _Window] = {}
        self._retries: dict[UUID, _Retry] = {}
        self._guard = threading.Lock()
        super().__init__("freezes", poll_interval_s=poll_interval_s)
        self.schedule_check(None)

    def freeze(self, instance_id: UUID, *, limit_ms: int, level: FreezeLevel = FreezeLevel.FILE_SYSTEMS) -> int:
        """Freeze the guest until `thaw`, or for `limit_ms`.

        Returns the number of its frozen file systems, as the guest says; 0 if it is paused.

        Raises:
            NotFound, GuestNotRunning, GuestMigrating, GuestMigrated
            GuestAgentMissing, GuestAgentSilent, GuestAgentRefused
            GuestFrozen: an earlier freeze of the guest has not ended.
            Exhausted: as many guests as can be are frozen.
        """
        with self._node.locks.hold((LOCK, instance_id)):
            self._node.state_store.instances.require(instance_id)
            present = self._node.state_store.freeze(instance_id)
            if present is None:
                return self._begin(instance_id, limit_ms, level)
            if present.file_systems is None or is_over(present) or present.level is not level:
                raise GuestFrozen(instance_id)
            return present.file_systems

    def thaw(self, instance_id: UUID) -> ThawStatus:
        """Thaw the guest; one that is not frozen is not called.

        Raises:
            NotFound
            GuestAgentMissing, GuestAgentSilent, GuestAgentRefused: the node tries again by itself.
        """
        with self._node.locks.hold((LOCK, instance_id)):
            self._node.state_store.instances.require(instance_id)
            present = self._node.state_store.freeze(instance_id)
            if present is None:
                return ThawStatus(0, was_frozen=False)
            was_frozen = (
                present.file_systems is not None
                and not is_over(present)
                and self._is_still_paused(instance_id, present)
            )
            file_systems = self._thaw(instance_id)
            if file_systems is None:
                return ThawStatus(0, was_frozen=False)
            return ThawStatus(file_systems, was_frozen=was_frozen)

    def check(self, guest_id: UUID | None) -> None:
        for each in self._node.state_store.freezes():
            if guest_id in (None, each) and (each not in self._windows or self._is_off(each)):
                with self._node.locks.hold((LOCK, each)):
                    self._retry(each)

    def stop(self) -> None:
        """Thaw what is frozen, as far as guests answer, and stop."""
        super().stop()
        with self._guard:
            windows = dict(self._windows)
        threads = [
            threading.Thread(target=self._expire, args=(guest_id, window), daemon=True)
            for guest_id, window in windows.items()
        ]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + STOP_WITHIN_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _begin(self, instance_id: UUID, limit_ms: int, level: FreezeLevel) -> int:
        if not self._slots.acquire(blocking=False):
            raise Exhausted(f"The limit of {FREEZES_AT_ONCE} frozen guests of this node is reached. Try again later.")
        window, freeze = _Window(), Freeze(now_ms() + limit_ms, level=level)
        window.timer = threading.Timer(limit_ms / 1000, self._expire, (instance_id, window))
        window.timer.daemon = True
        with self._guard:
            self._windows[instance_id] = window
        try:
            with self._node.state_store.transaction():
                migration_state.check_settled(self._node, instance_id)
                self._node.state_store.record_freeze(instance_id, freeze)
            window.timer.start()
            return self._freeze_guest(instance_id, freeze, answer_s=limit_ms // 2000)
        except BaseException:
            self._end_soon(instance_id, window)
            raise

    def _freeze_guest(self, instance_id: UUID, freeze: Freeze, *, answer_s: int) -> int:
        """Ask the guest to freeze, or pause it, and record that. The freeze is forgotten if it surely never began."""
        hypervisor, file_systems = self._node.adapters.hypervisor, 0
        try:
            if freeze.level is FreezeLevel.EXECUTION:
                hypervisor.pause(instance_id)
            else:
                file_systems = hypervisor.freeze(instance_id, answer_s=answer_s)
        except (GuestAgentMissing, GuestNotRunning):
            self._node.state_store.forget_freeze(instance_id)
            raise
        if is_over(freeze):
            raise GuestFrozen(instance_id) if freeze.level is FreezeLevel.EXECUTION else GuestAgentSilent(instance_id)
        self._node.state_store.record_freeze(instance_id, replace(freeze, file_systems=file_systems))
        return file_systems

    def _end_soon(self, instance_id: UUID, window: _Window) -> None:
        """Thaw the guest in the background, instead of when the limit has passed: the caller waits for nothing."""
        if self._node.state_store.freeze(instance_id) is None:
            self._close(instance_id, window)
        else:
            threading.Thread(target=self._expire, args=(instance_id, window), name="thaw", daemon=True).start()

    def _expire(self, instance_id: UUID, window: _Window) -> None:
        """Thaw the guest, unless the freeze of that window has ended."""
        with self._node.locks.hold((LOCK, instance_id)):
            if self._windows.get(instance_id) is not window:
                return
            try:
                if self._node.state_store.freeze(instance_id) is not None and self._thaw(instance_id) is not None:
                    log.warning("guest thawed by the node", extra={"facts": {"guest": str(instance_id)}})
            except AgentError as exc:
                self._failed(instance_id, exc)
            except Exception:
                log.exception("guest not thawed")  # its next attempt is that of the thread
            finally:
                self._close(instance_id, window)

    def _retry(self, instance_id: UUID) -> None:
        """Thaw a guest that was frozen by an earlier process, or was not thawed by an attempt."""
        retry = self._retries.setdefault(instance_id, _Retry())
        is_due = self._is_off(instance_id) or time.monotonic() >= retry.at_s
        if self._node.state_store.freeze(instance_id) is not None and is_due:
            try:
                self._thaw(instance_id)
            except AgentError as exc:
                self._failed(instance_id, exc)

    def _failed(self, instance_id: UUID, error: AgentError) -> None:
        self._retries.setdefault(instance_id, _Retry()).fail()
        log.warning("guest not thawed", extra={"facts": {"guest": str(instance_id), "problem": error.message}})

    def _thaw(self, instance_id: UUID) -> int | None:
        """Thaw the guest and forget the freeze. Returns the number of its file systems; None: it does not run."""
        file_systems, freeze = None, self._node.state_store.freeze(instance_id)
        if not self._is_off(instance_id):
            file_systems = self._resume(instance_id, freeze)
        self._node.state_store.forget_freeze(instance_id)
        self._retries.pop(instance_id, None)
        window = self._windows.get(instance_id)
        if window is not None:
            self._close(instance_id, window)
        return file_systems

    def _resume(self, instance_id: UUID, freeze: Freeze | None) -> int:
        hypervisor = self._node.adapters.hypervisor
        if freeze is not None and freeze.level is FreezeLevel.EXECUTION:
            hypervisor.resume_domain(guest_name(instance_id))
            return 0
        return hypervisor.thaw(instance_id, answer_s=THAW_ANSWER_S)

    def _is_still_paused(self, instance_id: UUID, freeze: Freeze) -> bool:
        """Return whether a paused guest still is paused: something else may have resumed it."""
        state = self._node.adapters.hypervisor.state(instance_id)
        return freeze.level is not FreezeLevel.EXECUTION or (state is not None and state.power is Power.PAUSED)

    def _is_off(self, instance_id: UUID) -> bool:
        state = self._node.adapters.hypervisor.state(instance_id)
        return state is None or state.power in OFF

    def _close(self, instance_id: UUID, window: _Window) -> None:
        """Give back the slot of the window, once."""
        with self._guard:
            if self._windows.get(instance_id) is not window:
                return
            del self._windows[instance_id]
        window.timer.cancel()
        self._slots.release()


def check_not_frozen(node: Node, instance_id: UUID) -> None:
    """Check that the guest may leave the node. Raises GuestFrozen: the destination would not thaw it.

    A guest that was not thawed when the limit passed may leave: its agent does not answer, and its node needs it away.
    """
    freeze = node.state_store.freeze(instance_id)
    if freeze is not None and not is_over(freeze):
        raise GuestFrozen(instance_id)


def is_over(freeze: Freeze) -> bool:
    """Return whether the limit has passed. A clock that was set back ends the freeze too."""
    return not 0 < freeze.ends_at_ms - now_ms() <= MAX_FREEZE_MS


def now_ms() -> int:
    return time.time_ns() // 1_000_000
