"""Reverts of volumes that fail: before the copy they end, and a copy that has begun is finished."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import grpc
import pytest

from agents.node.errors import AgentError, PermitRefused, VolumeInUse
from agents.protocol import storage_pb2 as pb
from agents.protocol import storage_pb2_grpc
from agents.storage.errors import ClusterSilent, GenerationStale
from controlplane.compute.services import instance_power_off
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.node_lifecycle.drain.drains import node_maintain
from controlplane.node_lifecycle.recovery.evacuation import instance_evacuate
from controlplane.nodes.agent_client import CallAuthorization
from controlplane.nodes.models import Node
from controlplane.operations import queues
from controlplane.operations.errors import Busy, DeadlineExceeded
from controlplane.operations.models import Operation, ResourceLock
from controlplane.placement.models import Permit as PermitRow
from controlplane.reconcilers import storage_clusters
from controlplane.storage.errors import RevertInterrupted, SnapshotsUnsupported
from controlplane.storage.models import Snapshot, Volume
from controlplane.storage_clusters import storage_client
from controlplane.storage_clusters.errors import StorageClusterRefused, StorageClusterUnreachable
from controlplane.workflows import cluster_disks, tasks
from controlplane.workflows.registry import WORKFLOWS
from tests.services.policies import in_zones, ruled
from tests.storage_agent import MIXTURE, FakeStorageAgent
from tests.workflows.helpers import altered, die_with_guests, done, explode, fresh, run_on, then
from tests.workflows.shared_pool import Shared, taken
from tests.workflows.snapshots import ask_clone, ask_revert, ask_snapshot
from tests.world import follow, run, run_next_attempt


def begin_revert(shared: Shared, snapshot: Snapshot) -> Operation:
    """Ask for the revert, and carry out the step before the last."""
    operation = ask_revert(shared.cloud, snapshot)
    return run(operation, altered(WORKFLOWS["volume.revert"], "revert", lambda step: replace(step, do=explode)))


def tighten(shared: Shared) -> str:
    ruled(shared.cloud.tenant.project, *in_zones("de-rhein-1", roles=["storage"]))
    return "policy_unsatisfiable"


def fence_the_node(shared: Shared) -> str:
    node_id = Volume.objects.get().node_id
    die_with_guests(next(each for each in (shared.here, shared.other) if each.row.pk == node_id))
    return "node.away"


def test_revert_is_carried_out_in_one_queue(shared: Shared, agent: FakeStorageAgent) -> None:
    """Each change of queues is another commit and another wake-up."""
    snapshot = taken(shared)
    agent.write(snapshot.volume_id)
    operation = ask_revert(shared.cloud, snapshot)
    tasks.run(str(operation.pk), operation.queue)
    ended = fresh(operation)
    assert (ended.state, ended.queue, "revert" in agent.calls) == ("succeeded", queues.TRANSFERS, True)


@pytest.mark.parametrize("forbid", [tighten, fence_the_node])
def test_revert_that_gets_no_permit_before_the_copy_ends(
    shared: Shared, agent: FakeStorageAgent, forbid: Callable[[Shared], str]
) -> None:
    """Retries would keep the volume locked, and its guest from being evacuated."""
    snapshot = taken(shared)
    content = agent.write(snapshot.volume_id)
    operation = begin_revert(shared, snapshot)
    assert not operation.is_cancellable
    PermitRow.objects.filter(operation_id=operation.pk).update(expires_at=clock.now())
    code = forbid(shared)
    operation = run_next_attempt(operation)
    assert operation.state == "failed"
    assert operation.error is not None and operation.error["code"] == code
    assert ("revert" in agent.calls, agent.contents[snapshot.volume_id]) == (False, content)
    assert not ResourceLock.objects.filter(operation=operation).exists()


@pytest.mark.parametrize(
    "refusal",
    [VolumeInUse("A client has it open."), PermitRefused("STALE_FACTS", "too old"), PermitRefused("OP", "no")],
)
def test_revert_that_is_refused_before_the_copy_ends_with_its_time(
    shared: Shared, agent: FakeStorageAgent, refusal: AgentError
) -> None:
    snapshot = taken(shared)
    operation = ask_revert(shared.cloud, snapshot)
    agent.failures["revert"] = refusal
    assert run(operation).state == "running"
    Operation.objects.filter(pk=operation.pk).update(deadline_at=clock.now())
    operation = run_next_attempt(operation)
    assert operation.state == "failed"
    assert operation.error is not None and operation.error["code"] == DeadlineExceeded.code


def take_out_of_service(shared: Shared) -> str:
    fence_the_node(shared)
    node = Node.objects.get(pk=Volume.objects.get().node_id)
    node_maintain(SYSTEM, node, reason="it is repaired")
    return "node.out_of_service"


def interrupted(shared: Shared, agent: FakeStorageAgent, snapshot: Snapshot) -> Operation:
    """Return a revert whose copy has begun and was interrupted."""
    agent.write(snapshot.volume_id)
    agent.failures["during-revert"] = ClusterSilent("The cluster did not answer in time.")
    operation = run(ask_revert(shared.cloud, snapshot))
    assert (operation.state, agent.contents[snapshot.volume_id]) == ("running", MIXTURE)
    del agent.failures["during-revert"], agent.calls[:]
    return operation


@pytest.mark.parametrize("forbid", [tighten, fence_the_node, take_out_of_service])
def test_revert_that_has_begun_ends_without_a_node_and_a_permit(
    shared: Shared, agent: FakeStorageAgent, forbid: Callable[[Shared], str]
) -> None:
    """The data is where it stays: the volume is not locked for longer than the copy takes."""
    snapshot = taken(shared)
    operation = interrupted(shared, agent, snapshot)
    Operation.objects.filter(pk=operation.pk).update(deadline_at=clock.now())
    PermitRow.objects.filter(operation_id=operation.pk).update(expires_at=clock.now())
    forbid(shared)
    operation = run_next_attempt(operation)
    assert (operation.state, agent.calls) == ("succeeded", ["finish-revert"])
    assert agent.contents[snapshot.volume_id] == agent.snapshots[snapshot.pk].content
    assert not ResourceLock.objects.filter(operation=operation).exists()


def test_guest_of_a_fenced_node_is_evacuated_after_the_copy(shared: Shared, agent: FakeStorageAgent) -> None:
    volume, instance = shared.volume(), shared.instance(host="other")
    snapshot = taken(shared, volume)
    shared.attach(instance, volume)
    done(instance_power_off(shared.cloud.tenant.actor, fresh(instance)))
    operation = interrupted(shared, agent, fresh(snapshot))
    die_with_guests(shared.other)
    with pytest.raises(Busy):
        instance_evacuate(SYSTEM, fresh(instance))
    assert run_next_attempt(operation).state == "succeeded"
    done(instance_evacuate(SYSTEM, fresh(instance)))
    assert fresh(volume).node_id == shared.here.row.pk


@pytest.mark.parametrize("forbid", [tighten, fence_the_node, take_out_of_service])
def test_revert_that_may_have_begun_and_has_not_ends(
    shared: Shared, agent: FakeStorageAgent, forbid: Callable[[Shared], str]
) -> None:
    snapshot = taken(shared)
    content = agent.write(snapshot.volume_id)
    operation = ask_revert(shared.cloud, snapshot)
    agent.failures["revert"] = ClusterSilent("The cluster did not answer in time.")
    assert run(operation).state == "running"
    PermitRow.objects.filter(operation_id=operation.pk).update(expires_at=clock.now())
    code = forbid(shared)
    operation = run_next_attempt(operation)
    assert operation.state == "failed"
    assert operation.error is not None and operation.error["code"] in (code, "node.away")
    assert agent.contents[snapshot.volume_id] == content


def test_late_call_of_a_revert_that_had_not_begun_copies_nothing(
    shared: Shared, agent: FakeStorageAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call of the first worker waits at the storage agent; the second worker ends the revert."""
    snapshot = taken(shared)
    content = agent.write(snapshot.volume_id)
    late: list[Callable[[], object]] = []

    def lose(authorization: CallAuthorization, *others: Any) -> None:
        late.append(lambda: send(authorization, *others))
        raise StorageClusterUnreachable()

    send = cluster_disks.revert
    operation = ask_revert(shared.cloud, snapshot)
    with monkeypatch.context() as patch:
        patch.setattr(cluster_disks, "revert", lose)
        assert run(operation).state == "running"
    PermitRow.objects.filter(operation_id=operation.pk).update(expires_at=clock.now())
    tighten(shared)
    assert run_next_attempt(operation).state == "failed"
    with pytest.raises(StorageClusterRefused) as caught:
        late[0]()
    assert caught.value.facts["agent_code"] == "storage.stale_generation"
    assert agent.contents[snapshot.volume_id] == content


