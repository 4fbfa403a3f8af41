"""Snapshots of an instance's disks: of one moment, all or none, and never more consistent in name than in fact."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from agents.node.adapters.fake_guest_agent import Behaviour
from agents.node.adapters.interfaces import Power
from agents.node.errors import AdapterError
from agents.node.services import freezes
from agents.node.specs import FreezeLevel
from agents.node.state_store import Freeze
from andromede_core.documents import signed
from andromede_core.permits import permit as core
from andromede_core.policy.roles import ROLES_OF
from controlplane.audit.models import AuditEntry, EvidenceRecord
from controlplane.compute import power
from controlplane.compute.errors import (
    DisksWithoutSnapshots,
    GuestAgentNotConnected,
    GuestNotPausable,
    GuestNotShutDown,
    SnapshotWithoutGuest,
    VolumeNotOfInstance,
)
from controlplane.compute.instance_snapshots import snapshot_names, volume_snapshot
from controlplane.compute.migration import instance_migrate
from controlplane.compute.models import Instance
from controlplane.compute.services import instance_power_off, instance_shutdown, instance_start
from controlplane.identity.actor import SYSTEM
from controlplane.kernel.names import NAME_MAX
from controlplane.nodes import agent_client
from controlplane.nodes.models import Node
from controlplane.operations import leases
from controlplane.operations.errors import Busy
from controlplane.operations.models import Operation, ResourceLock
from controlplane.operations.services import operation_cancel
from controlplane.placement.errors import NotAdmittedHere
from controlplane.placement.models import Binding, Lineage
from controlplane.quotas.errors import QuotaExceeded
from controlplane.quotas.models import Quota, QuotaUse
from controlplane.reconcilers import quota_drift
from controlplane.storage.errors import SnapshotNameTaken
from controlplane.storage.models import Snapshot, Volume
from controlplane.storage.snapshots import NewSnapshot
from controlplane.storage_clusters.models import StorageCluster
from controlplane.workflows import snapshot_moments
from controlplane.workflows.registry import WORKFLOWS
from controlplane.workflows.workflow_types import Step
from tests.services.policies import HOME, classify, in_zones, ruled
from tests.storage_agent import FakeSnapshot, FakeStorageAgent
from tests.workflows.helpers import (
    Killed,
    altered,
    attach,
    delete_everything,
    die,
    done,
    followed_by_another_worker,
    fresh,
    make_attached,
    make_instance,
    make_volume,
    run_on,
    then,
)
from tests.workflows.instance_snapshots import ask_snapshots, make_clustered, reported
from tests.workflows.snapshots import cluster, delete_snapshot
from tests.world import Cloud, follow, run, run_next_attempt

FROZEN = {"consistency": "filesystem"}
ELSEWHERE = "de-rhein-1"


@pytest.fixture
def instance(cloud: Cloud) -> Instance:
    return make_clustered(cloud)


@pytest.fixture
def agent(cloud: Cloud, instance: Instance) -> FakeStorageAgent:
    return cloud.world.clusters[0]


def guest(cloud: Cloud, instance: Instance) -> Any:
    return cloud.fake.guests[instance.pk]


def disks(instance: Instance) -> list[Volume]:
    return list(Volume.objects.filter(attachment__instance=instance).order_by("name"))


def watch(agent: FakeStorageAgent, look: Callable[[], object]) -> list[object]:
    """Return what `look` gives at each request for a snapshot, as the guest's disks are then."""
    seen: list[object] = []
    agent.before_snapshot = lambda: seen.append(look())
    return seen


def end_freeze(cloud: Cloud, instance: Instance, level: FreezeLevel = FreezeLevel.FILE_SYSTEMS) -> None:
    """Let the limit of the freeze have passed."""
    over = Freeze(freezes.now_ms() - 1, 2, level)
    cloud.machine.server.node.state_store.record_freeze(instance.pk, over)


def is_free(cloud: Cloud, instance: Instance) -> bool:
    """Tell if the guest runs as before, and the node knows of no freeze."""
    there = guest(cloud, instance)
    is_known = cloud.machine.server.node.state_store.freeze(instance.pk) is not None
    return there.power is Power.RUNNING and not there.agent.is_frozen and not is_known


