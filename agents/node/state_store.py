"""State store of the agent, in a SQLite file: it survives a kill of the agent and a power cut of the node.

Each resource has one row with the highest generation seen. The spec is written before any action, so that a killed
agent finishes or undoes its work when the call is repeated. Phases:

    making → present → removing → removed     (an Ensure of a higher generation begins at making again)

The write-ahead log is flushed at every commit (synchronous=FULL): an agent that forgot a generation which it had
answered could let a late duplicate revive a removed guest. That costs one fsync for each change.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar
from uuid import UUID

from agents.node import codec
from agents.node.adapters.interfaces import ImageFormat
from agents.node.adapters.migrations import MigrationPhase
from agents.node.adapters.network_specs import NetworkSpec, PortSpec
from agents.node.errors import AdapterError, GenerationReused, NotFound, StaleGeneration
from agents.node.schema import MIGRATIONS, OLDEST_READER
from agents.node.specs import (
    AttachmentSpec,
    FreezeLevel,
    IncomingSpec,
    InstanceSpec,
    OutgoingSpec,
    QuarantineSpec,
    StoredDocument,
    Subject,
    VolumeCopySpec,
    VolumeSpec,
)

SELECT = "SELECT id, generation, phase, wish FROM resource"
MOVE = "generation, phase, reason, total_bytes, moved_bytes, pause_ms, ends_at"

Spec = TypeVar("Spec")
Use = tuple[str, UUID | str]


class Phase(StrEnum):
    MAKING = "making"
    PRESENT = "present"
    REMOVING = "removing"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class CachedImage:
    """Facts of an image in the cache; the spec of an image has no generation."""

    size_bytes: int
    format: ImageFormat
    virtual_size_bytes: int


@dataclass(frozen=True, slots=True)
class GuestProgress:
    """Progress of a guest.

    `has_started`: the agent started the guest and received no request to stop it since. `stop_reason`: the reason why
    the agent itself has stopped it since.
    """

    restart_count: int = 0
    has_started: bool = False
    stop_reason: str = ""


@dataclass(frozen=True, slots=True)
class Migration:
    """Progress or outcome of an outgoing migration. `ends_at`: its deadline, in seconds since 1970."""

    generation: int
    phase: MigrationPhase
    ends_at: int
    reason: str = ""
    total_bytes: int = 0
    moved_bytes: int = 0
    pause_ms: int = 0


@dataclass(frozen=True, slots=True)
class Freeze:
    """A freeze of a guest. `ends_at_ms`: in ms since 1970. `file_systems`, their number: None until it succeeds."""

    ends_at_ms: int
    file_systems: int | None = None
    level: FreezeLevel = FreezeLevel.FILE_SYSTEMS


@dataclass(frozen=True, slots=True)
class Pivot:
    """A pivot of a guest's disk. `ran`: the guest ran before it was paused for the pivot."""

    instance_id: UUID
    ran: bool


@dataclass(frozen=True)
class Entry(Generic[Spec]):
    """A row. `spec` is decoded on access; a removed resource has none."""

    id: str
    generation: int
    phase: Phase
    spec_type: type[Spec]
    spec_text: str | None

    @cached_property
    def spec(self) -> Spec:
        if self.spec_text is None:
            raise NotFound("wish of", self.id)
        kind: Any = self.spec_type
        spec: Spec = _read(kind, self.spec_text)
        return spec

    @property
    def is_held(self) -> bool:
        return self.phase is not Phase.REMOVED

    @property
    def is_wanted(self) -> bool:
        return self.phase in (Phase.MAKING, Phase.PRESENT)


@lru_cache(maxsize=4096)
def _read(kind: type[Any], text: str) -> Any:
    """Decode a spec, cached: specs never change, and those of a node's ports are read again and again."""
    return codec.loads(kind, text)


