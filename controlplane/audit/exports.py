"""Evidence exports of the API.

The web process writes the row and serves the file; the process with the log's key makes the file.

The row is the request; the message to the signer is a wake-up without content. Files are in settings.EXPORTS_DIR, which
both processes see, as <id>.tar: complete, or not at all.
"""

import errno
import hashlib
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q

from andromede_core.documents.messages import Message, either
from controlplane.audit import export_archive, services
from controlplane.audit.errors import (
    ExportInterrupted,
    ExportNotFound,
    ExportNotReady,
    ExportsMany,
    ExportStoreFull,
    ExportWindowInvalid,
)
from controlplane.audit.export_archive import ExportWindow
from controlplane.audit.models import EXPORT, UNMADE, EvidenceExport
from controlplane.identity.actor import Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.identity.models import Organization, Role
from controlplane.identity.roles import NO_ROLE
from controlplane.identity.row_locks import lock_organization
from controlplane.kernel import clock
from controlplane.kernel.db import by_id, move
from controlplane.kernel.errors import CloudError
from controlplane.kernel.names import as_uuid
from controlplane.kernel.wakeups import send_wakeup

log = logging.getLogger(__name__)

MAKE = ("controlplane.signer.tasks.evidence_exports", "signer")
KEPT = timedelta(days=1)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
ATTEMPTS_MAX = 5
EXPORTS_MAX = 20  # of one organization at a time
READERS = (Role.SOVEREIGNTY_OFFICER, Role.OWNER)


# ── requests and reads ──────────────────────────────────────────────────────────────────────────


def may_export(actor: Actor, organization: Organization) -> None:
    """Check that the actor may export.

    An export has the records of all projects, with their salts: it is for the organization's owners and sovereignty
    officers and for the platform's auditors, not for operators.

    Raises:
        RoleNeeded
    """
    role = actor.within_organization(organization).role if organization.pk in actor.organization_ids else NO_ROLE
    if role not in READERS and not actor.is_auditor:
        raise RoleNeeded(role=either(*READERS))


def export_request(actor: Actor, organization: Organization, start: datetime, end: datetime) -> EvidenceExport:
    """Request an export; returns a pending one of the same period if there is one.

    Raises:
        RoleNeeded, ExportWindowInvalid, ExportsMany, OrganizationNotFound
    """
    may_export(actor, organization)
    _check_window(start, end)
    with transaction.atomic():
        lock_organization(organization)  # also so that the limit holds
        export = EvidenceExport.objects.filter(
            organization=organization, start=start, end=end, state__in=UNMADE
        ).first()
        if export is None:
            export = _create(actor, organization, start, end)
        transaction.on_commit(lambda: send_wakeup(MAKE), robust=True)
    return export


def find_ready_export(
    actor: Actor, organization: Organization, start: datetime, end: datetime
) -> EvidenceExport | None:
    """Return the newest export of exactly this period whose file exists.

    Raises:
        RoleNeeded
    """
    may_export(actor, organization)
    same = EvidenceExport.objects.filter(organization=organization, start=start, end=end)
    return same.filter(state="ready", expires_at__gt=clock.now()).order_by("-created_at").first()


def export_get(actor: Actor, ref: str) -> EvidenceExport:
    """Return an export without its file, for everyone who sees the organization.

    Raises:
        ExportNotFound
    """
    visible = Q() if actor.sees_all else Q(organization__in=actor.organization_ids)
    export = by_id(EvidenceExport.objects.select_related("organization").filter(visible), ref)
    if export is None:
        raise ExportNotFound(name=ref)
    return export


def export_file(actor: Actor, export: EvidenceExport) -> BinaryIO:
    """Return the open file, for the caller to close. The download is audited.

    Raises:
        RoleNeeded, ExportNotReady
    """
    may_export(actor, export.organization)
    if export.state != "ready":
        raise ExportNotReady(state=export.state)
    _record(actor, "evidence_export.read", export)
    try:
        return path_of(export).open("rb")
    except FileNotFoundError as exc:
        log.error(
            "export %s is ready but its file cannot be read, check that web and signer share EXPORTS_DIR: %s",
            export.pk,
            exc,
        )
        raise ExportNotReady(state="waiting") from exc


def window_of(export: EvidenceExport) -> ExportWindow:
    return ExportWindow(export.organization, export.start, export.end)


