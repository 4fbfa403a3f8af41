"""Each process says when its certificates end."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from prometheus_client import CollectorRegistry
from pytest_django import Settings

from controlplane.kernel import clock
from controlplane.kernel.certificate_metrics import CertificateMetrics
from controlplane.nodes.management.commands.init_pki import PROCESSES

NAME = "andromede_certificate_remaining_seconds"


def remaining() -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(CertificateMetrics())
    (family,) = registry.collect()
    return {sample.labels["certificate"]: sample.value for sample in family.samples}


@pytest.mark.django_db
def test_end_of_each_certificate_is_exported(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PKI_DIR = tmp_path
    call_command("init_pki")
    moment = clock.now()
    monkeypatch.setattr(clock, "now", lambda: moment)
    before = remaining()
    assert before.keys() == {"ca", *PROCESSES}
    assert 396 < before["web"] / 86400 <= 397
    monkeypatch.setattr(clock, "now", lambda: moment + timedelta(days=400))
    assert remaining()["web"] == pytest.approx(before["web"] - 400 * 86400)


def test_broken_certificate_is_left_out(tmp_path: Path, settings: Settings) -> None:
    settings.PKI_DIR = tmp_path
    (tmp_path / "web.crt").write_text("no certificate")
    assert remaining() == {}


def test_process_without_certificates_exports_none(tmp_path: Path, settings: Settings) -> None:
    settings.PKI_DIR = tmp_path / "nowhere"
    assert remaining() == {}
