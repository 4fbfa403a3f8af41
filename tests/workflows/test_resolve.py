"""What cannot end because its node is gone is ended by an operator, by its own workflow, and nothing of it is left."""

from datetime import timedelta
from unittest.mock import patch

import pytest

from controlplane.audit.models import AuditRecord, EvidenceRecord
from controlplane.compute.attachments import volume_detach
from controlplane.compute.models import Attachment, Instance, Rebuild
from controlplane.compute.rebuild import NewDisk, instance_rebuild
from controlplane.compute.services import instance_delete, instance_start
from controlplane.events.models import Event
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.nodes.models import Node, NodeRemoval
from controlplane.operations import leases
from controlplane.operations.errors import NotResolvable
from controlplane.operations.models import Operation, OperationHold
from controlplane.operations.selectors import STUCK_ATTEMPTS, stuck
from controlplane.operations.services import operation_cancel
from controlplane.placement import permits
from controlplane.placement.models import Permit
from controlplane.reconcilers import node_removals
from controlplane.workflows import instance_rebuild as rebuild
from controlplane.workflows.resolve import Resolution, operation_resolve
from tests.workflows.helpers import (
    Killed,
    altered,
    ask_instance,
    assert_clean_slate,
    die,
    done,
    followed_by_another_worker,
    fresh,
    make_attached,
    make_instance,
    then,
)
from tests.world import Cloud, SilentSigner, again, run


def tried_in_vain(operation: Operation) -> Operation:
    """As often as it takes to be called stuck, and so long that what was permitted has run out."""
    Permit.objects.update(expires_at=clock.now())
    Operation.objects.filter(pk=operation.pk).update(attempts=STUCK_ATTEMPTS)
    return fresh(operation)


def lost_rebuild(cloud: Cloud) -> tuple[Instance, Operation]:
    """It was turned back when its guest had its new disk already, and then its node was gone."""
    instance = make_instance(cloud)
    operation = instance_rebuild(cloud.tenant.actor, instance, NewDisk(cloud.image))
    with pytest.raises(Killed):
        run(operation, altered(rebuild.WORKFLOW, "define", then(die)))
    cloud.machine.fall_silent()
    operation_cancel(cloud.tenant.actor, operation)
    assert followed_by_another_worker(operation).state == "undoing"
    assert again(operation).state == "undoing"
    return instance, tried_in_vain(operation)


def resolve(operation: Operation) -> Resolution:
    """What is asked of the signer inside a transaction, it does not see before that has ended."""
    with patch.object(permits, "current_app", SilentSigner()):
        return operation_resolve(SYSTEM, fresh(operation), reason="it burnt")


def test_a_rebuild_whose_node_burnt_ends_and_the_instance_is_stopped(cloud: Cloud) -> None:
    instance, operation = lost_rebuild(cloud)
    found = resolve(operation)
    assert (found.operation.state, found.node) == ("cancelled", cloud.machine.row)
    assert (fresh(instance).state, fresh(instance).power_state) == ("stopped", "unknown")
    assert not Rebuild.objects.exists() and not OperationHold.objects.exists()
    assert sorted(each.kind for each in found.removals) == ["instance", "volume"]
    assert fresh(instance).root_volume_id not in [each.resource_id for each in found.removals]
    assert found.operation.steps[-1]["name"] != "resolve"
    assert [each["message"] for each in found.operation.steps if each["name"] == "resolve"] == ["it burnt"]


def test_a_node_that_comes_back_is_cleaned_and_the_instance_starts_there(cloud: Cloud) -> None:
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


def test_a_detachment_that_was_cancelled_ends_with_the_volume_out(cloud: Cloud) -> None:
    attachment = make_attached(cloud)
    cloud.fake.ignore_detach = True
    operation = run(volume_detach(cloud.tenant.actor, attachment))
    cloud.machine.fall_silent()
    operation_cancel(cloud.tenant.actor, operation)
    assert run(operation).state == "undoing"
    found = resolve(tried_in_vain(operation))
    assert (found.operation.state, found.operation.error["code"]) == ("cancelled", "compute.attachment.not_given_back")
    assert (fresh(attachment.volume).state, Attachment.objects.exists()) == ("available", False)
    assert [(each.kind, each.resource_id) for each in found.removals] == [("attachment", attachment.pk)]


def test_it_is_on_record_who_did_it_and_why(cloud: Cloud) -> None:
    _, operation = lost_rebuild(cloud)
    resolve(operation)
    deed = AuditRecord.objects.get(verb="operation.resolve")
    assert (deed.project_id, deed.facts["reason"], deed.facts["operation_id"]) == (
        cloud.tenant.project.pk,
        "it burnt",
        str(operation.pk),
    )
    evidence = EvidenceRecord.objects.get(kind="incident")
    assert evidence.organization_id == cloud.tenant.project.organization_id and "it burnt" in evidence.document
    told = Event.objects.get(kind="operation.resolved")
    assert (told.operation_id, told.data) == (operation.pk, {"operation": operation.kind, "reason": "it burnt"})


def refusal(operation: Operation) -> str:
    before = list(Operation.objects.values())
    with pytest.raises(NotResolvable) as refused:
        resolve(operation)
    assert list(Operation.objects.values()) == before and not NodeRemoval.objects.exists()
    assert not AuditRecord.objects.filter(verb="operation.resolve").exists()
    return str(refused.value)


def test_a_node_that_is_heard_is_not_given_up(cloud: Cloud) -> None:
    _, operation = lost_rebuild(cloud)
    Node.objects.update(state="ready")
    assert "the node node-1 is heard" in refusal(operation)


def test_a_node_that_has_just_fallen_silent_may_come_back(cloud: Cloud) -> None:
    _, operation = lost_rebuild(cloud)
    Node.objects.update(last_heartbeat_at=clock.now() - timedelta(minutes=9))
    assert "not been silent for 10 minutes" in refusal(operation)


def test_what_may_still_end_by_itself_is_left_alone(cloud: Cloud) -> None:
    _, operation = lost_rebuild(cloud)
    Operation.objects.update(attempts=STUCK_ATTEMPTS - 1)
    assert "may still end by itself" in refusal(operation)
    Operation.objects.update(attempts=STUCK_ATTEMPTS, state="running")
    assert "may still end by itself" in refusal(operation)
    assert not Operation.objects.filter(stuck()).exists()
    Operation.objects.update(state="cancelled", finished_at=clock.now())
    assert "it has ended" in refusal(operation)


def test_what_a_worker_tries_at_the_moment_is_left_to_it(cloud: Cloud) -> None:
    _, operation = lost_rebuild(cloud)
    Operation.objects.update(due_at=clock.now())
    assert leases.take_lease(operation.pk) is not None
    assert "a worker tries it" in refusal(operation)


def test_what_waits_for_no_node_is_no_case_for_it(cloud: Cloud) -> None:
    _, operation = ask_instance(cloud)
    Operation.objects.update(state="undoing")
    assert "nothing of it is on a node" in refusal(tried_in_vain(operation))