def failed(operation: Operation, code: str) -> None:
    """The operation has failed with the code and left nothing."""
    assert (operation.state, operation.error and operation.error["code"]) == ("failed", code), operation.steps
    for snapshot in Snapshot.objects.all():
        assert (snapshot.state, snapshot.taken_at, snapshot.last_error) == ("error", None, operation.error)
        assert not QuotaUse.objects.filter(resource_id=snapshot.pk).exists()
    assert quota_drift.reconcile() == []


# ---- taken


@pytest.mark.parametrize("consistency", ["crash", "filesystem"])
def test_guest_is_frozen_for_all_snapshots_and_runs_afterwards(
    cloud: Cloud, instance: Instance, agent: FakeStorageAgent, consistency: str
) -> None:
    there = guest(cloud, instance)
    seen = watch(agent, lambda: (there.power, there.agent.is_frozen))
    snapshots, operation = ask_snapshots(cloud, instance, consistency=consistency)
    done(operation)
    still = (Power.PAUSED, False) if consistency == "crash" else (Power.RUNNING, True)
    assert seen == [still, still]
    assert is_free(cloud, instance)
    assert set(agent.snapshots) == {each.pk for each in snapshots}
    for snapshot in map(fresh, snapshots):
        assert (snapshot.state, snapshot.consistency, snapshot.instance_id) == ("available", consistency, instance.pk)
        assert snapshot.group == snapshots[0].group is not None and snapshot.taken_at is not None
    assert sorted(each.name for each in snapshots) == ["then-disk-0", "then-disk-1"]
    assert fresh(instance).state == "active"


def test_crash_snapshot_of_one_disk_pauses_nothing(cloud: Cloud, instance: Instance, agent: FakeStorageAgent) -> None:
    seen = watch(agent, lambda: guest(cloud, instance).power)
    (snapshot,), operation = ask_snapshots(cloud, instance, volumes=disks(instance)[:1])
    done(operation)
    assert (seen, snapshot.name) == ([Power.RUNNING], "then")
    assert cloud.fake.call_counts["pause"] == 0


def test_permit_lists_all_disks_and_snapshots(cloud: Cloud, instance: Instance, agent: FakeStorageAgent) -> None:
    snapshots, operation = ask_snapshots(cloud, instance)
    done(operation)
    permit = core.parse(signed.read(agent.permits["snapshot"]).payload)
    assert (permit.op, permit.resource, permit.roles) == (
        "instance.snapshot",
        str(instance.pk),
        ROLES_OF["snapshot.create"],
    )
    assert set(permit.contents.snapshots) == {str(each.pk) for each in snapshots}
    assert set(permit.contents.volumes) == {str(each.pk) for each in disks(instance)}


def test_snapshots_have_lineage_classifications_quota_audit_and_evidence(cloud: Cloud) -> None:
    name = classify("restricted", in_zones(HOME), cloud.tenant.project).pk
    kind = cluster(cloud)
    volume = make_volume(cloud, image=cloud.image, volume_type=kind, classifications=(name,))
    instance = reported(cloud, make_instance(cloud, boot_volume=volume))
    (snapshot,), operation = ask_snapshots(cloud, instance)
    done(operation)
    assert Binding.objects.get(pk=snapshot.pk).classifications == [name]
    assert Lineage.objects.filter(resource_id=snapshot.pk, source_id=volume.pk).exists()
    uses = QuotaUse.objects.filter(resource_id=snapshot.pk).values_list("dimension", "amount")
    assert dict(uses) == {"snapshots": 1, "snapshot_gib": volume.size_gib}
    entry = AuditEntry.objects.get(verb="instance.snapshot")
    assert entry.facts["snapshots"] == [str(snapshot.pk)]
    assert EvidenceRecord.objects.filter(resource_id=snapshot.pk, kind="copy").exists()


def test_snapshots_of_a_guest_that_shut_down_are_consistent_without_a_freeze(
    cloud: Cloud, instance: Instance, agent: FakeStorageAgent
) -> None:
    done(instance_shutdown(cloud.tenant.actor, instance))
    snapshots, operation = ask_snapshots(cloud, reported(cloud, instance), **FROZEN)
    done(operation)
    assert (cloud.fake.call_counts["freeze"], len(agent.snapshots)) == (0, 2)
    assert {fresh(each).consistency for each in snapshots} == {"filesystem"}


