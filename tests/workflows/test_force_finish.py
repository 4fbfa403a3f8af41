"""Forced finish by an operator: operations of a lost node end by their own workflow and leave nothing."""

from datetime import timedelta

import pytest
from django.db import transaction

from controlplane.audit.models import AuditEntry, EvidenceRecord
from controlplane.compute.attachments import volume_detach
from controlplane.compute.models import Attachment, Instance, Rebuild
from controlplane.compute.rebuild import NewDisk, instance_rebuild
from controlplane.compute.services import instance_delete, instance_start
from controlplane.events.models import Event
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.kernel.db import rolled_back
from controlplane.nodes import agent_client
from controlplane.nodes.models import Node, NodeRemoval
from controlplane.operations import leases
from controlplane.operations.errors import NotResolvable
from controlplane.operations.models import Operation, ResourceLock
from controlplane.operations.selectors import STUCK_ATTEMPTS, stuck
from controlplane.operations.services import operation_cancel
from controlplane.placement.models import Permit
from controlplane.reconcilers import node_removals
from controlplane.workflows import instance_rebuild as rebuild
from controlplane.workflows.force_finish import Resolution, operation_force_finish
from tests.workflows.helpers import (
    Killed,
    altered,
    ask_instance,
    assert_clean_slate,
    die,
    done,
    files,
    followed_by_another_worker,
    fresh,
    make_attached,
    make_instance,
    make_shared,
    share,
    then,
)
from tests.world import Cloud, agent_calls, run, run_next_attempt


def tried_in_vain(operation: Operation) -> Operation:
    """Set the attempts of a stuck operation, and expire its permits."""
    Permit.objects.update(expires_at=clock.now())
    Operation.objects.filter(pk=operation.pk).update(attempts=STUCK_ATTEMPTS)
    return fresh(operation)


def lost_rebuild(cloud: Cloud) -> tuple[Instance, Operation]:
    """Return a rebuild that was undone after the change of disks and whose node is lost."""
    instance = make_instance(cloud)
    operation = instance_rebuild(cloud.tenant.actor, instance, NewDisk(cloud.image))
    with pytest.raises(Killed):
        run(operation, altered(rebuild.WORKFLOW, "define", then(die)))
    cloud.machine.become_unreachable()
    operation_cancel(cloud.tenant.actor, operation)
    assert followed_by_another_worker(operation).state == "undoing"
    assert run_next_attempt(operation).state == "undoing"
    return instance, tried_in_vain(operation)


def ask(operation: Operation) -> Resolution:
    """Force the finish as a request does."""
    with transaction.atomic():
        return operation_force_finish(SYSTEM, fresh(operation), reason="it burnt")


def resolve(operation: Operation) -> tuple[Operation, list[NodeRemoval]]:
    """Resolved, and run by a worker: the operation as it has ended, and what is to be removed from its node."""
    before = {each.pk for each in NodeRemoval.objects.all()}
    ended = run(ask(operation).operation)
    return ended, [each for each in NodeRemoval.objects.order_by("kind", "pk") if each.pk not in before]


def test_forced_finish_of_a_rebuild_stops_the_instance(cloud: Cloud) -> None:
    instance, operation = lost_rebuild(cloud)
    ended, removals = resolve(operation)
    assert (ended.state, ended.abandoned_node_id) == ("cancelled", cloud.machine.row.pk)
    assert (fresh(instance).state, fresh(instance).power_state) == ("stopped", "unknown")
    assert not Rebuild.objects.exists() and not ResourceLock.objects.exists()
    assert sorted(each.kind for each in removals) == ["instance", "volume"]
    assert fresh(instance).root_volume_id not in [each.resource_id for each in removals]
    assert ended.steps[-1]["name"] != "resolve"
    assert [each["message"] for each in ended.steps if each["name"] == "resolve"] == ["it burnt"]


def test_returned_node_is_cleaned_and_the_instance_starts(cloud: Cloud) -> None:
    instance, operation = lost_rebuild(cloud)
    resolve(operation)
    cloud.machine.come_back()
    node_removals.reconcile()
    assert instance.pk not in cloud.fake.guests and not NodeRemoval.objects.exists()
    assert set(cloud.fake.volumes) == {fresh(instance).root_volume_id}
    done(instance_start(cloud.tenant.actor, fresh(instance)))
    assert cloud.fake.guests[instance.pk].spec.disks[0].volume_id == fresh(instance).root_volume_id
    done(instance_delete(cloud.tenant.actor, fresh(instance)))
    assert_clean_slate(cloud)


def test_cancelled_detachment_finishes_with_the_volume_detached(cloud: Cloud) -> None:
    attachment = make_attached(cloud)
    cloud.fake.ignore_detach = True
    operation = run(volume_detach(cloud.tenant.actor, attachment))
    cloud.machine.become_unreachable()
    operation_cancel(cloud.tenant.actor, operation)
    assert run(operation).state == "undoing"
    ended, removals = resolve(tried_in_vain(operation))
    assert (ended.state, ended.error["code"]) == ("cancelled", "compute.attachment.not_given_back")
    assert (fresh(attachment.volume).state, Attachment.objects.exists()) == ("available", False)
    assert [(each.kind, each.resource_id) for each in removals] == [("attachment", attachment.pk)]


