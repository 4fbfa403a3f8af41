"""A node whose engine or storage blocks: calls of one kind have no answer, and the agent lives."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import grpc
import pytest

from agents.lab.shell import wait_until
from agents.node.adapters.fake_hang import Hang
from agents.node.main import CALL_THREADS, SPARE_THREADS
from agents.node.services.consoles import MAX_CONSOLES
from agents.node.services.events import MAX_WATCHES
from agents.protocol import agent_pb2 as pb
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest
from tests.limits import PATIENCE_S

THREADS = CALL_THREADS + SPARE_THREADS + MAX_CONSOLES + MAX_WATCHES


@pytest.fixture
def hanging(agent: AgentUnderTest, tmp_path: Path) -> Iterator[Path]:
    """The file that says in which calls the agent's node hangs. They go on when the test ends."""
    file = tmp_path / "hanging"
    agent.fake.hang = Hang(file)
    yield file
    file.unlink(missing_ok=True)


def test_heartbeats_continue_while_calls_of_one_kind_hang(agent: AgentUnderTest, hanging: Path) -> None:
    hanging.write_text("create_volume\ngrow_volume\n")
    request = agent.stub.permitted(specs.volume())
    call = agent.stub.bare.EnsureVolume.future(request)
    watch = agent.stub.Watch(pb.WatchRequest(heartbeat_interval_ms=100))
    heartbeats = (event for event in watch if event.HasField("heartbeat"))
    for _ in range(3):
        next(heartbeats)
    agent.stub.EnsurePort(specs.port())
    assert not call.done()
    call.cancel()
    hanging.unlink()
    volume_id = UUID(request.subject.id)
    wait_until(lambda: volume_id in agent.fake.volumes, what="the call to go on", within_s=PATIENCE_S)
    watch.cancel()


def test_hanging_calls_leave_threads_for_leases_and_watches(agent: AgentUnderTest, hanging: Path) -> None:
    first_heartbeat = next(iter(agent.stub.Watch(pb.WatchRequest(heartbeat_interval_ms=100)))).heartbeat
    hanging.write_text("remove_volume")
    calls = [
        agent.stub.bare.RemoveVolume.future(pb.RemoveRequest(subject=pb.Subject(id=str(uuid4()), generation=1)))
        for _ in range(THREADS + 10)
    ]
    renewal = pb.RenewLeaseRequest(
        boot_id=first_heartbeat.inventory.boot_id, heard_at_ms=first_heartbeat.lease.said_at_ms, duration_s=30
    )
    agent.stub.watcher.RenewLease(renewal, timeout=PATIENCE_S)
    watch = agent.stub.Watch(pb.WatchRequest(heartbeat_interval_ms=100), timeout=PATIENCE_S)
    assert next(iter(watch)).HasField("heartbeat")
    watch.cancel()
    more = len(calls) - CALL_THREADS
    wait_until(lambda: sum(call.done() for call in calls) >= more, what="refusals", within_s=PATIENCE_S)
    refused = [call for call in calls if call.done()]
    assert {call.code() for call in refused} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert len(refused) == more
    assert dict(refused[0].trailing_metadata())["andromede-code"] == "agent.exhausted"
    hanging.unlink()
    assert all(call.exception(timeout=PATIENCE_S) is None for call in calls if call not in refused)