def test_operation_holds_the_instance_and_its_disks(cloud: Cloud, instance: Instance) -> None:
    cloud.world.add_machine(cloud.machine.row.zone_id)
    _, operation = ask_snapshots(cloud, instance)
    for request in (
        lambda: instance_power_off(cloud.tenant.actor, instance),
        lambda: instance_migrate(SYSTEM, instance),
        lambda: ask_snapshots(cloud, instance, name="other"),
        lambda: volume_snapshot(cloud.tenant.actor, disks(instance)[1], NewSnapshot("other")),
    ):
        with pytest.raises(Busy):
            request()
    done(operation)


def test_pause_changes_no_state_of_the_instance(cloud: Cloud, instance: Instance, agent: FakeStorageAgent) -> None:
    """A node that reports the guest meanwhile reports it as paused."""
    starts = guest(cloud, instance).starts

    def die_paused(operation: Operation) -> None:
        agent_client.freeze_instance(cloud.machine.row, instance_id=instance.pk, is_pause=True)
        die(operation)

    _, operation = ask_snapshots(cloud, instance)
    with pytest.raises(Killed):
        run_on(operation, altered(WORKFLOWS["instance.snapshot"], "snapshots", then(die_paused)))
    assert reported(cloud, instance).power_state == "paused"
    assert power.reconcile_power() == 0
    assert fresh(instance).state == "active"
    assert run_on(followed_by_another_worker(operation)).state == "succeeded"
    assert (reported(cloud, instance).power_state, guest(cloud, instance).starts) == ("running", starts)


# ---- refused at the request


def refused(cloud: Cloud, instance: Instance, error: type[Exception], **fields: Any) -> Any:
    with pytest.raises(error) as caught:
        ask_snapshots(cloud, instance, **fields)
    assert not Snapshot.objects.exists() and not Operation.objects.filter(kind="instance.snapshot").exists()
    return caught.value


def test_disk_without_snapshots_is_named_and_never_left_out(cloud: Cloud, instance: Instance) -> None:
    local = make_volume(cloud, "local")
    done(attach(cloud, instance, local)[1])
    error = refused(cloud, instance, DisksWithoutSnapshots)
    assert (error.field, error.facts["disks"]) == ("volumes", "local")
    assert error.facts["others"] == "disk-0, disk-1"
    assert refused(cloud, instance, DisksWithoutSnapshots, volumes=[local]).facts["disks"] == "local"
    done(ask_snapshots(cloud, instance, volumes=disks(instance)[:2])[1])


def test_root_disk_that_is_no_volume_is_named(cloud: Cloud) -> None:
    instance = make_attached(cloud).instance
    error = refused(cloud, instance, DisksWithoutSnapshots)
    assert error.facts["disks"] == "the root disk, data"


def test_storage_agent_of_an_earlier_release_takes_no_snapshots_of_instances(cloud: Cloud, instance: Instance) -> None:
    StorageCluster.objects.update(capabilities=["snapshots"])
    refused(cloud, instance, DisksWithoutSnapshots)


def test_volume_of_another_instance_is_refused(cloud: Cloud, instance: Instance) -> None:
    error = refused(cloud, instance, VolumeNotOfInstance, volumes=[disks(instance)[0], make_volume(cloud, "free")])
    assert error.field == "volumes/1"


def test_running_guest_without_its_agent_is_refused(cloud: Cloud, instance: Instance) -> None:
    guest(cloud, instance).agent.behaviour = Behaviour.MISSING
    error = refused(cloud, reported(cloud, instance), GuestAgentNotConnected, **FROZEN)
    assert error.field == "consistency" and "qemu-guest-agent" in str(error)
    with pytest.raises(GuestAgentNotConnected):
        volume_snapshot(cloud.tenant.actor, disks(instance)[0], NewSnapshot("one", **FROZEN))