def test_revert_that_had_not_begun_begins_with_another_generation(shared: Shared, agent: FakeStorageAgent) -> None:
    snapshot = taken(shared)
    agent.write(snapshot.volume_id)
    operation = ask_revert(shared.cloud, snapshot)
    generation = fresh(snapshot.volume).generation
    agent.failures["revert"] = ClusterSilent("The cluster did not answer in time.")
    assert run(operation).state == "running"
    agent.failures.clear()
    agent.loses_answers = True
    assert run_next_attempt(operation).state == "running", "the answer of FinishRevert is lost"
    assert follow(operation).state == "succeeded"
    assert (agent.closed[snapshot.volume_id], agent.reverts[snapshot.volume_id].generation) == (
        generation,
        generation + 1,
    )
    assert agent.contents[snapshot.volume_id] == agent.snapshots[snapshot.pk].content


def test_copy_is_finished_after_any_time_and_failures(shared: Shared, agent: FakeStorageAgent) -> None:
    snapshot = taken(shared)
    operation = interrupted(shared, agent, snapshot)
    Operation.objects.filter(pk=operation.pk).update(deadline_at=clock.now())
    agent.failures["finish-revert"] = ClusterSilent("The cluster did not answer in time.")
    assert run_next_attempt(operation).state == "running"
    assert ResourceLock.objects.filter(resource_id=snapshot.volume_id).exists()
    agent.failures.clear()
    assert run_next_attempt(operation).state == "succeeded"