def path_of(export: EvidenceExport) -> Path:
    folder: Path = settings.EXPORTS_DIR
    return folder / f"{export.pk}.tar"


def _check_window(start: datetime, end: datetime) -> None:
    if start >= end:
        raise ExportWindowInvalid(field="to", reason=Message("it ends before it begins"))
    if start < EARLIEST:
        raise ExportWindowInvalid(field="from", reason=Message("it begins before the year 2000"))
    if end > clock.now():
        raise ExportWindowInvalid(field="to", reason=Message("its end is in the future"))


def _create(actor: Actor, organization: Organization, start: datetime, end: datetime) -> EvidenceExport:
    if EvidenceExport.objects.filter(organization=organization).exclude(state="failed").count() >= EXPORTS_MAX:
        raise ExportsMany(limit=EXPORTS_MAX)
    export = EvidenceExport.objects.create(organization=organization, start=start, end=end)
    _record(actor, "evidence_export.create", export)
    return export


def _record(actor: Actor, verb: str, export: EvidenceExport) -> None:
    organization_id = export.organization_id
    services.record_of_organization(actor, verb, export.pk, organization_id, organization=str(organization_id))


# ── creation, in the process with the log's key ─────────────────────────────────────────────────


def make_all() -> int:
    """Make the requested exports, oldest first, and delete expired ones. Returns the number begun.

    One process makes exports at a time, so that others of its kind stay free for permits; a second caller returns at
    once. After a crash PostgreSQL releases the lock, and the unfinished export begins anew.
    """
    begun = 0
    with _alone() as is_alone:
        if not is_alone:
            return 0
        settings.EXPORTS_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        _tidy()
        tried: set[UUID] = set()
        while (export := _next(tried)) is not None:
            tried.add(export.pk)
            begun += 1
            _make(export)
    return begun


@contextmanager
def _alone() -> Iterator[bool]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended('evidence exports', 0))")
        (is_alone,) = cursor.fetchone()
        try:
            yield is_alone
        finally:
            if is_alone:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended('evidence exports', 0))")


def _next(tried: set[UUID]) -> EvidenceExport | None:
    waiting = EvidenceExport.objects.select_related("organization").filter(state="waiting").exclude(pk__in=tried)
    return waiting.order_by("created_at").first()


def _make(export: EvidenceExport) -> None:
    move(export, EXPORT, "running", attempts=export.attempts + 1)
    try:
        file_facts = _written(export)
    except CloudError as exc:
        log.warning("export %s of organization %s failed: %s", export.pk, export.organization.name, exc)
        _record_failure(export, exc, is_final=not exc.retryable)
    else:
        move(export, EXPORT, "ready", expires_at=clock.now() + KEPT, **file_facts)


def _written(export: EvidenceExport) -> dict[str, object]:
    """Write one export. Raises CloudError."""
    path = path_of(export)
    try:
        export_archive.write_export(window_of(export), path)
        path.chmod(0o640)  # web is in the folder's group
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ExportStoreFull from exc
        raise
    with path.open("rb") as file:
        return {"size_bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _record_failure(export: EvidenceExport, error: CloudError, *, is_final: bool) -> None:
    """Record a failure, final or until the next try."""
    if is_final or export.attempts >= ATTEMPTS_MAX:
        move(export, EXPORT, "failed", error=error.as_document(), expires_at=clock.now() + KEPT)
    else:
        move(export, EXPORT, "waiting")


def _tidy() -> None:
    """Delete unfinished files and reset running exports; the caller is the only active process."""
    for lost in EvidenceExport.objects.filter(state="running"):
        _record_failure(lost, ExportInterrupted(attempts=lost.attempts), is_final=False)
    EvidenceExport.objects.filter(expires_at__lte=clock.now()).delete()
    kept = set()
    for ready in EvidenceExport.objects.filter(state="ready"):
        if path_of(ready).exists():
            kept.add(path_of(ready))
        else:
            move(ready, EXPORT, "waiting", attempts=0)
    for rest in settings.EXPORTS_DIR.glob(f"{export_archive.UNFINISHED}*"):
        shutil.rmtree(rest)
    for file in settings.EXPORTS_DIR.glob("*.tar"):
        if file not in kept and as_uuid(file.stem):
            file.unlink()
