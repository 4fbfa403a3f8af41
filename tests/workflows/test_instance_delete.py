"""Instance deletion in every state, during other operations, on unreachable nodes, and repeated."""

from collections.abc import Callable

import pytest

from agents.node.errors import AdapterError, HypervisorUnavailable
from controlplane.compute.attachments import volume_detach
from controlplane.compute.errors import InstanceWrongState
from controlplane.compute.models import Attachment, Instance
from controlplane.compute.resize import instance_resize
from controlplane.compute.services import instance_delete, instance_power_off, instance_shutdown, instance_start
from controlplane.nodes.errors import NodeUnreachable
from controlplane.nodes.models import NodeRemoval
from controlplane.operations import leases
from controlplane.operations.errors import NotCancellable
from controlplane.operations.models import Operation
from controlplane.operations.services import operation_cancel
from controlplane.placement.models import Allocation
from controlplane.reconcilers import node_removals
from controlplane.storage.models import Volume
from controlplane.workflows.registry import WORKFLOWS
from tests.workflows.helpers import (
    altered,
    ask_instance,
    assert_clean_slate,
    attach,
    delete_volume,
    done,
    explode,
    fresh,
    make_attached,
    make_instance,
    make_stopped_instance,
    make_volume,
    pass_deadline,
    then,
)
from tests.world import Broker, Cloud, make_flavor, run, run_next_attempt


def ask_delete(cloud: Cloud, instance: Instance) -> Operation:
    return instance_delete(cloud.tenant.actor, instance)


def test_deletion_of_an_active_instance_keeps_its_volumes(cloud: Cloud) -> None:
    volume, other = make_volume(cloud), make_volume(cloud, "other")
    instance = make_instance(cloud, volumes=(volume,))
    done(attach(cloud, instance, other)[1])
    done(ask_delete(cloud, instance))
    assert fresh(instance).state == "deleted"
    assert (fresh(volume).state, fresh(other).state) == ("available", "available")
    assert_clean_slate(cloud, volumes=2)
    make_instance(cloud, volumes=(fresh(volume),))


def test_stopped_instance_is_deleted(cloud: Cloud) -> None:
    done(ask_delete(cloud, make_stopped_instance(cloud)))
    assert_clean_slate(cloud)


def test_instance_in_error_is_deleted(cloud: Cloud) -> None:
    cloud.fake.fail_next("start", AdapterError("no", retryable=False))
    instance, operation = ask_instance(cloud)
    assert run(operation).state == "failed"
    done(ask_delete(cloud, fresh(instance)))
    assert fresh(instance).state == "deleted"
    assert_clean_slate(cloud)


