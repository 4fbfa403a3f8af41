"""Resize of a stopped instance on its node: capacity, refusals and releases."""

import pytest

from agents.node.adapters.fake import FakeCapacity
from agents.node.errors import AdapterError, HypervisorUnavailable
from controlplane.catalog.models import Flavor
from controlplane.compute.errors import FlavorTooSmall, InstanceWrongState
from controlplane.compute.models import Instance
from controlplane.compute.resize import instance_resize
from controlplane.compute.services import instance_start
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.nodes.models import Inventory
from controlplane.nodes.services import node_cordon
from controlplane.operations.models import Operation
from controlplane.operations.services import operation_cancel
from controlplane.placement.errors import InsufficientCapacity
from controlplane.placement.models import Allocation, Decision
from controlplane.quotas.errors import QuotaExceeded
from controlplane.quotas.models import Quota, QuotaUse
from tests.workflows.helpers import done, fresh, make_instance, make_stopped_instance, pass_deadline, picture
from tests.world import Cloud, make_flavor, run, run_next_attempt


def ask(cloud: Cloud, instance: Instance, flavor: Flavor) -> Operation:
    return instance_resize(cloud.tenant.actor, instance, flavor=flavor)


def use_of(instance: Instance) -> dict[str, int]:
    return dict(QuotaUse.objects.filter(resource_id=instance.pk).values_list("dimension", "amount"))


def place_of(instance: Instance) -> tuple[int, int, int]:
    allocation = Allocation.objects.get(consumer_id=instance.pk)
    return allocation.vcpus, allocation.memory_mib, allocation.disk_gib


def test_the_guest_has_the_new_size_at_its_next_start(cloud: Cloud) -> None:
    instance = make_stopped_instance(cloud)
    done(ask(cloud, instance, make_flavor("big", vcpus=4, memory_mib=512, disk_gib=3)))
    instance = fresh(instance)
    assert (instance.state, instance.flavor, instance.vcpus, instance.memory_mib) == ("stopped", "big", 4, 512)
    assert place_of(instance) == (4, 512, 3)
    assert use_of(instance) == {"instances": 1, "addresses": 1, "ports": 1, "vcpus": 4, "memory_mib": 512}
    assert cloud.fake.volumes[instance.root_volume_id] == 3 * 2**30
    done(instance_start(cloud.tenant.actor, instance))
    running = cloud.fake.guests[instance.pk].running
    assert running is not None
    assert (running.vcpus, running.memory_mib) == (4, 512)


def test_smaller_flavor_is_accepted_except_for_the_disk(cloud: Cloud) -> None:
    big = make_flavor("big", vcpus=4, memory_mib=512, disk_gib=3)
    instance = make_stopped_instance(cloud, flavor=big)
    with pytest.raises(FlavorTooSmall) as caught:
        ask(cloud, instance, cloud.flavor)
    assert caught.value.facts == {"flavor": "tiny", "dimension": "disk_gib", "needed": 3, "given": 1}
    done(ask(cloud, instance, make_flavor("slim", vcpus=1, memory_mib=128, disk_gib=3)))
    assert place_of(instance) == (1, 128, 3)
    assert use_of(instance) == {"instances": 1, "addresses": 1, "ports": 1, "vcpus": 1, "memory_mib": 128}


def test_a_running_instance_is_refused(cloud: Cloud) -> None:
    with pytest.raises(InstanceWrongState):
        ask(cloud, make_instance(cloud), make_flavor("big", vcpus=4))


def test_resize_without_capacity_on_its_node_is_refused_with_the_decision(cloud: Cloud) -> None:
    """Also where another node has room: a local disk cannot move."""
    instance = make_stopped_instance(cloud)
    Inventory.objects.filter(pk=instance.node_id).update(vcpus_total=4)
    cloud.world.add_machine("fr-idf-1", capacity=FakeCapacity(cores=500))
    before = picture(cloud)
    with pytest.raises(InsufficientCapacity) as caught:
        ask(cloud, instance, make_flavor("big", vcpus=5))
    decision = Decision.objects.get(pk=caught.value.facts["placement_decision"])
    assert (decision.operation, decision.is_admitted) == ("instance.resize", False)
    assert picture(cloud) == before
    done(ask(cloud, instance, make_flavor("fits", vcpus=4)))


