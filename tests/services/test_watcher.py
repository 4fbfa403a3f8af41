"""The real watcher over real streams to two agents: heartbeats, events, silence, and coming back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError, connection
from pytest_django import Settings

from controlplane.catalog import epochs
from controlplane.compute.models import Instance
from controlplane.nodes.models import Node, Receipt, TrustDocument
from controlplane.reconcilers import node_liveness
from controlplane.watcher import messages, streams
from tests.workflows.helpers import make_instance
from tests.world import Cloud

PATIENCE_S = 20


@pytest.fixture(autouse=True)
def in_a_hurry(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.HEARTBEAT_INTERVAL_MS = 100
    settings.NODE_UNREACHABLE_AFTER_S = 1
    monkeypatch.setattr(streams, "LOOK_FOR_NODES_S", 0.1)
    monkeypatch.setattr(streams, "OPEN_AGAIN_S", 0.1)


@asynccontextmanager
async def watching() -> AsyncIterator[None]:
    task = asyncio.create_task(streams.watch_all())
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


def test_it_hears_of_nodes_and_guests_and_of_silence(shared_cloud: Cloud) -> None:
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


def test_a_node_that_is_enrolled_later_is_heard_too(shared_cloud: Cloud) -> None:
    late: list[Node] = []

    def enrol() -> None:
        late.append(shared_cloud.world.add_machine("de-rhein-1").row)
        Node.objects.filter(pk=late[0].pk).update(state="enrolled", last_heartbeat_at=None)

    async def scenario() -> None:
        await until(lambda: Node.objects.filter(last_heartbeat_at__isnull=False).exists())
        await sync_to_async(enrol)()
        await until(lambda: state_of(late[0]) == "ready")

    run_watched(scenario)


def test_a_database_that_fails_and_a_message_that_makes_no_sense_cost_one_stream_and_no_more(
    shared_cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles: list[Exception] = [OperationalError("the database is restarting"), ValueError("badly formed UUID")]
    write = messages.write

    def troubled(*args: Any) -> None:
        if troubles:
            raise troubles.pop(0)
        write(*args)

    monkeypatch.setattr(messages, "write", troubled)
    Node.objects.update(state="enrolled")

    async def scenario() -> None:
        await until(lambda: state_of(shared_cloud.machine.row) == "ready")

    run_watched(scenario)
    assert troubles == []


def test_a_database_that_does_not_list_the_nodes_does_not_end_it(
    shared_cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles = [OperationalError("the database is restarting")] * 2
    nodes = streams._nodes

    def troubled() -> object:
        if troubles:
            raise troubles.pop()
        return nodes()

    monkeypatch.setattr(streams, "_nodes", troubled)
    Node.objects.update(state="enrolled")

    async def scenario() -> None:
        await until(lambda: state_of(shared_cloud.machine.row) == "ready")

    run_watched(scenario)


def test_another_agent_at_a_nodes_address_is_not_believed(shared_cloud: Cloud) -> None:
    """Its certificate names another node, so its heartbeats never count for this one."""
    one, other = shared_cloud.machine, shared_cloud.world.add_machine("de-rhein-1")
    one.stop_agent()
    Node.objects.filter(pk=one.row.pk).update(address=other.row.address, state="enrolled", last_heartbeat_at=None)
    Node.objects.filter(pk=other.row.pk).update(state="enrolled")

    async def scenario() -> None:
        await until(lambda: state_of(other.row) == "ready")

    run_watched(scenario)
    assert state_of(one.row) == "enrolled"


def test_it_tells_a_node_what_to_trust_and_keeps_what_the_node_signs(shared_cloud: Cloud) -> None:
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


def test_a_node_that_takes_nothing_is_heard_all_the_same(shared_cloud: Cloud) -> None:
    """What it is told is not signed by the root that it knows."""
    TrustDocument.objects.create(kind="keyset", version=2, document=b'{"kid":"x","p":{},"sig":""}')
    Node.objects.update(state="enrolled")

    async def scenario() -> None:
        await until(lambda: state_of(shared_cloud.machine.row) == "ready")
        beat = await sync_to_async(Node.objects.get)()
        await until(lambda: Node.objects.get().last_heartbeat_at != beat.last_heartbeat_at)

    run_watched(scenario)
    assert shared_cloud.machine.held.keyset.version == 1
