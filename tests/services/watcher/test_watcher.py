"""The real watcher over real streams to two agents: heartbeats, events, loss and return."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError, connection
from pytest_django import Settings

from agents.node.lease import STOP_WITHIN_S, LeasePolicy
from agents.protocol import agent_pb2 as pb
from controlplane.catalog import epochs
from controlplane.compute.models import Instance
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.metrics import tables
from controlplane.metrics.services import Sample
from controlplane.network.models import Port
from controlplane.node_lifecycle.recovery import auto_recovery
from controlplane.nodes.models import Incident, Node, Receipt, TrustDocument
from controlplane.reconcilers import node_liveness
from controlplane.watcher import report_handlers, streams, usage, writer
from controlplane.watcher.stream_registry import StreamRegistry
from tests.hung_node import hung_address
from tests.workflows.helpers import make_instance
from tests.world import Cloud, make_node

PATIENCE_S = 60


@pytest.fixture(autouse=True)
def in_a_hurry(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.HEARTBEAT_INTERVAL_MS = 100
    settings.METRICS_INTERVAL_S = 0
    settings.NODE_UNREACHABLE_AFTER_S = 1
    settings.NODE_LEASE_S = 2
    monkeypatch.setattr(streams, "LOOK_FOR_NODES_S", 0.1)
    monkeypatch.setattr(streams, "REOPEN_S", 0.1)


@asynccontextmanager
async def watching() -> AsyncIterator[None]:
    task = asyncio.create_task(streams.watch_all(StreamRegistry()))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await sync_to_async(hang_up)()


def hang_up() -> None:
    """In the thread whose connection it is; the proxy must be looked up there."""
    connection.close()


async def until(condition: Callable[[], bool]) -> None:
    """Polls the database, as a reconciler would."""

    async def poll() -> None:
        while not await sync_to_async(condition)():
            await asyncio.sleep(0.02)

    await asyncio.wait_for(poll(), PATIENCE_S)


def state_of(node: Node) -> str:
    return Node.objects.values_list("state", flat=True).get(pk=node.pk)


def run_watched(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with watching():
            await scenario()

    asyncio.run(main())


def test_watcher_records_nodes_guests_and_lost_heartbeats(shared_cloud: Cloud) -> None:
    one, other = shared_cloud.machine, shared_cloud.world.add_machine("de-rhein-1")
    instance = make_instance(shared_cloud)
    host = one if instance.node_id == one.row.pk else other
    Node.objects.update(state="enrolled", last_heartbeat_at=None)

    def power() -> tuple[str, str]:
        return Instance.objects.values_list("power_state", "power_reason").get(pk=instance.pk)

    def lost() -> bool:
        node_liveness.reconcile()
        return state_of(host.row) == "unreachable"

    async def scenario() -> None:
        await until(lambda: state_of(one.row) == state_of(other.row) == "ready")
        host.fake.crash(instance.pk, "Kernel panic.")
        await until(lambda: power() == ("crashed", "Kernel panic."))
        await asyncio.to_thread(host.stop_agent)
        await until(lost)
        assert await sync_to_async(power)() == ("crashed", "Kernel panic."), "of what it does not hear it says nothing"
        await asyncio.to_thread(host.start_agent)
        await until(lambda: state_of(host.row) == "ready")

    run_watched(scenario)
    quiet = other if host is one else one
    assert state_of(quiet.row) == "ready"


@pytest.mark.parametrize(("hung", "fenced"), [(1, 1), (3, 0)])
def test_hung_nodes_do_not_block_heartbeats_or_fencing(
    shared_cloud: Cloud, settings: Settings, hung: int, fenced: int
) -> None:
    """Hung nodes accept connections and never answer. One is fenced by its lease; several are left to operators."""
    settings.RECOVER_BY_ITSELF = True
    long_ago = clock.now() - timedelta(hours=1)

    def heartbeat_received_after(moment: datetime) -> bool:
        return Node.objects.filter(pk=shared_cloud.machine.row.pk, last_heartbeat_at__gt=moment).exists()

    def judged() -> bool:
        node_liveness.reconcile()
        auto_recovery.reconcile()
        silent = Node.objects.filter(name__startswith="hung-", state="unreachable")
        open_incidents = Incident.objects.filter(kind="recovery-held", ended_at=None)
        is_reported = open_incidents.count() == hung - fenced and silent.filter(admin_state="fenced").count() == fenced
        return silent.count() == hung and is_reported

    async def scenario() -> None:
        await until(judged)
        moment = clock.now()
        await until(lambda: heartbeat_received_after(moment))
        assert await sync_to_async(state_of)(shared_cloud.machine.row) == "ready"

    with ExitStack() as stack:
        for number in range(hung):
            row, address = make_node(f"hung-{number}", zone="de-rhein-1"), stack.enter_context(hung_address())
            silence = {"address": address, "last_heartbeat_at": long_ago}
            Node.objects.filter(pk=row.pk).update(fences_within_s=1, leased_until=long_ago, **silence)
        run_watched(scenario)


def test_node_enrolled_later_is_watched(shared_cloud: Cloud) -> None:
    late: list[Node] = []

    def enrol() -> None:
        late.append(shared_cloud.world.add_machine("de-rhein-1").row)
        Node.objects.filter(pk=late[0].pk).update(state="enrolled", last_heartbeat_at=None)

    async def scenario() -> None:
        await until(lambda: Node.objects.filter(last_heartbeat_at__isnull=False).exists())
        await sync_to_async(enrol)()
        await until(lambda: state_of(late[0]) == "ready")

    run_watched(scenario)


def test_database_error_or_bad_message_ends_one_stream_only(
    shared_cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles: list[Exception] = [OperationalError("the database is restarting"), ValueError("badly formed UUID")]
    write = report_handlers.write

    def troubled(*args: Any) -> None:
        if troubles:
            raise troubles.pop(0)
        write(*args)

    monkeypatch.setattr(report_handlers, "write", troubled)
    Node.objects.update(state="enrolled")

    async def scenario() -> None:
        await until(lambda: state_of(shared_cloud.machine.row) == "ready")

    run_watched(scenario)
    assert troubles == []


@pytest.mark.parametrize(("part", "pause"), [(writer, "GATHER_S"), (usage, "WRITE_EVERY_S")])
def test_failure_of_a_shared_task_ends_the_watcher(
    shared_cloud: Cloud, monkeypatch: pytest.MonkeyPatch, part: object, pause: str
) -> None:
    """The process ends, and is started anew; else all streams would wait for it and nobody know."""
    monkeypatch.setattr(part, pause, "no number")

    async def scenario() -> None:
        with pytest.raises(ExceptionGroup) as failure:
            await asyncio.wait_for(streams.watch_all(StreamRegistry()), PATIENCE_S)
        assert failure.value.subgroup(TypeError) is not None
        await sync_to_async(hang_up)()

    asyncio.run(scenario())


def test_watcher_survives_a_failed_listing_of_nodes(shared_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    troubles = [OperationalError("the database is restarting")] * 2
    nodes = streams.nodes_to_watch

    def troubled() -> object:
        if troubles:
            raise troubles.pop()
        return nodes()

    monkeypatch.setattr(streams, "nodes_to_watch", troubled)
    Node.objects.update(state="enrolled")

    async def scenario() -> None:
        await until(lambda: state_of(shared_cloud.machine.row) == "ready")

    run_watched(scenario)


def test_another_agent_at_a_node_address_is_refused(shared_cloud: Cloud) -> None:
    """Its certificate names another node, so its heartbeats never count for this one."""
    one, other = shared_cloud.machine, shared_cloud.world.add_machine("de-rhein-1")
    one.stop_agent()
    Node.objects.filter(pk=one.row.pk).update(address=other.row.address, state="enrolled", last_heartbeat_at=None)
    Node.objects.filter(pk=other.row.pk).update(state="enrolled")

    async def scenario() -> None:
        await until(lambda: state_of(other.row) == "ready")

    run_watched(scenario)
    assert state_of(one.row) == "enrolled"


def test_watcher_sends_trust_documents_and_stores_receipts(shared_cloud: Cloud) -> None:
    row = shared_cloud.machine.row
    shared_cloud.machine.replace_disk()
    Node.objects.filter(pk=row.pk).update(keyset_version=0, charter_version=0, facts_epoch=0, attested_at=None)

    def trusts() -> bool:
        node = Node.objects.get(pk=row.pk)
        return (node.keyset_version, node.charter_version) == (1, 1) and node.facts_epoch == epochs.current()

    async def scenario() -> None:
        await until(trusts)
        await until(lambda: Node.objects.get(pk=row.pk).is_attested)
        await sync_to_async(make_instance)(shared_cloud)
        await until(Receipt.objects.filter(is_genuine=True, node=row).exists)

    run_watched(scenario)


def test_node_that_refuses_trust_documents_is_still_watched(shared_cloud: Cloud) -> None:
    """The trust document is not signed by the root that the node knows."""
    TrustDocument.objects.create(kind="keyset", version=2, document=b'{"kid":"x","p":{},"sig":""}')
    Node.objects.update(state="enrolled")

    async def scenario() -> None:
        await until(lambda: state_of(shared_cloud.machine.row) == "ready")
        beat = await sync_to_async(Node.objects.get)()
        await until(lambda: Node.objects.get().last_heartbeat_at != beat.last_heartbeat_at)

    run_watched(scenario)
    assert shared_cloud.machine.held.keyset.version == 1


@pytest.fixture
def measuring(settings: Settings, shared_cloud: Cloud) -> Iterator[None]:
    """The tables of metrics are no models: nobody else empties them."""
    settings.METRICS_INTERVAL_S = 1
    yield
    for tier in tables.tiers():
        for name, _ in tables.partitions(tier):
            tables.drop_partition(name)


def sampled(*instances: Instance) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM metrics_sample WHERE instance_id = ANY(%s)", [[i.pk for i in instances]])
        count: int = cursor.fetchone()[0]
    return count


def test_usage_is_stored_per_guest(shared_cloud: Cloud, measuring: None) -> None:
    instances = [make_instance(shared_cloud, name) for name in ("web", "db")]

    async def scenario() -> None:
        await until(lambda: all(sampled(each) >= 2 for each in instances))

    run_watched(scenario)


def test_two_watchers_store_each_sample_once(shared_cloud: Cloud, measuring: None) -> None:
    instance = make_instance(shared_cloud)

    async def scenario() -> None:
        async with watching():
            await until(lambda: sampled(instance) >= 3)

    began = clock.now()
    run_watched(scenario)
    assert sampled(instance) <= (clock.now() - began).total_seconds() + 1


def test_heartbeats_do_not_wait_for_metrics(
    shared_cloud: Cloud, measuring: None, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    make_instance(shared_cloud)
    settings.METRICS_BUFFER_SAMPLES = 1
    is_let_go = threading.Event()
    monkeypatch.setattr(usage, "record", lambda samples: is_let_go.wait())

    def heartbeat_received_since(at: Any) -> bool:
        return Node.objects.filter(last_heartbeat_at__gt=at).exists()

    async def scenario() -> None:
        try:
            await until(lambda: "metric samples dropped, 1 in total" in caplog.text)
            now = clock.now()
            await until(lambda: heartbeat_received_since(now))
        finally:
            is_let_go.set()

    run_watched(scenario)


def test_metrics_wait_for_a_database_that_does_not_answer(
    shared_cloud: Cloud, measuring: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = make_instance(shared_cloud)
    troubles: list[Exception] = [OperationalError("the database is restarting"), ValueError("no such moment")]
    first: list[Any] = []
    record = usage.record

    def troubled(samples: Any) -> int:
        if troubles:
            first.append(samples[0].at)
            raise troubles.pop(0)
        return record(samples)

    monkeypatch.setattr(usage, "record", troubled)

    async def scenario() -> None:
        await until(lambda: sampled(instance) >= 1)

    run_watched(scenario)
    assert first[0] == first[1], "it was tried again; what makes no sense is not"


def test_extreme_usage_values_fit_the_columns(shared_cloud: Cloud, measuring: None) -> None:
    most = 2**64 - 1
    disks = [pb.DiskUsage(volume_id="x", read_bytes=most, written_bytes=most, reads=most, writes=most)] * 2
    guest = pb.GuestUsage(id=str(new_id()), vcpus=2**32 - 1, cpu_ns=most, memory_resident_mib=most, disks=disks)
    reported = pb.Usage(at_unix_ms=2**63 - 1, guests=[guest, pb.GuestUsage(id="../../etc")])
    (sample,) = usage.samples_of(shared_cloud.machine.row.pk, reported)
    assert (sample.vcpus, sample.memory_used_mib) == (2**15 - 1, None)
    assert sample.cpu_ns == sample.disk_read_bytes == 2**53
    assert record_now(sample) == 0
    for at_unix_ms in (-(2**63), 0):
        (other,) = usage.samples_of(shared_cloud.machine.row.pk, pb.Usage(at_unix_ms=at_unix_ms, guests=[guest]))
        assert record_now(other) == 0


def test_extreme_usage_values_of_ports_fit_the_columns(shared_cloud: Cloud) -> None:
    most = 2**64 - 1
    port = Port.objects.get(instance_id=make_instance(shared_cloud).pk)
    counters = {"in_bytes": most, "out_bytes": most, "in_packets": most, "out_packets": most, "in_dropped": most}
    ports = [pb.PortUsage(port_id=str(port.pk), **counters), pb.PortUsage(port_id="../../etc")]
    reported = pb.Usage(at_unix_ms=round(clock.now().timestamp() * 1000), guests=[pb.GuestUsage(ports=ports)] * 2)
    sample, duplicate = usage.port_samples_of(shared_cloud.machine.row.pk, reported)
    assert sample.network_in_bytes == sample.network_in_dropped == 2**53
    assert sample.network_out_dropped is None, "not reported"
    assert usage.record_ports([sample, duplicate]) == 1


def record_now(sample: Sample) -> int:
    """Record the sample at the present time; it belongs to no instance here."""
    return usage.record([sample, replace(sample, at=clock.now())])


def test_node_lease_is_renewed_repeatedly(shared_cloud: Cloud, tmp_path: Path) -> None:
    """Each lease is recorded before it is sent."""
    machine = shared_cloud.machine
    os.mkfifo(tmp_path / "watchdog")
    dog = os.open(tmp_path / "watchdog", os.O_RDONLY | os.O_NONBLOCK)
    machine.stop_agent()
    machine.start_agent(lease=LeasePolicy(stops=True, limit_s=5), watchdog=tmp_path / "watchdog", watchdog_timeout_s=20)

    def leased() -> tuple[object, bool]:
        row = Node.objects.get(pk=machine.row.pk)
        return row.leased_until, row.fences_within_s is not None

    expiries: set[object] = set()

    async def scenario() -> None:
        await until(lambda: leased()[1])
        expiries.add((await sync_to_async(leased)())[0])
        await until(lambda: leased()[0] not in expiries)

    try:
        run_watched(scenario)
        row = Node.objects.get(pk=machine.row.pk)
        assert row.fences_within_s == 5 + STOP_WITHIN_S + 20 + 2
        assert "self-fencing" in row.traits
        assert row.leased_until is not None
        remaining_ms = machine.server.node.lease.status().remaining_ms
        assert clock.now() + timedelta(milliseconds=remaining_ms) <= row.leased_until
    finally:
        machine.stop_agent()
        os.close(dog)
        machine.start_agent()
