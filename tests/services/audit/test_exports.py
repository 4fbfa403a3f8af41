"""Requested exports: created one at a time, complete or not at all, retried after a crash, deleted after a day."""

import errno
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings as django_settings
from django.db import connection
from kombu.exceptions import OperationalError
from pytest_django import Settings

from controlplane.audit import export_archive, exports, log_key
from controlplane.audit.errors import ExportNotFound, ExportNotReady, ExportsMany, ExportWindowInvalid, LogKeyMissing
from controlplane.audit.models import AuditEntry, EvidenceExport
from controlplane.identity.actor import Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.identity.models import Organization
from controlplane.kernel import clock, wakeups
from controlplane.kernel.ids import new_id
from controlplane.signer import tasks
from scripts.polling import wait_until
from tests.cases import in_one_cloud
from tests.processes import running
from tests.services.audit.export_queue import ExportQueue
from tests.services.audit.exports import verdict
from tests.services.audit.sample_evidence import make_sample_evidence

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def maker(monkeypatch: pytest.MonkeyPatch) -> ExportQueue:
    queue = ExportQueue()
    monkeypatch.setattr(exports, "send_wakeup", queue.send_wakeup)
    return queue


@pytest.fixture
def folder(tmp_path: Path, settings: Settings) -> Path:
    settings.EXPORTS_DIR = tmp_path / "exports"
    return tmp_path / "exports"


@pytest.fixture
def organization(log: None, folder: Path) -> Organization:
    created = Organization.objects.create(name="ministry")
    make_sample_evidence(created.pk)
    return created


@pytest.fixture
def officer(organization: Organization) -> Actor:
    return Actor(new_id(), new_id(), new_id(), "sovereignty_officer", organization_id=organization.pk)


@pytest.fixture
def window() -> tuple[datetime, datetime]:
    return clock.now() - DAY, clock.now()


def ask(officer: Actor, organization: Organization, window: tuple[datetime, datetime]) -> EvidenceExport:
    return exports.export_request(officer, organization, *window)


@contextmanager
def later(by: timedelta) -> Iterator[None]:
    then = clock.now() + by
    with patch.object(clock, "now", lambda: then):
        yield


