"""Instance creation: success, failure at every step, repeated steps and undos, and no leftovers."""

from typing import Any

import pytest

from agents.node.adapters.interfaces import Power
from agents.node.errors import AdapterError
from controlplane.compute.errors import FlavorTooSmall, InstanceNameTaken, UserDataTooLarge
from controlplane.compute.models import Attachment, Instance
from controlplane.compute.services import instance_start
from controlplane.identity.actor import SYSTEM
from controlplane.kernel.names import InvalidLabels, InvalidName
from controlplane.network.errors import AddressesExhausted
from controlplane.network.models import Port
from controlplane.network.services import network_create
from controlplane.nodes.services import node_cordon
from controlplane.operations import leases
from controlplane.operations.errors import Busy
from controlplane.operations.models import Operation
from controlplane.placement.errors import InsufficientCapacity, PolicyUnsatisfiable, ZoneUnknown
from controlplane.placement.models import Allocation, Decision
from controlplane.placement.policies import policy_set
from controlplane.quotas.errors import QuotaExceeded
from controlplane.quotas.models import Quota
from controlplane.workflows import engine, instance_create
from tests.workflows.helpers import (
    altered,
    ask_instance,
    assert_clean_slate,
    fresh,
    make_instance,
    make_volume,
)
from tests.world import Cloud, run, run_next_attempt


def test_created_guest_runs_as_requested(cloud: Cloud) -> None:
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


def test_instance_created_stopped_boots_at_its_first_start(cloud: Cloud) -> None:
    volume = make_volume(cloud)
    instance = make_instance(cloud, volumes=(volume,), is_started=False)
    guest = cloud.fake.guests[instance.pk]
    assert (instance.state, instance.power_state, guest.power, guest.starts) == ("stopped", "off", Power.OFF, 0)
    assert cloud.fake.volumes[instance.root_volume_id] == 2**30
    assert (fresh(volume).state, Attachment.objects.get(volume=volume).is_plugged) == ("in-use", True)
    assert run(instance_start(cloud.tenant.actor, instance)).state == "succeeded"
    assert (fresh(instance).state, guest.power, guest.starts) == ("active", Power.RUNNING, 1)


def test_unexpected_error_in_a_step_is_undone_and_hides_its_details(cloud: Cloud) -> None:
    def bug(operation: Operation) -> None:
        raise KeyError("secret detail")

    _, operation = ask_instance(cloud)
    buggy = altered(instance_create.WORKFLOW, "image", lambda step: type(step)(step.name, bug, step.undo))
    run(operation, buggy)
    assert (operation.state, operation.error["code"]) == ("failed", "internal")
    assert "secret" not in str(operation.error)
    assert_clean_slate(cloud)


def test_stale_worker_writes_nothing(cloud: Cloud) -> None:
    _, operation = ask_instance(cloud)
    slow = leases.lease_operation(operation.pk)
    assert slow is not None
    Operation.objects.filter(pk=operation.pk).update(lease_expires_at=operation.created_at)
    assert run(operation).state == "succeeded"
    with pytest.raises(leases.LeaseLost):
        engine.run(slow, instance_create.WORKFLOW)
    assert fresh(operation).state == "succeeded"


def test_duplicate_instance_name_is_refused(cloud: Cloud) -> None:
    make_instance(cloud)
    with pytest.raises(InstanceNameTaken):
        ask_instance(cloud)
    assert Instance.objects.count() == 1


def test_request_without_a_fitting_node_is_refused_with_the_decision(cloud: Cloud) -> None:
    cloud.flavor.memory_mib = 10**9
    with pytest.raises(InsufficientCapacity) as caught:
        ask_instance(cloud)
    decision = Decision.objects.get(pk=caught.value.facts["placement_decision"])
    assert not decision.is_admitted
    assert not Instance.objects.exists()


def test_capacity_lost_after_the_request_fails_with_the_decision(cloud: Cloud) -> None:
    instance, operation = ask_instance(cloud)
    node_cordon(SYSTEM, cloud.machine.row, reason="it is full")
    assert run(operation).state == "failed"
    assert operation.error["code"] == "placement.no_place"
    assert operation.error["facts"]["placement_decision"]
    assert fresh(instance).state == "error"
    assert_clean_slate(cloud)


def test_unknown_zone_is_refused_by_name(cloud: Cloud) -> None:
    with pytest.raises(ZoneUnknown) as caught:
        ask_instance(cloud, zones=("mars-1",))
    assert (caught.value.field, caught.value.facts["name"]) == ("zones", "mars-1")


