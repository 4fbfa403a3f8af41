from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from controlplane.operations import wakeups
from tests.world import Broker, Cloud, cloud_in


@pytest.fixture
def cloud(db: None, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    settings.PKI_DIR = tmp_path / "pki"
    settings.IMAGES_DIR = tmp_path / "images"
    monkeypatch.setattr(wakeups, "send_wakeup", Broker().send_wakeup)
    with cloud_in(tmp_path) as created:
        yield created
