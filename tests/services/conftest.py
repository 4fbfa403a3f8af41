from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from tests import cloud_fixtures
from tests.services.policies import import_all, learn
from tests.world import Cloud, cloud_in

broker, cloud = cloud_fixtures.broker, cloud_fixtures.cloud


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