def test_crashed_instance_is_deleted(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    cloud.fake.crash(instance.pk)
    done(ask_delete(cloud, instance))
    assert_clean_slate(cloud)


def test_deletion_cancels_a_pending_creation(cloud: Cloud) -> None:
    volume = make_volume(cloud)
    instance, creation = ask_instance(cloud, volumes=(volume,))
    deletion = ask_delete(cloud, instance)
    assert run(creation).state == "cancelled"
    done(deletion)
    assert fresh(volume).state == "available"
    assert_clean_slate(cloud, volumes=1)


def test_deletion_waits_for_the_undo_of_the_creation(cloud: Cloud) -> None:
    instance, creation = ask_instance(cloud)
    cloud.fake.fail_next("start", HypervisorUnavailable("libvirtd is gone"))
    assert run(creation).state == "running"
    deletion = run(ask_delete(cloud, instance))
    assert deletion.state == "pending", "it waits for the creation to be undone"
    assert fresh(creation).cancel_requested_at is not None
    assert run(creation).state == "cancelled", "and has made it due at once"
    assert fresh(instance).state == "error"
    done(deletion)
    assert fresh(instance).state == "deleted"
    assert_clean_slate(cloud)


def test_end_of_the_blocking_operation_wakes_the_deletion(
    cloud: Cloud, broker: Broker, django_capture_on_commit_callbacks: object
) -> None:
    instance, creation = ask_instance(cloud)
    with django_capture_on_commit_callbacks(execute=True):
        deletion = ask_delete(cloud, instance)
    assert broker.sent == [(creation.pk, 0), (deletion.pk, 0)], "the one in the way hears of it too"
    assert run(deletion).state == "pending"
    broker.sent.clear()
    with django_capture_on_commit_callbacks(execute=True):
        run(creation)
    assert broker.sent == [(deletion.pk, 0)]
    done(deletion)


def test_waiting_deletion_is_requeued(cloud: Cloud, broker: Broker) -> None:
    instance, creation = ask_instance(cloud)
    deletion = ask_delete(cloud, instance)
    run(deletion)
    run(creation)
    broker.sent.clear()
    assert leases.requeue_due() == 1
    assert broker.sent == [(deletion.pk, 0)]


def shutting_down(cloud: Cloud) -> Operation:
    instance = make_instance(cloud)
    cloud.fake.ignore_shutdown = True
    return instance_shutdown(cloud.tenant.actor, instance)


def resizing(cloud: Cloud) -> Operation:
    instance = make_stopped_instance(cloud)
    cloud.fake.fail_next("grow_volume", HypervisorUnavailable("libvirtd is gone"))
    return instance_resize(cloud.tenant.actor, instance, flavor=make_flavor("big", vcpus=4, disk_gib=3))


def starting(cloud: Cloud) -> Operation:
    instance = make_stopped_instance(cloud)
    cloud.fake.fail_next("start", HypervisorUnavailable("libvirtd is gone"))
    return instance_start(cloud.tenant.actor, instance)


def attaching(cloud: Cloud) -> Operation:
    instance, volume = make_instance(cloud), make_volume(cloud)
    cloud.fake.fail_next("plug_disk", HypervisorUnavailable("libvirtd is gone"))
    return attach(cloud, instance, volume)[1]


def attaching_to_a_guest_that_will_not_let_go(cloud: Cloud) -> Operation:
    """The disk is in, the answer was lost, and the guest ignores that it is to come out again."""
    instance, volume = make_instance(cloud), make_volume(cloud)
    attachment, operation = attach(cloud, instance, volume)
    workflow = altered(WORKFLOWS["volume.attach"], "plug", then(explode))
    cloud.fake.ignore_detach = True
    assert run(operation, workflow).state == "undoing"
    assert Attachment.objects.filter(pk=attachment.pk).exists()
    return operation


def detaching_from_a_guest_that_will_not_let_go(cloud: Cloud) -> Operation:
    attachment = make_attached(cloud)
    cloud.fake.ignore_detach = True
    return volume_detach(cloud.tenant.actor, attachment)


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (shutting_down, "cancelled"),
        (resizing, "cancelled"),
        (starting, "cancelled"),
        (attaching, "cancelled"),
        (attaching_to_a_guest_that_will_not_let_go, "failed"),
        (detaching_from_a_guest_that_will_not_let_go, "cancelled"),
    ],
)
def test_deletion_waits_for_any_other_operation(cloud: Cloud, begin: Callable[[Cloud], Operation], end: str) -> None:
    operation = run(begin(cloud))
    assert operation.state in ("running", "undoing")
    deletion = run(ask_delete(cloud, Instance.objects.get()))
    assert deletion.state == "pending"
    assert run_next_attempt(operation).state == end
    done(deletion)
    volumes = list(Volume.objects.all())
    assert all(volume.state == "available" for volume in volumes)
    assert_clean_slate(cloud, volumes=len(volumes))


def test_repeated_deletion_requests_succeed(cloud: Cloud) -> None:
    """A repeated request gets the same operation; two requests of the same moment get two, and both end."""
    instance = make_instance(cloud)
    stale = fresh(instance)
    first, second = ask_delete(cloud, instance), ask_delete(cloud, stale)
    assert first != second
    assert ask_delete(cloud, fresh(instance)) == first
    done(first)
    done(second)
    assert fresh(instance).state == "deleted"
    done(ask_delete(cloud, instance))
    assert_clean_slate(cloud)


