"""Create an instance: done, failed at every step, done twice, undone twice; then nothing is left."""

import pytest

from agents.node.adapters.base import Power
from controlplane.compute.errors import InstanceNameTaken
from controlplane.compute.models import Attachment, Instance
from controlplane.network.models import Port
from controlplane.operations import leases
from controlplane.operations.errors import Busy
from controlplane.operations.models import Operation
from controlplane.placement.errors import InsufficientCapacity, PolicyUnsatisfiable, ZoneUnknown
from controlplane.placement.models import Allocation, Decision
from controlplane.quotas.errors import QuotaExceeded
from controlplane.quotas.models import Quota
from controlplane.workflows import engine, instance_create
from tests.workflows.conftest import Cloud
from tests.workflows.helpers import (
    altered,
    ask_instance,
    assert_clean_slate,
    fresh,
    make_instance,
    make_volume,
)
from tests.world import run


def test_the_guest_runs_and_is_what_was_asked_for(cloud: Cloud) -> None:
    instance = make_instance(cloud, user_data=b"#!/bin/sh\n")
    guest = cloud.fake.guests[instance.pk]
    port = Port.objects.get(instance_id=instance.pk)
    assert (instance.state, instance.power_state, instance.node) == ("active", "running", cloud.machine.row)
    assert guest.power is Power.RUNNING
    assert (guest.spec.vcpus, guest.spec.memory_mib) == (1, 128)
    assert cloud.fake.volumes[instance.root_volume_id] == 2**30
    assert str(cloud.fake.ports[port.pk].ip) == port.ip == "10.10.0.2"
    assert Allocation.objects.get(consumer_id=instance.pk).decision.is_admitted


def test_volumes_are_plugged_before_the_first_boot(cloud: Cloud) -> None:
    volume = make_volume(cloud)
    instance = make_instance(cloud, volumes=(volume,))
    attachment = Attachment.objects.get(volume=volume)
    assert fresh(volume).state == "in-use"
    assert (attachment.instance, attachment.is_plugged) == (instance, True)
    assert cloud.fake.guests[instance.pk].starts == 1


def test_a_bug_in_a_step_is_undone_too_and_tells_nobody_its_inside(cloud: Cloud) -> None:
    def bug(operation: Operation) -> None:
        raise KeyError("secret detail")

    _, operation = ask_instance(cloud)
    buggy = altered(instance_create.WORKFLOW, "image", lambda step: type(step)(step.name, bug, step.undo))
    run(operation, buggy)
    assert (operation.state, operation.error["code"]) == ("failed", "internal")
    assert "secret" not in str(operation.error)
    assert_clean_slate(cloud)


def test_the_slow_twin_of_a_worker_writes_nothing(cloud: Cloud) -> None:
    _, operation = ask_instance(cloud)
    slow = leases.take_lease(operation.pk)
    assert slow is not None
    Operation.objects.filter(pk=operation.pk).update(lease_expires_at=operation.created_at)
    assert run(operation).state == "succeeded"
    with pytest.raises(leases.LeaseLost):
        engine.run(slow, instance_create.WORKFLOW)
    assert fresh(operation).state == "succeeded"


def test_the_same_name_twice_is_refused(cloud: Cloud) -> None:
    make_instance(cloud)
    with pytest.raises(InstanceNameTaken):
        ask_instance(cloud)
    assert Instance.objects.count() == 1


def test_no_node_fits_is_said_at_once_with_the_decision(cloud: Cloud) -> None:
    cloud.flavor.memory_mib = 10**9
    with pytest.raises(InsufficientCapacity) as caught:
        ask_instance(cloud)
    decision = Decision.objects.get(pk=caught.value.facts["placement_decision"])
    assert not decision.is_admitted
    assert not Instance.objects.exists()


def test_the_last_place_taken_between_asking_and_placing_fails_with_reasons(cloud: Cloud) -> None:
    instance, operation = ask_instance(cloud)
    cloud.machine.row.is_cordoned = True
    cloud.machine.row.save(update_fields=["is_cordoned"])
    assert run(operation).state == "failed"
    assert operation.error["code"] == "insufficient_capacity"
    assert operation.error["facts"]["placement_decision"]
    assert fresh(instance).state == "error"
    assert_clean_slate(cloud)


def test_a_zone_that_does_not_exist_is_named(cloud: Cloud) -> None:
    with pytest.raises(ZoneUnknown) as caught:
        ask_instance(cloud, zones=("mars-1",))
    assert (caught.value.field, caught.value.facts["name"]) == ("zones", "mars-1")


def test_a_zone_outside_the_policy_is_refused_as_policy(cloud: Cloud) -> None:
    from controlplane.placement.services import policy_set

    cloud.world.add_machine("us-va-1")
    atoms = [{"id": "home", "attr": "zone.id", "op": "in", "value": ["fr-idf-1"]}]
    policy_set(cloud.tenant.actor, atoms=atoms, project=cloud.tenant.project)
    with pytest.raises(PolicyUnsatisfiable):
        ask_instance(cloud, zones=("us-va-1",))
    assert make_instance(cloud).node.zone_id == "fr-idf-1"


def test_quota_is_refused_before_anything_is_made(cloud: Cloud) -> None:
    Quota.objects.create(project=cloud.tenant.project, dimension="vcpus", limit=0)
    with pytest.raises(QuotaExceeded) as caught:
        ask_instance(cloud)
    assert caught.value.facts == {"dimension": "vcpus", "used": 0, "requested": 1, "limit": 0}
    assert not Instance.objects.exists()


def test_a_volume_that_is_being_taken_is_busy(cloud: Cloud) -> None:
    volume = make_volume(cloud)
    _, first = ask_instance(cloud, volumes=(volume,))
    with pytest.raises(Busy) as caught:
        ask_instance(cloud, "other", volumes=(fresh(volume),))
    assert caught.value.facts["blocking_operation"] == str(first.pk)
