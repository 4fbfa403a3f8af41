"""A volume in a storage cluster, made by the dashboard's own form."""

import pytest
from django.test import Client

from controlplane.storage.models import Volume
from tests.dashboard.sample_resources import make_volume
from tests.workflows import snapshots
from tests.world import Cloud


@pytest.fixture
def volume(cloud: Cloud, member: Client, home: str) -> Volume:
    """Return a volume whose type has snapshots."""
    snapshots.cluster(cloud)
    return make_volume(member, home, volume_type=snapshots.POOL)