def test_guest_that_was_powered_off_is_not_consistent(cloud: Cloud, instance: Instance) -> None:
    done(instance_power_off(cloud.tenant.actor, instance))
    refused(cloud, reported(cloud, instance), GuestNotShutDown, **FROZEN)
    done(instance_start(cloud.tenant.actor, fresh(instance)))
    done(instance_shutdown(cloud.tenant.actor, fresh(instance)))
    done(ask_snapshots(cloud, reported(cloud, instance), **FROZEN)[1])


def test_node_that_cannot_pause_takes_one_disk_at_a_time(cloud: Cloud, instance: Instance) -> None:
    Node.objects.filter(pk=instance.node_id).update(traits=["rbd"])
    instance = fresh(instance)
    refused(cloud, instance, GuestNotPausable)
    done(ask_snapshots(cloud, instance, volumes=disks(instance)[:1])[1])


def test_policy_of_one_disk_refuses_all(cloud: Cloud, instance: Instance) -> None:
    ruled(cloud.tenant.project, *in_zones(ELSEWHERE, roles=["snapshot"]))
    refused(cloud, instance, NotAdmittedHere)


def test_quota_for_one_of_two_refuses_both(cloud: Cloud, instance: Instance) -> None:
    Quota.objects.create(project=cloud.tenant.project, dimension="snapshots", limit=1)
    refused(cloud, instance, QuotaExceeded)
    assert not QuotaUse.objects.filter(dimension="snapshots").exists()


def test_taken_name_refuses_all(cloud: Cloud, instance: Instance) -> None:
    done(volume_snapshot(cloud.tenant.actor, disks(instance)[1], NewSnapshot("then-disk-1"))[1])
    with pytest.raises(SnapshotNameTaken):
        ask_snapshots(cloud, instance)
    assert Snapshot.objects.count() == 1


def test_long_names_are_cut_and_differ() -> None:
    volumes = [Volume(name="v" * 60 + end) for end in "ab"]
    names = snapshot_names("n" * NAME_MAX, volumes)
    assert len(set(names)) == 2
    assert all(len(name) <= NAME_MAX for name in names)
    assert snapshot_names("n" * NAME_MAX, volumes[:1]) == ["n" * NAME_MAX]


# ---- failures at work


def first_of_all(act: Callable[[Operation], object]) -> Callable[[Step], Step]:
    """Something happens in place of the step."""
    return lambda step: replace(step, do=lambda operation: cast(None, act(operation)))


@pytest.mark.parametrize("behaviour", [Behaviour.SILENT, Behaviour.LATE, Behaviour.REFUSING, Behaviour.LYING])
def test_guest_that_is_not_frozen_fails_the_operation(
    cloud: Cloud, instance: Instance, agent: FakeStorageAgent, behaviour: Behaviour
) -> None:
    guest(cloud, instance).agent.behaviour = behaviour
    _, operation = ask_snapshots(cloud, instance, **FROZEN)
    failed(run(operation), "compute.snapshot.guest_not_frozen")
    assert (agent.snapshots, operation.attempts) == ({}, 0)
    assert "snapshot" not in agent.calls
    guest(cloud, instance).agent.behaviour = Behaviour.READY
    delete_everything(cloud)


@pytest.mark.parametrize("level", FreezeLevel)
def test_freeze_that_ended_early_is_repeated_within_bounds(
    cloud: Cloud, instance: Instance, agent: FakeStorageAgent, level: FreezeLevel
) -> None:
    consistency = "crash" if level is FreezeLevel.EXECUTION else "filesystem"
    agent.before_snapshot = lambda: end_freeze(cloud, instance, level)
    _, operation = ask_snapshots(cloud, instance, consistency=consistency)
    failed(follow(operation), "compute.snapshot.freeze_too_short")
    assert agent.calls.count("snapshot") == 2 * snapshot_moments.ATTEMPTS_MAX
    assert agent.snapshots == {}
    assert is_free(cloud, instance)