def test_capacity_lost_after_the_request_fails_the_resize(cloud: Cloud) -> None:
    instance = make_stopped_instance(cloud)
    before = picture(cloud)
    operation = ask(cloud, instance, make_flavor("big", vcpus=5))
    Inventory.objects.filter(pk=instance.node_id).update(vcpus_total=4)
    run(operation)
    assert (operation.state, operation.error["code"]) == ("failed", "insufficient_capacity")
    assert fresh(instance).last_error["facts"]["placement_decision"]
    assert picture(cloud) == before


def test_quota_counts_the_larger_size_until_the_end(cloud: Cloud) -> None:
    instance = make_stopped_instance(cloud)
    Quota.objects.create(project=cloud.tenant.project, dimension="vcpus", limit=3)
    with pytest.raises(QuotaExceeded):
        ask(cloud, instance, make_flavor("huge", vcpus=4))
    operation = ask(cloud, instance, make_flavor("big", vcpus=3, memory_mib=64))
    assert use_of(instance) == {"instances": 1, "addresses": 1, "ports": 1, "vcpus": 3, "memory_mib": 128}
    done(operation)
    assert use_of(instance) == {"instances": 1, "addresses": 1, "ports": 1, "vcpus": 3, "memory_mib": 64}


def test_shrinking_needs_no_capacity_quota_or_open_node(cloud: Cloud) -> None:
    """The limit was lowered, the node filled up and cordoned while the resize was under way: it still ends."""
    instance = make_stopped_instance(cloud)
    before = picture(cloud)
    operation = ask(cloud, instance, make_flavor("other", vcpus=2, memory_mib=64))
    cloud.fake.fail_next("define", HypervisorUnavailable("libvirtd is gone"))
    assert run(operation).state == "running"
    Quota.objects.create(project=cloud.tenant.project, dimension="vcpus", limit=0)
    Inventory.objects.filter(pk=instance.node_id).update(memory_mib_total=128, vcpus_total=2)
    node_cordon(SYSTEM, cloud.machine.row, reason="full")
    operation_cancel(cloud.tenant.actor, operation)
    assert run(operation).state == "cancelled"
    assert picture(cloud) == before


def test_a_failed_resize_leaves_an_instance_that_starts_with_its_old_size(cloud: Cloud) -> None:
    instance = make_stopped_instance(cloud)
    cloud.fake.fail_next("grow_volume", AdapterError("disk full", retryable=False))
    operation = run(ask(cloud, instance, make_flavor("big", vcpus=4, disk_gib=3)))
    assert (operation.state, fresh(instance).flavor) == ("failed", "tiny")
    done(instance_start(cloud.tenant.actor, instance))
    running = cloud.fake.guests[instance.pk].running
    assert running is not None
    assert running.vcpus == 1


def test_node_lost_past_the_deadline_fails_the_resize(cloud: Cloud) -> None:
    instance = make_stopped_instance(cloud)
    before = picture(cloud)
    operation = ask(cloud, instance, make_flavor("big", vcpus=4))
    cloud.machine.stop_agent()
    assert run(operation).state == "running"
    pass_deadline(operation)
    run_next_attempt(operation)
    assert (operation.state, operation.error["code"]) == ("failed", "operation.deadline_exceeded")
    assert operation.finished_at <= clock.now()
    assert picture(cloud) == before


def test_resize_compares_with_the_current_row(cloud: Cloud) -> None:
    """Two requests read the instance at the same time; the second one must not forget what the first one did."""
    stale = make_stopped_instance(cloud)
    done(ask(cloud, fresh(stale), make_flavor("big", vcpus=4, disk_gib=3)))
    with pytest.raises(FlavorTooSmall):
        ask(cloud, stale, make_flavor("middle", vcpus=2, disk_gib=2))
    assert not Operation.objects.filter(state="pending").exists()


def test_failed_resize_restores_the_size_of_the_current_row(cloud: Cloud) -> None:
    stale = make_stopped_instance(cloud)
    done(ask(cloud, fresh(stale), make_flavor("big", vcpus=4, disk_gib=3)))
    before = picture(cloud)
    cloud.fake.fail_next("define", AdapterError("no such CPU", retryable=False))
    assert run(ask(cloud, stale, make_flavor("huge", vcpus=8, disk_gib=4))).state == "failed"
    assert picture(cloud) == before
