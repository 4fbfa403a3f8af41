"""A small cloud in a test: zones, a project, an image, and nodes with real agents over fake adapters."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

from agents.node import enrol
from agents.node.adapters.fake import FakeCapacity, FakeNode
from agents.node.main import Config, Server, serve
from agents.node.rpc import encoding
from agents.node.services import signed_inventory
from agents.node.services.usage import UsageSampler
from agents.node.trust.clock import Clock, kept_elsewhere
from agents.node.trust.store import TrustSnapshot
from agents.protocol import agent_pb2 as pb
from andromede_core.permits.trust_documents import ANY
from controlplane.catalog.models import Flavor, Image, Region, VolumeType, Zone
from controlplane.compute import instance_metadata
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.identity.models import ApiToken, Membership, Organization, Project, User
from controlplane.kernel import clock
from controlplane.kernel import wakeups as kernel_wakeups
from controlplane.kernel.wakeups import Task
from controlplane.metrics.services import record, record_ports, record_rules
from controlplane.network import announced_prefixes, port_rules, segments
from controlplane.network.models import AddressPool, Network
from controlplane.network.services import network_create
from controlplane.nodes import (
    agent_call_metrics,
    agent_client,
    channels,
    keysets,
    orphans,
    pki,
    signing_keys,
    trust_documents,
)
from controlplane.nodes.management import signing
from controlplane.nodes.models import Inventory, Node
from controlplane.nodes.services import mark_unreachable, node_enrol
from controlplane.nodes.trust_documents import CharterRequest
from controlplane.operations import leases, wakeups
from controlplane.operations.models import Operation
from controlplane.placement import permits
from controlplane.signer import announcements as announcements_signer
from controlplane.signer import floors, sentinel, trusted_facts
from controlplane.signer import instance_metadata as metadata_signer
from controlplane.signer import permits as signer
from controlplane.signer import port_rules as rules_signer
from controlplane.signer import segments as segment_signer
from controlplane.watcher import receipts, report_handlers
from controlplane.watcher.usage import port_samples_of, rule_samples_of, samples_of
from controlplane.webhooks import wakeups as webhook_wakeups
from controlplane.workflows import engine
from controlplane.workflows.registry import WORKFLOWS
from controlplane.workflows.workflow_types import Workflow
from tests.storage_agent import FakeStorageAgent

PATIENCE = 200
IMAGE_BYTES = b"QFI\xfb" + b"\0" * 4092


@dataclass
class FakeMachine:
    """A node: its row, its fake adapters, and the agent that serves them."""

    row: Node
    fake: FakeNode
    state_dir: Path
    server: Server

    @property
    def held(self) -> TrustSnapshot:
        """Return the trust documents of the node."""
        return self.server.node.permits.store.held

    def stop_agent(self) -> None:
        self.server.stop(0)

    def start_agent(self, **options: Any) -> None:
        """Start the agent again at the same address; guests have run on, and callers reconnect at once.

        `options`: of its Config.
        """
        config = replace(config_of(self.state_dir, port=self.server.port), **options)
        self.server = serve(config, self.fake.adapters())
        channels.close()

    def replace_disk(self) -> None:
        """Replace the disk: the node has only its key left, and has sent no heartbeat since."""
        self.stop_agent()
        for file in self.state_dir.glob("ledger.sqlite*"):
            file.unlink()
        self.start_agent()

    def heartbeat(self) -> None:
        """Record a heartbeat, as the watcher does."""
        inventory = agent_client.describe(self.row).inventory
        trusted = agent_client.ensure_trust(self.row, pb.EnsureTrustRequest())
        hook = pb.HookState(is_active=True)
        self_test = pb.SelfTest(has_passed=True)
        heartbeat = pb.Heartbeat(inventory=inventory, trust=trusted, hook=hook, self_test=self_test)
        due = report_handlers.write(self.row.pk, pb.NodeEvent(heartbeat=heartbeat))
        if due is not None:
            trust_documents.record_trust_state(self.row, agent_client.ensure_trust(self.row, due))
        self.row.refresh_from_db()

    def report_power(self) -> None:
        """Report the power state of each guest to the control plane."""
        for state in agent_client.describe(self.row).instances:
            report_handlers.write(self.row.pk, pb.NodeEvent(instance=state))

    def use(self, at: datetime) -> None:
        """Report the guests' usage to the control plane; each time they have worked 10 s more."""
        meter = UsageSampler(self.server.node, now_ms=lambda: round(at.timestamp() * 1000))
        usage = encoding.usage(meter.read(10_000))
        record(list(samples_of(self.row.pk, usage)))
        record_ports(list(port_samples_of(self.row.pk, usage)))
        record_rules(list(rule_samples_of(self.row.pk, usage)))

    def account(self) -> None:
        """Send the node's pending receipts and its inventory to the control plane."""
        after = receipts.last_number(self.row.pk)
        for number, document in self.server.node.permits.receipts.after(after, limit=1000):
            report_handlers.write(self.row.pk, pb.NodeEvent(receipt=pb.Receipt(number=number, document=document)))
        inventory = signed_inventory.document(self.server.node)
        report_handlers.write(self.row.pk, pb.NodeEvent(signed_inventory=inventory))
        self.row.refresh_from_db()

    def become_unreachable(self) -> None:
        """Stop the agent and mark the node unreachable; other nodes stay reachable, however long the test has taken."""
        self.stop_agent()
        Node.objects.filter(state="ready").exclude(pk=self.row.pk).update(last_heartbeat_at=clock.now())
        Node.objects.filter(pk=self.row.pk).update(last_heartbeat_at=clock.now() - timedelta(hours=1))
        assert mark_unreachable() == 1
        self.row.refresh_from_db()

    def come_back(self) -> None:
        self.start_agent()
        self.heartbeat()


