"""Limits of volumes and root disks, the change of a volume's type, and the limit of volumes of an instance."""

import pytest

from agents.node.adapters.interfaces import NO_LIMITS, IoLimits
from controlplane.catalog.io_limits import IO_LIMITS
from controlplane.catalog.models import Flavor, VolumeType
from controlplane.compute.errors import TooManyVolumes
from controlplane.compute.models import Instance
from controlplane.compute.resize import instance_resize
from controlplane.compute.services import instance_start
from controlplane.nodes.models import Node
from controlplane.operations.services import operation_cancel
from controlplane.placement.errors import NoPlace
from controlplane.storage.errors import VolumeLimitsUnsupported
from controlplane.storage.models import Volume
from controlplane.storage.retype import volume_retype
from controlplane.storage.services import volume_grow
from controlplane.workflows.registry import WORKFLOWS
from tests.workflows.helpers import (
    altered,
    ask_instance,
    ask_volume,
    attach,
    done,
    explode,
    fresh,
    make_instance,
    make_stopped_instance,
    make_volume,
    run_on,
    then,
)
from tests.world import Cloud, make_flavor, run

MB = 10**6


def limited(name: str = "fast", **limits: int) -> VolumeType:
    return VolumeType.objects.create(pk=name, description="fast", **limits)


def running(cloud: Cloud, instance: Instance) -> list[IoLimits]:
    """Return the limits of the disks of the running guest, the root disk first."""
    guest = cloud.fake.guests[instance.pk].running
    assert guest is not None
    return [disk.limits for disk in guest.disks]


def limits_of(volume: Volume) -> tuple[int, int]:
    row = fresh(volume)
    return row.iops_limit, row.mb_per_s_limit


def without_limits(cloud: Cloud) -> None:
    """Give the node an agent of an earlier release."""
    traits = [trait for trait in fresh(cloud.machine.row).traits if trait != IO_LIMITS]
    Node.objects.filter(pk=cloud.machine.row.pk).update(traits=traits)


def test_larger_one_of_the_fixed_limit_and_that_by_size_holds(cloud: Cloud) -> None:
    kind = limited(iops=500, iops_per_gib=100, mb_per_s_per_gib=10)
    volume, instance = make_volume(cloud, size_gib=2, volume_type=kind), make_instance(cloud)
    assert limits_of(volume) == (500, 20)
    done(attach(cloud, instance, volume)[1])
    assert running(cloud, instance) == [NO_LIMITS, IoLimits(500, 20 * MB)]
    VolumeType.objects.filter(pk=kind.pk).update(mb_per_s=90)
    assert limits_of(volume) == (500, 20), "a change of the type counts for new volumes"
    done(volume_grow(cloud.tenant.actor, fresh(volume), size_gib=8))
    assert limits_of(volume) == (800, 90)
    assert running(cloud, instance)[1] == IoLimits(800, 90 * MB)


def test_type_changes_under_a_running_guest(cloud: Cloud) -> None:
    volume, instance = make_volume(cloud, size_gib=2), make_instance(cloud)
    done(attach(cloud, instance, volume)[1])
    operation = done(volume_retype(cloud.tenant.actor, fresh(volume), volume_type=limited(iops=300)))
    assert (operation.kind, fresh(volume).volume_type_id, limits_of(volume)) == ("volume.retype", "fast", (300, 0))
    assert fresh(volume).next_type is None
    assert running(cloud, instance)[1] == IoLimits(iops=300)
    done(volume_retype(cloud.tenant.actor, fresh(volume), volume_type=cloud.volume_type))
    assert running(cloud, instance)[1] == NO_LIMITS


def test_failed_change_of_type_gives_the_former_limits_back(cloud: Cloud) -> None:
    volume, instance = make_volume(cloud, volume_type=limited("slow", iops=100)), make_instance(cloud)
    done(attach(cloud, instance, volume)[1])
    operation = volume_retype(cloud.tenant.actor, fresh(volume), volume_type=limited(iops=300))
    assert run_on(operation, altered(WORKFLOWS["volume.retype"], "limit", then(explode))).state == "failed"
    assert (fresh(volume).volume_type_id, limits_of(volume), fresh(volume).next_type) == ("slow", (100, 0), None)
    assert running(cloud, instance)[1] == IoLimits(iops=100)
    done(volume_retype(cloud.tenant.actor, fresh(volume), volume_type=VolumeType.objects.get(pk="fast")))
    assert running(cloud, instance)[1] == IoLimits(iops=300)


