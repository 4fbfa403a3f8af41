"""Exports that were asked for over the API. The web process writes the row and serves the file; between the two, the
process that has the log's key makes it.

The row is the request; the message to the signer is a hint without content. Files lie in settings.EXPORTS_DIR, which
both processes see, as <id>.tar: whole, or not at all.
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

from celery import current_app
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from kombu.exceptions import OperationalError

from andromede_core.documents.messages import Reason, either
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

log = logging.getLogger(__name__)

MAKE = "controlplane.signer.tasks.evidence_exports"
QUEUE = "signer"
KEPT = timedelta(days=1)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
ATTEMPTS_MAX = 5
EXPORTS_MAX = 20  # of one organization at a time
READERS = (Role.SOVEREIGNTY_OFFICER, Role.OWNER)


# ── asking and reading ──────────────────────────────────────────────────────────────────────────


def may_export(actor: Actor, organization: Organization) -> None:
    """An export has the records of all projects, with their salts: it is for the organization's owners and sovereignty
    officers and for the platform's auditors. Operators are none of them.

    Raises:
        RoleNeeded
    """
    role = actor.within_organization(organization).role if organization.pk in actor.organization_ids else NO_ROLE
    if role not in READERS and not actor.is_auditor:
        raise RoleNeeded(role=either(*READERS))


def export_request(actor: Actor, organization: Organization, start: datetime, end: datetime) -> EvidenceExport:
    """Have an export made. While one of the same time is waited for, that is the answer.

    Raises:
        RoleNeeded, ExportWindowInvalid, ExportsMany, OrganizationNotFound
    """
    may_export(actor, organization)
    _check_window(start, end)
    with transaction.atomic():
        lock_organization(organization)  # also so that the limit holds
        asked = EvidenceExport.objects.filter(organization=organization, start=start, end=end, state__in=UNMADE).first()
        if asked is None:
            asked = _create(actor, organization, start, end)
        transaction.on_commit(send_wakeup, robust=True)
    return asked


def find_ready_export(
    actor: Actor, organization: Organization, start: datetime, end: datetime
) -> EvidenceExport | None:
    """The newest one of just this time whose file is there.

    Raises:
        RoleNeeded
    """
    may_export(actor, organization)
    same = EvidenceExport.objects.filter(organization=organization, start=start, end=end)
    return same.filter(state="ready", expires_at__gt=clock.now()).order_by("-created_at").first()


def export_get(actor: Actor, ref: str) -> EvidenceExport:
    """What there is of it, which everybody may know who sees the organization.

    Raises:
        ExportNotFound
    """
    seen = Q() if actor.sees_all else Q(organization__in=actor.organization_ids)
    found = by_id(EvidenceExport.objects.select_related("organization").filter(seen), ref)
    if found is None:
        raise ExportNotFound(name=ref)
    return found


def export_file(actor: Actor, asked: EvidenceExport) -> BinaryIO:
    """Its bytes, for the caller to close. That they were read is on record.

    Raises:
        RoleNeeded, ExportNotReady
    """
    may_export(actor, asked.organization)
    if asked.state != "ready":
        raise ExportNotReady(state=asked.state)
    _record(actor, "evidence_export.read", asked)
    try:
        return path_of(asked).open("rb")
    except FileNotFoundError as exc:
        log.error("export %s is ready, and %s is not there: do web and signer have the same folder?", asked.pk, exc)
        raise ExportNotReady(state="waiting") from exc


def window_of(asked: EvidenceExport) -> ExportWindow:
    return ExportWindow(asked.organization, asked.start, asked.end)


def path_of(asked: EvidenceExport) -> Path:
    folder: Path = settings.EXPORTS_DIR
    return folder / f"{asked.pk}.tar"


def send_wakeup() -> None:
    """Never fails: the row is written already."""
    try:
        current_app.send_task(MAKE, queue=QUEUE, retry=False)
    except OperationalError as exc:
        log.warning("the hint that there is an export to make was not sent: %s", exc)


def _check_window(start: datetime, end: datetime) -> None:
    if start >= end:
        raise ExportWindowInvalid(field="to", reason=Reason("it ends before it begins"))
    if start < EARLIEST:
        raise ExportWindowInvalid(field="from", reason=Reason("it begins before the year 2000"))
    if end > clock.now():
        raise ExportWindowInvalid(field="to", reason=Reason("its end is in the future"))


def _create(actor: Actor, organization: Organization, start: datetime, end: datetime) -> EvidenceExport:
    if EvidenceExport.objects.filter(organization=organization).exclude(state="failed").count() >= EXPORTS_MAX:
        raise ExportsMany(limit=EXPORTS_MAX)
    made = EvidenceExport.objects.create(organization=organization, start=start, end=end)
    _record(actor, "evidence_export.create", made)
    return made


def _record(actor: Actor, verb: str, asked: EvidenceExport) -> None:
    organization_id = asked.organization_id
    services.record_of_organization(actor, verb, asked.pk, organization_id, organization=str(organization_id))


# ── making, where the log's key is ──────────────────────────────────────────────────────────────


def make_all() -> int:
    """Make what was asked for, oldest first, and delete what is over. Returns how many were begun.

    One process makes exports at a time, so that others of its kind stay free for permits; who comes meanwhile leaves
    it to that one. When it dies, PostgreSQL takes the lock back, and what it was at begins anew.
    """
    begun = 0
    with _alone() as is_alone:
        if not is_alone:
            return 0
        settings.EXPORTS_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        _tidy()
        tried: set[UUID] = set()
        while (asked := _next(tried)) is not None:
            tried.add(asked.pk)
            begun += 1
            _make(asked)
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


def _make(asked: EvidenceExport) -> None:
    move(asked, EXPORT, "running", attempts=asked.attempts + 1)
    try:
        made = _written(asked)
    except CloudError as exc:
        log.warning("export %s of %s: %s", asked.pk, asked.organization.name, exc)
        _record_failure(asked, exc, is_final=not exc.retryable)
    else:
        move(asked, EXPORT, "ready", expires_at=clock.now() + KEPT, **made)


def _written(asked: EvidenceExport) -> dict[str, object]:
    """Raises CloudError."""
    path = path_of(asked)
    try:
        export_archive.write_export(window_of(asked), path)
        path.chmod(0o640)  # web is of the folder's group
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ExportStoreFull from exc
        raise
    with path.open("rb") as file:
        return {"size_bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _record_failure(asked: EvidenceExport, error: CloudError, *, is_final: bool) -> None:
    """For good, or until the next time."""
    if is_final or asked.attempts >= ATTEMPTS_MAX:
        move(asked, EXPORT, "failed", error=error.as_document(), expires_at=clock.now() + KEPT)
    else:
        move(asked, EXPORT, "waiting")


def _tidy() -> None:
    """Nobody but the caller is at work: what is running is nobody's, and what is unfinished is rubbish."""
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
