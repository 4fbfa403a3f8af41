"""Volumes that bind at first use: without a place until their first attachment, and like others from then on."""

from typing import Any

import pytest

from controlplane.catalog.errors import ImageNotReady
from controlplane.catalog.models import VolumeType
from controlplane.catalog.services import image_delete
from controlplane.compute.attachments import volume_detach
from controlplane.compute.errors import VolumeAlreadyAttached
from controlplane.compute.models import Attachment, Instance
from controlplane.compute.services import instance_delete
from controlplane.compute.volume_actions import volume_actions
from controlplane.compute.volume_moves import is_move, volume_retype_plan
from controlplane.identity.actor import SYSTEM
from controlplane.nodes.models import Inventory
from controlplane.nodes.services import node_cordon
from controlplane.operations.models import Operation
from controlplane.placement.errors import InsufficientCapacity, NoPlace, PolicyUnsatisfiable
from controlplane.placement.models import Allocation, Decision
from controlplane.placement.policies import policy_set
from controlplane.quotas.models import QuotaUse
from controlplane.reconcilers import capacity_drift, quota_drift
from controlplane.signer.errors import PermitOutdated
from controlplane.signer.permit_scope import for_operation
from controlplane.storage.errors import VolumeInUse, VolumeUnbound
from controlplane.storage.models import Volume
from controlplane.storage.retype import volume_retype
from controlplane.storage.services import volume_delete, volume_grow
from controlplane.workflows.registry import WORKFLOWS
from tests.workflows.helpers import (
    altered,
    ask_instance,
    ask_volume,
    assert_clean_slate,
    attach,
    delete_everything,
    delete_volume,
    done,
    explode,
    fresh,
    late,
    make_instance,
    make_stopped_instance,
    make_volume,
    run_on,
    share,
    then,
)
from tests.workflows.snapshots import ask_image, ask_snapshot, cluster
from tests.world import Cloud, make_image, run


def make_unbound(cloud: Cloud, name: str = "data", **more: Any) -> Volume:
    return make_volume(cloud, name, **{"volume_type": late(), **more})


def assert_unbound(volume: Volume) -> None:
    volume.refresh_from_db()
    assert (volume.state, volume.is_unbound, volume.node, volume.pool) == ("available", True, None, None)
    assert not Allocation.objects.filter(consumer_id=volume.pk).exists()


def fill(cloud: Cloud) -> Volume:
    """Make a volume that leaves no room on the node's own disk."""
    inventory = Inventory.objects.get(node=cloud.machine.row)
    free_gib = inventory.disk_gib_total - inventory.disk_gib_reserved - inventory.disk_gib_used
    return make_volume(cloud, "filler", size_gib=free_gib)


def test_new_volume_has_a_quota_and_nothing_else(cloud: Cloud) -> None:
    volume, operation = ask_volume(cloud, volume_type=late(), image=cloud.image)
    assert done(operation).steps == []
    assert_unbound(volume)
    assert not Decision.objects.filter(consumer_id=volume.pk).exists()
    own = QuotaUse.objects.filter(resource_id=volume.pk)
    assert dict(own.values_list("dimension", "amount")) == {"volumes": 1, "storage_gib": 2}
    assert not cloud.machine.fake.volumes
    assert [*capacity_drift.reconcile(), *quota_drift.reconcile()] == []
    done(delete_volume(cloud, volume))
    assert_clean_slate(cloud)


@pytest.mark.parametrize("is_off", [False, True])
def test_first_attachment_places_the_volume_near_the_instance(cloud: Cloud, is_off: bool) -> None:
    cloud.world.add_machine(cloud.machine.row.zone_id)
    instance = (make_stopped_instance if is_off else make_instance)(cloud)
    volume = make_unbound(cloud, image=cloud.image)
    done(attach(cloud, instance, volume)[1])
    volume.refresh_from_db()
    assert (volume.state, volume.is_unbound, volume.node_id) == ("in-use", False, instance.node_id)
    delete_everything(cloud)
    assert_clean_slate(cloud)


def test_volume_keeps_its_place_after_detachment(cloud: Cloud) -> None:
    volume = make_unbound(cloud)
    attachment, operation = attach(cloud, make_instance(cloud), volume)
    done(operation)
    done(volume_detach(cloud.tenant.actor, fresh(attachment)))
    volume.refresh_from_db()
    assert (volume.state, volume.is_unbound, volume.node) == ("available", False, cloud.machine.row)
    assert Allocation.objects.filter(consumer_id=volume.pk).exists()