def test_second_attempt_takes_all_snapshots_anew(cloud: Cloud, instance: Instance, agent: FakeStorageAgent) -> None:
    agent.before_snapshot = lambda: end_freeze(cloud, instance)
    snapshots, operation = ask_snapshots(cloud, instance, **FROZEN)
    assert run(operation).state == "running"
    stale = dict(agent.snapshots)
    for volume in disks(instance):
        agent.write(volume.pk)
    seen = watch(agent, lambda: guest(cloud, instance).agent.is_frozen)
    assert run_next_attempt(operation).state == "succeeded"
    assert seen == [True, True]
    for snapshot in snapshots:
        assert agent.snapshots[snapshot.pk].content == agent.contents[snapshot.volume_id]
        assert agent.snapshots[snapshot.pk].content != stale[snapshot.pk].content
    assert is_free(cloud, instance)


def test_worker_that_dies_between_freeze_and_thaw_leaves_no_mixed_moments(
    cloud: Cloud, instance: Instance, agent: FakeStorageAgent
) -> None:
    """The worker took the first snapshot. The next one freezes anew and takes that one anew."""
    snapshots, operation = ask_snapshots(cloud, instance, **FROZEN)

    def take_one_and_die(begun: Operation) -> None:
        leases.commit_step(begun, args=begun.args | {snapshot_moments.MAY_HAVE_BEGUN: True})
        agent_client.freeze_instance(cloud.machine.row, instance_id=instance.pk)
        first = fresh(snapshots[0])
        agent.snapshots[first.pk] = FakeSnapshot(first.volume_id, 1, -1, 0)
        die(begun)

    with pytest.raises(Killed):
        run_on(operation, altered(WORKFLOWS["instance.snapshot"], "snapshots", first_of_all(take_one_and_die)))
    for volume in disks(instance):
        agent.write(volume.pk)
    assert run_on(followed_by_another_worker(operation)).state == "succeeded"
    assert {agent.snapshots[each.pk].content for each in snapshots} == {
        agent.contents[each.volume_id] for each in snapshots
    }
    assert is_free(cloud, instance)


def test_silent_cluster_freezes_a_guest_once(cloud: Cloud, instance: Instance, agent: FakeStorageAgent) -> None:
    agent.failure = AdapterError("The cluster does not answer.", retryable=True)
    _, operation = ask_snapshots(cloud, instance, **FROZEN)
    assert run(operation).attempts == 1
    assert run_next_attempt(operation).attempts == 2
    assert guest(cloud, instance).agent.freezes == 1
    assert is_free(cloud, instance)
    agent.failure = None
    assert follow(operation).state == "succeeded"
    assert len(agent.snapshots) == 2


def test_attempts_of_a_silent_cluster_are_no_ended_freezes(
    cloud: Cloud, instance: Instance, agent: FakeStorageAgent
) -> None:
    agent.failure = AdapterError("The cluster does not answer.", retryable=True)
    _, operation = ask_snapshots(cloud, instance, **FROZEN)
    for attempt in range(snapshot_moments.ATTEMPTS_MAX):
        assert (run_next_attempt(operation) if attempt else run(operation)).state == "running"
    agent.failure, agent.before_snapshot = None, lambda: end_freeze(cloud, instance)
    assert run_next_attempt(operation).state == "running"
    agent.before_snapshot = lambda: None
    assert run_next_attempt(operation).state == "succeeded"


def wait_for_removal(cloud: Cloud, agent: FakeStorageAgent, operation: Operation) -> None:
    """Let the operation be undone while the storage agent is silent."""
    agent.failure = AdapterError("The cluster does not answer.", retryable=True)
    run(operation)
    operation_cancel(cloud.tenant.actor, operation)
    assert run_next_attempt(operation).state == "undoing"


@pytest.mark.parametrize("is_of_one_volume", [False, True])
def test_silent_cluster_does_not_keep_the_instance_locked(
    cloud: Cloud, instance: Instance, agent: FakeStorageAgent, is_of_one_volume: bool
) -> None:
    volume = disks(instance)[1]
    if is_of_one_volume:
        snapshot, operation = volume_snapshot(cloud.tenant.actor, volume, NewSnapshot("one", **FROZEN))
    else:
        (snapshot,), operation = ask_snapshots(cloud, instance, volumes=[volume], **FROZEN)
    wait_for_removal(cloud, agent, operation)
    done(instance_power_off(cloud.tenant.actor, instance))
    locked = ResourceLock.objects.filter(operation=operation).values_list("resource_id", flat=True)
    assert set(locked) == {snapshot.pk, volume.pk}
    agent.failure = None
    assert run_next_attempt(operation).state == "cancelled"
    assert (agent.snapshots, fresh(snapshot).state) == ({}, "error")