def test_node_whose_agent_knows_no_limits_gets_no_limited_disk(cloud: Cloud) -> None:
    kind, plain = limited(iops=100), make_volume(cloud)
    volume, queued = ask_volume(cloud, "queued", volume_type=kind)
    without_limits(cloud)
    with pytest.raises(NoPlace, match=IO_LIMITS):
        ask_volume(cloud, "new", volume_type=kind)
    with pytest.raises(NoPlace, match=IO_LIMITS):
        ask_instance(cloud, root_volume_type=kind)
    with pytest.raises(VolumeLimitsUnsupported):
        volume_retype(cloud.tenant.actor, plain, volume_type=kind)
    assert run(queued).state == "failed"
    assert fresh(volume).state == "error"


def test_root_disk_has_the_limits_of_its_type(cloud: Cloud) -> None:
    kind = limited(iops_per_gib=100)
    instance = make_stopped_instance(cloud, root_volume_type=kind)
    larger = make_flavor("large", disk_gib=3)
    done(instance_resize(cloud.tenant.actor, instance, flavor=larger))
    assert fresh(instance).root_limits.iops == 300
    done(instance_start(cloud.tenant.actor, fresh(instance)))
    assert running(cloud, instance) == [IoLimits(iops=300)]


def test_instance_has_as_many_volumes_as_its_flavor_allows(cloud: Cloud) -> None:
    first, second = make_volume(cloud, "first"), make_volume(cloud, "second")
    Flavor.objects.filter(pk=cloud.flavor.pk).update(max_volumes=1)
    cloud.flavor.refresh_from_db()
    with pytest.raises(TooManyVolumes):
        ask_instance(cloud, volumes=(first, second))
    instance = make_stopped_instance(cloud)
    done(attach(cloud, instance, first)[1])
    with pytest.raises(TooManyVolumes, match="at most 1 volumes"):
        attach(cloud, instance, second)
    done(instance_resize(cloud.tenant.actor, instance, flavor=make_flavor("large")))
    done(attach(cloud, fresh(instance), second)[1])
    with pytest.raises(TooManyVolumes) as caught:
        instance_resize(cloud.tenant.actor, fresh(instance), flavor=cloud.flavor)
    assert (caught.value.field, caught.value.facts) == ("flavor", {"limit": 1, "flavor": "tiny"})


def test_volume_that_a_coming_flavor_does_not_allow_is_refused(cloud: Cloud) -> None:
    """The resize has counted the volumes when it was requested, and ends later."""
    first, second = make_volume(cloud, "first"), make_volume(cloud, "second")
    instance = make_stopped_instance(cloud)
    smaller = make_flavor("fewer")
    Flavor.objects.filter(pk=smaller.pk).update(max_volumes=1)
    resize = instance_resize(cloud.tenant.actor, instance, flavor=fresh(smaller))
    attachment = attach(cloud, fresh(instance), first)[1]
    with pytest.raises(TooManyVolumes) as caught:
        attach(cloud, fresh(instance), second)
    assert (caught.value.field, caught.value.facts) == ("volume", {"limit": 1, "flavor": "fewer"})
    done(attachment)
    done(resize)
    assert fresh(instance).attachment_set.count() == fresh(instance).max_volumes == 1


def test_resize_that_failed_limits_no_volumes(cloud: Cloud) -> None:
    first, second = make_volume(cloud, "first"), make_volume(cloud, "second")
    instance = make_stopped_instance(cloud)
    done(attach(cloud, instance, first)[1])
    smaller = make_flavor("fewer")
    Flavor.objects.filter(pk=smaller.pk).update(max_volumes=1)
    resize = instance_resize(cloud.tenant.actor, fresh(instance), flavor=fresh(smaller))
    operation_cancel(cloud.tenant.actor, resize)
    assert run(resize).state == "cancelled"
    done(attach(cloud, fresh(instance), second)[1])
