from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from controlplane.operations import wakeups
from tests.cloud_copies import copied_cloud_in
from tests.world import Broker, Cloud


@pytest.fixture
def cloud(db: None, tmp_path: Path, settings: Settings) -> Iterator[Cloud]:
    settings.PKI_DIR = tmp_path / "pki"
    settings.IMAGES_DIR = tmp_path / "images"
    with copied_cloud_in(tmp_path) as created:
        yield created


@pytest.fixture(autouse=True)
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    broker = Broker()
    monkeypatch.setattr(wakeups, "send_wakeup", broker.send_wakeup)
    return broker
