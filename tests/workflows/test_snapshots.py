"""Snapshots of volumes in a storage cluster: taken, deleted, reverted to and cloned, under permits of their own."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from agents.node.errors import AdapterError, PermitRefused
from andromede_core.documents import signed
from andromede_core.documents.parsing import instant
from andromede_core.permits import permit as core
from andromede_core.permits.permit import Permit
from andromede_core.policy.roles import ROLES_OF
from controlplane.audit import retention
from controlplane.audit.models import EvidenceRecord
from controlplane.audit.residency import Interval
from controlplane.audit.selectors import residency_of
from controlplane.catalog.models import VolumeType
from controlplane.compliance.models import Compliance, RemediationPlan
from controlplane.compliance.plans import plans_update
from controlplane.compliance.sweep import sweep_if_due
from controlplane.compute.services import instance_power_off, instance_start
from controlplane.kernel import clock
from controlplane.kernel.units import GIB
from controlplane.nodes.models import Node
from controlplane.operations.errors import NotCancellable
from controlplane.operations.models import Operation
from controlplane.operations.services import operation_cancel
from controlplane.placement import services as placement
from controlplane.placement.errors import NoPlace, NotAdmittedHere
from controlplane.placement.models import Allocation, Binding, Decision, PolicyHead
from controlplane.placement.models import Permit as PermitRow
from controlplane.quotas import services as quotas
from controlplane.quotas.models import QuotaUse
from controlplane.reconcilers import quota_drift, storage_clusters
from controlplane.storage.models import Snapshot
from controlplane.storage.services import volume_grow
from controlplane.storage.snapshot_placement import snapshot_placement_request
from controlplane.workflows.registry import WORKFLOWS
from tests import storage_agent
from tests.facts import import_sample
from tests.nightly import thinned
from tests.services.placement.test_policies_of_operations import moving
from tests.services.policies import HOME, classify, in_zones, ruled
from tests.storage_agent import FakeSnapshot, FakeStorageAgent, storage_pool
from tests.workflows.helpers import altered, done, explode, fresh, run_on, then
from tests.workflows.shared_pool import NAME, Shared, taken
from tests.workflows.snapshots import ask_clone, ask_revert, ask_snapshot, delete_snapshot
from tests.world import follow, run, run_next_attempt

ELSEWHERE = "de-rhein-1"


def permit_of(agent: FakeStorageAgent, call: str) -> Permit:
    return core.parse(signed.read(agent.permits[call]).payload)


def refuse(shared: Shared, role: str) -> None:
    """Let the project's policy refuse data in this role in the zone of the pool."""
    ruled(shared.cloud.tenant.project, *in_zones(ELSEWHERE, roles=[role]))


# ---- taken


def test_snapshot_is_taken_under_a_permit_that_names_it_and_its_volume(shared: Shared, agent: FakeStorageAgent) -> None:
    volume = shared.volume()
    snapshot = taken(shared, volume)
    there = agent.snapshots[snapshot.pk]
    assert (there.volume_id, there.size_bytes) == (volume.pk, 2 * GIB)
    assert snapshot.taken_at == datetime.fromtimestamp(there.taken_at_ms / 1000, UTC)
    assert (snapshot.state, snapshot.last_error) == ("available", None)
    permit = permit_of(agent, "snapshot")
    assert (permit.op, permit.resource, permit.aud) == ("snapshot.create", str(snapshot.pk), str(volume.node_id))
    assert permit.roles == ROLES_OF["snapshot.create"]
    assert (permit.contents.volumes, permit.contents.snapshots) == ((str(volume.pk),), (str(snapshot.pk),))
    assert permit.limits.disk_gib == 2


def test_decision_is_about_the_snapshot_and_its_volume_keeps_its_own(shared: Shared) -> None:
    volume = shared.volume()
    before = Allocation.objects.get(consumer_id=volume.pk)
    snapshot = taken(shared, volume)
    decision = Decision.objects.get(consumer_id=snapshot.pk)
    assert (decision.operation, decision.is_admitted, decision.admitted_zones) == ("snapshot.create", True, [HOME])
    assert PermitRow.objects.get(resource_id=snapshot.pk).decision == decision, "the signer decides no second time"
    assert Allocation.objects.get(consumer_id=volume.pk).decision == before.decision


