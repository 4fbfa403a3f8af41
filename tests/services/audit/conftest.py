from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django import Settings

from controlplane.audit import evidence, log_key
from controlplane.audit.models import EvidenceRecord
from controlplane.kernel.ids import new_id


@pytest.fixture
def log(db: None, tmp_path: Path, settings: Settings) -> None:
    """An empty log with a key."""
    settings.PKI_DIR = tmp_path / "pki"
    settings.LOG_ORIGIN = "cloud.example/log"
    log_key.create_log_key(settings.PKI_DIR)


@pytest.fixture
def write(log: None) -> Callable[[int], list[EvidenceRecord]]:
    """Append so many records of one organization and give them their places."""
    organization = new_id()

    def append(count: int) -> list[EvidenceRecord]:
        rows = [evidence.append("receipt", {"number": number}, organization_id=organization) for number in range(count)]
        evidence.sequence()
        return list(EvidenceRecord.objects.filter(pk__in=[row.pk for row in rows]).order_by("leaf_index"))

    return append
