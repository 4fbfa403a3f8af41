from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pytest_django import Settings

from agents.node.adapters.fake import FakeNode
from controlplane.catalog.models import Flavor, Image, VolumeType
from controlplane.network.models import Network
from controlplane.network.services import network_create
from tests.world import FakeMachine, Tenant, World, make_flavor, make_image, make_tenant, make_volume_type, world


@dataclass(frozen=True)
class Cloud:
    """One node and one tenant with what an instance needs."""

    world: World
    machine: FakeMachine
    tenant: Tenant
    image: Image
    flavor: Flavor
    volume_type: VolumeType
    network: Network

    @property
    def fake(self) -> FakeNode:
        return self.machine.fake


@pytest.fixture
def cloud(db: None, tmp_path: Path, settings: Settings) -> Iterator[Cloud]:
    settings.PKI_DIR = tmp_path / "pki"
    settings.IMAGES_DIR = tmp_path / "images"
    with world(tmp_path) as made:
        machine = made.add_machine("fr-idf-1")
        tenant = make_tenant()
        network = network_create(
            tenant.actor, tenant.project, name="lan", cidr="10.10.0.0/24", dns_servers=[], labels={}
        )
        yield Cloud(
            world=made,
            machine=machine,
            tenant=tenant,
            image=make_image(tmp_path / "images"),
            flavor=make_flavor(),
            volume_type=make_volume_type(),
            network=network,
        )
