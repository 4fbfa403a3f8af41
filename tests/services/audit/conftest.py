from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from controlplane.audit import evidence_log, export_archive, log_key
from controlplane.audit.models import EvidenceRecord
from controlplane.identity.models import Organization
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from tests.services.audit.exports import Export, opened


@pytest.fixture
def log(db: None, tmp_path: Path, settings: Settings) -> None:
    """Set up an empty log with a key."""
    settings.PKI_DIR = tmp_path / "pki"
    settings.LOG_ORIGIN = "cloud.example/log"
    log_key.create_log_key(settings.PKI_DIR)


@pytest.fixture
def write(log: None) -> Callable[[int], list[EvidenceRecord]]:
    """Append this number of records of one organization, with their positions."""
    organization = new_id()

    def append(count: int) -> list[EvidenceRecord]:
        rows = [
            evidence_log.append("receipt", {"number": number}, organization_id=organization) for number in range(count)
        ]
        evidence_log.sequence()
        return list(EvidenceRecord.objects.filter(pk__in=[row.pk for row in rows]).order_by("leaf_index"))

    return append


@pytest.fixture
def organization(log: None) -> Organization:
    return Organization.objects.create(name="ministry")


@pytest.fixture
def exporter(organization: Organization, tmp_path: Path) -> Callable[..., Export]:
    """Export the organization's records, by default of the last hour, and unpack the file."""

    def written(start: datetime | None = None, end: datetime | None = None) -> Export:
        window = export_archive.ExportWindow(
            organization, start or clock.now() - timedelta(hours=1), end or clock.now()
        )
        path = tmp_path / window.file_name
        export_archive.write_export(window, path)
        return opened(path)

    return written
