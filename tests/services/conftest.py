from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from controlplane.operations import wakeups
from tests.cloud_copies import copied_cloud_in
from tests.services.policies import import_all, learn
from tests.world import Broker, Cloud, cloud_in


@pytest.fixture
def cloud(db: None, tmp_path: Path, settings: Settings) -> Iterator[Cloud]:
    """Return a cloud inside one transaction, so that a test leaves nothing and is fast."""
    settings.PKI_DIR = tmp_path / "pki"
    settings.IMAGES_DIR = tmp_path / "images"
    with copied_cloud_in(tmp_path) as created:
        yield created


@pytest.fixture
def known(cloud: Cloud) -> Cloud:
    """Return the same with the facts of the sample catalogue, which its node has too, and the shipped
    classifications.
    """
    import_all()
    cloud.world.publish_keys()
    learn(cloud)
    return cloud


@pytest.fixture
def shared_cloud(transactional_db: None, tmp_path: Path, settings: Settings) -> Iterator[Cloud]:
    """Return a committed cloud, so that threads see it and each other."""
    settings.PKI_DIR = tmp_path / "pki"
    settings.IMAGES_DIR = tmp_path / "images"
    with cloud_in(tmp_path) as created:
        yield created


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    broker = Broker()
    monkeypatch.setattr(wakeups, "send_wakeup", broker.send_wakeup)
    return broker


@pytest.fixture(autouse=True)
def no_hint_leaves_the_test(broker: Broker) -> None:
    """Drop wake-ups; tests here have no worker."""
