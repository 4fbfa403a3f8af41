"""A small cloud in a test: zones, a project, an image, and nodes whose agents are real but for the adapter."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from agents.node import enrol
from agents.node.adapters.fake import FakeCapacity, FakeNode
from agents.node.main import Config, Server, serve
from controlplane.catalog.models import Flavor, Image, Region, VolumeType, Zone
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.identity.models import ApiToken, Organization, Project, User
from controlplane.kernel import clock
from controlplane.nodes import agent_client, pki
from controlplane.nodes.models import Inventory, Node
from controlplane.nodes.services import node_enrol, record_heartbeat
from controlplane.operations import leases
from controlplane.operations.models import Operation
from controlplane.watcher.messages import report_of
from controlplane.workflows import engine
from controlplane.workflows.registry import WORKFLOWS

IMAGE_BYTES = b"QFI\xfb" + b"\0" * 4092


@dataclass
class FakeMachine:
    """A node: its row, its fake adapters, and the agent that serves them."""

    row: Node
    fake: FakeNode
    state_dir: Path
    server: Server

    def stop_agent(self) -> None:
        self.server.stop(0)

    def heartbeat(self) -> None:
        """As the watcher does it."""
        record_heartbeat(self.row.pk, report_of(agent_client.describe(self.row).inventory))
        self.row.refresh_from_db()


@dataclass
class World:
    """`folder` is settings.VAR_DIR's stand-in: certificates, images, agents' state."""

    folder: Path
    machines: list[FakeMachine] = field(default_factory=list)

    def add_machine(self, zone: str, *, name: str | None = None, capacity: FakeCapacity | None = None) -> FakeMachine:
        name = name or f"node-{len(self.machines) + 1}"
        state_dir = self.folder / name
        request = enrol.request(state_dir, name).encode()
        region, _ = Region.objects.get_or_create(pk="region-1", defaults={"name": "Region 1"})
        row_zone, _ = Zone.objects.get_or_create(pk=zone, defaults={"region": region})
        node, certificate = node_enrol(SYSTEM, name=name, zone=row_zone, address="127.0.0.1:0", request_pem=request)
        Inventory.objects.filter(pk=node.pk).update(memory_mib_reserved=0, disk_gib_reserved=0, vcpus_ratio=1)
        enrol.install(state_dir, certificate=certificate.encode(), ca=(self.folder / "pki" / "ca.crt").read_bytes())
        fake = FakeNode(capacity)
        server = serve(Config(state_dir=state_dir, listen="127.0.0.1:0"), fake.adapters())
        node.address = f"127.0.0.1:{server.port}"
        node.save(update_fields=["address"])
        machine = FakeMachine(node, fake, state_dir, server)
        machine.heartbeat()
        self.machines.append(machine)
        return machine

    def close(self) -> None:
        agent_client.close()
        for machine in self.machines:
            machine.stop_agent()


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """settings.PKI_DIR and IMAGES_DIR must point into `folder`."""
    pki.create_authority(folder / "pki")
    for process in ("worker", "watcher"):
        pki.issue_process(folder / "pki", process)
    made = World(folder)
    try:
        yield made
    finally:
        made.close()


@dataclass(frozen=True)
class Tenant:
    project: Project
    actor: Actor


def make_tenant(name: str = "alpha") -> Tenant:
    """A project with a member who has a token for it."""
    organization = Organization.objects.create(name=f"{name}-org")
    project = Project.objects.create(organization=organization, name=name)
    user = User.objects.create(email=f"{name}@example.org")
    token = ApiToken.objects.create(
        user=user,
        project=project,
        name="test",
        role="member",
        prefix="test",
        sha256=hashlib.sha256(name.encode()).digest(),
        expires_at=clock.now() + timedelta(days=1),
    )
    return Tenant(project, Actor(user.pk, token.pk, project.pk, "member"))


def make_image(images_dir: Path, *, name: str = "tiny", project: Project | None = None) -> Image:
    """A public image whose bytes are in the store."""
    digest = hashlib.sha256(IMAGE_BYTES).hexdigest()
    images_dir.mkdir(parents=True, exist_ok=True)
    (images_dir / digest).write_bytes(IMAGE_BYTES)
    return Image.objects.create(
        name=name,
        project=project,
        state="available",
        format="qcow2",
        sha256=digest,
        size_bytes=len(IMAGE_BYTES),
        virtual_size_bytes=2**20,
    )


def make_flavor(name: str = "tiny", *, vcpus: int = 1, memory_mib: int = 128, disk_gib: int = 1) -> Flavor:
    return Flavor.objects.create(pk=name, vcpus=vcpus, memory_mib=memory_mib, disk_gib=disk_gib)


def make_volume_type() -> VolumeType:
    return VolumeType.objects.create(pk="local", description="a file on one node")


def run(operation: Operation) -> Operation:
    """As a worker does it, until the operation ends or waits."""
    leased = leases.take_lease(operation.pk)
    if leased is not None:
        engine.run(leased, WORKFLOWS[leased.kind])
        leases.drop_lease(leased)
    operation.refresh_from_db()
    return operation