def test_forced_finish_is_audited_with_its_reason(cloud: Cloud) -> None:
    _, operation = lost_rebuild(cloud)
    resolve(operation)
    entry = AuditEntry.objects.get(verb="operation.resolve")
    assert (entry.project_id, entry.facts["reason"], entry.facts["operation_id"]) == (
        cloud.tenant.project.pk,
        "it burnt",
        str(operation.pk),
    )
    evidence = EvidenceRecord.objects.get(kind="incident")
    assert evidence.organization_id == cloud.tenant.project.organization_id and "it burnt" in evidence.document
    event = Event.objects.get(kind="operation.resolved")
    assert (event.operation_id, event.data) == (operation.pk, {"operation": operation.kind, "reason": "it burnt"})


def refusal(operation: Operation) -> str:
    before = list(Operation.objects.values())
    with pytest.raises(NotResolvable) as refused:
        ask(operation)
    assert list(Operation.objects.values()) == before and not NodeRemoval.objects.exists()
    assert not AuditEntry.objects.filter(verb="operation.resolve").exists()
    return str(refused.value)


def test_reachable_node_is_not_abandoned(cloud: Cloud) -> None:
    _, operation = lost_rebuild(cloud)
    Node.objects.update(state="ready")
    assert "the node node-1 is reachable" in refusal(operation)


def test_node_unreachable_for_a_short_time_is_not_abandoned(cloud: Cloud) -> None:
    _, operation = lost_rebuild(cloud)
    Node.objects.update(last_heartbeat_at=clock.now() - timedelta(minutes=9))
    assert "unreachable for less than 10 minutes" in refusal(operation)


def test_operation_that_may_end_by_itself_is_not_forced(cloud: Cloud) -> None:
    _, operation = lost_rebuild(cloud)
    Operation.objects.update(attempts=STUCK_ATTEMPTS - 1)
    assert "may still end on its own" in refusal(operation)
    Operation.objects.update(attempts=STUCK_ATTEMPTS, state="running")
    assert "may still end on its own" in refusal(operation)
    assert not Operation.objects.filter(stuck()).exists()
    Operation.objects.update(state="cancelled", finished_at=clock.now())
    assert "it has ended" in refusal(operation)


def test_operation_leased_by_a_worker_is_not_forced(cloud: Cloud) -> None:
    _, operation = lost_rebuild(cloud)
    Operation.objects.update(due_at=clock.now())
    assert leases.lease_operation(operation.pk) is not None
    assert "a worker is executing it" in refusal(operation)


def test_operation_without_a_node_is_not_forced(cloud: Cloud) -> None:
    _, operation = ask_instance(cloud)
    Operation.objects.update(state="undoing")
    assert "it has nothing on a node" in refusal(tried_in_vain(operation))


def test_forced_finish_request_calls_no_node_and_dry_run_writes_nothing(cloud: Cloud) -> None:
    _, operation = lost_rebuild(cloud)
    rows, before = list(Operation.objects.values()), agent_calls()
    with rolled_back():
        found = operation_force_finish(SYSTEM, fresh(operation), reason="?")
        assert (found.node, found.operation.state) == (cloud.machine.row, "undoing")
    assert list(Operation.objects.values()) == rows
    ask(operation)
    assert agent_calls() == before


def test_reachable_peer_is_called_outside_a_transaction(cloud: Cloud) -> None:
    """A guest whose disk is in a pool moves to a second node, and its first one is lost."""
    instance = make_shared(cloud)
    other = cloud.world.add_machine(cloud.machine.row.zone_id)
    share(cloud, other)
    operation = instance_delete(cloud.tenant.actor, instance)
    cloud.machine.become_unreachable()
    Operation.objects.filter(pk=operation.pk).update(state="running")
    address = Node.objects.get(pk=other.row.pk).address
    Node.objects.filter(pk=other.row.pk).update(address="127.0.0.1:1")
    ask(tried_in_vain(operation))
    assert run(operation).state == "running", "the other node does not answer, and is not given up"
    assert operation.attempts == 1 and operation.lease_token is None
    Node.objects.filter(pk=other.row.pk).update(address=address)
    before = agent_calls()
    assert run_next_attempt(operation).state == "succeeded", operation.steps
    assert agent_calls() > before and not files(cloud)


def test_a_call_to_a_node_inside_a_transaction_is_a_bug(cloud: Cloud) -> None:
    before = agent_calls()
    with transaction.atomic(), pytest.raises(RuntimeError):
        agent_client.describe(cloud.machine.row)
    assert agent_calls() == before
    agent_client.describe(cloud.machine.row)
