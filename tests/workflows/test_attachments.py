"""Attach and detach of volumes: running and stopped guests, unresponsive guests, and concurrent deletions."""

import pytest

from agents.node.adapters.fake import FakeCapacity
from agents.node.errors import AdapterError, HypervisorUnavailable
from controlplane.compute.attachments import volume_attach, volume_detach
from controlplane.compute.errors import (
    AttachmentNotFound,
    InstanceWrongState,
    VolumeAlreadyAttached,
    VolumeElsewhere,
)
from controlplane.compute.models import Attachment
from controlplane.compute.services import instance_delete, instance_start
from controlplane.identity.actor import SYSTEM
from controlplane.nodes import agent_client
from controlplane.nodes.models import NodeRemoval
from controlplane.nodes.services import node_cordon
from controlplane.operations.errors import Busy
from controlplane.operations.models import Operation, ResourceLock
from controlplane.operations.services import operation_cancel
from controlplane.reconcilers import node_removals
from controlplane.storage.errors import VolumeWrongState
from controlplane.workflows.registry import WORKFLOWS
from tests.workflows.helpers import (
    altered,
    ask_instance,
    assert_clean_slate,
    attach,
    delete_everything,
    delete_volume,
    done,
    explode,
    fresh,
    make_attached,
    make_instance,
    make_stopped_instance,
    make_volume,
    picture,
    then,
)
from tests.world import Cloud, run, run_next_attempt


def disks(cloud: Cloud, attachment: Attachment) -> set[object]:
    """Return the disks of the running guest except its root disk."""
    guest = cloud.fake.guests[attachment.instance_id]
    assert guest.running is not None
    return {disk.volume_id for disk in guest.running.disks} - {attachment.instance.root_volume_id}


def test_volume_is_attached_to_and_detached_from_a_running_guest(cloud: Cloud) -> None:
    attachment = make_attached(cloud)
    assert (fresh(attachment.volume).state, attachment.is_plugged) == ("in-use", True)
    assert attachment.updated_at > attachment.created_at
    assert disks(cloud, attachment) == {attachment.volume_id}
    done(volume_detach(cloud.tenant.actor, attachment))
    assert fresh(attachment.volume).state == "available"
    assert disks(cloud, attachment) == set()
    assert not Attachment.objects.exists()
    done(attach(cloud, attachment.instance, fresh(attachment.volume))[1])


def test_volume_attached_to_a_stopped_guest_is_there_at_its_start(cloud: Cloud) -> None:
    instance, volume = make_stopped_instance(cloud), make_volume(cloud)
    attachment, operation = attach(cloud, instance, volume)
    done(operation)
    assert cloud.fake.call_counts["plug_disk"] == 0
    done(instance_start(cloud.tenant.actor, instance))
    assert disks(cloud, attachment) == {volume.pk}


def test_volume_is_attached_read_only(cloud: Cloud) -> None:
    instance, volume = make_instance(cloud), make_volume(cloud)
    done(volume_attach(cloud.tenant.actor, instance, volume=volume, is_read_only=True)[1])
    running = cloud.fake.guests[instance.pk].running
    assert running is not None
    assert [disk.is_read_only for disk in running.disks] == [False, True]


def test_volume_is_attached_to_one_instance_at_a_time(cloud: Cloud) -> None:
    attachment = make_attached(cloud)
    other = make_instance(cloud, "other")
    for instance in (other, attachment.instance):
        with pytest.raises(VolumeAlreadyAttached) as caught:
            attach(cloud, instance, attachment.volume)
        assert caught.value.field == "volume"
    volume = make_volume(cloud, "second")
    attach(cloud, other, volume)
    with pytest.raises(VolumeAlreadyAttached):
        attach(cloud, attachment.instance, volume)