def test_volume_is_marked_when_its_snapshot_is_lost_during_the_copy(shared: Shared, agent: FakeStorageAgent) -> None:
    """The volume cannot be opened, and becomes whole by a revert to another snapshot."""
    snapshot = taken(shared)
    other = taken(shared, snapshot.volume, "other")
    operation = interrupted(shared, agent, snapshot)
    del agent.snapshots[snapshot.pk]
    operation = run_next_attempt(operation)
    assert operation.state == "failed"
    volume = fresh(snapshot.volume)
    assert volume.last_error is not None and volume.last_error["code"] == RevertInterrupted.code
    assert agent.contents[volume.pk] == MIXTURE
    done(ask_revert(shared.cloud, fresh(other)))
    assert (agent.contents[volume.pk], fresh(volume).last_error) == (agent.snapshots[other.pk].content, None)


@pytest.mark.parametrize("has_begun", [False, True])
def test_revert_before_a_later_one_of_the_volume_ends(shared: Shared, agent: FakeStorageAgent, has_begun: bool) -> None:
    operation = ask_revert(shared.cloud, taken(shared))
    if has_begun:
        agent.failures["revert"] = ClusterSilent("The cluster did not answer in time.")
        assert run(operation).state == "running"
    agent.failures["finish-revert" if has_begun else "revert"] = GenerationStale("The volume was reverted later.")
    operation = run_next_attempt(operation) if has_begun else run(operation)
    assert operation.state == "failed"
    assert operation.error is not None and operation.error["facts"]["agent_code"] == "storage.stale_generation"


def test_revert_whose_worker_died_during_the_copy_may_have_begun(shared: Shared, agent: FakeStorageAgent) -> None:
    snapshot = taken(shared)
    operation = ask_revert(shared.cloud, snapshot)
    run_on(operation, altered(WORKFLOWS["volume.revert"], "revert", then(explode)))
    del agent.calls[:]
    assert run_next_attempt(operation).state == "succeeded"
    assert agent.calls == ["finish-revert"], "what was written since is not lost"


def test_old_storage_agent_makes_no_empty_clone(shared: Shared, agent: FakeStorageAgent) -> None:
    """A release without snapshots ignores the source of a new volume."""
    snapshot = taken(shared)
    _, operation = ask_clone(shared.cloud, snapshot, volume_type=shared.type)
    del agent.description.capabilities[:]
    storage_clusters.reconcile()
    del agent.calls[:]
    operation = run(operation)
    assert operation.state == "failed" and "ensure" not in agent.calls
    for ask in (
        lambda: ask_snapshot(shared.cloud, fresh(snapshot.volume), "later"),
        lambda: ask_clone(shared.cloud, fresh(snapshot), volume_type=shared.type),
        lambda: ask_revert(shared.cloud, fresh(snapshot)),
    ):
        with pytest.raises(SnapshotsUnsupported):
            ask()
    agent.description.capabilities.append("snapshots")
    storage_clusters.reconcile()
    done(ask_revert(shared.cloud, fresh(snapshot)))


class LaterStub(storage_pb2_grpc.StorageStub):
    """A stub with a call that no storage agent of this release has."""

    def __init__(self, channel: grpc.Channel) -> None:
        super().__init__(channel)  # type: ignore[no-untyped-call]
        self.EnsureSnapshot = channel.unary_unary(
            "/andromede.storage.v1.Storage/EnsureSnapshotOfLater",
            request_serializer=pb.EnsureSnapshotRequest.SerializeToString,
            response_deserializer=pb.SnapshotState.FromString,
        )


def test_call_that_the_storage_agent_does_not_have_fails(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries would find the same release of the agent."""
    volume = shared.volume()
    monkeypatch.setattr(storage_client, "StorageStub", LaterStub)
    operation = run(ask_snapshot(shared.cloud, volume)[1])
    assert operation.error is not None and operation.error["code"] == "storage_cluster.refused"