def test_a_zone_outside_the_policy_is_refused_as_policy(cloud: Cloud) -> None:
    cloud.world.add_machine("us-va-1")
    clauses = [{"id": "home", "attr": "zone.id", "op": "in", "value": ["fr-idf-1"]}]
    policy_set(cloud.tenant.actor, clauses=clauses, project=cloud.tenant.project)
    with pytest.raises(PolicyUnsatisfiable):
        ask_instance(cloud, zones=("us-va-1",))
    assert make_instance(cloud).node.zone_id == "fr-idf-1"


def test_exceeded_quota_is_refused_before_any_row(cloud: Cloud) -> None:
    Quota.objects.create(project=cloud.tenant.project, dimension="vcpus", limit=0)
    with pytest.raises(QuotaExceeded) as caught:
        ask_instance(cloud)
    assert caught.value.facts == {"level": "project", "dimension": "vcpus", "used": 0, "requested": 1, "limit": 0}
    assert not Instance.objects.exists()


def test_volume_under_attachment_is_busy(cloud: Cloud) -> None:
    volume = make_volume(cloud)
    _, first = ask_instance(cloud, volumes=(volume,))
    with pytest.raises(Busy) as caught:
        ask_instance(cloud, "other", volumes=(fresh(volume),))
    assert caught.value.facts["blocking_operation"] == str(first.pk)


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"name": "a<b>"}, InvalidName),
        ({"name": "$(reboot)"}, InvalidName),
        ({"name": "a\nb"}, InvalidName),
        ({"name": "x" * 64}, InvalidName),
        ({"user_data": b"x" * (64 * 1024 + 1)}, UserDataTooLarge),
        ({"labels": {"a b": "c"}}, InvalidLabels),
    ],
)
def test_bad_input_is_refused_and_leaves_nothing(cloud: Cloud, more: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        ask_instance(cloud, **more)
    assert not Instance.objects.exists()
    assert_clean_slate(cloud)


@pytest.mark.parametrize(("access", "needs_token"), [("token", [True]), ("open", [False]), ("off", [])])
def test_metadata_of_an_instance_are_read_as_requested(cloud: Cloud, access: str, needs_token: list[bool]) -> None:
    instance = make_instance(cloud, metadata=access)
    port = Port.objects.get(instance_id=instance.pk)
    found = cloud.fake.metadata.values()
    assert [guest.needs_token for guest in found] == needs_token
    assert all(list(guest.addresses.values()) == [[port.ip]] for guest in found)


def test_user_data_of_just_the_limit_reaches_the_guest(cloud: Cloud) -> None:
    data = bytes(range(256)) * 256
    instance = make_instance(cloud, user_data=data)
    assert cloud.fake.seeds[instance.pk]["user-data"] == data


@pytest.mark.parametrize(("dimension", "needed"), [("disk_gib", 2), ("memory_mib", 256)])
def test_flavor_smaller_than_the_image_is_refused(cloud: Cloud, dimension: str, needed: int) -> None:
    cloud.image.virtual_size_bytes = 2 * 2**30 if dimension == "disk_gib" else 2**20
    cloud.image.min_memory_mib = 256 if dimension == "memory_mib" else 0
    with pytest.raises(FlavorTooSmall) as caught:
        ask_instance(cloud)
    assert (caught.value.facts["dimension"], caught.value.facts["needed"]) == (dimension, needed)


def test_exhausted_network_is_refused(cloud: Cloud) -> None:
    tenant = cloud.tenant
    small = network_create(tenant.actor, tenant.project, name="small", cidr="10.11.0.0/29", dns_servers=[], labels={})
    make_instance(cloud, networks=(small,) * 5)
    with pytest.raises(AddressesExhausted):
        ask_instance(cloud, "other", networks=(cloud.network, small))
    assert Port.objects.filter(network=cloud.network).count() == 0, "the address of the other network is free again"


@pytest.mark.parametrize(
    ("call", "is_retryable"),
    [
        (call, is_retryable)
        for call in ("keep_image", "create_volume", "ensure_port", "write_seed", "define", "start")
        for is_retryable in (False, True)
    ],
)
def test_any_node_error_fails_the_creation_cleanly(cloud: Cloud, call: str, is_retryable: bool) -> None:
    """A passing trouble only delays; a lasting one is undone, with the node's own words for the operator."""
    volume = make_volume(cloud)
    cloud.fake.fail_next(call, AdapterError("smoke", retryable=is_retryable))
    instance, operation = ask_instance(cloud, volumes=(volume,))
    run(operation)
    if is_retryable:
        assert (operation.state, operation.attempts) == ("running", 1)
        assert run_next_attempt(operation).state == "succeeded"
        assert cloud.fake.guests[instance.pk].starts == 1
    else:
        assert (operation.state, operation.error["code"]) == ("failed", "node.refused")
        assert operation.error["facts"] == {"reason": "smoke", "agent_code": "agent.adapter_failed"}
        assert_clean_slate(cloud, volumes=1)