class StateStore:
    """Stores specs and progress. Safe for use by many threads: one connection, one writer at a time."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        path.chmod(0o600)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA secure_delete = ON")  # of guests that are gone, no user data stays
            self._migrate()
        except BaseException:
            self._db.close()
            raise
        self.images = Table(self, "image", CachedImage)
        self.volumes = Table(self, "volume", VolumeSpec)
        self.copies = Table(self, "volume-copy", VolumeCopySpec)
        self.ports = Table(self, "port", PortSpec)
        self.instances = Table(self, "instance", InstanceSpec)
        self.attachments = Table(self, "attachment", AttachmentSpec)
        self.arrivals = Table(self, "arrival", IncomingSpec)
        self.departures = Table(self, "departure", OutgoingSpec)
        self.networks = Table(self, "network", NetworkSpec)
        self.segments = Table(self, "segment", StoredDocument)
        self.port_lists = Table(self, "network-ports", StoredDocument)
        self.security_groups = Table(self, "security-group", StoredDocument)
        self.metadata = Table(self, "instance-metadata", StoredDocument)
        self.quarantine = Table(self, "quarantine", QuarantineSpec)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the block in one transaction; a nested transaction belongs to the outermost one."""
        with self._lock:
            if self._depth == 0:
                self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._end_transaction("ROLLBACK")
                raise
            self._end_transaction("COMMIT")

    def execute(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        with self._lock:
            return self._db.execute(statement, values).fetchall()

    def users_of(self, used_kind: str, used_id: UUID | str, user_kind: str) -> list[UUID]:
        """Return the ids of the held resources of `user_kind` that use the named one."""
        rows = self.execute(
            "SELECT user_id FROM use WHERE used_kind = ? AND used_id = ? AND user_kind = ? ORDER BY user_id",
            used_kind,
            str(used_id),
            user_kind,
        )
        return [UUID(str(user_id)) for (user_id,) in rows]

    def used_by(self, user_kind: str, user_id: UUID | str, used_kind: str) -> list[UUID]:
        """Return the ids of the resources of `used_kind` that the named one uses."""
        rows = self.execute(
            "SELECT used_id FROM use WHERE user_kind = ? AND user_id = ? AND used_kind = ? ORDER BY used_id",
            user_kind,
            str(user_id),
            used_kind,
        )
        return [UUID(str(used_id)) for (used_id,) in rows]

    def newest(self, resource_id: str) -> tuple[int, bool] | None:
        """Return the highest generation seen of a resource of any kind, and whether it is still wanted here."""
        rows = self.execute(
            "SELECT generation, phase IN ('making', 'present') FROM resource WHERE kind <> 'image' AND id = ?",
            resource_id,
        )
        return max(((int(str(generation)), bool(is_wanted)) for generation, is_wanted in rows), default=None)

    def guest_progress(self, instance_id: UUID) -> GuestProgress:
        rows = self.execute("SELECT restart_count, has_started, stop_reason FROM guest WHERE id = ?", str(instance_id))
        return GuestProgress(int(str(rows[0][0])), bool(rows[0][1]), str(rows[0][2])) if rows else GuestProgress()

    def record_progress(self, instance_id: UUID, progress: GuestProgress) -> None:
        with self.transaction():
            self.execute(
                "INSERT OR REPLACE INTO guest (id, restart_count, has_started, stop_reason) VALUES (?, ?, ?, ?)",
                str(instance_id),
                progress.restart_count,
                progress.has_started,
                progress.stop_reason,
            )

    def forget_progress(self, instance_id: UUID) -> None:
        with self.transaction():
            self.execute("DELETE FROM guest WHERE id = ?", str(instance_id))

    def guest_user(self, instance_id: UUID, candidates: Iterable[int]) -> int:
        """Return the user that the guest runs as: reserved for the guest until it is forgotten.

        Raises:
            AdapterError: other guests have all the candidates.
        """
        with self.transaction():
            row = self.execute("SELECT uid FROM guest_user WHERE id = ?", str(instance_id))
            if row:
                return int(str(row[0][0]))
            for uid in candidates:
                if not self.execute("SELECT 1 FROM guest_user WHERE uid = ?", uid):
                    self.execute("INSERT INTO guest_user (id, uid) VALUES (?, ?)", str(instance_id), uid)
                    return uid
        raise AdapterError(
            f"All user ids of this node's range are in use; none is free for guest {instance_id}.", retryable=False
        )

    def forget_user(self, instance_id: UUID) -> None:
        self.execute("DELETE FROM guest_user WHERE id = ?", str(instance_id))

    def migration(self, instance_id: UUID) -> Migration | None:
        """Return the last outgoing migration of the guest."""
        rows = self.execute(f"SELECT {MOVE} FROM departure WHERE id = ?", str(instance_id))
        return _migration_from_row(rows[0]) if rows else None

    def migrations(self, phase: MigrationPhase) -> list[UUID]:
        """Return the guests whose last outgoing migration is in that phase."""
        rows = self.execute("SELECT id FROM departure WHERE phase = ? ORDER BY id", phase.value)
        return [UUID(str(instance_id)) for (instance_id,) in rows]

    def record_migration(self, instance_id: UUID, move: Migration) -> None:
        values = (move.reason, move.total_bytes, move.moved_bytes, move.pause_ms, move.ends_at)
        with self.transaction():
            self.execute(
                f"INSERT OR REPLACE INTO departure (id, {MOVE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                str(instance_id),
                move.generation,
                move.phase.value,
                *values,
            )

    def record_handover(self, instance_id: UUID) -> None:
        """Record that the guest was handed over in its present migration."""
        with self.transaction():
            self.execute("UPDATE departure SET is_handed_over = 1 WHERE id = ?", str(instance_id))

    def is_handed_over(self, instance_id: UUID) -> bool:
        """Return whether the guest was handed over in its last migration, before the hypervisor said so."""
        rows = self.execute("SELECT is_handed_over FROM departure WHERE id = ?", str(instance_id))
        return bool(rows and rows[0][0])

    def freeze(self, instance_id: UUID) -> Freeze | None:
        rows = self.execute("SELECT ends_at_ms, file_systems, level FROM freeze WHERE id = ?", str(instance_id))
        if not rows:
            return None
        ends_at_ms, file_systems, level = rows[0]
        count = None if file_systems is None else int(str(file_systems))
        return Freeze(int(str(ends_at_ms)), count, FreezeLevel(str(level)))

    def freezes(self) -> list[UUID]:
        """Return the guests that were asked to freeze and have not been thawed since."""
        return [UUID(str(instance_id)) for (instance_id,) in self.execute("SELECT id FROM freeze ORDER BY id")]

    def record_freeze(self, instance_id: UUID, freeze: Freeze) -> None:
        with self.transaction():
            self.execute(
                "INSERT OR REPLACE INTO freeze (id, ends_at_ms, file_systems, level) VALUES (?, ?, ?, ?)",
                str(instance_id),
                freeze.ends_at_ms,
                freeze.file_systems,
                freeze.level,
            )

    def forget_freeze(self, instance_id: UUID) -> None:
        with self.transaction():
            self.execute("DELETE FROM freeze WHERE id = ?", str(instance_id))

    def pivot(self, volume_id: UUID | str) -> Pivot | None:
        """Return the pivot of the volume that was begun, and is not settled."""
        rows = self.execute("SELECT instance_id, ran FROM pivot WHERE id = ?", str(volume_id))
        return Pivot(UUID(str(rows[0][0])), bool(rows[0][1])) if rows else None

    def pivots(self, instance_id: UUID | None = None) -> list[UUID]:
        """Return the volumes whose pivots are not settled: all of them, or those of the guest."""
        rows = self.execute("SELECT id, instance_id FROM pivot ORDER BY id")
        return [UUID(str(volume_id)) for volume_id, guest in rows if instance_id is None or guest == str(instance_id)]

    def record_pivot(self, volume_id: UUID, pivot: Pivot) -> None:
        with self.transaction():
            self.execute(
                "INSERT INTO pivot (id, instance_id, ran) VALUES (?, ?, ?)",
                str(volume_id),
                str(pivot.instance_id),
                pivot.ran,
            )

    def forget_pivot(self, volume_id: UUID) -> None:
        with self.transaction():
            self.execute("DELETE FROM pivot WHERE id = ?", str(volume_id))

    def _end_transaction(self, verb: str) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._db.execute(verb)

    def _migrate(self) -> None:
        """Make the newest schema, in one transaction. That of a newer agent stays if this agent can use it."""
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            self._require_usable(version)
            return
        oldest = f"INSERT OR REPLACE INTO memory (name, value) VALUES ('oldest_reader', '{OLDEST_READER}');"
        scripts = " ".join(MIGRATIONS[version:])
        self._db.executescript(f"BEGIN IMMEDIATE; {scripts} {oldest} PRAGMA user_version = {len(MIGRATIONS)}; COMMIT;")

    def _require_usable(self, version: int) -> None:
        """Raise RuntimeError unless agents of this release can use the schema of a newer one."""
        ((oldest,),) = self._db.execute("SELECT value FROM memory WHERE name = 'oldest_reader'").fetchall() or [("",)]
        if not oldest or int(oldest) > len(MIGRATIONS):
            raise RuntimeError(
                f"The state store ledger.sqlite has schema {version} of a newer agent; this one works with those up to "
                f"{len(MIGRATIONS)}. Install the newer release again, or another one with an agent for schema "
                f"{oldest or version}."
            )


class Table(Generic[Spec]):
    """The rows of one kind."""

    def __init__(self, state_store: StateStore, kind: str, spec_type: type[Spec]) -> None:
        self._state_store = state_store
        self.kind = kind
        self._spec_type = spec_type

    def get(self, resource_id: UUID | str) -> Entry[Spec] | None:
        rows = self._state_store.execute(
            f"{SELECT} WHERE kind = ? AND id = ?",
            self.kind,
            str(resource_id),
        )
        return self._entry(rows[0]) if rows else None

    def require(self, resource_id: UUID | str) -> Entry[Spec]:
        """Return the row of a resource that exists here and is not being removed; NotFound otherwise."""
        entry = self.get(resource_id)
        if entry is None or not entry.is_wanted:
            raise NotFound(self.kind, resource_id)
        return entry

    def held(self) -> list[Entry[Spec]]:
        """Return all resources that exist here, including those half made or half removed."""
        rows = self._state_store.execute(
            f"{SELECT} WHERE kind = ? AND phase <> 'removed' ORDER BY id",
            self.kind,
        )
        return [self._entry(row) for row in rows]

    def using(self, used_kind: str, used_id: UUID | str) -> list[Entry[Spec]]:
        """Return the resources that use the named one and are not being removed."""
        rows = self._state_store.execute(
            f"{SELECT} WHERE kind = ? AND phase IN ('making', 'present')"
            " AND id IN (SELECT user_id FROM use WHERE used_kind = ? AND used_id = ? AND user_kind = ?) ORDER BY id",
            self.kind,
            used_kind,
            str(used_id),
            self.kind,
        )
        return [self._entry(row) for row in rows]

    def accept(self, subject: Subject, spec: Spec, *, uses: Sequence[Use]) -> Entry[Spec] | None:
        """Record a spec and the resources that it uses; returns the row as it was before.

        Raises:
            StaleGeneration: a higher generation was seen, or this one was removed.
            GenerationReused: this generation was accepted with another spec.
        """
        text = codec.dumps(spec)
        with self._state_store.transaction():
            before = self.get(subject.id)
            if before is not None:
                self._check_generation(before, subject, spec, text)
            phase = Phase.PRESENT if before is not None and before.phase is Phase.PRESENT else Phase.MAKING
            self._put(str(subject.id), subject.generation, phase, text)
            self._put_uses(str(subject.id), uses)
        return before

    def set_uses(self, resource_id: UUID | str, uses: Sequence[Use]) -> None:
        """Replace the resources that this one uses."""
        with self._state_store.transaction():
            self._put_uses(str(resource_id), uses)

    def check_new(self, subject: Subject) -> None:
        """Check that the spec can be accepted later: no such generation or a higher one was seen.

        Raises:
            StaleGeneration
        """
        before = self.get(subject.id)
        if before is not None and before.generation >= subject.generation:
            raise StaleGeneration(self.kind, subject.id, given=subject.generation, seen=before.generation)

    def confirm(self, resource_id: UUID | str) -> None:
        """Record that the spec has been carried out."""
        with self._state_store.transaction():
            self._state_store.execute(
                "UPDATE resource SET phase = 'present' WHERE kind = ? AND id = ? AND phase = 'making'",
                self.kind,
                str(resource_id),
            )

    def begin_removal(self, subject: Subject) -> Entry[Spec] | None:
        """Record that the resource is to be removed; returns the row as it was before.

        Raises:
            StaleGeneration: a higher generation was seen.
        """
        with self._state_store.transaction():
            before = self.get(subject.id)
            if before is not None and subject.generation < before.generation:
                raise StaleGeneration(self.kind, subject.id, given=subject.generation, seen=before.generation)
            text = before.spec_text if before is not None else None
            phase = Phase.REMOVED if text is None else Phase.REMOVING
            self._put(str(subject.id), subject.generation, phase, text)
        return before

    def finish_removal(self, resource_id: UUID | str) -> None:
        """Write the tombstone: the generation stays known, the spec is deleted."""
        with self._state_store.transaction():
            self._state_store.execute(
                "UPDATE resource SET phase = 'removed', wish = NULL WHERE kind = ? AND id = ?",
                self.kind,
                str(resource_id),
            )
            self._put_uses(str(resource_id), ())

    def forget(self, resource_id: UUID | str) -> None:
        """Delete the row of a resource without generation."""
        with self._state_store.transaction():
            self._state_store.execute("DELETE FROM resource WHERE kind = ? AND id = ?", self.kind, str(resource_id))

    def record(self, resource_id: str, spec: Spec) -> None:
        """Record a resource without generation as present."""
        with self._state_store.transaction():
            self._put(resource_id, 0, Phase.PRESENT, codec.dumps(spec))

    def _check_generation(self, before: Entry[Spec], subject: Subject, spec: Spec, text: str) -> None:
        given, seen = subject.generation, before.generation
        if given < seen or (given == seen and not before.is_wanted):
            raise StaleGeneration(self.kind, subject.id, given=given, seen=seen)
        if given == seen and text != before.spec_text and spec != before.spec:  # another release writes other texts
            raise GenerationReused(self.kind, subject.id, generation=given)

    def _put(self, resource_id: str, generation: int, phase: Phase, text: str | None) -> None:
        self._state_store.execute(
            "INSERT OR REPLACE INTO resource (kind, id, generation, phase, wish) VALUES (?, ?, ?, ?, ?)",
            self.kind,
            resource_id,
            generation,
            phase,
            text,
        )

    def _put_uses(self, resource_id: str, uses: Sequence[Use]) -> None:
        self._state_store.execute("DELETE FROM use WHERE user_kind = ? AND user_id = ?", self.kind, resource_id)
        for used_kind, used_id in uses:
            self._state_store.execute(
                "INSERT OR IGNORE INTO use (user_kind, user_id, used_kind, used_id) VALUES (?, ?, ?, ?)",
                self.kind,
                resource_id,
                used_kind,
                str(used_id),
            )

    def _entry(self, row: tuple[object, ...]) -> Entry[Spec]:
        resource_id, generation, phase, text = row
        spec_text = None if text is None else str(text)
        return Entry(str(resource_id), int(str(generation)), Phase(str(phase)), self._spec_type, spec_text)


def _migration_from_row(row: tuple[object, ...]) -> Migration:
    generation, phase, reason, *numbers = row
    total_bytes, moved_bytes, pause_ms, ends_at = (int(str(number)) for number in numbers)
    return Migration(
        int(str(generation)), MigrationPhase(str(phase)), ends_at, str(reason), total_bytes, moved_bytes, pause_ms
    )
