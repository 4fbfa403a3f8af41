from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from tests import cloud_fixtures
from tests.cloud_copies import bare, write_copied_rows
from tests.services.policies import import_all, learn
from tests.world import Cloud, cloud_in

broker = cloud_fixtures.broker


@pytest.fixture
def cloud(request: pytest.FixtureRequest, db: None, tmp_path: Path, settings: Settings) -> Iterator[Cloud]:
    """Return the cloud of cloud_fixtures, from its beginning as the fixture `known` has it, for tests with that one."""
    furnish = inform if "known" in request.fixturenames else bare
    with cloud_fixtures.furnished_cloud(tmp_path, settings, furnish) as created:
        yield created


@pytest.fixture
def known(cloud: Cloud) -> Cloud:
    """Return the cloud with the facts of the sample catalogue, which its node has too, and the shipped
    classifications.
    """
    return cloud


def inform(cloud: Cloud) -> None:
    """Import the sample catalogue and the shipped classifications, and send the facts to the nodes."""
    import_all()
    cloud.world.publish_keys()
    learn(cloud)


@pytest.fixture
def imported(db: None) -> None:
    """Import the facts of the sample catalogue, and the shipped classifications, before the test writes anything."""
    write_copied_rows(import_all)


@pytest.fixture
def shared_cloud(transactional_db: None, tmp_path: Path, settings: Settings) -> Iterator[Cloud]:
    """Return a committed cloud, so that threads see it and each other."""
    settings.PKI_DIR = tmp_path / "pki"
    settings.IMAGES_DIR = tmp_path / "images"
    with cloud_in(tmp_path) as created:
        yield created
