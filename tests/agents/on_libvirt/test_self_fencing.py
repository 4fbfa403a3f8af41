"""A real node that is cut off stops its guests, and one whose agent is killed is reset."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.lab import LabNode
from agents.lab.shell import run, wait_until
from agents.lab.watchdog import PATH_IN_NODE, LabWatchdog
from agents.protocol import agent_pb2 as pb
from tests.agents import specs
from tests.agents.on_libvirt.lab import LabAgent
from tests.limits import PATIENCE_S
from tests.pki import Issued, TestCA

pytestmark = [pytest.mark.lab, pytest.mark.slow]

LEASE_S, LIMIT_S, TIMEOUT_S = 2, 2, 5


@pytest.fixture
def watchdog(lab_node: LabNode) -> Iterator[LabWatchdog]:
    lab_node.start()
    dog = LabWatchdog(lab_node, timeout_s=TIMEOUT_S)
    yield dog
    dog.stop()


@pytest.fixture
def agent(lab_node: LabNode, watchdog: LabWatchdog, ca: TestCA, worker: Issued) -> Iterator[LabAgent]:
    options = ("--on-lapse", "stop", "--lapse-limit-s", str(LIMIT_S))
    options += ("--watchdog", PATH_IN_NODE, "--watchdog-timeout-s", str(TIMEOUT_S))
    agent = LabAgent(lab_node, worker, options)
    forget_leases(lab_node)
    agent.enrol(ca)
    yield agent
    watchdog.stop()
    lab_node.start()
    lab_node.plug()
    agent.kill()
    run(["ip", "neigh", "flush", "to", lab_node.address])
    agent.options = ()
    agent.start()
    held = agent.stub.Describe(pb.DescribeRequest())
    for each, remove in (
        *((instance, agent.stub.RemoveInstance) for instance in held.instances),
        *((volume, agent.stub.RemoveVolume) for volume in held.volumes),
    ):
        remove(specs.removal(each.subject))
    agent.kill()
    forget_leases(lab_node)


def forget_leases(node: LabNode) -> None:
    """Delete the leases of the test before, in the same boot of the node."""
    for file in node.agent_folder.glob("ledger.sqlite*"):
        file.unlink()


@pytest.fixture
def guest(agent: LabAgent, tiny_image: Path) -> pb.EnsureInstanceRequest:
    root = specs.volume(size_mib=512, image=agent.cache(tiny_image))
    agent.stub.EnsureVolume(root)
    spec = specs.instance(root)
    assert agent.stub.EnsureInstance(spec).power == pb.POWER_RUNNING
    assert len(agent.node.guest_pids()) == 1
    return spec


def heartbeat(agent: LabAgent) -> pb.Heartbeat:
    stream = agent.stub.Watch(pb.WatchRequest(heartbeat_interval_ms=100), timeout=PATIENCE_S)
    result = next(event.heartbeat for event in stream if event.WhichOneof("event") == "heartbeat")
    stream.cancel()
    return result


def renew(agent: LabAgent) -> None:
    beat = heartbeat(agent)
    agent.stub.watcher.RenewLease(
        pb.RenewLeaseRequest(boot_id=beat.inventory.boot_id, heard_at_ms=beat.lease.said_at_ms, duration_s=LEASE_S)
    )


def test_disconnected_node_stops_its_guests(
    agent: LabAgent, guest: pb.EnsureInstanceRequest, watchdog: LabWatchdog
) -> None:
    assert "self-fencing" not in heartbeat(agent).inventory.traits
    renew(agent)
    beat = heartbeat(agent)
    assert "self-fencing" in beat.inventory.traits
    assert beat.lease.fences_within_s > LIMIT_S + TIMEOUT_S
    agent.node.unplug()
    wait_until(lambda: not agent.node.guest_pids(), what="its guest to stop", within_s=LEASE_S + LIMIT_S + 10)
    assert agent.node.is_on
    assert not watchdog.has_bitten.is_set()
    agent.node.plug()
    wait_until(agent.answers, what="the node to be heard again")
    state = agent.state(guest.subject.id)
    assert state.power == pb.POWER_CRASHED
    assert "not heard for too long" in state.reason


def test_node_with_a_killed_agent_is_reset_by_the_watchdog(
    agent: LabAgent, guest: pb.EnsureInstanceRequest, watchdog: LabWatchdog
) -> None:
    agent.kill()
    assert agent.node.guest_pids(), "the guest does not mind"
    assert watchdog.has_bitten.wait(TIMEOUT_S + 30)
    assert not agent.node.is_on
    assert agent.node.guest_pids() == []