def test_requested_export_is_created(
    officer: Actor,
    organization: Organization,
    window: tuple[datetime, datetime],
    maker: ExportQueue,
    folder: Path,
    django_capture_on_commit_callbacks: Any,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        export = ask(officer, organization, (window[0], clock.now()))
        assert maker.hints == []
    assert (export.state, maker.hints) == ("waiting", [exports.MAKE])
    with pytest.raises(ExportNotReady):
        exports.export_file(officer, export)
    tasks.evidence_exports()
    export.refresh_from_db()
    assert export.state == "ready"
    path = folder / f"{export.pk}.tar"
    assert (path.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o640, 0o700)
    assert export.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert export.size_bytes == path.stat().st_size
    result = verdict(path, "--log-key", str(log_key.load().public))
    assert (result.status, "4 decision, " in result.out) == (0, True)
    with exports.export_file(officer, export) as file:
        assert file.read() == path.read_bytes()
    assert list(folder.iterdir()) == [path]
    verbs = AuditEntry.objects.filter(resource_id=export.pk).order_by("pk").values_list("verb", flat=True)
    assert list(verbs) == ["evidence_export.create", "evidence_export.read"]
    assert exports.make_all() == 0


def test_waiting_export_is_not_requested_twice(
    officer: Actor, organization: Organization, window: tuple[datetime, datetime], folder: Path
) -> None:
    first = ask(officer, organization, window)
    assert ask(officer, organization, window) == first
    assert ask(officer, organization, (window[0] - DAY, window[1])) != first
    assert exports.make_all() == 2
    second = ask(officer, organization, window)
    assert second != first
    assert exports.find_ready_export(officer, organization, *window) == first
    exports.make_all()
    assert exports.find_ready_export(officer, organization, *window) == second


def test_organization_has_a_limit_of_exports(
    officer: Actor, organization: Organization, window: tuple[datetime, datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "EXPORTS_MAX", 2)
    for days in (1, 2):
        ask(officer, organization, (window[0] - days * DAY, window[1]))
    with pytest.raises(ExportsMany):
        ask(officer, organization, window)
    other = Organization.objects.create(name="another")
    with pytest.raises(RoleNeeded):
        ask(officer, other, window)


def test_unreachable_broker_delays_the_export(
    officer: Actor, organization: Organization, window: tuple[datetime, datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dead:
        def send_task(self, name: str, **options: object) -> None:
            raise OperationalError("no broker")

    monkeypatch.setattr(exports, "send_wakeup", wakeups.send_wakeup)
    monkeypatch.setattr(wakeups, "current_app", Dead())
    export = ask(officer, organization, window)
    exports.make_all()
    export.refresh_from_db()
    assert export.state == "ready"


@in_one_cloud(
    ("start", "end", "field"),
    [
        (timedelta(), timedelta(), "to"),
        (timedelta(), -DAY, "to"),
        (-DAY, DAY, "to"),
        (-timedelta(days=365 * 50), timedelta(), "from"),
    ],
)
def test_invalid_period_is_refused(
    officer: Actor, organization: Organization, start: timedelta, end: timedelta, field: str
) -> None:
    now = clock.now()
    with pytest.raises(ExportWindowInvalid) as refusal:
        ask(officer, organization, (now + start, now + end))
    assert refusal.value.field == field
    assert not EvidenceExport.objects.exists()


# ── the end ─────────────────────────────────────────────────────────────────────────────────────


def test_export_is_deleted_after_a_day(
    officer: Actor, organization: Organization, window: tuple[datetime, datetime], folder: Path
) -> None:
    export = ask(officer, organization, window)
    exports.make_all()
    with later(DAY - timedelta(minutes=1)):
        exports.make_all()
        assert exports.find_ready_export(officer, organization, *window) == export
    with later(DAY + timedelta(minutes=1)):
        assert exports.find_ready_export(officer, organization, *window) is None
        exports.make_all()
    with pytest.raises(ExportNotFound):
        exports.export_get(officer, str(export.pk))
    assert list(folder.iterdir()) == []


def test_foreign_files_are_not_deleted(
    officer: Actor, organization: Organization, window: tuple[datetime, datetime], folder: Path
) -> None:
    folder.mkdir()
    (folder / "notes.txt").touch()
    (folder / "backup.tar").touch()
    (folder / f"{new_id()}.tar").touch()
    exports.make_all()
    assert sorted(path.name for path in folder.iterdir()) == ["backup.tar", "notes.txt"]


def test_lost_export_file_is_recreated(
    officer: Actor, organization: Organization, window: tuple[datetime, datetime], folder: Path
) -> None:
    export = ask(officer, organization, window)
    exports.make_all()
    (folder / f"{export.pk}.tar").unlink()
    export.refresh_from_db()
    with pytest.raises(ExportNotReady):
        exports.export_file(officer, export)
    assert exports.make_all() == 1
    export.refresh_from_db()
    with exports.export_file(officer, export) as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == export.sha256


# ── what goes wrong ─────────────────────────────────────────────────────────────────────────────


def test_missing_log_key_fails_the_export_with_an_error(
    officer: Actor, organization: Organization, window: tuple[datetime, datetime], folder: Path
) -> None:
    export = ask(officer, organization, window)
    (django_settings.PKI_DIR / "log.key").unlink()
    exports.make_all()
    export.refresh_from_db()
    assert export.state == "failed"
    assert export.error is not None
    assert export.error["code"] == LogKeyMissing.code
    assert list(folder.iterdir()) == []
    assert ask(officer, organization, window) != export
    with later(DAY + timedelta(minutes=1)):
        exports.make_all()
    assert not EvidenceExport.objects.filter(pk=export.pk).exists()


def test_full_disk_is_retried_up_to_a_limit(
    officer: Actor, organization: Organization, window: tuple[datetime, datetime]
) -> None:
    export = ask(officer, organization, window)
    with patch.object(export_archive.os, "fsync", side_effect=OSError(errno.ENOSPC, "No space left on device")):
        for _ in range(exports.ATTEMPTS_MAX - 1):
            assert exports.make_all() == 1
            export.refresh_from_db()
            assert export.state == "waiting"
        exports.make_all()
    export.refresh_from_db()
    assert export.state == "failed"
    assert export.error is not None
    assert export.error["code"] == "evidence.export_store_full"


def test_defect_fails_one_export_after_the_last_attempt(
    officer: Actor, organization: Organization, window: tuple[datetime, datetime]
) -> None:
    bad = ask(officer, organization, window)
    good = ask(officer, organization, (window[0] - DAY, window[1]))
    write = export_archive.write_export

    def broken(requested_window: export_archive.ExportWindow, out: Path) -> object:
        if requested_window.start == bad.start:
            raise RuntimeError("a defect")
        return write(requested_window, out)

    with patch.object(export_archive, "write_export", broken):
        for _ in range(exports.ATTEMPTS_MAX):
            with pytest.raises(RuntimeError):
                exports.make_all()
        exports.make_all()
    for export, state in ((bad, "failed"), (good, "ready")):
        export.refresh_from_db()
        assert export.state == state


KILLED = """
import os, sys, django
django.setup()
from controlplane.audit import export_archive, exports

pack = export_archive._pack

def packed_half(manifest, folder, whole):
    whole.write_bytes(b"half")
    print("half", flush=True)
    sys.stdin.read()

export_archive._pack = packed_half
exports.make_all()
"""


@pytest.mark.django_db(transaction=True)
def test_killed_export_leaves_no_partial_file_and_is_retried(
    officer: Actor, organization: Organization, window: tuple[datetime, datetime], folder: Path
) -> None:
    export = ask(officer, organization, window)
    environment = os.environ | {
        "ANDROMEDE_DB_NAME": connection.settings_dict["NAME"],
        "ANDROMEDE_EXPORTS_DIR": str(folder),
        "ANDROMEDE_PKI_DIR": str(django_settings.PKI_DIR),
        "ANDROMEDE_LOG_ORIGIN": django_settings.LOG_ORIGIN,
    }
    command = [sys.executable, "-c", KILLED]
    with running(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "half\n"
        export.refresh_from_db()
        assert export.state == "running"
        assert exports.make_all() == 0, "another process is at it"
    assert list(folder.glob("*.tar")) == []
    wait_until(lambda: exports.make_all() == 1)  # PostgreSQL has to see that the process is gone
    export.refresh_from_db()
    assert (export.state, export.attempts) == ("ready", 2)
    assert [path.name for path in folder.iterdir()] == [f"{export.pk}.tar"]
    assert verdict(folder / f"{export.pk}.tar").status == 0