def test_local_volume_of_another_node_is_refused(cloud: Cloud) -> None:
    volume = make_volume(cloud)
    node_cordon(SYSTEM, cloud.machine.row, reason="it is full")
    cloud.world.add_machine("fr-idf-1", capacity=FakeCapacity())
    instance = make_instance(cloud)
    assert instance.node_id != volume.node_id
    with pytest.raises(VolumeElsewhere):
        attach(cloud, instance, volume)
    assert not Attachment.objects.exists()
    assert not ResourceLock.objects.exists()


def test_instance_under_creation_or_in_error_takes_no_volume(cloud: Cloud) -> None:
    volume = make_volume(cloud)
    instance, creation = ask_instance(cloud)
    with pytest.raises(InstanceWrongState):
        attach(cloud, instance, volume)
    cloud.fake.fail_next("start", AdapterError("no", retryable=False))
    run(creation)
    with pytest.raises(InstanceWrongState):
        attach(cloud, fresh(instance), volume)


def test_attachment_of_a_stale_deleted_volume_is_refused(cloud: Cloud) -> None:
    instance, stale = make_instance(cloud), make_volume(cloud)
    done(delete_volume(cloud, fresh(stale)))
    with pytest.raises(VolumeWrongState):
        attach(cloud, instance, stale)
    assert not Attachment.objects.exists()


def test_attachment_refused_by_the_node_frees_the_volume(cloud: Cloud) -> None:
    instance, volume = make_instance(cloud), make_volume(cloud)
    before = picture(cloud)
    cloud.fake.fail_next("plug_disk", AdapterError("no PCI slot left", retryable=False))
    _, operation = attach(cloud, instance, volume)
    assert (run(operation).state, operation.error["code"]) == ("failed", "node.refused")
    assert fresh(volume).last_error["code"] == "node.refused"
    assert picture(cloud) == before
    done(attach(cloud, instance, fresh(volume))[1])
    assert fresh(volume).last_error is None


def test_detachment_is_retried_until_the_guest_releases_the_disk(cloud: Cloud) -> None:
    attachment = make_attached(cloud)
    cloud.fake.ignore_detach = True
    operation = run(volume_detach(cloud.tenant.actor, attachment))
    for _ in range(3):
        run_next_attempt(operation)
        assert (operation.state, operation.steps[0]["state"]) == ("running", "retrying")
    assert fresh(attachment.volume).state == "in-use"
    cloud.fake.ignore_detach = False
    assert run_next_attempt(operation).state == "succeeded"
    assert fresh(attachment.volume).state == "available"


def test_cancelled_detachment_leaves_the_volume_attached(cloud: Cloud) -> None:
    attachment = make_attached(cloud)
    before = picture(cloud)
    cloud.fake.ignore_detach = True
    operation = run(volume_detach(cloud.tenant.actor, attachment))
    operation_cancel(cloud.tenant.actor, operation)
    assert run(operation).state == "cancelled"
    assert picture(cloud) == before
    assert disks(cloud, attachment) == {attachment.volume_id}
    cloud.fake.ignore_detach = False
    done(volume_detach(cloud.tenant.actor, fresh(attachment)))
    delete_everything(cloud)
    assert_clean_slate(cloud)


def test_late_cancelled_detachment_reattaches_the_volume(cloud: Cloud) -> None:
    attachment = make_attached(cloud)
    cloud.fake.fail_next("unplug_disk", HypervisorUnavailable("the answer was lost"))
    operation = run(volume_detach(cloud.tenant.actor, attachment))
    guest = cloud.fake.guests[attachment.instance_id]
    guest.running = guest.spec
    assert disks(cloud, attachment) == set()
    operation_cancel(cloud.tenant.actor, operation)
    assert run(operation).state == "cancelled"
    assert disks(cloud, attachment) == {attachment.volume_id}


def test_second_detachment_is_refused(cloud: Cloud) -> None:
    """The second request read the attachment while the first was under way."""
    attachment = make_attached(cloud)
    first = volume_detach(cloud.tenant.actor, attachment)
    with pytest.raises(Busy):
        volume_detach(cloud.tenant.actor, attachment)
    done(first)
    with pytest.raises(AttachmentNotFound):
        volume_detach(cloud.tenant.actor, attachment)
    assert not Operation.objects.filter(state="pending").exists()


