"""A pool that two nodes share, and a third one does not have: of a folder, or of a storage cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agents.node.adapters import pools
from agents.node.adapters.pools import Pools
from controlplane.catalog.models import VolumeType
from controlplane.compute.attachments import volume_attach
from controlplane.compute.models import Instance
from controlplane.compute.services import NewInstance, instance_create
from controlplane.identity.actor import SYSTEM
from controlplane.nodes import selectors
from controlplane.nodes.models import Pool
from controlplane.operations.models import Operation
from controlplane.reconcilers import storage_clusters
from controlplane.storage.models import Snapshot, Volume
from controlplane.storage.services import NewVolume, volume_create
from controlplane.storage_clusters.models import StorageCluster
from tests.storage_agent import FakeStorageAgent
from tests.workflows.helpers import done, fresh
from tests.workflows.snapshots import ask_snapshot
from tests.world import Cloud, FakeMachine

NAME, ZONE = "shared", "fr-idf-1"


@dataclass
class Shared:
    """Two nodes that share a pool, and one that does not. `agent`: of the cluster; None: the pool is a `folder`."""

    cloud: Cloud
    folder: Path
    other: FakeMachine
    alone: FakeMachine
    type: VolumeType
    agent: FakeStorageAgent | None = None

    @property
    def here(self) -> FakeMachine:
        return self.cloud.machine

    @property
    def pool(self) -> Pool:
        return Pool.objects.get(name=NAME)

    @property
    def files(self) -> set[str]:
        """Volumes of which there is data."""
        if self.agent is not None:
            return {str(volume_id) for volume_id in self.agent.volumes}
        return {path.stem for path in (self.folder / pools.VOLUMES).iterdir()}

    def size_bytes(self, volume: Volume) -> int:
        if self.agent is not None:
            return self.agent.volumes[volume.pk]
        return int((self.folder / pools.VOLUMES / f"{volume.pk}.qcow2").read_text())

    def ask(self, name: str = "web", **more: Any) -> tuple[Instance, Operation]:
        cloud = self.cloud
        fields = {"flavor": cloud.flavor, "image": cloud.image, "networks": (cloud.network,), **more}
        fields.setdefault("root_volume_type", self.type)
        return instance_create(SYSTEM, cloud.tenant.project, NewInstance(name=name, **fields))

    def without_snapshots(self) -> None:
        """Let root disks in a storage cluster be no volumes, as with a storage agent of an earlier release."""
        StorageCluster.objects.update(capabilities=[])

    def instance(self, name: str = "web", **more: Any) -> Instance:
        instance, operation = self.ask(name, **more)
        done(operation)
        return fresh(instance)

    def volume(self, name: str = "data", *, size_gib: int = 2, **more: Any) -> Volume:
        new = NewVolume(name=name, size_gib=size_gib, volume_type=self.type, **more)
        volume, operation = volume_create(SYSTEM, self.cloud.tenant.project, new)
        done(operation)
        return fresh(volume)

    def attach(self, instance: Instance, volume: Volume) -> None:
        done(volume_attach(self.cloud.tenant.actor, instance, volume=volume, is_read_only=False)[1])

    def held_by(self, machine: FakeMachine) -> set[str]:
        """Volumes that the node's agent has open."""
        return {entry.id for entry in machine.server.node.state_store.volumes.held()}

    def machine_of(self, row: Instance | Volume) -> FakeMachine:
        return next(machine for machine in self.cloud.world.machines if machine.row.pk == row.node_id)


@contextmanager
def folder_pool(cloud: Cloud, tmp_path: Path) -> Iterator[Shared]:
    folder = tmp_path / "pool"
    folder.mkdir()
    pools.make(folder)
    shared = _machines(cloud, folder)
    for machine in (shared.here, shared.other):
        machine.fake.pools = Pools({NAME: folder})
        machine.heartbeat()
    yield shared


@contextmanager
def cluster_pool(cloud: Cloud, tmp_path: Path) -> Iterator[Shared]:
    """At the end only nodes that know a volume have a key of it."""
    shared, agent = _machines(cloud, tmp_path), FakeStorageAgent(tmp_path, zone=ZONE)
    shared.agent = agent
    agent.description.pools[0].name = NAME
    agent.enrol()
    with agent.serving():
        storage_clusters.reconcile()
        for machine in (shared.here, shared.other):
            machine.fake.more_traits = (*machine.fake.more_traits, "rbd")
            machine.heartbeat()
        yield shared
        reachable = [machine for machine in (shared.here, shared.other) if selectors.is_reachable(machine.row.pk)]
        known = {(volume, machine.row.pk) for machine in reachable for volume in shared.held_by(machine) & shared.files}
        assert {(str(volume), node) for volume, nodes in agent.keys.items() for node in nodes} <= known


def _machines(cloud: Cloud, folder: Path) -> Shared:
    other = cloud.world.add_machine(ZONE, name="other")
    alone = cloud.world.add_machine(ZONE, name="alone")
    volume_type = VolumeType.objects.create(pk="shared", description="shared", pool=NAME)
    return Shared(cloud, folder, other, alone, volume_type)


def taken(shared: Shared, volume: Volume | None = None, name: str = "then") -> Snapshot:
    """Return a snapshot of the volume, or of a new one."""
    snapshot, operation = ask_snapshot(shared.cloud, volume or shared.volume(), name)
    done(operation)
    return fresh(snapshot)


@pytest.fixture
def shared(cloud: Cloud, tmp_path: Path) -> Iterator[Shared]:
    """Return a pool of a storage cluster."""
    with cluster_pool(cloud, tmp_path) as created:
        yield created


@pytest.fixture
def agent(shared: Shared) -> FakeStorageAgent:
    assert shared.agent is not None
    return shared.agent
