"""The present control plane works with agents of the last release during rolling upgrades."""

from contextlib import ExitStack
from typing import Any

import grpc
import pytest

from agents.node.adapters.interfaces import NetworkProblems
from agents.protocol import agent_pb2 as pb
from agents.protocol.agent_pb2_grpc import AgentStub
from controlplane.compute.attachments import volume_detach
from controlplane.compute.console_log import console_tail
from controlplane.compute.migration import instance_migrate
from controlplane.compute.services import instance_delete, instance_power_off, instance_start
from controlplane.identity.actor import SYSTEM
from controlplane.nodes.channels import channel_credentials, channel_options
from controlplane.nodes.errors import NodeOutdated
from controlplane.watcher import report_handlers
from tests.agents.released import released_agent
from tests.workflows.helpers import assert_clean_slate, delete_everything, done, fresh, make_attached, make_instance
from tests.world import Cloud, FakeMachine, follow


def hear(machine: FakeMachine) -> Any:
    """One heartbeat, as the watcher gets it from the node's address and writes it."""
    node = machine.row
    with grpc.secure_channel(node.address, channel_credentials("watcher"), options=channel_options(node.pk)) as channel:
        stub = AgentStub(channel)  # type: ignore[no-untyped-call]
        watch = stub.Watch(pb.WatchRequest(heartbeat_interval_ms=100))
        event = next(event for event in watch if event.HasField("heartbeat"))
        watch.cancel()
    report_handlers.write(node.pk, event)
    return event.heartbeat


MIXED = [
    pytest.param(("source",), marks=pytest.mark.nightly),
    pytest.param(("destination",), marks=pytest.mark.nightly),
]


@pytest.mark.parametrize("released", [("source", "destination"), *MIXED], ids="-".join)
def test_guest_runs_and_migrates_with_released_agents(cloud: Cloud, released: tuple[str, ...]) -> None:
    tenant = cloud.tenant.actor
    with ExitStack() as agents:
        if "source" in released:
            agents.enter_context(released_agent(cloud.machine))
        attachment = make_attached(cloud)
        instance = attachment.instance
        other = cloud.world.add_machine("fr-idf-1")
        if "destination" in released:
            agents.enter_context(released_agent(other))
        done(instance_power_off(tenant, fresh(instance)))
        done(instance_start(tenant, fresh(instance)))
        assert console_tail(fresh(instance), max_bytes=100)
        moved = follow(instance_migrate(SYSTEM, fresh(instance)))
        assert moved.state == "succeeded", (moved.error, moved.steps)
        assert fresh(instance).node == other.row
        assert set(other.fake.guests) == {instance.pk}
        assert not cloud.fake.guests
        done(volume_detach(tenant, fresh(attachment)))
        delete_everything(cloud)
        for machine in (cloud.machine, other):
            assert hear(machine).inventory.cores
        assert_clean_slate(cloud)


def test_field_missing_in_a_released_heartbeat_is_no_problem(cloud: Cloud) -> None:
    cloud.fake.network_problems = NetworkProblems(rules="The rules were gone.")
    with released_agent(cloud.machine) as agent:
        heartbeat = hear(cloud.machine)
    assert agent.lost, "the protocol has grown since the last release"
    assert not heartbeat.HasField("networks")
    assert fresh(cloud.machine.row).state == "ready"


def test_call_unknown_to_a_released_agent_fails_cleanly(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    other = cloud.world.add_machine("fr-idf-1")
    with released_agent(cloud.machine, unknown=["ReadConsole"]), pytest.raises(NodeOutdated):
        console_tail(fresh(instance), max_bytes=100)
    with released_agent(other, unknown=["EnsureArrival"]):
        moved = follow(instance_migrate(SYSTEM, fresh(instance)))
    assert moved.state == "failed", moved.steps
    assert fresh(instance).node == cloud.machine.row
    assert (fresh(instance).state, fresh(instance).power_state) == ("active", "running")
    assert other.fake.is_clean()
    done(instance_delete(cloud.tenant.actor, fresh(instance)))
    assert_clean_slate(cloud)
