"""Resize of an instance with a root volume: one that is not kept grows to the disk of the flavor."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from agents.node.errors import AdapterError
from andromede_core.documents import signed
from andromede_core.permits import permit as core
from controlplane.audit.models import AuditEntry
from controlplane.catalog.models import Flavor, VolumeType
from controlplane.compute.models import Attachment, Instance
from controlplane.compute.resize import instance_resize
from controlplane.compute.services import instance_power_off, instance_start, instance_update
from controlplane.nodes.models import Pool
from controlplane.operations.errors import Busy
from controlplane.operations.models import Operation
from controlplane.placement.errors import InsufficientCapacity
from controlplane.placement.models import Allocation, Decision, Permit
from controlplane.quotas.errors import QuotaExceeded
from controlplane.quotas.models import Quota, QuotaUse
from controlplane.storage.models import Volume
from controlplane.storage.services import volume_grow
from controlplane.workflows.operation_retry import operation_retry
from tests.workflows.helpers import done, fresh, make_booted, make_stopped_instance, picture
from tests.workflows.snapshots import cluster
from tests.world import Cloud, make_flavor, run


@pytest.fixture
def kind(cloud: Cloud) -> VolumeType:
    """The volume type of a storage cluster, with a limit by size."""
    kind = cluster(cloud)
    VolumeType.objects.filter(pk=kind.pk).update(iops_per_gib=100)
    kind.refresh_from_db()
    return kind


@pytest.fixture
def instance(cloud: Cloud, kind: VolumeType) -> Instance:
    return make_stopped_instance(cloud, root_volume_type=kind)


@pytest.fixture
def large(cloud: Cloud) -> Flavor:
    return make_flavor("large", vcpus=2, disk_gib=3)


def resize(cloud: Cloud, instance: Instance, flavor: Flavor) -> Operation:
    return instance_resize(cloud.tenant.actor, fresh(instance), flavor=flavor)


def keep(cloud: Cloud, instance: Instance, *, is_kept: bool) -> None:
    present: dict[str, Any] = {name: getattr(instance, name) for name in ("name", "labels", "restart_policy")}
    instance_update(cloud.tenant.actor, fresh(instance), keep_root_volume=is_kept, **present)


def root_of(instance: Instance) -> Volume:
    return Attachment.objects.get(instance=instance, is_boot=True).volume


def sizes(instance: Instance) -> tuple[int, int]:
    """Return the size of the disk of the instance, and of its root volume."""
    return fresh(instance).disk_gib, root_of(instance).size_gib


def space(consumer: UUID) -> tuple[int, int, int]:
    row = Allocation.objects.get(consumer_id=consumer)
    return row.vcpus, row.disk_gib, row.pool_gib


def quota_of(volume: Volume) -> dict[str, int]:
    return dict(QuotaUse.objects.filter(resource_id=volume.pk).values_list("dimension", "amount"))


def test_root_volume_grows_to_the_disk_of_the_flavor(cloud: Cloud, instance: Instance, large: Flavor) -> None:
    before = root_of(instance)
    done(resize(cloud, instance, large))
    instance, volume = fresh(instance), fresh(before)
    assert (instance.flavor, instance.vcpus, sizes(instance)) == ("large", 2, (3, 3))
    assert (volume.iops_limit, instance.root_limits.iops) == (300, 300)
    assert (volume.state, volume.last_error, volume.generation) == ("in-use", None, before.generation + 1)
    assert (space(instance.pk), space(volume.pk)) == ((2, 0, 0), (0, 0, 3))
    assert quota_of(volume) == {"volumes": 1, "storage_gib": 3}
    assert cloud.world.clusters[0].volumes[volume.pk] == 3 * 2**30
    assert AuditEntry.objects.get(verb="volume.grow", resource_id=volume.pk).facts["size_gib"] == 3
    done(instance_start(cloud.tenant.actor, instance))
    assert [disk.volume_id for disk in cloud.fake.guests[instance.pk].spec.disks] == [volume.pk]


def test_root_volume_on_the_node_alone_grows(cloud: Cloud, large: Flavor) -> None:
    instance = make_stopped_instance(cloud, keep_root_volume=True)
    keep(cloud, instance, is_kept=False)
    done(resize(cloud, instance, large))
    assert (sizes(instance), cloud.fake.volumes) == ((3, 3), {root_of(instance).pk: 3 * 2**30})
    assert (space(instance.pk), space(root_of(instance).pk)) == ((2, 0, 0), (0, 3, 0))


def test_kept_root_volume_stays_as_it_is(cloud: Cloud, instance: Instance, large: Flavor) -> None:
    keep(cloud, instance, is_kept=True)
    done(resize(cloud, instance, large))
    assert (fresh(instance).vcpus, sizes(instance), quota_of(root_of(instance))["storage_gib"]) == (2, (1, 1), 1)


def test_boot_volume_of_the_user_stays_as_it_is(cloud: Cloud, kind: VolumeType, large: Flavor) -> None:
    instance = make_booted(cloud, volume_type=kind)
    done(instance_power_off(cloud.tenant.actor, instance))
    done(resize(cloud, instance, large))
    assert (fresh(instance).vcpus, sizes(instance)) == (2, (2, 2))


def test_root_volume_that_is_larger_than_the_disk_of_the_flavor_stays(
    cloud: Cloud, instance: Instance, large: Flavor
) -> None:
    done(volume_grow(cloud.tenant.actor, root_of(instance), size_gib=5))
    done(resize(cloud, instance, large))
    assert (fresh(instance).vcpus, sizes(instance), root_of(instance).iops_limit) == (2, (5, 5), 500)


def test_space_in_the_pool_is_checked_first_and_claimed(cloud: Cloud, instance: Instance, large: Flavor) -> None:
    before = picture(cloud)
    operation = resize(cloud, instance, large)
    Pool.objects.update(capacity_gib=2)
    assert (run(operation).state, operation.error["code"]) == ("failed", "insufficient_capacity")
    assert picture(cloud) == before
    assert root_of(instance).last_error["code"] == "insufficient_capacity"
    with pytest.raises(InsufficientCapacity) as caught:
        resize(cloud, instance, large)
    decision = Decision.objects.get(pk=caught.value.facts["placement_decision"])
    assert (decision.operation, decision.consumer_id) == ("instance.resize", root_of(instance).pk)
    assert picture(cloud) == before


def test_larger_size_counts_in_the_quota_until_the_end(cloud: Cloud, instance: Instance, large: Flavor) -> None:
    quota = Quota.objects.create(project=cloud.tenant.project, dimension="storage_gib", limit=2)
    with pytest.raises(QuotaExceeded):
        resize(cloud, instance, large)
    assert not Operation.objects.filter(kind="instance.resize").exists()
    Quota.objects.filter(pk=quota.pk).update(limit=3)
    operation = resize(cloud, instance, large)
    assert quota_of(root_of(instance))["storage_gib"] == 3
    cloud.fake.fail_next("define", AdapterError("no such CPU", retryable=False))
    assert run(operation).state == "failed"
    assert quota_of(root_of(instance))["storage_gib"] == 1


def test_retry_of_a_failed_resize_grows_the_volume(cloud: Cloud, instance: Instance, large: Flavor) -> None:
    before = picture(cloud)
    operation = resize(cloud, instance, large)
    cloud.fake.fail_next("define", AdapterError("no such CPU", retryable=False))
    assert run(operation).state == "failed"
    assert picture(cloud) == before
    actor = replace(cloud.tenant.actor, organization_id=cloud.tenant.project.organization_id)
    done(operation_retry(actor, fresh(operation)))
    assert (sizes(instance), root_of(instance).last_error) == ((3, 3), None)


def test_resize_locks_the_volume(cloud: Cloud, instance: Instance, large: Flavor) -> None:
    operation = resize(cloud, instance, large)
    with pytest.raises(Busy):
        volume_grow(cloud.tenant.actor, root_of(instance), size_gib=4)
    done(operation)
    growth = volume_grow(cloud.tenant.actor, root_of(instance), size_gib=4)
    with pytest.raises(Busy):
        resize(cloud, instance, make_flavor("huge", disk_gib=6))
    done(growth)


def test_permit_covers_the_larger_size(cloud: Cloud, instance: Instance, large: Flavor) -> None:
    done(resize(cloud, instance, large))
    row = Permit.objects.get(resource_id=instance.pk, op="instance.resize")
    permit = core.parse(signed.read(bytes(row.document or b"")).payload)
    assert (permit.limits.vcpus, permit.limits.disk_gib) == (2, 3)
    assert permit.contents.volumes == (str(root_of(instance).pk),)
    assert permit.gen >= root_of(instance).generation