def test_refusal_for_one_disk_leaves_no_snapshot_of_the_others(
    cloud: Cloud, instance: Instance, agent: FakeStorageAgent
) -> None:
    agent.volumes[disks(instance)[1].pk] += 1
    _, operation = ask_snapshots(cloud, instance)
    failed(run(operation), "storage_cluster.refused")
    assert agent.snapshots == {}
    assert is_free(cloud, instance)


def test_deletion_of_one_cancels_the_creation_of_all(cloud: Cloud, instance: Instance, agent: FakeStorageAgent) -> None:
    snapshots, operation = ask_snapshots(cloud, instance)
    agent.failure = AdapterError("The cluster does not answer.", retryable=True)
    run(operation)
    deletion = delete_snapshot(cloud, snapshots[0])
    agent.failure = None
    assert follow(operation).state == "cancelled"
    assert follow(deletion).state == "succeeded"
    assert [fresh(each).state for each in snapshots] == ["deleted", "error"]
    assert agent.snapshots == {}


def test_guest_that_stopped_by_itself_is_not_taken_for_a_frozen_one(
    cloud: Cloud, instance: Instance, agent: FakeStorageAgent
) -> None:
    _, operation = ask_snapshots(cloud, instance, **FROZEN)
    cloud.fake.guest_powers_off(instance.pk)
    failed(run(operation), "compute.snapshot.guest_not_frozen")


def test_guest_that_stopped_by_itself_needs_no_freeze(
    cloud: Cloud, instance: Instance, agent: FakeStorageAgent
) -> None:
    _, operation = ask_snapshots(cloud, instance)
    cloud.fake.guest_powers_off(instance.pk)
    done(operation)
    assert len(agent.snapshots) == 2


def test_guest_paused_for_another_reason_is_not_frozen(
    cloud: Cloud, instance: Instance, agent: FakeStorageAgent
) -> None:
    _, operation = ask_snapshots(cloud, instance)
    guest(cloud, instance).power = Power.PAUSED
    failed(run(operation), "compute.snapshot.guest_not_frozen")
    assert agent.snapshots == {}


# ---- of one volume


def test_snapshot_of_one_volume_freezes_its_guest(cloud: Cloud, instance: Instance, agent: FakeStorageAgent) -> None:
    seen = watch(agent, lambda: guest(cloud, instance).agent.is_frozen)
    snapshot, operation = volume_snapshot(cloud.tenant.actor, disks(instance)[1], NewSnapshot("one", **FROZEN))
    with pytest.raises(Busy):
        instance_power_off(cloud.tenant.actor, instance)
    done(operation)
    snapshot = fresh(snapshot)
    assert (seen, snapshot.consistency) == ([True], "filesystem")
    assert (snapshot.group, snapshot.instance_id) == (None, instance.pk)
    assert is_free(cloud, instance)


def test_volume_without_an_instance_has_no_file_systems_to_freeze(cloud: Cloud) -> None:
    volume = make_volume(cloud, volume_type=cluster(cloud))
    with pytest.raises(SnapshotWithoutGuest):
        volume_snapshot(cloud.tenant.actor, volume, NewSnapshot("one", **FROZEN))


def test_repeated_snapshot_of_one_volume_is_of_its_own_moment(
    cloud: Cloud, instance: Instance, agent: FakeStorageAgent
) -> None:
    volume = disks(instance)[1]
    agent.before_snapshot = lambda: end_freeze(cloud, instance)
    snapshot, operation = volume_snapshot(cloud.tenant.actor, volume, NewSnapshot("one", **FROZEN))
    assert run(operation).state == "running"
    agent.before_snapshot = lambda: None
    agent.write(volume.pk)
    assert run_next_attempt(operation).state == "succeeded"
    assert agent.snapshots[snapshot.pk].content == agent.contents[volume.pk]