@pytest.mark.parametrize("clustered", [False, True])
def test_volume_of_a_pool_gets_it_in_the_zone_of_the_instance(cloud: Cloud, clustered: bool) -> None:
    kind = cluster(cloud) if clustered else share(cloud)
    volume = make_unbound(cloud, volume_type=late(pool=kind.pool))
    assert_unbound(volume)
    done(attach(cloud, make_instance(cloud), volume)[1])
    volume.refresh_from_db()
    assert volume.pool is not None
    assert (volume.pool.name, volume.pool.zone_id) == (kind.pool, cloud.machine.row.zone_id)
    delete_everything(cloud)
    assert_clean_slate(cloud)


def test_request_that_names_a_place_gets_it_at_once(cloud: Cloud) -> None:
    zone, instance = cloud.machine.row.zone_id, make_instance(cloud)
    for name, named in (("a", {"zones": (zone,)}), ("b", {"near": instance.pk})):
        volume = make_volume(cloud, name, volume_type=late(), **named)
        assert (volume.node, volume.is_unbound) == (cloud.machine.row, False)


def test_volume_without_any_possible_place_is_refused_at_once(cloud: Cloud) -> None:
    with pytest.raises(InsufficientCapacity):
        ask_volume(cloud, volume_type=late(), size_gib=60_000)
    assert not Volume.objects.exists()


def test_full_node_refuses_and_a_later_attachment_succeeds(cloud: Cloud) -> None:
    instance, volume = make_instance(cloud), make_unbound(cloud)
    filler = fill(cloud)
    with pytest.raises((InsufficientCapacity, NoPlace)):
        attach(cloud, instance, volume)
    assert_unbound(volume)
    done(delete_volume(cloud, filler))
    done(attach(cloud, instance, volume)[1])


def test_cordoned_node_takes_no_first_use(cloud: Cloud) -> None:
    instance, volume = make_instance(cloud), make_unbound(cloud)
    node_cordon(SYSTEM, cloud.machine.row, reason="it is full")
    with pytest.raises((InsufficientCapacity, NoPlace)):
        attach(cloud, instance, volume)
    assert_unbound(volume)


def test_node_that_fills_up_after_the_request_leaves_the_volume_unbound(cloud: Cloud) -> None:
    instance, volume = make_instance(cloud), make_unbound(cloud)
    operation = attach(cloud, instance, volume)[1]
    fill(cloud)
    assert run(operation).state == "failed"
    assert operation.error["code"] in (InsufficientCapacity.code, NoPlace.code)
    assert_unbound(volume)
    assert not Attachment.objects.exists()


def test_second_attachment_is_refused_while_the_first_is_under_way(cloud: Cloud) -> None:
    one, other = make_instance(cloud), make_instance(cloud, "other")
    volume = make_unbound(cloud)
    operation = attach(cloud, one, volume)[1]
    with pytest.raises(VolumeAlreadyAttached):
        attach(cloud, other, volume)
    with pytest.raises(VolumeInUse):
        volume_delete(cloud.tenant.actor, volume, attached_to=one.pk)
    done(operation)


def test_attachment_to_an_instance_that_is_deleted_before_it_begins(cloud: Cloud) -> None:
    instance, volume = make_instance(cloud), make_unbound(cloud)
    attachment = attach(cloud, instance, volume)[1]
    deletion = instance_delete(cloud.tenant.actor, instance)
    assert run(deletion).state == "pending"
    assert run(attachment).state == "cancelled"
    done(deletion)
    assert_unbound(volume)
    delete_everything(cloud)
    assert_clean_slate(cloud)


def test_volume_deleted_during_its_first_attachment_leaves_nothing(cloud: Cloud) -> None:
    """The deletion was accepted before there was an attachment to be seen."""
    instance, volume = make_instance(cloud), make_unbound(cloud)
    operation, deletions = attach(cloud, instance, volume)[1], list[Operation]()

    def delete(operation: Operation) -> None:
        deletions.append(delete_volume(cloud, volume))

    run_on(operation, altered(WORKFLOWS["volume.attach"], "disk", then(delete)))
    run_on(deletions[0])
    assert not cloud.machine.fake.volumes.keys() - {instance.root_volume_id}
    assert fresh(volume).state == "deleted"
    delete_everything(cloud)
    assert_clean_slate(cloud)


