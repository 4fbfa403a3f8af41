"""Rebuild gives an instance a new root disk and keeps its identity."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db.models import F

from agents.node.errors import AdapterError
from andromede_core.documents import signed
from andromede_core.permits import permit as core
from controlplane.catalog.models import Image
from controlplane.compute import user_data
from controlplane.compute.errors import FirmwareMissing, FlavorTooSmall, InstanceWrongState, UserDataTooLarge
from controlplane.compute.models import Attachment, Instance, Rebuild, SshKey
from controlplane.compute.rebuild import NewDisk, instance_rebuild
from controlplane.compute.resize import instance_resize
from controlplane.compute.services import instance_delete, instance_reboot, instance_start
from controlplane.network.models import Port
from controlplane.nodes.models import Incident, NodeRemoval
from controlplane.operations.errors import Busy, NotCancellable
from controlplane.operations.models import Operation
from controlplane.operations.services import operation_cancel
from controlplane.placement.errors import PolicyUnsatisfiable
from controlplane.placement.models import Allocation, Permit
from controlplane.quotas.models import QuotaUse
from controlplane.reconcilers import instance_metadata, node_removals
from controlplane.signer.instance_metadata import sign_all
from controlplane.workflows.registry import WORKFLOWS
from tests.nightly import thinned
from tests.services.policies import in_zones, ruled
from tests.workflows.helpers import (
    Killed,
    altered,
    ask_instance,
    assert_clean_slate,
    delete_everything,
    die,
    done,
    explode,
    fresh,
    make_attached,
    make_instance,
    make_stopped_instance,
    picture,
    then,
)
from tests.world import Cloud, make_flavor, make_image, run, run_next_attempt

STEPS = ("image", "root-disk", "define", "start")


@pytest.fixture
def image(cloud: Cloud) -> Image:
    return make_image(cloud.world.folder / "images", name="other")


def rebuild(cloud: Cloud, instance: Instance, image: Image, **more: Any) -> Operation:
    return instance_rebuild(cloud.tenant.actor, fresh(instance), NewDisk(image, **more))


def root_of(cloud: Cloud, instance: Instance) -> UUID:
    """The first disk with which the guest runs, or would start."""
    guest = cloud.fake.guests[instance.pk]
    return (guest.running or guest.spec).disks[0].volume_id


def test_running_instance_is_rebuilt_and_keeps_its_identity(cloud: Cloud, image: Image) -> None:
    attachment = make_attached(cloud)
    before, ports = attachment.instance, list(Port.objects.values())
    used = set(QuotaUse.objects.values_list("resource_id", "dimension", "amount"))
    allocation = Allocation.objects.values("node", "vcpus", "memory_mib", "disk_gib").get(consumer_id=before.pk)
    done(rebuild(cloud, before, image))
    after = fresh(before)
    assert (after.state, after.power_state, after.image, after.last_error) == ("active", "running", image, None)
    assert (after.name, after.node_id, after.flavor) == (before.name, before.node_id, before.flavor)
    assert after.root_volume_id != before.root_volume_id
    guest = cloud.fake.guests[before.pk]
    assert guest.running is not None
    assert [disk.volume_id for disk in guest.running.disks] == [after.root_volume_id, attachment.volume_id]
    assert set(cloud.fake.volumes) == {after.root_volume_id, attachment.volume_id}
    assert list(Port.objects.values()) == ports
    assert Attachment.objects.get() == attachment
    assert set(QuotaUse.objects.values_list("resource_id", "dimension", "amount")) == used
    assert Allocation.objects.filter(consumer_id=before.pk, **allocation).exists()
    assert not Rebuild.objects.exists()
    done(instance_reboot(cloud.tenant.actor, after))
    done(rebuild(cloud, after, cloud.image))
    delete_everything(cloud)
    assert_clean_slate(cloud)


def test_a_stopped_instance_stays_stopped_and_starts_from_the_new_disk(cloud: Cloud, image: Image) -> None:
    instance = make_stopped_instance(cloud)
    done(rebuild(cloud, instance, image))
    assert cloud.fake.guests[instance.pk].running is None
    instance = fresh(instance)
    assert (instance.state, instance.power_state) == ("stopped", "off")
    done(instance_start(cloud.tenant.actor, instance))
    assert root_of(cloud, instance) == instance.root_volume_id
    done(rebuild(cloud, instance, cloud.image))
    done(instance_resize_after_stop(cloud, instance))


def instance_resize_after_stop(cloud: Cloud, instance: Instance) -> Operation:
    Instance.objects.filter(pk=instance.pk).update(state="stopped")
    flavor = make_flavor("big", vcpus=2, disk_gib=3)
    return instance_resize(cloud.tenant.actor, fresh(instance), flavor=flavor)


def test_rebuild_keeps_or_replaces_user_data_and_keys(cloud: Cloud, image: Image) -> None:
    instance = make_instance(cloud, user_data=b"#cloud-config\n{a: 1}\n")
    done(rebuild(cloud, instance, image))
    assert cloud.fake.seeds[instance.pk]["user-data"] == b"#cloud-config\n{a: 1}\n"
    key = SshKey(project=cloud.tenant.project, name="k", public_key="ssh-ed25519 AAAA", fingerprint="x")
    done(rebuild(cloud, instance, image, user_data=b"#cloud-config\n{}\n", ssh_keys=(key,)))
    assert cloud.fake.seeds[instance.pk]["user-data"] == b"#cloud-config\n{}\n"
    assert b"ssh-ed25519 AAAA" in cloud.fake.seeds[instance.pk]["meta-data"]
    row = fresh(instance)
    assert (row.ssh_public_keys, user_data.read(row)) == (["ssh-ed25519 AAAA"], b"#cloud-config\n{}\n")


def test_the_permit_lists_the_new_disk_and_its_image_alone(cloud: Cloud, image: Image) -> None:
    attachment = make_attached(cloud)
    old = attachment.instance.root_volume_id
    operation = rebuild(cloud, attachment.instance, image)
    done(operation)
    permit = core.parse(signed.read(bytes(Permit.objects.get(operation_id=operation.pk).document or b"")).payload)
    new = fresh(attachment.instance).root_volume_id
    assert permit.op == "instance.rebuild"
    assert permit.contents.volumes == (str(new), str(attachment.volume_id))
    assert str(old) not in permit.contents.volumes
    assert permit.contents.images == (image.sha256,)


def test_receipts_record_each_disk_of_a_rebuild(cloud: Cloud, image: Image) -> None:
    instance = make_instance(cloud)
    ledger = cloud.machine.server.node.permits.receipts
    before = ledger.last_number
    done(rebuild(cloud, instance, image))
    receipts = [signed.read(document).payload for _, document in ledger.after(before, limit=100)]
    opened_and_closed = [(each["event"], each["kind"], each["resource"]) for each in receipts]
    new = fresh(instance).root_volume_id
    assert opened_and_closed == [
        ("opened", "volume", str(new)),
        ("closed", "instance", str(instance.pk)),
        ("opened", "instance", str(instance.pk)),
        ("closed", "volume", str(instance.root_volume_id)),
    ]
    cloud.machine.account()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"virtual_size_bytes": 2**31}, FlavorTooSmall),
        ({"min_memory_mib": 4096}, FlavorTooSmall),
        ({"firmware": "uefi"}, FirmwareMissing),
    ],
    ids=["disk", "memory", "firmware"],
)
def test_an_image_that_does_not_fit_is_refused(
    cloud: Cloud, image: Image, change: dict[str, Any], error: type[Exception]
) -> None:
    instance = make_instance(cloud)
    instance.node.traits = ["firmware:bios"]
    instance.node.save(update_fields=["traits"])
    Image.objects.filter(pk=image.pk).update(**change)
    with pytest.raises(error) as caught:
        rebuild(cloud, instance, fresh(image))
    assert caught.value.field == "image"  # type: ignore[attr-defined]
    assert not Rebuild.objects.exists()


def test_invalid_or_busy_rebuild_is_refused(cloud: Cloud, image: Image) -> None:
    instance = make_instance(cloud)
    with pytest.raises(UserDataTooLarge):
        rebuild(cloud, instance, image, user_data=b"x" * 65537)
    first = instance_reboot(cloud.tenant.actor, instance)
    with pytest.raises(Busy):
        rebuild(cloud, instance, image)
    done(first)
    failed, creation = ask_instance(cloud, "failed")
    cloud.fake.fail_next("start", AdapterError("no", retryable=False))
    run(creation)
    with pytest.raises(InstanceWrongState):
        rebuild(cloud, failed, image)


@pytest.mark.parametrize("step", thinned(STEPS, keep_every=2))
def test_failure_before_the_disk_removal_keeps_the_old_guest_running(cloud: Cloud, image: Image, step: str) -> None:
    instance = make_instance(cloud)
    before = picture(cloud)
    operation = run(rebuild(cloud, instance, image), altered(WORKFLOWS["instance.rebuild"], step, then(explode)))
    assert operation.state == "failed"
    assert picture(cloud) == before
    assert cloud.fake.guests[instance.pk].running is not None
    assert root_of(cloud, instance) == instance.root_volume_id
    assert not Rebuild.objects.exists()
    assert fresh(instance).last_error["code"] == "test.broken"
    done(instance_reboot(cloud.tenant.actor, fresh(instance)))
    done(rebuild(cloud, instance, image))
    assert fresh(instance).last_error is None


def test_refused_rebuild_stops_no_guest(cloud: Cloud, image: Image) -> None:
    """The policy is tightened while the disk is made: what runs runs on."""
    instance = make_instance(cloud)
    before, guest = picture(cloud), cloud.fake.guests[instance.pk].running
    tightened = then(lambda _: tighten(cloud))
    operation = run(rebuild(cloud, instance, image), altered(WORKFLOWS["instance.rebuild"], "root-disk", tightened))
    assert (operation.state, operation.error["code"]) == ("failed", "policy_unsatisfiable")
    assert picture(cloud) == before
    assert cloud.fake.guests[instance.pk].running == guest


def refuse_definition(cloud: Cloud) -> None:
    cloud.fake.fail_next("define", AdapterError("no", retryable=False))


def refuse_start(cloud: Cloud) -> None:
    cloud.fake.fail_next("start", AdapterError("no", retryable=False))


def tighten(cloud: Cloud) -> None:
    ruled(cloud.tenant.project, *in_zones("de-rhein-1"), at="organization")


@pytest.mark.parametrize("refuse", [refuse_definition, refuse_start, tighten])
def test_old_guest_no_longer_admitted_is_stopped_after_a_failure(
    cloud: Cloud, image: Image, refuse: Callable[[Cloud], None]
) -> None:
    """Its disk is there; a start makes the guest anew, and is asked whether it may."""
    instance = make_instance(cloud)
    assert (sign_all(), instance_metadata.reconcile()) == (1, 1)

    def fail(operation: Operation) -> None:
        refuse(cloud)
        explode(operation)

    operation = run(rebuild(cloud, instance, image), altered(WORKFLOWS["instance.rebuild"], "start", then(fail)))
    assert operation.state == "failed", operation.steps
    instance = fresh(instance)
    assert (instance.state, instance.power_state) == ("stopped", "off")
    assert set(cloud.fake.volumes) == {instance.root_volume_id}
    if refuse is tighten:
        with pytest.raises(PolicyUnsatisfiable):
            instance_start(cloud.tenant.actor, instance)
    else:
        done(instance_start(cloud.tenant.actor, instance))
        assert root_of(cloud, instance) == instance.root_volume_id
        assert instance_metadata.reconcile() == 1, "the node forgot the document with the guest"
    delete_everything(cloud)
    assert_clean_slate(cloud)


@pytest.mark.parametrize("step", thinned([*STEPS, "old-root-disk"], keep_every=2, beginning=1))
def test_deletion_during_a_rebuild_leaves_nothing(cloud: Cloud, image: Image, step: str) -> None:
    instance = make_instance(cloud)
    deletions = []

    def delete(_: Operation) -> None:
        deletions.append(instance_delete(cloud.tenant.actor, fresh(instance)))

    operation = run(rebuild(cloud, instance, image), altered(WORKFLOWS["instance.rebuild"], step, then(delete)))
    assert operation.state == ("succeeded" if step == "old-root-disk" else "cancelled")
    done(deletions[0])
    assert_clean_slate(cloud)


def test_rebuild_cannot_be_cancelled_after_the_disk_removal(cloud: Cloud, image: Image) -> None:
    instance = make_instance(cloud)
    cloud.fake.fail_next("remove_volume", AdapterError("no", retryable=False))
    operation = run(rebuild(cloud, instance, image))
    assert (operation.state, operation.is_cancellable) == ("running", False)
    with pytest.raises(NotCancellable):
        operation_cancel(cloud.tenant.actor, operation)
    assert run_next_attempt(operation).state == "succeeded"
    assert set(cloud.fake.volumes) == {fresh(instance).root_volume_id}


def test_old_disk_on_an_unreachable_node_is_removed_on_return(cloud: Cloud, image: Image) -> None:
    instance = make_instance(cloud)
    operation = rebuild(cloud, instance, image)
    run(operation, altered(WORKFLOWS["instance.rebuild"], "start", then(lambda _: cloud.machine.become_unreachable())))
    assert operation.state == "succeeded", operation.steps
    assert NodeRemoval.objects.get().resource_id == instance.root_volume_id
    cloud.machine.come_back()
    node_removals.reconcile()
    assert set(cloud.fake.volumes) == {fresh(instance).root_volume_id}


def test_disk_under_creation_is_managed(cloud: Cloud, image: Image) -> None:
    operation = rebuild(cloud, make_instance(cloud), image)
    with pytest.raises(Killed):
        run(operation, altered(WORKFLOWS["instance.rebuild"], "root-disk", then(die)))
    Instance.objects.update(updated_at=F("created_at") - timedelta(hours=1))
    cloud.machine.account()
    assert not Incident.objects.exists()
