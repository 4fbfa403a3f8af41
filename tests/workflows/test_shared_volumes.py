"""Volumes that several instances have attached at once, each on a node of its own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controlplane.audit.selectors import residency_of
from controlplane.catalog.models import VolumeType
from controlplane.compute import expected_resources
from controlplane.compute.attachments import volume_attach, volume_detach
from controlplane.compute.errors import (
    InstanceNotMovable,
    NodesAlike,
    ShareMissing,
    TooManyInstances,
    VolumeAlreadyAttached,
    VolumeForSeveral,
    VolumeNotShareable,
    VolumeOnNode,
)
from controlplane.compute.migration import instance_migrate
from controlplane.compute.models import Attachment, Instance
from controlplane.compute.services import instance_delete, instance_power_off, instance_start
from controlplane.identity.actor import SYSTEM
from controlplane.kernel.units import GIB
from controlplane.node_lifecycle.drain.candidates import expects_arrivals
from controlplane.node_lifecycle.recovery.evacuation import evacuation_obstacles
from controlplane.nodes.models import Node
from controlplane.nodes.pools import MULTI_ATTACH
from controlplane.operations.models import Operation
from controlplane.placement.errors import NoPlace
from controlplane.placement.models import Allocation, Binding, Permit
from controlplane.storage.errors import MultiAttachUnsupported, VolumeInUse, VolumeShared, VolumeTypeNotAlike
from controlplane.storage.models import Volume
from controlplane.storage.retype import volume_retype
from controlplane.storage.services import volume_delete, volume_grow
from controlplane.storage_clusters.errors import StorageAddressUnknown
from controlplane.storage_clusters.models import StorageCluster
from controlplane.workflows.registry import WORKFLOWS
from tests.storage_agent import FakeStorageAgent
from tests.workflows.helpers import altered, cancel, done, explode, fresh, then
from tests.workflows.shared_pool import NAME, Shared, cluster_pool, taken
from tests.workflows.snapshots import ask_snapshot
from tests.world import Cloud, FakeMachine, run


@pytest.fixture
def shared(cloud: Cloud, tmp_path: Path) -> Iterator[Shared]:
    """Return a pool whose volumes are for several instances; storage clusters see each node at its own address."""
    with cluster_pool(cloud, tmp_path) as created:
        created.type = VolumeType.objects.create(pk="together", description="together", pool=NAME, is_multi_attach=True)
        for number, machine in enumerate(cloud.world.machines):
            Node.objects.filter(pk=machine.row.pk).update(storage_addresses=[f"10.0.9.{number}"])
        yield created


@pytest.fixture
def agent(shared: Shared) -> FakeStorageAgent:
    assert shared.agent is not None
    return shared.agent


def instance_on(shared: Shared, machine: FakeMachine, name: str, **more: Any) -> Instance:
    return shared.instance(name, host=machine.row.name, root_volume_type=VolumeType.objects.get(pk=NAME), **more)


def pair(shared: Shared) -> tuple[Instance, Instance]:
    return instance_on(shared, shared.here, "one"), instance_on(shared, shared.other, "two")


def ask(shared: Shared, instance: Instance, volume: Volume, **more: Any) -> tuple[Attachment, Operation]:
    options = {"is_read_only": False, "is_shared": True, **more}
    return volume_attach(shared.cloud.tenant.actor, fresh(instance), volume=fresh(volume), **options)


def attach(shared: Shared, instance: Instance, volume: Volume, **more: Any) -> Attachment:
    attachment, operation = ask(shared, instance, volume, **more)
    done(operation)
    return attachment


def detach(attachment: Attachment) -> None:
    done(volume_detach(SYSTEM, fresh(attachment)))


def test_volume_is_made_without_a_node(shared: Shared, agent: FakeStorageAgent) -> None:
    volume = shared.volume(image=shared.cloud.image, size_gib=shared.cloud.image.min_disk_gib or 1)
    assert (volume.is_multi_attach, agent.for_several) == (True, {volume.pk})
    assert (agent.keys.get(volume.pk, set()), shared.held_by(shared.here)) == (set(), set())
    permit = Permit.objects.get(resource_id=volume.pk)
    assert permit.document is not None
    done(volume_grow(SYSTEM, volume, size_gib=volume.size_gib + 1))
    assert (agent.volumes[volume.pk], agent.keys.get(volume.pk, set())) == ((volume.size_gib + 1) * GIB, set())
    done(volume_delete(SYSTEM, fresh(volume), attached_to=None))
    assert not agent.volumes and not Allocation.objects.exists()


def test_two_instances_have_the_volume_at_once(shared: Shared, agent: FakeStorageAgent) -> None:
    (one, two), volume = pair(shared), shared.volume()
    first, second = attach(shared, one, volume), attach(shared, two, volume)
    assert agent.keys[volume.pk] == {shared.here.row.pk, shared.other.row.pk}
    assert agent.opened[(volume.pk, shared.other.row.pk)] == fresh(shared.other.row).storage_addresses
    for machine, instance in ((shared.here, one), (shared.other, two)):
        running = machine.fake.guests[instance.pk].running
        assert running is not None
        assert (running.disks[-1].is_shareable, str(volume.pk) in shared.held_by(machine)) == (True, True)
        assert volume.pk in expected_resources.volumes(fresh(machine.row), [volume.pk])
        assert not expects_arrivals(machine.row)
    assert [*expected_resources.allocations_without_owner()] == []
    for machine in (shared.here, shared.other):
        machine.account()
    places = residency_of(volume.pk)
    nodes = {str(shared.here.row.pk), str(shared.other.row.pk)}
    assert {each.node for each in places.intervals if each.end is None} == {"", *nodes}
    assert all(each.is_compliant for each in places.intervals)
    assert not places.problems
    detach(first)
    assert (fresh(volume).state, agent.keys[volume.pk]) == ("in-use", {shared.other.row.pk})
    assert str(volume.pk) not in shared.held_by(shared.here)
    detach(second)
    assert (fresh(volume).state, agent.keys[volume.pk]) == ("available", set())
    assert set(Allocation.objects.filter(moving_id__isnull=False)) == set()
    attach(shared, one, volume)
    assert agent.keys[volume.pk] == {shared.here.row.pk}


def test_request_says_that_the_volume_is_shared(shared: Shared) -> None:
    (one, two), volume = pair(shared), shared.volume()
    with pytest.raises(ShareMissing):
        ask(shared, one, volume, is_shared=False)
    shared.type = VolumeType.objects.get(pk=NAME)
    with pytest.raises(VolumeNotShareable):
        ask(shared, one, shared.volume("plain"))
    attach(shared, one, volume)
    with pytest.raises(VolumeAlreadyAttached):
        ask(shared, one, volume)
    third = instance_on(shared, shared.here, "three")
    with pytest.raises(VolumeOnNode):
        ask(shared, third, volume)
    Node.objects.update(storage_addresses=["10.0.9.9"])
    with pytest.raises(NodesAlike):
        ask(shared, two, volume)


def test_number_of_instances_is_limited(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    (one, two), volume = pair(shared), shared.volume()
    monkeypatch.setattr("controlplane.compute.shared_attachments.MAX_INSTANCES", 1)
    attach(shared, one, volume)
    with pytest.raises(TooManyInstances):
        ask(shared, two, volume)


def test_address_of_the_node_must_be_known(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    one, volume = instance_on(shared, shared.here, "one"), shared.volume()
    monkeypatch.setattr("controlplane.workflows.cluster_disks.known_to_storage", lambda node: [])
    operation = run(ask(shared, one, volume)[1])
    assert (operation.state, operation.error["code"]) == ("failed", StorageAddressUnknown.code)
    assert (fresh(volume).state, Attachment.objects.filter(volume=volume).count()) == ("available", 0)
    assert not Allocation.objects.filter(moving_id=volume.pk).exists()


def test_agents_of_earlier_releases_are_not_used(shared: Shared) -> None:
    one, volume = instance_on(shared, shared.here, "one"), shared.volume()
    node = fresh(shared.here.row)
    Node.objects.filter(pk=node.pk).update(traits=[each for each in node.traits if each != MULTI_ATTACH])
    with pytest.raises(NoPlace):
        ask(shared, one, volume)
    StorageCluster.objects.update(capabilities=[])
    with pytest.raises(MultiAttachUnsupported):
        shared.volume("another")


def test_allocation_of_the_volume_follows_its_first_instance(shared: Shared) -> None:
    (one, two), volume = pair(shared), shared.volume(host=shared.here.row.name)
    node = Node.objects.filter(pk=one.node_id)
    node.update(admin_state="maintenance", is_cordoned=True)
    with pytest.raises(NoPlace):
        volume_grow(SYSTEM, fresh(volume), size_gib=volume.size_gib + 1)
    detach(attach(shared, two, volume))
    done(volume_grow(SYSTEM, fresh(volume), size_gib=volume.size_gib + 1))
    assert fresh(volume).node_id == Allocation.objects.get(consumer_id=volume.pk).node_id == two.node_id
    node.update(admin_state="in-service", is_cordoned=False)
    attach(shared, two, volume)
    attach(shared, one, volume)
    assert fresh(volume).node_id == two.node_id


def test_changes_wait_until_no_instance_has_the_volume(shared: Shared) -> None:
    one, volume, actor = instance_on(shared, shared.here, "one"), shared.volume(), shared.cloud.tenant.actor
    attachment = attach(shared, one, volume)
    plain = VolumeType.objects.get(pk=NAME)
    same = VolumeType.objects.create(pk="faster", description="", pool=NAME, is_multi_attach=True, iops=500)
    with pytest.raises(VolumeShared):
        volume_grow(actor, fresh(volume), size_gib=volume.size_gib + 1)
    with pytest.raises(VolumeShared):
        ask_snapshot(shared.cloud, fresh(volume), "then")
    with pytest.raises(VolumeShared):
        volume_retype(actor, fresh(volume), volume_type=same)
    with pytest.raises(VolumeInUse):
        volume_delete(actor, fresh(volume), attached_to=one.pk)
    detach(attachment)
    with pytest.raises(VolumeTypeNotAlike):
        volume_retype(actor, fresh(volume), volume_type=plain)
    done(volume_retype(actor, fresh(volume), volume_type=same))
    assert (fresh(volume).iops_limit, fresh(volume).volume_type_id) == (500, "faster")
    taken(shared, fresh(volume))


def test_guests_that_share_a_volume_start_at_the_same_time(shared: Shared, agent: FakeStorageAgent) -> None:
    (one, two), volume, actor = pair(shared), shared.volume(), shared.cloud.tenant.actor
    attach(shared, one, volume)
    attach(shared, two, volume)
    for instance in (one, two):
        done(instance_power_off(actor, fresh(instance)))
    shared.here.fake.opened.clear()
    starts = [instance_start(actor, fresh(instance)) for instance in (one, two)]
    for start in starts:
        done(start)
    assert agent.keys[volume.pk] == {shared.here.row.pk, shared.other.row.pk}


def test_instance_that_shares_a_volume_stays_on_its_node(shared: Shared) -> None:
    one, volume = instance_on(shared, shared.here, "one"), shared.volume()
    attach(shared, one, volume)
    with pytest.raises(InstanceNotMovable) as refused:
        instance_migrate(SYSTEM, fresh(one))
    assert "shared with other instances" in str(refused.value.as_document())
    assert any("shared" in str(reason) for reason in evacuation_obstacles(fresh(one)))


def test_no_instance_is_created_with_a_shared_volume(shared: Shared) -> None:
    with pytest.raises(VolumeForSeveral):
        shared.ask("web", root_volume_type=VolumeType.objects.get(pk=NAME), volumes=(shared.volume(),))


def test_deletion_of_one_instance_leaves_the_volume_to_the_other(shared: Shared, agent: FakeStorageAgent) -> None:
    (one, two), volume, actor = pair(shared), shared.volume(), shared.cloud.tenant.actor
    attach(shared, one, volume)
    second, under_way = ask(shared, two, volume)
    done(instance_delete(actor, fresh(one)))
    assert (fresh(volume).state, agent.keys[volume.pk]) == ("in-use", set())
    done(under_way)
    assert agent.keys[volume.pk] == {shared.other.row.pk}
    done(instance_delete(actor, fresh(two)))
    assert (fresh(volume).state, agent.keys[volume.pk]) == ("available", set())
    assert not Attachment.objects.filter(pk=second.pk).exists()
    assert not Allocation.objects.filter(moving_id__isnull=False).exists()


@pytest.mark.parametrize(("step", "end"), [("bring", "cancelled"), ("plug", "failed")])
def test_attachment_that_fails_leaves_nothing(shared: Shared, agent: FakeStorageAgent, step: str, end: str) -> None:
    (one, two), volume = pair(shared), shared.volume()
    attach(shared, one, volume)
    attachment, operation = ask(shared, two, volume)
    fault = cancel(shared.cloud) if end == "cancelled" else explode
    assert run(operation, altered(WORKFLOWS["volume.attach"], step, then(fault))).state == end
    assert not Attachment.objects.filter(pk=attachment.pk).exists()
    assert (fresh(volume).state, agent.keys[volume.pk]) == ("in-use", {shared.here.row.pk})
    running = shared.other.fake.guests[two.pk].running
    assert running is not None
    assert not running.disks[1:]
    assert Allocation.objects.filter(moving_id=volume.pk).count() == 1


def test_other_instances_get_the_classifications_of_what_is_written(shared: Shared) -> None:
    one, volume = instance_on(shared, shared.here, "one"), shared.volume()
    two = instance_on(shared, shared.other, "two", classifications=("secret",))
    attach(shared, one, volume)
    attach(shared, two, volume)
    assert Binding.objects.get(pk=volume.pk).classifications == ["secret"]
    assert Binding.objects.get(pk=one.pk).classifications == ["secret"]
