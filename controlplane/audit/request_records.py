"""Request records: opened before the work, completed after it, and closed as unknown when they stay open.

Each write is a statement of its own, outside of the work's transaction: the record survives a rollback of the work. An
opening need not be flushed to disk by itself: the work's commit flushes everything written before it, and if that is
lost, there was no work. Reads have no such commit, so their opening is flushed.
"""

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from andromede_core.evidence.records import SALT_BYTES
from controlplane.audit.models import PATH_MAX, Outcome, RequestRecord
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.kernel.multi_insert import insertion
from controlplane.kernel.prepared_queries import preparing_cursor
from controlplane.kernel.query_parameters import CONTROL

LAZILY = "RETURNING set_config('synchronous_commit', 'off', true)"
COMPLETE = """
UPDATE audit_requestrecord SET completed_at = %s, outcome = %s, status = %s, error_code = %s, operation_id = %s,
resource_ids = %s::uuid[], duration_ms = %s WHERE id = %s AND completed_at IS NULL
"""
_FIELDS = RequestRecord._meta.concrete_fields
ABANDONED = """
UPDATE audit_requestrecord SET completed_at = %s, outcome = 'unknown' WHERE completed_at IS NULL AND opened_at < %s
"""
_touched: ContextVar[set[UUID] | None] = ContextVar("touched", default=None)


@dataclass(frozen=True)
class Origin:
    """Origin of a request, without its body or query."""

    verb: str
    method: str
    path: str
    address: str | None
    request_id: str
    is_dry_run: bool = False


@dataclass(frozen=True)
class RequestActor:
    """Actor and credential of a request."""

    user_id: UUID | None = None
    credential_id: UUID | None = None
    project_id: UUID | None = None
    organization_id: UUID | None = None


@dataclass(frozen=True)
class End:
    """End of a request."""

    status: int
    error_code: str = ""
    operation_id: UUID | None = None
    resource_ids: frozenset[UUID] = field(default_factory=frozenset)

    @property
    def outcome(self) -> Outcome:
        if self.status >= 500:
            return Outcome.FAILED
        return Outcome.REFUSED if self.status >= 400 else Outcome.SUCCEEDED

    def columns(self, opened_at: datetime) -> dict[str, Any]:
        now = clock.now()
        return {
            "completed_at": now,
            "outcome": self.outcome.value,
            "status": self.status,
            "error_code": self.error_code[:64],
            "operation_id": self.operation_id,
            "resource_ids": sorted(self.resource_ids),
            "duration_ms": max(int((now - opened_at).total_seconds() * 1000), 0),
        }


def open_record(origin: Origin, who: RequestActor, *, is_waited_for: bool = False) -> RequestRecord:
    """Open a record with one INSERT. `is_waited_for`: flush it to disk."""
    record = _new(origin, who)
    _insert(record, "" if is_waited_for else LAZILY)
    return record


def complete_record(record: RequestRecord, end: End) -> None:
    """Complete a record with one UPDATE.

    If the record was closed as unknown meanwhile, it does not change, and the outcome becomes a record of its own.
    """
    columns = end.columns(record.opened_at)
    if _execute(f"{COMPLETE} {LAZILY}", [*columns.values(), record.pk]) == 0:
        late = RequestRecord(**{each.attname: getattr(record, each.attname) for each in _FIELDS} | columns)
        late.pk = new_id()
        _insert(late)


def record_refused(origin: Origin, who: RequestActor, end: End, *, is_once_a_minute: bool = False) -> None:
    """Record a request that was rejected before its work began.

    `is_once_a_minute`: the same rejection of the same credential within a minute is recorded once.
    """
    record = _new(origin, who)
    for name, value in end.columns(record.opened_at).items():
        setattr(record, name, value)
    if is_once_a_minute:
        minute = int(record.opened_at.timestamp()) // 60
        same = f"{who.credential_id}/{who.user_id}/{origin.verb}/{end.status}/{end.error_code}/{minute}"
        record.once = UUID(bytes=hashlib.sha256(same.encode()).digest()[:16])
    _insert(record, "ON CONFLICT DO NOTHING")


def close_abandoned() -> int:
    """Close old open records, which will not be completed. Returns their number."""
    now = clock.now()
    with connection.cursor() as cursor:
        cursor.execute(ABANDONED, [now, now - timedelta(seconds=settings.AUDIT_ABANDONED_AFTER_S)])
        count: int = cursor.rowcount
    return count


def record_resource(resource_id: UUID) -> None:
    """Record that an audit entry of the present request was about this resource."""
    ids = _touched.get()
    if ids is not None:
        ids.add(resource_id)


@contextmanager
def touching() -> Iterator[set[UUID]]:
    """Collect the resources of the audit entries inside the block."""
    ids: set[UUID] = set()
    token = _touched.set(ids)
    try:
        yield ids
    finally:
        _touched.reset(token)


def _new(origin: Origin, who: RequestActor) -> RequestRecord:
    return RequestRecord(
        opened_at=clock.now(),
        verb=origin.verb,
        method=origin.method,
        path=CONTROL.sub("\N{REPLACEMENT CHARACTER}", origin.path)[:PATH_MAX],
        address=origin.address,
        request_id=origin.request_id,
        is_dry_run=origin.is_dry_run,
        user_id=who.user_id,
        credential_id=who.credential_id,
        project_id=who.project_id,
        organization_id=who.organization_id,
        salt=secrets.token_bytes(SALT_BYTES),
    )


def _insert(record: RequestRecord, more: str = "") -> None:
    statement, values = insertion(record)
    _execute(f"{statement} {more}", values)


def _execute(statement: str, values: Sequence[Any]) -> int:
    with preparing_cursor() as cursor:
        cursor.execute(statement, values)
        count: int = cursor.rowcount
    return count