def test_late_duplicate_detachment_keeps_a_newer_attachment(cloud: Cloud) -> None:
    """The paused worker's call names the attachment of then, not the volume."""
    old = make_attached(cloud)
    paused = volume_detach(cloud.tenant.actor, old)
    done(paused)
    new, operation = attach(cloud, old.instance, fresh(old.volume))
    done(operation)
    agent_client.remove(cloud.machine.row, kind="attachment", resource_id=old.pk, generation=old.generation + 1)
    assert disks(cloud, new) == {new.volume_id}


def test_detachment_from_an_unreachable_node_is_completed_later(cloud: Cloud) -> None:
    attachment = make_attached(cloud)
    cloud.machine.become_unreachable()
    done(volume_detach(cloud.tenant.actor, attachment))
    assert fresh(attachment.volume).state == "available"
    assert NodeRemoval.objects.get().kind == "attachment"
    cloud.machine.come_back()
    node_removals.reconcile()
    assert disks(cloud, attachment) == set()
    assert not NodeRemoval.objects.exists()


def test_failed_attachment_reserves_its_device_until_deletion(cloud: Cloud) -> None:
    """The guest keeps the disk that it should have given back; the instance's deletion will take both."""
    instance, volume = make_instance(cloud), make_volume(cloud)
    attachment, operation = attach(cloud, instance, volume)
    cloud.fake.ignore_detach = True
    run(operation, altered(WORKFLOWS["volume.attach"], "plug", then(explode)))
    deletion = instance_delete(cloud.tenant.actor, instance)
    assert run_next_attempt(operation).state == "failed"
    with pytest.raises(InstanceWrongState):
        volume_detach(cloud.tenant.actor, fresh(attachment))
    with pytest.raises(VolumeAlreadyAttached) as caught:
        ask_instance(cloud, "other", volumes=(fresh(volume),))
    assert (caught.value.field, caught.value.facts) == ("volumes", {"volume": "data"})
    done(deletion)
    assert_clean_slate(cloud, volumes=1)
    make_instance(cloud, "other", volumes=(fresh(volume),))


def test_volume_deletion_during_its_attachment_succeeds(cloud: Cloud) -> None:
    """The deletion was accepted before there was an attachment to be seen."""
    instance, volume = make_instance(cloud), make_volume(cloud)
    _, operation = attach(cloud, instance, volume)
    deletion = delete_volume(cloud, volume)
    assert run(deletion).state == "pending"
    assert run(operation).state == "cancelled"
    done(deletion)
    assert fresh(volume).state == "deleted"
    done(instance_delete(cloud.tenant.actor, instance))
    assert_clean_slate(cloud)


def test_volume_deletion_during_the_last_attach_step_detaches_it(cloud: Cloud) -> None:
    """The attached volume is detached again, because it is under deletion."""
    instance, volume = make_instance(cloud), make_volume(cloud)
    _, operation = attach(cloud, instance, volume)
    deletions = []

    def delete(_: Operation) -> None:
        deletions.append(delete_volume(cloud, fresh(volume)))

    run(operation, altered(WORKFLOWS["volume.attach"], "plug", then(delete)))
    assert (operation.state, operation.error["code"]) == ("failed", "storage.volume.wrong_state")
    done(deletions[0])
    done(instance_delete(cloud.tenant.actor, instance))
    assert_clean_slate(cloud)


def test_volume_deletion_during_instance_creation_fails_the_creation(cloud: Cloud) -> None:
    volume = make_volume(cloud)
    instance, operation = ask_instance(cloud, volumes=(volume,))
    deletions = []

    def delete(_: Operation) -> None:
        deletions.append(delete_volume(cloud, fresh(volume)))

    run(operation, altered(WORKFLOWS["instance.create"], "start", then(delete)))
    assert (operation.state, fresh(instance).state) == ("failed", "error")
    done(deletions[0])
    assert_clean_slate(cloud)