def test_policy_that_came_after_the_creation_is_asked_at_the_first_use(cloud: Cloud) -> None:
    instance, volume, other = make_instance(cloud), make_unbound(cloud), make_unbound(cloud, "other")
    operation = attach(cloud, instance, volume)[1]
    clauses = [{"id": "home", "attr": "zone.id", "op": "in", "value": ["us-va-1"]}]
    policy_set(cloud.tenant.actor, clauses=clauses, project=cloud.tenant.project)
    with pytest.raises(PolicyUnsatisfiable):
        attach(cloud, instance, other)
    assert run(operation).state == "failed"
    assert operation.error["code"] == PolicyUnsatisfiable.code
    assert_unbound(volume)


def test_disk_that_a_deleted_guest_has_keeps_its_place(cloud: Cloud) -> None:
    """The guest has the disk when the deletion cancels the attachment: the node would not remove it."""
    instance, volume = make_instance(cloud), make_unbound(cloud)
    attachment, deletions = attach(cloud, instance, volume)[1], list[Operation]()

    def delete(operation: Operation) -> None:
        deletions.append(instance_delete(cloud.tenant.actor, instance))
        explode(operation)

    operation = run_on(attachment, altered(WORKFLOWS["volume.attach"], "plug", then(delete)))
    assert operation.state == "failed"
    volume.refresh_from_db()
    assert (volume.is_unbound, volume.node) == (False, cloud.machine.row)
    done(deletions[0])
    volume.refresh_from_db()
    assert (volume.state, volume.node) == ("available", cloud.machine.row)
    delete_everything(cloud)
    assert_clean_slate(cloud)


def test_growth_changes_size_and_quota_only(cloud: Cloud) -> None:
    volume = make_unbound(cloud)
    operation = done(volume_grow(cloud.tenant.actor, volume, size_gib=5))
    assert operation.steps == []
    assert_unbound(volume)
    assert volume.size_gib == QuotaUse.objects.get(dimension="storage_gib").amount == 5
    with pytest.raises(InsufficientCapacity):
        volume_grow(cloud.tenant.actor, volume, size_gib=60_000)
    done(attach(cloud, make_instance(cloud), volume)[1])
    assert Allocation.objects.get(consumer_id=volume.pk).disk_gib == 5
    assert quota_drift.reconcile() == []


def test_retype_changes_the_row_only_also_to_another_pool(cloud: Cloud) -> None:
    volume, kind = make_unbound(cloud), cluster(cloud)
    VolumeType.objects.filter(pk=kind.pk).update(iops=500)
    kind.refresh_from_db()
    plan = volume_retype_plan(cloud.tenant.actor, volume, volume_type=kind, max_mb_per_s=0)
    assert (plan.pool, plan.copied_gib, is_move(volume, kind)) == ("", 0, False)
    assert done(volume_retype(cloud.tenant.actor, volume, volume_type=kind)).steps == []
    assert_unbound(volume)
    assert (volume.volume_type, volume.iops_limit) == (kind, 500)
    done(attach(cloud, make_instance(cloud), fresh(volume))[1])
    assert fresh(volume).pool.name == kind.pool


def test_what_needs_data_is_refused(cloud: Cloud) -> None:
    cluster(cloud)
    volume = make_unbound(cloud)
    asks = (
        lambda: ask_snapshot(cloud, volume),
        lambda: ask_image(cloud, volume),
        lambda: ask_instance(cloud, boot_volume=volume),
        lambda: ask_instance(cloud, volumes=(volume,)),
    )
    for ask in asks:
        with pytest.raises(VolumeUnbound):
            ask()
    assert not Instance.objects.exists()
    actions = {each["name"]: each["problem"] for each in volume_actions(volume)}
    assert actions.pop("delete") is None
    assert {problem["code"] for problem in actions.values()} == {VolumeUnbound.code}


def test_deleted_image_is_found_before_the_first_use(cloud: Cloud) -> None:
    image = make_image(cloud.world.folder / "images", name="other", project=cloud.tenant.project)
    volume = make_unbound(cloud, image=image)
    image_delete(cloud.tenant.actor, image)
    with pytest.raises(ImageNotReady):
        attach(cloud, make_instance(cloud), fresh(volume))
    assert_unbound(volume)


def test_only_a_first_use_gets_a_permit_to_make_a_disk(cloud: Cloud) -> None:
    """Another attachment gets none, which would replace the data of a volume that has some."""
    instance, volume, unbound = make_instance(cloud), make_volume(cloud), make_unbound(cloud, "late")
    first = attach(cloud, instance, unbound)[1]
    assert for_operation(first, "volume.create").contents.volumes == (str(unbound.pk),)
    with pytest.raises(PermitOutdated):
        for_operation(attach(cloud, instance, volume)[1], "volume.create")
