"""Fixtures of the test cloud. Conftests assign them where tests run the product in one process, without workers."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pytest_django import Settings

from controlplane.operations import wakeups
from tests.cloud_copies import Furnish, bare, copied_cloud_in
from tests.world import Broker, Cloud


@pytest.fixture
def cloud(db: None, tmp_path: Path, settings: Settings) -> Iterator[Cloud]:
    """Return a cloud: one node with a fake adapter, and the project alpha with a network, an image and a flavor.

    It is inside the test's transaction, so that a test is fast and leaves nothing.
    """
    with furnished_cloud(tmp_path, settings) as created:
        yield created


@contextmanager
def furnished_cloud(folder: Path, settings: Settings, furnish: Furnish = bare) -> Iterator[Cloud]:
    """Make the cloud of the fixture, with all that `furnish` adds to it."""
    settings.PKI_DIR = folder / "pki"
    settings.IMAGES_DIR = folder / "images"
    with copied_cloud_in(folder, furnish) as created:
        yield created


@pytest.fixture(autouse=True)
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    """Keep the wake-ups of the test: there are no workers that they could reach."""
    broker = Broker()
    monkeypatch.setattr(wakeups, "send_wakeup", broker.send_wakeup)
    return broker
