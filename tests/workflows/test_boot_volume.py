"""Instances that boot from a volume: it is their root disk as it is, and outlives them."""

from dataclasses import replace
from uuid import UUID

import pytest

from agents.protocol import agent_pb2 as pb
from andromede_core.documents import signed
from andromede_core.permits import permit as core
from controlplane.audit.selectors import residency_of
from controlplane.compute import actions
from controlplane.compute.attachments import volume_detach
from controlplane.compute.errors import BootsFromVolume, VolumeIsBoot
from controlplane.compute.migration import instance_migrate
from controlplane.compute.models import Attachment, Instance
from controlplane.compute.rebuild import NewDisk, instance_rebuild
from controlplane.compute.resize import instance_resize
from controlplane.compute.services import instance_delete, instance_power_off
from controlplane.identity.actor import SYSTEM
from controlplane.node_lifecycle.recovery.evacuation import evacuation_obstacles
from controlplane.operations.services import operation_cancel
from controlplane.placement.errors import PolicyUnsatisfiable
from controlplane.placement.models import Allocation, Lineage, Permit
from controlplane.quotas.models import QuotaUse
from controlplane.reconcilers import missing_resources
from controlplane.storage.models import Volume
from controlplane.storage.services import volume_grow
from controlplane.workflows.operation_retry import operation_retry
from tests.workflows.helpers import (
    ask_instance,
    assert_clean_slate,
    boot_volume_of,
    delete_everything,
    done,
    fresh,
    make_booted,
    make_instance,
    make_volume,
    share,
)
from tests.world import Cloud, follow, make_flavor, run


def disks_of(cloud: Cloud, instance: Instance) -> list[UUID]:
    guests = [machine.fake.guests.get(instance.pk) for machine in cloud.world.machines]
    return [disk.volume_id for guest in guests if guest is not None for disk in guest.spec.disks]


def stored_gib(consumer: UUID) -> int:
    return Allocation.objects.get(consumer_id=consumer).disk_gib


def test_volume_is_the_root_disk_and_counts_once(cloud: Cloud) -> None:
    volume = make_volume(cloud, image=cloud.image)
    before = set(cloud.fake.volumes)
    instance = make_instance(cloud, boot_volume=volume)
    assert set(cloud.fake.volumes) == before, "no disk is made"
    assert disks_of(cloud, instance) == [volume.pk]
    assert (fresh(volume).state, cloud.fake.guests[instance.pk].starts) == ("in-use", 1)
    assert (instance.disk_gib, instance.image, instance.root_type) == (2, cloud.image, "local")
    assert (stored_gib(instance.pk), stored_gib(volume.pk)) == (0, 2)
    assert QuotaUse.objects.get(dimension="storage_gib").amount == 2


def test_volume_outlives_its_instances_and_boots_the_next_one(cloud: Cloud) -> None:
    first = make_booted(cloud)
    volume = boot_volume_of(first)
    size = cloud.fake.volumes[volume.pk]
    done(instance_delete(cloud.tenant.actor, first))
    assert (fresh(volume).state, cloud.fake.volumes) == ("available", {volume.pk: size})
    second = make_instance(cloud, "second", boot_volume=fresh(volume))
    assert disks_of(cloud, second) == [volume.pk]
    delete_everything(cloud)
    assert_clean_slate(cloud)


def test_instance_is_placed_where_its_boot_volume_is(cloud: Cloud) -> None:
    volume = make_volume(cloud, image=cloud.image)
    cloud.world.add_machine("de-rhein-1")
    with pytest.raises(PolicyUnsatisfiable):
        ask_instance(cloud, boot_volume=volume, zones=("de-rhein-1",))
    assert make_instance(cloud, boot_volume=volume).node_id == volume.node_id


def test_permit_lists_the_boot_volume_once_and_no_image(cloud: Cloud) -> None:
    instance = make_booted(cloud, volumes=(make_volume(cloud),))
    row = Permit.objects.get(resource_id=instance.pk, op="instance.create")
    contents = core.parse(signed.read(bytes(row.document or b"")).payload).contents
    plugged = Attachment.objects.get(instance=instance, is_boot=False)
    assert contents.images == ()
    assert contents.attachments == (str(plugged.pk),)
    assert sorted(contents.volumes) == sorted(map(str, (boot_volume_of(instance).pk, plugged.volume_id)))


def test_data_of_volume_and_instance_is_in_the_lineage_of_both(cloud: Cloud) -> None:
    instance = make_booted(cloud)
    pairs = {(boot_volume_of(instance).pk, instance.pk), (instance.pk, boot_volume_of(instance).pk)}
    assert set(Lineage.objects.values_list("resource_id", "source_id")) == pairs


