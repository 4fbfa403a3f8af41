"""Outgoing migrations: move a guest to another node, in the background of the calls that ask for its status.

The outcome of a migration is in the state store, so a status call may be repeated. A restarted agent finds the
migration again while the hypervisor continues it; otherwise the guest shows how it ended: it is here, or it is gone.

A guest that is off moves the same way: the hypervisor brings it up paused, so that its disks can be sent, and it is
shut down again at the destination or here. It runs no instruction, and is reported as off.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from agents.node.adapters.interfaces import Power
from agents.node.adapters.migrations import MigrationOptions, MigrationPhase, MigrationProgress, MigrationTarget
from agents.node.context import Node
from agents.node.errors import (
    AdapterError,
    AgentStopping,
    Conflict,
    GuestMigrated,
    GuestNotRunning,
    HypervisorUnavailable,
    NotFound,
    NotMigratable,
)
from agents.node.services import freezes, instances, migration_state, stop_receipts, volumes
from agents.node.specs import OutgoingSpec, Subject
from agents.node.state_store import Migration

log = logging.getLogger(__name__)

KIND, CALL = "departure", "EnsureDeparture"
POLL_INTERVAL_S = 0.5
CANCEL_WITHIN_S = 15.0
CLOSE_WITHIN_S = 10.0
NOTHING = MigrationProgress()
CANCELLED, LATE = "The migration was cancelled.", "The deadline of the move has passed."
LAPSED = "The permit of the move has expired and was not renewed."
INTERRUPTED = "The agent or the hypervisor was restarted while the guest was on its way."


@dataclass(frozen=True, slots=True)
class OutgoingStatus:
    id: UUID
    migration: Migration


class OutgoingMigrations:
    """All migrations from this node, each in a thread of its own."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._threads: dict[UUID, threading.Thread] = {}
        self._to_end: dict[UUID, str] = {}  # why a move is being broken off
        self._shown: dict[UUID, bytes] = {}  # the permit that was last shown for it
        self._lock = threading.Lock()
        self._is_closed = threading.Event()

    def accept(self, subject: Subject, spec: OutgoingSpec, *, deadline_s: int) -> OutgoingStatus:
        """Record that the guest is to move; `begin` starts the migration. A repeated call returns the status.

        Raises:
            NotFound, GuestNotRunning, GuestFrozen
            NotMigratable: a part of the guest cannot move, or the guest is not off as requested.
        """
        node = self._node
        with node.locks.hold(("instance", subject.id)):
            move = node.state_store.migration(subject.id)
            is_known = move is not None and move.generation == subject.generation
            if not is_known:
                freezes.check_not_frozen(node, subject.id)
                self._check_movable(subject, spec)
            with node.state_store.transaction():
                node.state_store.departures.accept(subject, spec, uses=())
                if not is_known:
                    freezes.check_not_frozen(node, subject.id)
                    ends_at = int(time.time()) + deadline_s
                    node.state_store.record_migration(
                        subject.id, Migration(subject.generation, MigrationPhase.RUNNING, ends_at)
                    )
        return self.status(subject.id)

    def is_known(self, subject: Subject) -> bool:
        """Return whether the migration was requested and permitted: only its status is left to report."""
        move, entry = self._node.state_store.migration(subject.id), self._node.state_store.departures.get(subject.id)
        return move is not None and move.generation == subject.generation and entry is not None and entry.is_wanted

    def is_renewed(self, subject: Subject, document: bytes) -> bool:
        """Return whether the call brings another permit than before while the migration goes on."""
        move = self._node.state_store.migration(subject.id)
        if not document or move is None or move.phase is not MigrationPhase.RUNNING:
            return False
        with self._lock:
            before, self._shown[subject.id] = self._shown.get(subject.id), document
        return before != document

    def begin(self, instance_id: UUID) -> None:
        """Start the migration unless it has started."""
        entry, move = self._node.state_store.departures.get(instance_id), self._node.state_store.migration(instance_id)
        if entry is None or not entry.is_wanted or move is None or move.phase is not MigrationPhase.RUNNING:
            return
        spec = entry.spec
        self._follow(instance_id, move, lambda: self._send(instance_id, move, spec))

    def status(self, instance_id: UUID) -> OutgoingStatus:
        """Return the status of the migration.

        Raises:
            NotFound: no migration of this guest was requested.
        """
        move = self._node.state_store.migration(instance_id)
        if move is None:
            raise NotFound(KIND, instance_id)
        if move.phase is MigrationPhase.RUNNING:
            progress = self._progress(instance_id)
            move = replace(move, total_bytes=progress.total_bytes, moved_bytes=progress.moved_bytes)
        return OutgoingStatus(instance_id, move)

    def _progress(self, instance_id: UUID) -> MigrationProgress:
        """Return the progress; a failure to read it does not affect the migration."""
        try:
            return self._node.adapters.migrations.progress(instance_id) or NOTHING
        except AdapterError:
            return NOTHING

    def remove(self, subject: Subject) -> bool:
        """Cancel the migration and wait for its end; False when there was none.

        Raises:
            GuestMigrated: too late.
            AdapterError: the hypervisor takes its time; try again.
        """
        move = self._node.state_store.migration(subject.id)
        if move is not None and move.generation == subject.generation:
            if move.phase is MigrationPhase.RUNNING:
                move = self._broken_off(subject.id)
            if move.phase is MigrationPhase.COMPLETED:
                raise GuestMigrated(subject.id)
        with self._node.locks.hold(("instance", subject.id)):
            before = self._node.state_store.departures.begin_removal(subject)
            if before is None or not before.is_held:
                return False
            self._node.state_store.departures.finish_removal(subject.id)
        return True

    def restore(self) -> None:
        """Determine the outcome of migrations that an earlier agent began, at the agent's start."""
        for instance_id in self._node.state_store.migrations(MigrationPhase.RUNNING):
            self._restore(instance_id)

    def close(self) -> None:
        """Stop following the migrations at the agent's end. Those that the hypervisor continues by itself go on."""
        self._is_closed.set()
        self._node.adapters.migrations.close()
        with self._lock:
            threads = list(self._threads.values())
        for thread in threads:
            thread.join(CLOSE_WITHIN_S)

    def _restore(self, instance_id: UUID) -> None:
        move = self._node.state_store.migration(instance_id)
        if move is not None:
            self._follow(instance_id, move, lambda: self._determine_outcome(instance_id, move, INTERRUPTED))

    def _check_movable(self, subject: Subject, spec: OutgoingSpec) -> None:
        node = self._node
        entry = node.state_store.instances.require(subject.id)
        if subject.generation < entry.generation:
            raise Conflict(f"Instance {subject.id} runs under generation {entry.generation} by now.")
        migration_state.check_settled(node, subject.id)
        state = node.adapters.hypervisor.state(subject.id)
        power = state.power if state is not None else Power.OFF
        if spec.is_off and power not in migration_state.OFF:
            raise NotMigratable(f"Guest {subject.id} must be off for a cold migration.")
        if not spec.is_off and power is not Power.RUNNING:
            raise GuestNotRunning(subject.id)
        for each in instances.attached(node, subject.id).values():
            if each.is_read_only and not volumes.is_shared(node, each.volume_id):
                raise NotMigratable(
                    f"Volume {each.volume_id} is attached read-only and cannot be migrated. Detach it first."
                )
        if spec.is_off:
            instances.define(node, subject.id)  # from here on, one that the hypervisor does not know has left

    # ---- while it goes on

    def _follow(self, instance_id: UUID, move: Migration, until_end: Callable[[], Migration | None]) -> None:
        """Follow a migration in the background. `until_end` returns its outcome; None leaves it to the next agent."""
        arguments = (instance_id, move, until_end)
        thread = threading.Thread(target=self._run, args=arguments, name="departure", daemon=True)
        deadline = threading.Thread(
            target=self._end_in_time, args=(instance_id, thread, move), name="departure-deadline", daemon=True
        )
        with self._lock:
            if self._is_closed.is_set() or instance_id in self._threads:
                return
            self._threads[instance_id] = thread
            thread.start()
            deadline.start()

    def _run(self, instance_id: UUID, move: Migration, until_end: Callable[[], Migration | None]) -> None:
        try:
            try:
                ended = until_end()
            except Exception:
                log.exception("migration ended unexpectedly")
                ended = self._determine_outcome(instance_id, move, INTERRUPTED)
            if ended is not None:
                self._record(instance_id, ended)
        finally:
            with self._lock:
                self._threads.pop(instance_id, None)
                self._to_end.pop(instance_id, None)
                self._shown.pop(instance_id, None)

    def _send(self, instance_id: UUID, move: Migration, spec: OutgoingSpec) -> Migration | None:
        if instance_id in self._to_end:
            return self._stayed(instance_id, move, CANCELLED)
        route = MigrationTarget(spec.uri, spec.destination.certificate_sha256)
        try:
            if spec.is_off:
                self._bring_up(instance_id, move)
            sent = self._node.adapters.migrations.send(
                instance_id,
                route,
                MigrationOptions(spec.max_pause_ms, spec.convergence),
                record=lambda: self._node.state_store.record_handover(instance_id),
            )
        except AgentStopping:
            return None
        except HypervisorUnavailable:
            return self._determine_outcome(instance_id, move, INTERRUPTED)
        except AdapterError as exc:
            if spec.is_off or self._node.state_store.is_handed_over(instance_id):
                return self._determine_outcome(instance_id, move, exc.message)
            return self._stayed(instance_id, move, exc.message)
        total, moved = sent.progress.total_bytes, sent.progress.moved_bytes
        return replace(
            move, phase=MigrationPhase.COMPLETED, total_bytes=total, moved_bytes=moved, pause_ms=sent.pause_ms
        )

    def _bring_up(self, instance_id: UUID, move: Migration) -> None:
        node = self._node
        with node.locks.hold(("instance", instance_id)):
            guest = instances.define(node, instance_id)
            until = node.permits.admission.permitted_until(CALL, str(instance_id), move.generation)
            with node.permits.starts.allow(guest, until):
                node.adapters.hypervisor.bring_up(instance_id)

    def _determine_outcome(self, instance_id: UUID, move: Migration, reason: str) -> Migration | None:
        """Determine the outcome of a migration whose end was not observed, or that left the guest up.

        A guest that is paused here was not let go of: it runs nowhere else, and is resumed or shut down. `reason`: why
        it stayed.
        """
        hypervisor = self._node.adapters.hypervisor
        is_off = migration_state.is_stopped_and_migrating(self._node, instance_id)
        while not self._is_closed.is_set():
            try:
                if self._node.adapters.migrations.progress(instance_id) is None:
                    state = hypervisor.state(instance_id)
                    if state is None or self._node.state_store.is_handed_over(instance_id):
                        return replace(move, phase=MigrationPhase.COMPLETED)
                    if is_off:
                        hypervisor.power_off(instance_id)
                    elif state.power is Power.PAUSED:
                        hypervisor.start(instance_id)
                    return self._stayed(instance_id, move, reason)
            except AdapterError as exc:
                log.warning("migration outcome unknown", extra={"facts": {"id": instance_id, "problem": exc.message}})
            self._is_closed.wait(POLL_INTERVAL_S)
        return None

    def _stayed(self, instance_id: UUID, move: Migration, reason: str) -> Migration:
        with self._lock:
            outgoing = self._to_end.get(instance_id)
        if outgoing is not None:
            return replace(move, phase=MigrationPhase.CANCELLED, reason=outgoing)
        return replace(move, phase=MigrationPhase.FAILED, reason=reason)

    def _record(self, instance_id: UUID, ended: Migration) -> None:
        node = self._node
        facts = {"id": instance_id, "phase": ended.phase.value, "reason": ended.reason, "pause_ms": ended.pause_ms}
        log.info("migration ended", extra={"facts": facts})
        measured = {"phase": ended.phase.value, "moved_bytes": ended.moved_bytes, "pause_ms": ended.pause_ms}
        with node.state_store.transaction():
            node.state_store.record_migration(instance_id, ended)
            node.permits.receipts.closed(KIND, instance_id, measured)
        if ended.phase is MigrationPhase.COMPLETED:
            stop_receipts.close_if_stopped(node, instance_id)

    # ---- breaking it off

    def _end_in_time(self, instance_id: UUID, thread: threading.Thread, move: Migration) -> None:
        """Cancel the migration at its deadline or when its permit ends: a guest is let go of under a valid permit
        only.
        """
        while thread.is_alive() and not self._is_closed.is_set():
            if time.time() >= move.ends_at:
                self._press(instance_id, thread, LATE)
            elif not self._is_permitted(instance_id, move):
                self._press(instance_id, thread, LAPSED)
            else:
                thread.join(POLL_INTERVAL_S)

    def _is_permitted(self, instance_id: UUID, move: Migration) -> bool:
        permits = self._node.permits
        until = permits.admission.permitted_until(CALL, str(instance_id), move.generation)
        return until is not None and permits.clock.now() < until

    def _broken_off(self, instance_id: UUID) -> Migration:
        with self._lock:
            thread = self._threads.get(instance_id)
        if thread is not None:
            self._press(instance_id, thread, CANCELLED)
        move = self._node.state_store.migration(instance_id)
        assert move is not None
        if move.phase is MigrationPhase.RUNNING:
            if thread is not None:
                raise AdapterError(f"The migration of guest {instance_id} has not ended yet.", retryable=True)
            move = replace(move, phase=MigrationPhase.CANCELLED, reason=CANCELLED)  # it had not begun
            self._record(instance_id, move)
        return move

    def _press(self, instance_id: UUID, thread: threading.Thread, reason: str) -> None:
        """Cancel repeatedly: a migration that has just begun, or is about to end, ignores the first call."""
        with self._lock:
            if self._threads.get(instance_id) is thread:
                self._to_end.setdefault(instance_id, reason)
        until = time.monotonic() + CANCEL_WITHIN_S
        while thread.is_alive() and time.monotonic() < until and not self._is_closed.is_set():
            try:
                self._node.adapters.migrations.cancel(instance_id)
            except AdapterError as exc:
                log.warning(
                    "migration cancellation failed", extra={"facts": {"id": instance_id, "problem": exc.message}}
                )
            thread.join(POLL_INTERVAL_S)
