"""Copies of volumes to other places of this node, in the background of the calls that ask for their status.

A copy is an entry of its own, with the volume's id. While it is under way, the volume stays where it is; at its end the
caller names the place whose data is erased: that of the destination, as if nothing had happened, or that of the source,
and the copy is the volume from then on. An agent that was restarted begins unfinished copies anew.

A copy that is `online` is a mirror of the disk of a running guest, and complete when the guest has it: see
volume_mirrors.py. It goes on while the agent is away, and ends with the guest's process.

Each place is the node's own folder, or a pool of a Ceph cluster, which fences nodes. A folder that other nodes reach
does not: a node that was away could write over a file of the volume there, or erase it. A copy from one cluster, or
pool, to another one has two keys: until it is the volume, that of its destination is kept apart.

A copy may also be between the own folders of two nodes, each of which has an entry. That of the destination is present
once all of the data is there and flushed; that of the source, once the destination has said so. Each names the other
node's place OTHER_NODE. After a restart of the agent neither begins anew by itself: the call is repeated.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from uuid import UUID

from agents.node.adapters.interfaces import Power
from agents.node.adapters.migrations import MigrationTarget
from agents.node.adapters.mirrors import MirrorPhase
from agents.node.adapters.storage.copying import Copying, CopyKeys
from agents.node.adapters.storage.engine import StorageEngine
from agents.node.context import Node
from agents.node.errors import (
    AdapterError,
    AgentError,
    BadRequest,
    Conflict,
    Exhausted,
    GuestPivoting,
    StaleGeneration,
    VolumeCopyHeld,
    VolumeInUse,
)
from agents.node.services import volume_mirrors, volume_transfers, volumes
from agents.node.specs import Subject, VolumeCopySpec
from agents.node.state_store import Entry, Phase

log = logging.getLogger(__name__)

STOP_WITHIN_S = 15.0
SETTLE_INTERVAL_S = 0.5
FOLLOW_INTERVAL_S = 0.2
AT_ONCE = 2  # copies of a node: each keeps its disk and its network busy
OTHER_NODE = "@node"
INTERRUPTED = "The agent was restarted while the volume was copied."


class CopyPhase(StrEnum):
    """READY: the copy of a volume that a running guest has open follows what the guest writes; `pivot` completes it."""

    RUNNING = "running"
    READY = "ready"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CopyStatus:
    id: UUID
    generation: int
    phase: CopyPhase
    total_bytes: int
    moved_bytes: int
    reason: str = ""
    uri: str = ""


@dataclass(slots=True)
class _Run:
    """A copy that is under way, or has failed: `reason`. `is_ready`: it is a mirror that follows the guest.

    `uri`: where a copy between nodes is sent.
    """

    percent: int = 0
    is_ready: bool = False
    reason: str = ""
    uri: str = ""
    stop: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    @property
    def is_alive(self) -> bool:
        return self.thread is not None and self.thread.is_alive()


class VolumeCopies:
    """All copies on this node, each in a thread of its own."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._runs: dict[UUID, _Run] = {}
        self._lock = threading.Lock()
        self._beginning = threading.Lock()
        self._closing = threading.Event()

    def ensure(self, subject: Subject, spec: VolumeCopySpec, *, keys: CopyKeys, uri: str = "") -> CopyStatus:
        """Begin the copy, unless it is under way or complete. `keys`: of the places in Ceph clusters. `uri`: of the
        other node, to which it is sent.

        Raises:
            VolumeInUse: a guest has the volume open, or may have it, and the copy is not online.
            VolumeNotOpen: the copy is online, and no guest has the volume open.
            VolumeCopyHeld: an earlier copy of the volume is complete, and may be the volume by now.
            Exhausted: as many copies as the node makes at once are under way.
            Conflict: the volume is at the destination already, or not at the source.
        """
        node = self._node
        with node.locks.hold(("volume", subject.id)):
            known = node.state_store.copies.get(subject.id)
            if known is not None and known.generation == subject.generation and self._has_pivoted(known):
                return self._status(known)
            self._check_earlier(subject)
            self._check(subject, spec)
            self._end_earlier(subject)
            with self._beginning:
                before = node.state_store.copies.get(subject.id)
                if spec.received_from is None and (before is None or before.phase is not Phase.PRESENT):
                    self._check_number(subject.id)
                node.state_store.copies.accept(subject, spec, uses=())
                entry = node.state_store.copies.require(subject.id)
                if entry.phase is not Phase.PRESENT:
                    self._keep_keys(subject.id, spec, keys)
                    self._begin(entry, uri)
        return self._status(entry)

    def statuses(self) -> list[CopyStatus]:
        return [self._status(entry) for entry in self._node.state_store.copies.held()]

    def remove(self, subject: Subject, pool: str) -> bool:
        """End the copy, and erase the data in the place of this pool; False when there is no copy.

        Raises:
            StaleGeneration: the copy is a later one, which goes on.
            Conflict: the copy is not complete, and the source would be lost; or the volume is where it would be erased.
            AdapterError: it does not stop yet, or the data cannot be erased now.
        """
        node = self._node
        with node.locks.hold(("volume", subject.id)):
            entry = node.state_store.copies.get(subject.id)
            if entry is None or not entry.is_held:
                if entry is None or entry.generation <= subject.generation:
                    node.state_store.copies.begin_removal(subject)
                    node.state_store.copies.finish_removal(subject.id)
                return False
            spec = entry.spec
            if spec.peer is not None:
                self._check_generation(subject, entry)
                self._end_transfer(subject, entry, pool)
                return True
            if pool not in (spec.source.pool, spec.destination.pool):
                raise BadRequest("pool", "is neither the source nor the destination of the copy")
            self._check_generation(subject, entry)
            if pool == spec.source.pool:
                self._become_volume(subject, entry)
            else:
                self._undo(subject, spec)
            node.state_store.copies.finish_removal(subject.id)
        with self._lock:
            self._runs.pop(subject.id, None)
        return True

    def kind(self, volume_id: UUID) -> str:
        """Return the kind of the receipts of the volume's copy."""
        entry = self._node.state_store.copies.get(volume_id)
        is_sent = entry is not None and entry.is_held and entry.spec.sent_to is not None
        return "volume-departure" if is_sent else "volume-copy"

    def pivot(self, subject: Subject, *, is_awaited: Callable[[], bool]) -> CopyStatus:
        """Let the running guest have the online copy, if it is ready. A repetition finds it complete.

        The answer FAILED: the guest has the source, or ran with it until its end. READY: it has the source, and writes
        more than the copy takes. `is_awaited` tells if the caller still waits for the answer.

        Raises:
            AdapterError: the caller gave up while another call had the locks. It may undo the copy by now.
            NotFound: there is no such copy.
            StaleGeneration
            Conflict: the copy is not online.
            GuestFrozen, GuestMigrating, GuestMigrated, GuestPivoting
        """
        node = self._node
        guest_id = volumes.user_of(node, subject.id)
        guest = (("instance", guest_id),) if guest_id is not None else ()
        with node.locks.hold(("volume", subject.id), *guest):
            entry = node.state_store.copies.require(subject.id)
            if subject.generation != entry.generation:
                raise StaleGeneration("volume-copy", subject.id, given=subject.generation, seen=entry.generation)
            if not entry.spec.is_online:
                raise Conflict(f"The copy of volume {subject.id} is not online: nothing runs with it.")
            if not is_awaited():
                raise AdapterError("The caller of the pivot does not wait for it any more.", retryable=True)
            if entry.phase is Phase.MAKING:
                self._pivot(subject.id, entry.spec)
        return self._status(node.state_store.copies.require(subject.id))

    def _pivot(self, volume_id: UUID, spec: VolumeCopySpec) -> None:
        """Pivot, or settle a pivot that was interrupted. The rest of one that is interrupted now is made up for."""
        node = self._node
        try:
            if node.state_store.pivot(volume_id) is not None:
                volume_mirrors.settle(node, volume_id)
                return
            now = volume_mirrors.state(node, volume_id, spec)
            if now.phase in (MirrorPhase.READY, MirrorPhase.PIVOTED):
                if now.missing_bytes <= volume_mirrors.NEARLY_LEVEL_BYTES:
                    volume_mirrors.pivot(node, volume_id, spec)
            elif now.phase in (MirrorPhase.GONE, MirrorPhase.NONE):
                self._give_up(volume_id, volume_mirrors.ENDED_BEFORE)
        except BaseException:
            self._settle_later(volume_id)
            raise

    def _give_up(self, volume_id: UUID, reason: str) -> None:
        with self._lock:
            run = self._runs.setdefault(volume_id, _Run())
            run.reason = run.reason or reason

    def _settle_later(self, volume_id: UUID) -> None:
        """Settle an interrupted pivot in the background: its guest is paused until then."""
        if self._node.state_store.pivot(volume_id) is not None:
            threading.Thread(target=self._settle, args=(volume_id,), name="volume-pivot", daemon=True).start()

    def _settle(self, volume_id: UUID) -> None:
        node = self._node
        while not self._closing.wait(SETTLE_INTERVAL_S):
            pivot = node.state_store.pivot(volume_id)
            if pivot is None:
                return
            try:
                with node.locks.hold(("volume", volume_id), ("instance", pivot.instance_id)):
                    volume_mirrors.settle(node, volume_id)
            except AgentError as exc:
                log.warning("pivot not settled", extra={"facts": {"id": volume_id, "problem": exc.message}})
            except Exception:
                log.exception("pivot not settled")  # the guest is paused until this succeeds

    def restore(self) -> None:
        """Begin unfinished copies anew, at the agent's start, up to AT_ONCE: callers repeat their calls for the others.

        Those without their key fail, until it comes again. Mirrors that are there go on, and interrupted pivots are
        settled.
        """
        for volume_id in self._node.state_store.pivots():
            self._settle_later(volume_id)
        unfinished = [each for each in self._node.state_store.copies.held() if each.phase is Phase.MAKING]
        for entry in [each for each in unfinished if each.spec.peer is None][:AT_ONCE]:
            self._begin(entry)

    def close(self) -> None:
        """Stop the copies at the agent's end."""
        with self._lock:
            self._closing.set()
            runs = list(self._runs)
        for volume_id in runs:
            self._stop(volume_id)
        self._node.adapters.transfers.close()

    # ---- begin

    def _check(self, subject: Subject, spec: VolumeCopySpec) -> None:
        node = self._node
        held = node.state_store.volumes.get(subject.id)
        if spec.received_from is not None:
            if held is not None and held.is_held:
                raise Conflict(f"Volume {subject.id} is on this node already.")
            return
        if held is not None and held.is_held and held.spec.pool != spec.source.pool:
            raise Conflict(f"Volume {subject.id} is not where it is to be copied from.")
        if (held is None or not held.is_wanted) and not node.adapters.disks.engine(spec.source).capabilities.is_shared:
            raise Conflict(f"Volume {subject.id} is not on this node.")
        if spec.is_online:
            volume_mirrors.check_open(node, subject.id)
            if held is None or held.generation >= subject.generation:
                raise Conflict(f"Volume {subject.id} is here under a later generation, or was never opened here.")
            return
        user = volumes.user_of(node, subject.id)
        state = node.adapters.hypervisor.state(user) if user is not None else None
        if state is not None and state.power in (Power.RUNNING, Power.PAUSED):
            raise VolumeInUse(f"Volume {subject.id} is open in instance {user}, which runs.")

    def _check_number(self, volume_id: UUID) -> None:
        with self._lock:
            others = sum(run.is_alive for each, run in self._runs.items() if each != volume_id)
        if others >= AT_ONCE:
            raise Exhausted(f"This node copies {AT_ONCE} volumes already, as many as it does at once. Try again later.")

    def _check_generation(self, subject: Subject, entry: Entry[VolumeCopySpec]) -> None:
        if subject.generation < entry.generation:
            raise StaleGeneration("volume-copy", subject.id, given=subject.generation, seen=entry.generation)

    def _check_earlier(self, subject: Subject) -> Entry[VolumeCopySpec] | None:
        """Return the earlier copy that is held, if there is one.

        Raises:
            VolumeCopyHeld: it is complete. Only its removal can tell which of its two places has the volume.
        """
        before = self._node.state_store.copies.get(subject.id)
        if before is None or not before.is_held or before.generation >= subject.generation:
            return None
        if before.phase is not Phase.MAKING:
            raise VolumeCopyHeld(subject.id)
        return before

    def _end_earlier(self, subject: Subject) -> None:
        """Undo an earlier copy whose removal never came, unless it becomes complete before it stops."""
        if self._check_earlier(subject) is None:
            return
        self._stop(subject.id)
        before = self._check_earlier(subject)
        if before is not None and before.spec.peer is not None:
            volume_transfers.end(self._node, Subject(subject.id, before.generation), before)
        elif before is not None:
            self._undo(Subject(subject.id, before.generation), before.spec)
        if before is not None:
            self._node.state_store.copies.finish_removal(subject.id)

    def _keep_keys(self, volume_id: UUID, spec: VolumeCopySpec, keys: CopyKeys) -> None:
        """Keep the keys of the places in Ceph clusters: to make such a volume on a node is to keep its key."""
        if keys.source is not None:
            source = self._node.adapters.disks.engine(spec.source, key=keys.source)
            source.create(volume_id, size_bytes=spec.size_bytes)
        if keys.target is not None:
            self._target(spec, key=keys.target).create(volume_id, size_bytes=spec.size_bytes)

    def _target(self, spec: VolumeCopySpec, *, key: bytes = b"") -> StorageEngine:
        return self._node.adapters.disks.engine(spec.destination, key=key, is_copy=spec.is_between_clusters)

    def _begin(self, entry: Entry[VolumeCopySpec], uri: str = "") -> None:
        volume_id = UUID(entry.id)
        if entry.spec.received_from is not None:
            uri = volume_transfers.expect(self._node, entry)
            with self._lock:
                self._runs[volume_id] = _Run(uri=uri)
            return
        with self._lock:
            run = self._runs.get(volume_id)
            if self._closing.is_set() or (run is not None and run.is_alive):
                return
            run = self._runs[volume_id] = _Run(uri=uri)
            run.thread = threading.Thread(target=self._run, args=(entry, run), name="volume-copy", daemon=True)
            run.thread.start()

    def _run(self, entry: Entry[VolumeCopySpec], run: _Run) -> None:
        node, volume_id, spec = self._node, UUID(entry.id), entry.spec

        def report(percent: int) -> None:
            run.percent = percent

        try:
            if spec.is_online:
                self._follow(volume_id, spec, run)
                return
            held = node.state_store.volumes.get(volume_id)
            base = volumes.base_image(node, held) if held is not None and held.is_held else None
            copying = Copying(spec.size_bytes, base, spec.max_bytes_per_s, report, run.stop.is_set)
            if spec.sent_to is not None:
                target = MigrationTarget(run.uri, spec.sent_to.certificate_sha256)
                node.adapters.transfers.send(volumes.disk(node, volume_id), target, copying)
                node.state_store.copies.confirm(volume_id)
                return
            self._target(spec).copy_from(node.adapters.disks.engine(spec.source), volume_id, copying)
            if not run.stop.is_set():
                node.state_store.copies.confirm(volume_id)
        except AgentError as exc:
            run.reason = exc.message
            log.warning("copy of the volume failed", extra={"facts": {"id": volume_id, "problem": exc.message}})
        except Exception as exc:
            run.reason = f"The copy ended unexpectedly: {exc}"
            log.exception("copy of the volume ended unexpectedly")

    def _follow(self, volume_id: UUID, spec: VolumeCopySpec, run: _Run) -> None:
        """Begin the mirror, unless it is there, and follow it until it ends, or the agent does.

        Raises:
            AgentError: the mirror has ended without a pivot.
        """
        while self._node.state_store.pivot(volume_id) is not None:  # an interrupted one is settled first
            if run.stop.wait(FOLLOW_INTERVAL_S):
                return
        volume_mirrors.begin(self._node, volume_id, spec)
        while not run.stop.wait(FOLLOW_INTERVAL_S):
            state = volume_mirrors.state(self._node, volume_id, spec)
            if state.phase is MirrorPhase.PIVOTED:
                return
            if state.phase in (MirrorPhase.GONE, MirrorPhase.NONE):
                raise AdapterError(volume_mirrors.ENDED_BEFORE, retryable=True)
            run.is_ready = state.phase is not MirrorPhase.COPYING
            run.percent = 100 * state.moved_bytes // (state.total_bytes or 1)

    # ---- status

    def _has_pivoted(self, entry: Entry[VolumeCopySpec]) -> bool:
        """Return whether the copy was online, and is the volume now."""
        held = self._node.state_store.volumes.get(entry.id)
        is_there = held is not None and held.is_held and held.spec.pool == entry.spec.destination.pool
        return entry.spec.is_online and entry.phase is Phase.PRESENT and is_there

    def _status(self, entry: Entry[VolumeCopySpec]) -> CopyStatus:
        volume_id, total = UUID(entry.id), entry.spec.size_bytes
        known = CopyStatus(volume_id, entry.generation, CopyPhase.COMPLETED, total, total)
        if entry.phase is Phase.PRESENT:
            if not entry.spec.is_online or self._has_pivoted(entry):
                return known
            # An agent of an earlier release took it for an offline copy, while the guest wrote to its source.
            return replace(known, phase=CopyPhase.FAILED, moved_bytes=0, reason=volume_mirrors.ENDED_BEFORE)
        with self._lock:
            run = self._runs.get(volume_id)
        if self._node.state_store.pivot(volume_id) is not None:
            return replace(known, phase=CopyPhase.READY)
        if run is None:
            return replace(known, phase=CopyPhase.FAILED, moved_bytes=0, reason=INTERRUPTED)
        if entry.spec.received_from is not None:
            return replace(known, phase=CopyPhase.RUNNING, moved_bytes=0, uri=run.uri)
        moved = total * run.percent // 100
        if run.is_alive or not run.reason:
            phase = CopyPhase.READY if run.is_ready else CopyPhase.RUNNING
            return replace(known, phase=phase, moved_bytes=moved)
        return replace(known, phase=CopyPhase.FAILED, moved_bytes=moved, reason=run.reason)

    # ---- end

    def _end_transfer(self, subject: Subject, entry: Entry[VolumeCopySpec], pool: str) -> None:
        """End a copy between two nodes. `pool`: of the place that is erased, as in `remove`."""
        if pool not in (OTHER_NODE, "" if entry.spec.received_from is not None else OTHER_NODE):
            raise BadRequest("pool", "is neither the source nor the destination of the copy")
        if pool == OTHER_NODE and entry.spec.received_from is not None:
            volume_transfers.become_volume(self._node, subject, entry)
        else:
            self._stop(subject.id)
            volume_transfers.end(self._node, subject, entry)
        self._node.state_store.copies.finish_removal(subject.id)
        with self._lock:
            self._runs.pop(subject.id, None)

    def _undo(self, subject: Subject, spec: VolumeCopySpec) -> None:
        """Stop the copy and erase what is there of it, unless the volume has come there later in another way."""
        node = self._node
        self._stop(subject.id)
        pivot = node.state_store.pivot(subject.id)
        if pivot is not None:
            raise GuestPivoting(pivot.instance_id)
        held = node.state_store.volumes.get(subject.id)
        is_known = held is not None and held.is_held
        if held is not None and is_known and held.spec.pool == spec.destination.pool:
            if held.generation > subject.generation:
                return
            raise Conflict(f"Volume {subject.id} is at the destination of the copy by now.")
        node.state_store.copies.begin_removal(subject)
        if spec.is_online:
            volume_mirrors.end(node, subject.id, spec)
        self._target(spec).remove(subject.id)
        if not is_known:
            node.adapters.disks.engine(spec.source).release(subject.id)

    def _become_volume(self, subject: Subject, entry: Entry[VolumeCopySpec]) -> None:
        """Let the volume be the copy, in one transaction, then erase the source.

        A repetition finds the volume there, and erases what an interrupted one has left. A volume that this node has
        removed under a later generation stays removed.
        """
        node, spec = self._node, entry.spec
        with node.state_store.transaction():
            held = node.state_store.volumes.get(subject.id)
            is_there = held is not None and held.is_held and held.spec.pool == spec.destination.pool
            is_later = held is not None and held.generation >= subject.generation
            if held is not None and held.is_wanted and is_later and not is_there:
                raise Conflict(f"Volume {subject.id} is at the source of the copy, under a later generation.")
            is_over = is_there or is_later
            if spec.is_online and not is_over:
                raise Conflict(f"No guest has the copy of volume {subject.id}: without its source it would be lost.")
            if entry.phase is not Phase.PRESENT and not is_over:
                raise Conflict(f"The copy of volume {subject.id} is not complete: without its source it would be lost.")
            node.state_store.copies.begin_removal(subject)
            if not is_over:
                node.state_store.volumes.accept(subject, volume_mirrors.spec_there(spec, held), uses=())
                node.state_store.volumes.confirm(subject.id)
        self._erase_source(subject, spec)

    def _erase_source(self, subject: Subject, spec: VolumeCopySpec) -> None:
        """Delete what is here of the source.

        Of a copy between clusters that is the volume's key: that of the copy takes its place, unless the volume has
        been opened here later, or removed.
        """
        target, source = self._target(spec), self._node.adapters.disks.engine(spec.source)
        held = self._node.state_store.volumes.get(subject.id)
        is_held = held is not None and held.is_held
        if not spec.is_between_clusters or (held is not None and is_held and held.generation == subject.generation):
            target.replace(source, subject.id)
            return
        target.remove(subject.id)
        if not is_held:
            source.remove(subject.id)

    def _stop(self, volume_id: UUID) -> None:
        with self._lock:
            run = self._runs.get(volume_id)
        if run is None or run.thread is None:
            return
        run.stop.set()
        run.thread.join(STOP_WITHIN_S)
        if run.is_alive:
            raise AdapterError(f"The copy of volume {volume_id} does not stop yet.", retryable=True)