def test_the_second_deletion_waits_for_the_first(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    cloud.fake.fail_next("undefine", HypervisorUnavailable("libvirtd is gone"))
    first = run(ask_delete(cloud, instance))
    second = run(ask_delete(cloud, instance))
    assert (first.state, second.state) == ("running", "pending")
    assert run_next_attempt(first).state == "succeeded"
    done(second)
    assert_clean_slate(cloud)


def test_deletion_cannot_be_cancelled(cloud: Cloud) -> None:
    deletion = ask_delete(cloud, make_instance(cloud))
    with pytest.raises(NotCancellable):
        operation_cancel(cloud.tenant.actor, deletion)


def test_instance_under_deletion_refuses_changes(cloud: Cloud) -> None:
    instance, volume = make_instance(cloud), make_volume(cloud)
    stale = fresh(instance)
    ask_delete(cloud, instance)
    for change in (instance_power_off, instance_shutdown):
        with pytest.raises(InstanceWrongState) as caught:
            change(cloud.tenant.actor, instance)
        assert caught.value.facts["state"] == "being deleted"
    with pytest.raises(InstanceWrongState):
        attach(cloud, stale, volume)
    assert Operation.objects.filter(state="pending").count() == 1


def test_node_errors_only_delay_the_deletion(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    deletion = ask_delete(cloud, instance)
    for call in ("power_off", "undefine", "remove_port", "remove_volume"):
        cloud.fake.fail_next(call, AdapterError("strange", retryable=False))
    run(deletion)
    pass_deadline(deletion)
    for _ in range(4):
        assert deletion.state == "running"
        run_next_attempt(deletion)
    assert deletion.state == "succeeded"
    assert_clean_slate(cloud)


def test_deletion_retries_a_node_just_lost(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    cloud.machine.stop_agent()
    deletion = run(ask_delete(cloud, instance))
    assert (deletion.state, deletion.steps[0]["state"]) == ("running", "retrying")
    cloud.machine.start_agent()
    assert run_next_attempt(deletion).state == "succeeded"
    assert_clean_slate(cloud)


def test_unreachable_node_is_cleaned_when_it_returns(cloud: Cloud) -> None:
    attachment = make_attached(cloud)
    instance, volume = attachment.instance, attachment.volume
    cloud.machine.become_unreachable()
    done(ask_delete(cloud, instance))
    assert (fresh(instance).state, fresh(volume).state) == ("deleted", "available")
    done(delete_volume(cloud, fresh(volume)))
    assert not Allocation.objects.exists()
    kinds = NodeRemoval.objects.values_list("kind", flat=True)
    assert sorted(kinds) == ["attachment", "instance", "port", "volume", "volume"]
    assert cloud.fake.guests, "the guest is still there"
    node_removals.reconcile()
    assert NodeRemoval.objects.count() == 5, "the node is not back yet"
    cloud.machine.come_back()
    node_removals.reconcile()
    assert_clean_slate(cloud)


def test_node_lost_during_the_deletion_is_cleaned_later(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    cloud.fake.fail_next("remove_port", HypervisorUnavailable("the power supply smells"))
    deletion = run(ask_delete(cloud, instance))
    cloud.machine.become_unreachable()
    assert run_next_attempt(deletion).state == "succeeded"
    assert sorted(NodeRemoval.objects.values_list("kind", flat=True)) == ["port", "volume"]
    cloud.machine.come_back()
    node_removals.reconcile()
    assert_clean_slate(cloud)


@pytest.mark.parametrize("step", ["place", "image", "root-disk", "port-0", "start"])
def test_node_lost_during_a_creation_is_cleaned_later(cloud: Cloud, step: str) -> None:
    instance, creation = ask_instance(cloud)

    def vanish(operation: Operation) -> None:
        cloud.machine.become_unreachable()
        raise NodeUnreachable()

    run(creation, altered(WORKFLOWS["instance.create"], step, then(vanish)))
    assert creation.state == "running"
    pass_deadline(creation)
    run_next_attempt(creation)
    assert (creation.state, creation.error["code"]) in (
        ("failed", "operation.deadline_exceeded"),
        ("failed", "placement.no_place"),
    )
    done(ask_delete(cloud, fresh(instance)))
    cloud.machine.come_back()
    node_removals.reconcile()
    assert_clean_slate(cloud)


def test_failed_removal_is_retried_and_unreachable_nodes_are_skipped(cloud: Cloud) -> None:
    make_instance(cloud)
    cloud.machine.become_unreachable()
    done(ask_delete(cloud, Instance.objects.get()))
    cloud.machine.come_back()
    cloud.machine.stop_agent()
    node_removals.reconcile()
    assert NodeRemoval.objects.count() == 3
    cloud.machine.start_agent()
    cloud.fake.fail_next("undefine", AdapterError("strange", retryable=False))
    node_removals.reconcile()
    assert NodeRemoval.objects.exists()
    node_removals.reconcile()
    assert_clean_slate(cloud)