def test_boot_volume_is_not_detached(cloud: Cloud) -> None:
    instance = make_booted(cloud)
    with pytest.raises(VolumeIsBoot):
        volume_detach(cloud.tenant.actor, Attachment.objects.get(instance=instance))
    assert fresh(boot_volume_of(instance)).state == "in-use"


def test_instance_is_not_rebuilt(cloud: Cloud) -> None:
    instance = make_booted(cloud)
    with pytest.raises(BootsFromVolume):
        instance_rebuild(cloud.tenant.actor, instance, NewDisk(cloud.image))
    allowed = {each["name"]: each for each in actions.allowed(instance, None, disks=[])}
    assert allowed["rebuild"]["problem"]["code"] == "compute.instance.boots_from_volume"
    assert allowed["reboot"]["is_allowed"]


def test_size_follows_the_volume_and_not_the_flavor(cloud: Cloud) -> None:
    instance = make_booted(cloud)
    volume = boot_volume_of(instance)
    done(volume_grow(cloud.tenant.actor, volume, size_gib=5))
    assert (fresh(instance).disk_gib, cloud.fake.volumes[volume.pk]) == (5, 5 * 2**30)
    done(instance_power_off(cloud.tenant.actor, fresh(instance)))
    small = make_flavor("other", vcpus=2, disk_gib=1)
    done(instance_resize(cloud.tenant.actor, fresh(instance), flavor=small))
    assert (fresh(instance).vcpus, fresh(instance).disk_gib) == (2, 5)
    assert (stored_gib(instance.pk), stored_gib(volume.pk)) == (0, 5)


def test_storage_is_in_the_residency_of_the_volume_alone(cloud: Cloud) -> None:
    other = cloud.world.add_machine("fr-idf-1")
    instance = make_booted(cloud)
    volume = boot_volume_of(instance)
    assert follow(instance_migrate(SYSTEM, instance)).state == "succeeded"
    for machine in (cloud.machine, other):
        machine.account()
    of_instance, of_volume = residency_of(instance.pk), residency_of(volume.pk)
    assert {each.role for each in of_instance.intervals} == {"compute"}
    stored = [(each.role, each.node, each.end is None) for each in of_volume.intervals]
    assert stored == [("storage", str(volume.node_id), False), ("storage", str(fresh(volume).node_id), True)]
    assert {each.state for each in (*of_instance.intervals, *of_volume.intervals)} == {"proven"}
    assert not (*of_instance.problems, *of_volume.problems)


@pytest.mark.parametrize("is_pooled", [False, True])
def test_migrated_guest_keeps_its_boot_volume(cloud: Cloud, is_pooled: bool) -> None:
    other = cloud.world.add_machine("fr-idf-1")
    instance = make_booted(cloud, **({"volume_type": share(cloud, other)} if is_pooled else {}))
    volume = boot_volume_of(instance)
    assert follow(instance_migrate(SYSTEM, instance)).state == "succeeded"
    moved = fresh(instance)
    assert moved.node_id != instance.node_id
    assert (fresh(volume).node_id, disks_of(cloud, instance)) == (moved.node_id, [volume.pk])
    assert (stored_gib(instance.pk), stored_gib(volume.pk)) == (0, 0 if is_pooled else 2)
    delete_everything(cloud)
    assert_clean_slate(cloud)


def test_local_boot_volume_is_an_obstacle_to_an_evacuation_once(cloud: Cloud) -> None:
    assert [str(each) for each in evacuation_obstacles(make_booted(cloud))] == [
        "its volume system is on that node alone, and comes back with the node."
    ]


def test_failed_creation_frees_the_volume_and_is_retried_with_it(cloud: Cloud) -> None:
    volume = make_volume(cloud, image=cloud.image)
    instance, operation = ask_instance(cloud, boot_volume=volume)
    operation_cancel(cloud.tenant.actor, operation)
    assert run(operation).state == "cancelled"
    assert fresh(volume).state == "available"
    assert_clean_slate(cloud, volumes=1)
    cloud.image.state = "deleted"
    cloud.image.save()  # the volume needs it no more
    actor = replace(cloud.tenant.actor, organization_id=cloud.tenant.project.organization_id)
    done(operation_retry(actor, fresh(operation)))
    assert disks_of(cloud, instance) == [volume.pk]


def test_lost_boot_volume_is_an_error_of_instance_and_volume(cloud: Cloud) -> None:
    instance = make_booted(cloud)
    volume = boot_volume_of(instance)
    for rows in (Instance.objects, Volume.objects):
        rows.update(updated_at=instance.created_at.replace(year=2020))
    description = pb.NodeDescription(
        instances=[pb.InstanceState(subject=pb.Subject(id=str(instance.pk), generation=1))]
    )
    missing_resources.reconcile_node(cloud.machine.row, description)
    assert {fresh(row).last_error["code"] for row in (instance, volume)} == {"storage.volume.data_missing"}