def test_decision_about_a_snapshot_uses_the_versions_at_its_write(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No allocation rests on it, whose trigger would compare them."""
    snapshot = taken(shared)
    remaining = moving(monkeypatch, shared.cloud, times=2)
    decision = placement.renew_decision(snapshot_placement_request(snapshot, operation="snapshot.create"))
    assert remaining == [0]
    assert decision.organization_version == PolicyHead.objects.get(organization__isnull=False).version


def test_snapshot_of_a_volume_that_a_guest_uses_calls_no_node(shared: Shared, agent: FakeStorageAgent) -> None:
    volume, instance = shared.volume(), shared.instance(host="other")
    shared.attach(instance, volume)
    shared.other.become_unreachable()
    del agent.calls[:]
    taken(shared, fresh(volume))
    assert agent.calls == ["snapshot"]
    shared.other.come_back()


def test_later_writes_and_growth_leave_the_snapshot_as_it_was(shared: Shared, agent: FakeStorageAgent) -> None:
    volume = shared.volume()
    snapshot = taken(shared, volume)
    before = agent.snapshots[snapshot.pk]
    agent.write(volume.pk)
    done(volume_grow(shared.cloud.tenant.actor, fresh(volume), size_gib=5))
    second = taken(shared, fresh(volume), "later")
    assert agent.snapshots[snapshot.pk] == before
    assert agent.snapshots[second.pk].size_bytes == 5 * GIB
    assert agent.snapshots[second.pk].content == agent.contents[volume.pk] != before.content


def test_policy_about_snapshots_refuses_them_alone(shared: Shared, agent: FakeStorageAgent) -> None:
    """Older ones can still be deleted, and reverted to, for which the volume is admitted."""
    volume = shared.volume()
    older = taken(shared, volume)
    snapshot, operation = ask_snapshot(shared.cloud, fresh(volume), "refused")
    refuse(shared, "snapshot")
    assert run(operation).state == "failed"
    assert operation.error is not None and operation.error["code"] == "policy_unsatisfiable"
    assert fresh(snapshot).state == "error"
    assert set(agent.snapshots) == {older.pk}
    with pytest.raises(NotAdmittedHere):
        ask_snapshot(shared.cloud, fresh(volume), "never")
    done(volume_grow(shared.cloud.tenant.actor, fresh(volume), size_gib=3))
    done(ask_revert(shared.cloud, fresh(older)))
    done(delete_snapshot(shared.cloud, older))
    assert not agent.snapshots


def test_snapshot_has_the_classifications_of_its_volume(shared: Shared, agent: FakeStorageAgent) -> None:
    name = classify("restricted", in_zones(HOME), shared.cloud.tenant.project).pk
    snapshot = taken(shared, shared.volume(classifications=(name,)))
    assert Binding.objects.get(pk=snapshot.pk).classifications == [name]
    assert permit_of(agent, "snapshot").classifications == (name,)


def test_snapshot_is_taken_after_a_change_of_facts_that_the_node_does_not_know(
    shared: Shared, agent: FakeStorageAgent
) -> None:
    """The storage agent knows them: the node's documents are not brought up to date, as it does not answer."""
    volume = shared.volume(host="other")
    shared.other.become_unreachable()
    import_sample()
    taken(shared, volume)
    done(ask_revert(shared.cloud, Snapshot.objects.get()))
    assert "revert" in agent.calls


# ---- failures


def failed(shared: Shared, agent: FakeStorageAgent, operation: Operation) -> None:
    """The operation has failed and left nothing."""
    snapshot = Snapshot.objects.get(pk=operation.resource_id)
    assert (operation.state, snapshot.state) == ("failed", "error"), operation.steps
    assert snapshot.last_error == operation.error
    assert not agent.snapshots
    assert not QuotaUse.objects.filter(resource_id=snapshot.pk).exists()
    assert quota_drift.reconcile() == []
    done(delete_snapshot(shared.cloud, snapshot))
    assert fresh(snapshot).state == "deleted"


def test_quota_of_a_failed_snapshot_is_released(shared: Shared, agent: FakeStorageAgent) -> None:
    snapshot, operation = ask_snapshot(shared.cloud, shared.volume())
    quotas.claim(snapshot.project_id, snapshot.pk, volumes=1)
    failed(shared, agent, run_on(operation, altered(WORKFLOWS["snapshot.create"], "snapshot", then(explode))))


def test_snapshot_of_a_volume_with_an_unexpected_size_is_refused(shared: Shared, agent: FakeStorageAgent) -> None:
    volume = shared.volume()
    agent.volumes[volume.pk] = 3 * GIB
    operation = run(ask_snapshot(shared.cloud, volume)[1])
    assert operation.error is not None and operation.error["code"] == "storage_cluster.refused"
    failed(shared, agent, operation)


@pytest.mark.parametrize("kind", thinned(["take", "remove", "revert", "clone"], keep_every=2))
def test_silent_cluster_delays_the_operation(shared: Shared, agent: FakeStorageAgent, kind: str) -> None:
    begin = PREPARED[kind](shared)
    agent.failure = AdapterError("The cluster does not answer.", retryable=True)
    operation = run(begin())
    assert (operation.state, operation.attempts) == ("running", 1)
    agent.failure = None
    assert follow(operation).state == "succeeded"


def test_snapshot_of_a_silent_cluster_can_be_cancelled(shared: Shared, agent: FakeStorageAgent) -> None:
    snapshot, operation = ask_snapshot(shared.cloud, shared.volume())
    agent.failure = AdapterError("The cluster does not answer.", retryable=True)
    run(operation)
    operation_cancel(shared.cloud.tenant.actor, operation)
    assert run_next_attempt(operation).state == "undoing", "it may have been taken, and is removed first"
    agent.failure = None
    assert follow(operation).state == "cancelled"
    assert fresh(snapshot).state == "error"


def test_deletion_cancels_the_creation(shared: Shared, agent: FakeStorageAgent) -> None:
    snapshot, operation = ask_snapshot(shared.cloud, shared.volume())
    agent.failure = AdapterError("The cluster does not answer.", retryable=True)
    run(operation)
    deletion = delete_snapshot(shared.cloud, snapshot)
    agent.failure = None
    assert follow(operation).state == "cancelled"
    assert follow(deletion).state == "succeeded"
    assert (fresh(snapshot).state, agent.snapshots) == ("deleted", {})


def test_rejected_permit_is_used_once(shared: Shared, agent: FakeStorageAgent) -> None:
    snapshot, operation = ask_snapshot(shared.cloud, shared.volume())
    agent.failure = PermitRefused("STALE_FACTS", "the facts are of epoch 3")
    assert "does not have the documents" in str(run(operation).steps[-1]["message"])
    agent.failure = None
    assert follow(operation).state == "succeeded"
    assert PermitRow.objects.filter(resource_id=snapshot.pk).count() == 2


def prepared(ask: Callable[[Shared, Snapshot], Operation]) -> Callable[[Shared], Callable[[], Operation]]:
    def prepare(shared: Shared) -> Callable[[], Operation]:
        snapshot = taken(shared)
        return lambda: ask(shared, snapshot)

    return prepare


PREPARED: dict[str, Callable[[Shared], Callable[[], Operation]]] = {
    "take": lambda shared: partial(lambda volume: ask_snapshot(shared.cloud, volume)[1], shared.volume()),
    "remove": prepared(lambda shared, snapshot: delete_snapshot(shared.cloud, snapshot)),
    "revert": prepared(lambda shared, snapshot: ask_revert(shared.cloud, snapshot)),
    "clone": prepared(lambda shared, snapshot: ask_clone(shared.cloud, snapshot, volume_type=shared.type)[1]),
}
CALLS = {
    "take": {"snapshot"},
    "remove": {"remove-snapshot"},
    "revert": {"fence", "revert", "finish-revert"},
    "clone": {"ensure", "open"},
}


@pytest.mark.parametrize("kind", thinned(PREPARED, keep_every=2, beginning=1))
def test_call_whose_answer_is_lost_is_repeated(shared: Shared, agent: FakeStorageAgent, kind: str) -> None:
    begin = PREPARED[kind](shared)
    agent.loses_answers = True
    assert follow(begin()).state == "succeeded"
    assert {call for call, _ in agent.lost} == CALLS[kind]
    assert len(agent.snapshots) == (0 if kind == "remove" else 1)


# ---- reverted to


def test_revert_gives_the_content_back_and_keeps_the_size(shared: Shared, agent: FakeStorageAgent) -> None:
    volume = shared.volume()
    snapshot = taken(shared, volume)
    agent.write(volume.pk)
    younger = taken(shared, volume, "later")
    done(volume_grow(shared.cloud.tenant.actor, fresh(volume), size_gib=5))
    done(ask_revert(shared.cloud, fresh(snapshot)))
    assert agent.contents[volume.pk] == agent.snapshots[snapshot.pk].content
    assert (agent.volumes[volume.pk], fresh(volume).size_gib) == (5 * GIB, 5)
    assert set(agent.snapshots) == {snapshot.pk, younger.pk}
    permit = permit_of(agent, "revert")
    assert (permit.op, permit.resource, permit.roles) == ("volume.revert", str(volume.pk), ROLES_OF["volume.revert"])
    assert (permit.contents.volumes, permit.contents.snapshots) == ((str(volume.pk),), (str(snapshot.pk),))


def test_volume_of_a_stopped_guest_is_reverted_and_opened_at_the_start(shared: Shared, agent: FakeStorageAgent) -> None:
    """Whatever the guest has left open is fenced first."""
    volume, instance = shared.volume(), shared.instance(host="other")
    snapshot = taken(shared, volume)
    shared.attach(instance, volume)
    agent.write(volume.pk)
    done(instance_power_off(shared.cloud.tenant.actor, fresh(instance)))
    del agent.calls[:]
    done(ask_revert(shared.cloud, fresh(snapshot)))
    assert (agent.calls, agent.keys[volume.pk]) == (["fence", "revert"], set())
    assert agent.contents[volume.pk] == agent.snapshots[snapshot.pk].content
    done(instance_start(shared.cloud.tenant.actor, fresh(instance)))
    assert agent.keys[volume.pk] == {shared.other.row.pk}


def test_revert_of_a_volume_that_is_open_waits_until_it_is_closed(shared: Shared, agent: FakeStorageAgent) -> None:
    """The copy may have begun, for all that is known: the operation neither fails nor can be cancelled."""
    snapshot = taken(shared)
    agent.open_to_write.add(snapshot.volume_id)
    content = agent.write(snapshot.volume_id)
    operation = run(ask_revert(shared.cloud, snapshot))
    assert (operation.state, operation.steps[-1]["name"], operation.attempts) == ("running", "revert", 1)
    with pytest.raises(NotCancellable):
        operation_cancel(shared.cloud.tenant.actor, operation)
    assert agent.contents[snapshot.volume_id] == content
    agent.open_to_write.clear()
    assert follow(operation).state == "succeeded"
    assert agent.contents[snapshot.volume_id] == agent.snapshots[snapshot.pk].content


def test_revert_to_a_snapshot_that_is_gone_from_the_cluster_fails(shared: Shared, agent: FakeStorageAgent) -> None:
    """Retries would lock the volume for ever."""
    snapshot = taken(shared)
    content = agent.write(snapshot.volume_id)
    there = agent.snapshots.pop(snapshot.pk)
    operation = run(ask_revert(shared.cloud, snapshot))
    assert operation.state == "failed"
    assert operation.error is not None and operation.error["code"] == "storage_cluster.refused"
    assert agent.contents[snapshot.volume_id] == content
    assert fresh(snapshot.volume).last_error == operation.error
    agent.snapshots[snapshot.pk] = there
    done(ask_revert(shared.cloud, snapshot))


def test_refused_revert_changes_nothing(shared: Shared, agent: FakeStorageAgent) -> None:
    snapshot = taken(shared)
    content = agent.write(snapshot.volume_id)
    operation = ask_revert(shared.cloud, snapshot)
    refuse(shared, "storage")
    del agent.calls[:]
    operation = run(operation)
    assert operation.state == "failed"
    assert operation.error is not None and operation.error["code"] == "policy_unsatisfiable"
    assert (agent.calls, agent.contents[snapshot.volume_id]) == ([], content)
    assert fresh(snapshot.volume).last_error == operation.error


def test_permit_to_revert_is_for_snapshots_of_the_volume_alone(shared: Shared, agent: FakeStorageAgent) -> None:
    snapshot, other = taken(shared), shared.volume("other")
    operation = ask_revert(shared.cloud, snapshot)
    Snapshot.objects.filter(pk=snapshot.pk).update(volume=other)
    assert run(operation).state == "failed"
    assert "revert" not in agent.calls


def test_volume_is_classified_as_the_snapshot_that_it_was_reverted_to(shared: Shared) -> None:
    snapshot = taken(shared)
    name = classify("restricted", in_zones(HOME), shared.cloud.tenant.project).pk
    Binding.objects.filter(pk=snapshot.pk).update(classifications=[name])
    done(ask_revert(shared.cloud, snapshot))
    assert Binding.objects.get(pk=snapshot.volume_id).classifications == [name]
    assert PermitRow.objects.filter(op="volume.revert").count() == 1


# ---- cloned


def test_clone_has_the_content_of_the_snapshot(shared: Shared, agent: FakeStorageAgent) -> None:
    volume = shared.volume()
    agent.write(volume.pk)
    snapshot = taken(shared, volume)
    agent.write(volume.pk)
    clone, operation = ask_clone(shared.cloud, snapshot, volume_type=shared.type, size_gib=4)
    done(operation)
    clone = fresh(clone)
    assert (clone.state, clone.pool, clone.size_gib) == ("available", shared.pool, 4)
    assert agent.contents[clone.pk] == agent.snapshots[snapshot.pk].content != agent.contents[volume.pk]
    assert permit_of(agent, "ensure").contents.snapshots == (str(snapshot.pk),)
    shared.attach(shared.instance(host="other"), clone)
    assert permit_of(agent, "ensure").contents.snapshots == (), "it is opened, and not made anew"


def test_clone_into_another_type_is_in_the_pool_of_that_type(shared: Shared, agent: FakeStorageAgent) -> None:
    snapshot = taken(shared)
    agent.description.pools.append(storage_pool("slow"))
    storage_clusters.reconcile()
    for machine in (shared.here, shared.other):
        machine.heartbeat()
    slow = VolumeType.objects.create(pk="slow", description="slow", pool="slow", iops=100)
    clone, operation = ask_clone(shared.cloud, snapshot, volume_type=slow)
    done(operation)
    clone = fresh(clone)
    assert clone.pool is not None
    assert (clone.pool.name, clone.pool.cluster, clone.iops_limit) == ("slow", shared.pool.cluster, 100)
    assert agent.contents[clone.pk] == agent.snapshots[snapshot.pk].content


def test_clone_is_placed_in_the_zone_of_the_snapshot(shared: Shared, tmp_path: Path) -> None:
    """A pool of the same name in another zone has none of its data."""
    snapshot = taken(shared)
    Node.objects.filter(pk__in=[shared.here.row.pk, shared.other.row.pk]).update(admin_state="cordoned")
    there = shared.cloud.world.add_machine(ELSEWHERE)
    agent = FakeStorageAgent(tmp_path, zone=ELSEWHERE, name="ceph-2")
    agent.description.pools[0].name, agent.description.fsid = NAME, str(uuid4())
    agent.enrol()
    with agent.serving():
        storage_clusters.reconcile()
        there.fake.more_traits = (*there.fake.more_traits, "rbd")
        there.heartbeat()
        with pytest.raises(NoPlace):
            ask_clone(shared.cloud, snapshot, volume_type=shared.type)


def test_clone_of_a_snapshot_that_is_gone_fails(shared: Shared, agent: FakeStorageAgent) -> None:
    snapshot = taken(shared)
    clone, operation = ask_clone(shared.cloud, snapshot, volume_type=shared.type)
    agent.snapshots.clear()
    assert run(operation).state == "failed"
    assert (fresh(clone).state, set(agent.volumes)) == ("error", {snapshot.volume_id})
    assert not QuotaUse.objects.filter(resource_id=clone.pk).exists()


def test_clone_outlives_its_snapshot(shared: Shared, agent: FakeStorageAgent) -> None:
    snapshot = taken(shared)
    clone, operation = ask_clone(shared.cloud, snapshot, volume_type=shared.type)
    done(operation)
    done(delete_snapshot(shared.cloud, snapshot))
    assert (fresh(snapshot).state, agent.snapshots) == ("deleted", {})
    assert fresh(clone).state == "available"
    assert clone.pk in agent.volumes


# ---- in the evidence


def residency(snapshot: Snapshot) -> list[Interval]:
    found = residency_of(snapshot.pk)
    assert not found.problems
    return list(found.intervals)


def test_snapshot_is_in_its_zone_from_its_moment_to_its_erasure(shared: Shared) -> None:
    snapshot = taken(shared)
    (interval,) = residency(snapshot)
    assert (interval.role, interval.zone, interval.node, interval.state) == ("snapshot", HOME, "", "claimed")
    assert (interval.start, interval.end, interval.is_compliant) == (snapshot.taken_at, None, True)
    assert interval.permit == str(PermitRow.objects.get(resource_id=snapshot.pk).pk)
    done(delete_snapshot(shared.cloud, snapshot))
    (interval,) = residency(snapshot)
    record = EvidenceRecord.objects.filter(kind="copy").latest("created_at")
    assert (interval.end, interval.close_receipt) == (instant(json.loads(str(record.document))["at"]), str(record.pk))


@pytest.mark.parametrize("stated_ms", [0, 2**62])
def test_moment_that_a_node_has_rewritten_is_not_accepted(
    shared: Shared, agent: FakeStorageAgent, monkeypatch: pytest.MonkeyPatch, stated_ms: int
) -> None:
    monkeypatch.setattr(
        storage_agent, "FakeSnapshot", lambda *fields: replace(FakeSnapshot(*fields), taken_at_ms=stated_ms)
    )
    before = clock.now()
    snapshot = taken(shared)
    assert snapshot.taken_at is not None and before <= snapshot.taken_at <= clock.now()
    done(delete_snapshot(shared.cloud, snapshot))
    (interval,) = residency(snapshot)
    assert interval.end is not None


def test_snapshot_that_was_undone_is_nowhere_since(shared: Shared) -> None:
    snapshot, operation = ask_snapshot(shared.cloud, shared.volume())
    run_on(operation, altered(WORKFLOWS["snapshot.create"], "snapshot", then(explode)))
    (interval,) = residency(snapshot)
    assert interval.end is not None
    assert interval.open_receipt == ""


def test_refused_snapshot_was_nowhere(shared: Shared) -> None:
    snapshot, operation = ask_snapshot(shared.cloud, shared.volume())
    refuse(shared, "snapshot")
    assert run(operation).state == "failed"
    assert residency(snapshot) == []
    assert not EvidenceRecord.objects.filter(kind="copy").exists()


def test_records_of_a_snapshot_are_kept_while_it_exists(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = taken(shared)
    assert retention._is_somewhere(snapshot.pk)
    done(delete_snapshot(shared.cloud, snapshot))
    assert not retention._is_somewhere(snapshot.pk)


# ---- in compliance sweeps


def compliance(snapshot: Snapshot) -> str | None:
    """Sweep, and return the state of the snapshot's location."""
    sweep_if_due()
    return Compliance.objects.filter(pk=snapshot.pk).values_list("state", flat=True).first()


def test_snapshot_that_is_not_admitted_any_more_has_drifted(shared: Shared) -> None:
    snapshot = taken(shared)
    assert compliance(snapshot) == "compliant"
    refuse(shared, "snapshot")
    assert compliance(snapshot) == "drifted"
    row = Compliance.objects.get(pk=snapshot.pk)
    assert (row.kind, row.zone, row.node_id) == ("snapshot", HOME, snapshot.volume.node_id)
    assert Compliance.objects.get(pk=snapshot.volume_id).state == "compliant"
    intervals = residency(snapshot)
    assert [each.is_compliant for each in intervals] == [True, False]
    plans_update()
    (item,) = RemediationPlan.objects.get().items
    assert (item["resource_id"], item["kind"], item["targets"]) == (str(snapshot.pk), "snapshot", [])


def test_deleted_snapshot_ends_its_drift(shared: Shared) -> None:
    snapshot = taken(shared)
    refuse(shared, "snapshot")
    assert compliance(snapshot) == "drifted"
    done(delete_snapshot(shared.cloud, snapshot))
    assert compliance(snapshot) is None
    last = EvidenceRecord.objects.filter(kind="drift", resource_id=snapshot.pk).latest("created_at")
    assert json.loads(str(last.document))["document"]["state"] == "evicted"