def config_of(state_dir: Path, *, port: int = 0) -> Config:
    return Config(state_dir=state_dir, listen=f"127.0.0.1:{port}", clock=Clock(is_kept=kept_elsewhere))


@dataclass
class World:
    """The cloud. `folder` replaces settings.VAR_DIR: certificates, keys, images, agents' state."""

    folder: Path
    machines: list[FakeMachine] = field(default_factory=list)
    # What a test has started, and that ends before the nodes do.
    clusters: list[FakeStorageAgent] = field(default_factory=list)
    started: ExitStack = field(default_factory=ExitStack)

    def add_machine(self, zone: str, *, name: str | None = None, capacity: FakeCapacity | None = None) -> FakeMachine:
        name = name or f"node-{len(self.machines) + 1}"
        state_dir = self.folder / name
        request = enrol.request(state_dir, name).encode()
        node, certificate = node_enrol(
            SYSTEM, name=name, zone=make_zone(zone), address="127.0.0.1:0", request_pem=request
        )
        Inventory.objects.filter(pk=node.pk).update(memory_mib_reserved=0, disk_gib_reserved=0, vcpus_ratio=1)
        pki_dir = self.folder / "pki"
        ca, root = (pki_dir / "ca.crt").read_bytes(), (pki_dir / "root.pub").read_bytes()
        enrol.install(state_dir, certificate=certificate.encode(), ca=ca, root=root)
        machine = self.serve(node, capacity)
        node.attested_at = clock.now()
        node.save(update_fields=["address", "attested_at"])
        self.charter(node)
        machine.heartbeat()
        return machine

    def serve(self, node: Node, capacity: FakeCapacity | None = None) -> FakeMachine:
        """Start the agent of an enrolled node, whose address is then known, and not saved."""
        fake, state_dir = FakeNode(capacity), self.folder / node.name
        machine = FakeMachine(node, fake, state_dir, serve(config_of(state_dir), fake.adapters()))
        node.address = f"127.0.0.1:{machine.server.port}"
        self.machines.append(machine)
        return machine

    @property
    def root(self) -> signing_keys.SigningKey:
        return signing_keys.load(self.folder / "pki" / "root.key", signing_keys.ROOT)

    @property
    def signer(self) -> signing_keys.SigningKey:
        return signing_keys.load(self.folder / "pki" / "signer.key", signing_keys.SIGNER)

    def charter(self, node: Node, *classifications: str) -> None:
        """Sign a charter for all data unless classifications are given; the node receives it with its next
        heartbeat.
        """
        seen = CharterRequest(classifications or ("*",), "TEST-0001", timedelta(days=365), ("alice", "bruno"))
        trust_documents.charter_sign(SYSTEM, self.root, node, seen)
        floors.sign_missing_floors()

    def publish_keys(self, **options: Any) -> None:
        """Publish a keyset with the keys of signers and officers, as manage.py keyset_publish does."""
        signing.publish(SYSTEM, self.root, keysets.NewKeys(), **options)

    def close(self) -> None:
        self.started.close()
        channels.close()
        for machine in self.machines:
            machine.stop_agent()


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Make the cloud. settings.PKI_DIR and IMAGES_DIR must point into `folder`. Its signer answers at once."""
    pki.create_authority(folder / "pki")
    for process in ("worker", "watcher", "stream"):
        pki.issue_process(folder / "pki", process)
    for role in (signing_keys.ROOT, signing_keys.SIGNER, signing_keys.SENTINEL):
        signing_keys.create(folder / "pki", role, name=role)
    with running(folder) as created:
        created.publish_keys()
        yield created


@contextmanager
def running(folder: Path) -> Iterator[World]:
    """Serve the world whose keys are in `folder`, without nodes yet."""
    clear_caches()
    created = World(folder)
    with ExitStack() as patches:
        patches.enter_context(patch.object(kernel_wakeups, "current_app", Signer()))
        try:
            yield created
        finally:
            created.close()


def clear_caches() -> None:
    """Clear what this process keeps by ids or epochs, since another test may have used the same.

    The caches of placement keep nothing of a transaction that has written.
    """
    trusted_facts.clear_cache()
    channels.close()


class Signer:
    """Replaces Celery's queues to the signer and the sentinel, and these processes.

    Each request is answered before the call returns. `unread`: tasks that nobody takes.
    """

    def __init__(self, *unread: Task) -> None:
        self._unread = unread

    def send_task(self, name: str, *, args: list[str], queue: str, retry: bool, **options: float | None) -> None:
        assert not retry and options.keys() == {"countdown", "expires"}
        if (name, queue) in self._unread:
            return
        if (name, queue) in (
            segments.UPDATE_PEERS,
            port_rules.UPDATE_NODES,
            announcements_signer.SEND,
            instance_metadata.UPDATE_NODES,
            orphans.RECONCILE,
            webhook_wakeups.DELIVER,
        ):
            return  # tests of these call the reconciler, or deliver
        if (name, queue) == instance_metadata.SIGN:
            metadata_signer.sign_all()
            return
        if (name, queue) == port_rules.SIGN_PORT:
            rules_signer.sign_port(UUID(args[0]), args[1])
            return
        if (name, queue) == port_rules.SIGN_GROUP:
            rules_signer.sign_group(UUID(args[0]))
            return
        if (name, queue) == announced_prefixes.SIGN:
            announcements_signer.sign(args[0])
            return
        if (name, queue) == segments.SIGN:
            segment_signer.sign(UUID(args[0]), args[1])
            return
        answer = {permits.SIGN: signer.sign, permits.COSIGN: sentinel.cosign}[name, queue]
        answer(UUID(args[0]))


def make_zone(name: str) -> Zone:
    region, _ = Region.objects.get_or_create(pk="region-1", defaults={"name": "Region 1"})
    return Zone.objects.get_or_create(pk=name, defaults={"region": region})[0]


def make_address_pool(
    *cidrs: str,
    name: str = "public",
    zone: str = "fr-idf-1",
    purpose: str = "subnets",
    organization: Organization | None = None,
    reserved: Sequence[str] = (),
) -> AddressPool:
    """Make a pool of IPv6 ranges that are routed to the zone."""
    return AddressPool.objects.create(
        name=name,
        zone=make_zone(zone),
        organization=organization,
        family="ipv6",
        purpose=purpose,
        cidrs=list(cidrs),
        reserved_ranges=list(reserved),
    )


def make_node(name: str, *, zone: str = "fr-idf-1", **inventory: int) -> Node:
    """Make a ready node with exactly these capacities; no agent is at its address."""
    now = clock.now()
    node = Node.objects.create(
        name=name,
        zone=make_zone(zone),
        address="127.0.0.1:1",
        state="ready",
        certificate_sha256="",
        certificate_expires_at=now + timedelta(days=1),
        last_heartbeat_at=now,
        hook_problem="",
        attested_at=now,
        is_attested=True,
        traits=[port_rules.FILTERS],
        cleared_for=[ANY],
        chartered_until=now + timedelta(days=1),
    )
    totals = {"vcpus_total": 8, "memory_mib_total": 8192, "disk_gib_total": 100, **inventory}
    Inventory.objects.create(node=node, vcpus_ratio=1, memory_mib_reserved=0, disk_gib_reserved=0, **totals)
    return node


@dataclass(frozen=True)
class Tenant:
    project: Project
    actor: Actor


def make_tenant(name: str = "alpha") -> Tenant:
    """Make a project with a member who has a token for it."""
    organization = Organization.objects.create(name=f"{name}-org")
    project = Project.objects.create(organization=organization, name=name)
    user = User.objects.create(email=f"{name}@example.org")
    Membership.objects.create(organization=organization, user=user, role="member")
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
    """Make a public image whose bytes are in the store."""
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


def run(operation: Operation, workflow: Workflow | None = None) -> Operation:
    """Run the operation as a worker does, until it ends or waits; by another workflow if one is given."""
    leased = leases.lease_operation(operation.pk)
    if leased is not None:
        engine.run(leased, workflow or WORKFLOWS[leased.kind])
        leases.drop_lease(leased)
    operation.refresh_from_db()
    return operation


def run_next_attempt(operation: Operation, workflow: Workflow | None = None) -> Operation:
    """Run the next attempt, without the delay before it."""
    Operation.objects.filter(pk=operation.pk).update(due_at=clock.now())
    return run(operation, workflow)


def follow(operation: Operation) -> Operation:
    """Run the operation as workers do until it has ended. Waits take real time."""
    run(operation)
    for _ in range(PATIENCE):
        if operation.finished_at is not None:
            return operation
        time.sleep(0.02)
        run_next_attempt(operation)
    raise AssertionError(f"{operation.kind} does not end: {operation.steps}")


def agent_calls() -> float:
    """Return the number of calls to nodes that this process has made or tried."""
    samples = (sample for metric in agent_call_metrics.CALLS.collect() for sample in metric.samples)
    return sum(sample.value for sample in samples if sample.name.endswith("_total"))


class Broker:
    """Stores the wake-ups that were sent, as (operation id, delay in seconds)."""

    def __init__(self) -> None:
        self.sent: list[tuple[UUID, float]] = []

    def send_wakeup(self, task: Task, args: list[str], *, delay_s: float) -> None:
        assert task == (wakeups.RUN, args[1])
        self.sent.append((UUID(args[0]), delay_s))


@dataclass(frozen=True)
class Cloud:
    """One node and one tenant with the resources for an instance."""

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


@contextmanager
def cloud_in(folder: Path) -> Iterator[Cloud]:
    """Make a cloud. settings.PKI_DIR and IMAGES_DIR must point into `folder`."""
    with world(folder) as created:
        machine = created.add_machine("fr-idf-1")
        tenant = make_tenant()
        network = network_create(
            tenant.actor, tenant.project, name="lan", cidr="10.10.0.0/24", dns_servers=[], labels={}
        )
        yield Cloud(
            world=created,
            machine=machine,
            tenant=tenant,
            image=make_image(folder / "images"),
            flavor=make_flavor(),
            volume_type=make_volume_type(),
            network=network,
        )
