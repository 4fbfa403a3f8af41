"""Volumes that bind at first use: without a place until their first attachment, and like others from then on."""

from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.db.models import F

from controlplane.catalog.errors import ImageNotReady
from controlplane.catalog.models import VolumeType
from controlplane.catalog.services import image_delete
from controlplane.compute.attachments import volume_detach
from controlplane.compute.errors import VolumeAlreadyAttached, VolumeElsewhere
from controlplane.compute.models import Attachment, Instance
from controlplane.compute.services import NewInstance, instance_delete, instance_dry_run
from controlplane.compute.volume_actions import volume_actions
from controlplane.compute.volume_moves import is_move, volume_retype_plan
from controlplane.identity.actor import SYSTEM
from controlplane.nodes.models import Inventory, Pool
from controlplane.nodes.services import node_cordon
from controlplane.operations.models import Operation
from controlplane.placement import services as placement
from controlplane.placement.errors import InsufficientCapacity, NoPlace, PolicyUnsatisfiable
from controlplane.placement.models import Allocation, Decision
from controlplane.placement.policies import own_policy, policy_set
from controlplane.quotas.models import QuotaUse
from controlplane.reconcilers import capacity_drift, quota_drift
from controlplane.signer.errors import PermitOutdated
from controlplane.signer.permit_scope import for_operation
from controlplane.storage.errors import VolumeInUse, VolumeUnbound
from controlplane.storage.models import Volume
from controlplane.storage.retype import volume_retype
from controlplane.storage.services import volume_delete, volume_grow
from controlplane.workflows import instance_create
from controlplane.workflows.operation_retry import operation_retry
from controlplane.workflows.registry import WORKFLOWS
from controlplane.workflows.workflow_types import Step, Workflow
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
    )
    for ask in asks:
        with pytest.raises(VolumeUnbound):
            ask()
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


def test_new_instance_decides_the_place_of_its_volumes(cloud: Cloud) -> None:
    """All are placed with it, whether they are copies, of a folder, or of a cluster in another pool."""
    cloud.world.add_machine(cloud.machine.row.zone_id)
    volumes = (
        make_unbound(cloud, image=cloud.image),
        make_unbound(cloud, "shared", volume_type=late(pool=share(cloud).pool)),
        make_unbound(cloud, "pooled", volume_type=late(pool=cluster(cloud).pool)),
    )
    instance = make_instance(cloud, volumes=volumes)
    assert instance.root_pool is None
    for volume in map(fresh, volumes):
        assert (volume.state, volume.is_unbound, volume.node_id) == ("in-use", False, instance.node_id)
        assert (volume.pool.name if volume.pool is not None else "") == volume.volume_type.pool
        allocation = Allocation.objects.get(consumer_id=volume.pk)
        assert (allocation.node_id, allocation.disk_gib + allocation.pool_gib) == (instance.node_id, volume.size_gib)
        assert allocation.decision.consumer_id == volume.pk
    own = Allocation.objects.get(consumer_id=instance.pk)
    assert (own.disk_gib, own.pool, own.pool_gib) == (instance.disk_gib, None, 0)
    assert [*capacity_drift.reconcile(), *quota_drift.reconcile()] == []
    delete_everything(cloud)
    assert_clean_slate(cloud)


def test_volumes_share_the_pool_of_the_root_disk(cloud: Cloud) -> None:
    pool = share(cloud)
    volumes = tuple(make_unbound(cloud, name, volume_type=late(pool=pool.pool)) for name in ("a", "b"))
    instance = make_instance(cloud, root_volume_type=pool, volumes=volumes)
    own = Allocation.objects.get(consumer_id=instance.pk)
    assert (own.pool, own.pool_gib, own.disk_gib) == (instance.root_pool, instance.disk_gib, 0)
    parts = Allocation.objects.filter(consumer_id__in=[volume.pk for volume in volumes])
    assert set(parts.values_list("pool", "pool_gib", "disk_gib")) == {(own.pool_id, 2, 0)}
    delete_everything(cloud)
    assert_clean_slate(cloud)


def test_new_instance_boots_from_a_volume_without_a_place(cloud: Cloud) -> None:
    boot_volume = make_unbound(cloud, "system", image=cloud.image)
    instance = make_instance(cloud, boot_volume=boot_volume)
    boot_volume.refresh_from_db()
    assert (boot_volume.state, boot_volume.is_unbound, boot_volume.node_id) == ("in-use", False, instance.node_id)
    assert set(cloud.fake.volumes) == {boot_volume.pk}
    done(instance_delete(cloud.tenant.actor, instance))
    assert fresh(boot_volume).node == cloud.machine.row
    delete_everything(cloud)
    assert_clean_slate(cloud)


def test_node_without_room_for_the_volumes_is_not_chosen(cloud: Cloud) -> None:
    """The instance alone would fit on either node; both volumes with it fit on the other one only."""
    volumes = (make_unbound(cloud, "a", size_gib=3), make_unbound(cloud, "b", size_gib=3))
    inventory = Inventory.objects.get(node=cloud.machine.row)
    free_gib = inventory.disk_gib_total - inventory.disk_gib_reserved - inventory.disk_gib_used
    make_volume(cloud, "filler", size_gib=free_gib - cloud.flavor.disk_gib - 5)
    with pytest.raises((InsufficientCapacity, NoPlace)):
        ask_instance(cloud, volumes=volumes)
    assert not Instance.objects.exists()
    other = cloud.world.add_machine(cloud.machine.row.zone_id)
    instance = make_instance(cloud, volumes=tuple(map(fresh, volumes)))
    assert {instance.node, *(fresh(volume).node for volume in volumes)} == {other.row}


def test_pool_without_room_for_all_volumes_together_refuses_them(cloud: Cloud) -> None:
    kind = cluster(cloud)
    Pool.objects.filter(name=kind.pool).update(capacity_gib=F("used_gib") + 5)
    volumes = tuple(make_unbound(cloud, name, size_gib=3, volume_type=late(pool=kind.pool)) for name in ("a", "b"))
    with pytest.raises((InsufficientCapacity, NoPlace)):
        ask_instance(cloud, volumes=volumes)
    make_instance(cloud, volumes=volumes[:1])


def test_bound_volume_decides_the_place_of_an_unbound_one(cloud: Cloud) -> None:
    bound, unbound = make_volume(cloud), make_unbound(cloud, "late")
    cloud.world.add_machine(cloud.machine.row.zone_id)
    make_instance(cloud, volumes=(bound, unbound))
    assert fresh(unbound).node == fresh(bound).node == cloud.machine.row


def test_policy_of_the_volume_decides_where_the_instance_is(cloud: Cloud) -> None:
    other = cloud.world.add_machine("de-rhein-1")
    clauses = [{"id": "home", "attr": "zone.id", "op": "in", "value": ["de-rhein-1"]}]
    volume = make_unbound(cloud, policy=own_policy(clauses, at="policy_atoms"))
    instance = make_instance(cloud, volumes=(volume,))
    assert (instance.node, fresh(volume).node) == (other.row, other.row)


def test_policy_that_came_after_the_request_leaves_the_volume_unbound(cloud: Cloud) -> None:
    volume = make_unbound(cloud)
    operation = ask_instance(cloud, volumes=(volume,))[1]
    clauses = [{"id": "home", "attr": "zone.id", "op": "in", "value": ["us-va-1"]}]
    policy_set(cloud.tenant.actor, clauses=clauses, project=cloud.tenant.project)
    assert run(operation).state == "failed"
    assert operation.error["code"] == PolicyUnsatisfiable.code
    assert_unbound(volume)


def test_dry_run_places_the_volumes_and_keeps_nothing(cloud: Cloud) -> None:
    volume = make_unbound(cloud)
    new = NewInstance("web", cloud.flavor, cloud.image, (cloud.network,), volumes=(volume,))
    taken = instance_dry_run(cloud.tenant.actor, cloud.tenant.project, new)
    assert taken.decision.is_admitted
    assert taken.decision.request.resources.disk_gib == cloud.flavor.disk_gib + volume.size_gib
    assert not Instance.objects.exists()
    assert_unbound(volume)


def test_failed_creation_is_retried_with_its_volume(cloud: Cloud) -> None:
    volume = make_unbound(cloud, image=cloud.image)
    instance, operation = ask_instance(cloud, volumes=(volume,))
    assert run(operation, altered(WORKFLOWS["instance.create"], "volume-0", then(explode))).state == "failed"
    assert_unbound(volume)
    assert volume.pk not in cloud.fake.volumes
    actor = replace(cloud.tenant.actor, organization_id=cloud.tenant.project.organization_id)
    done(operation_retry(actor, fresh(operation)))
    assert (fresh(volume).state, fresh(volume).node_id) == ("in-use", fresh(instance).node_id)
    delete_everything(cloud)
    assert_clean_slate(cloud)


def test_deletion_of_the_instance_during_its_creation_leaves_the_volume_unbound(cloud: Cloud) -> None:
    volume = make_unbound(cloud)
    instance, operation = ask_instance(cloud, volumes=(volume,))
    deletions = list[Operation]()

    def delete(operation: Operation) -> None:
        deletions.append(instance_delete(cloud.tenant.actor, instance))

    run_on(operation, altered(WORKFLOWS["instance.create"], "volume-0", then(delete)))
    assert operation.state == "cancelled"
    run_on(deletions[0])
    assert_unbound(volume)
    delete_everything(cloud)
    assert_clean_slate(cloud)


def test_cancelled_creation_leaves_a_root_volume_unbound_that_is_not_kept(cloud: Cloud) -> None:
    boot_volume = make_unbound(cloud, image=cloud.image)
    instance, operation = ask_instance(cloud, boot_volume=boot_volume, keep_root_volume=False)
    deletion = instance_delete(cloud.tenant.actor, instance)
    assert run(operation).state == "cancelled"
    done(deletion)
    assert_unbound(boot_volume)
    assert not boot_volume.is_deleting


def test_deleted_image_is_found_before_the_creation(cloud: Cloud) -> None:
    image = make_image(cloud.world.folder / "images", name="other", project=cloud.tenant.project)
    volume = make_unbound(cloud, image=image)
    image_delete(cloud.tenant.actor, image)
    for named in ({"volumes": (fresh(volume),)}, {"boot_volume": fresh(volume)}):
        with pytest.raises(ImageNotReady):
            ask_instance(cloud, **named)
        new = NewInstance("web", cloud.flavor, cloud.image, **named)
        with pytest.raises(ImageNotReady):
            instance_dry_run(cloud.tenant.actor, cloud.tenant.project, new, is_preview=True)
    assert_unbound(volume)


def test_creation_gets_permits_to_make_its_own_unbound_volumes_only(cloud: Cloud) -> None:
    bound, unbound, other = make_volume(cloud), make_unbound(cloud, "late"), make_unbound(cloud, "other")
    operation = ask_instance(cloud, volumes=(bound, unbound))[1]
    ask_instance(cloud, "another", volumes=(other,))
    scope = for_operation(operation, "volume.create", unbound.pk)
    assert (scope.contents.volumes, scope.consumers) == ((str(unbound.pk),), (unbound.pk,))
    Volume.objects.filter(pk=unbound.pk).update(is_unbound=False, node=cloud.machine.row)
    for refused in (bound, unbound, other):
        with pytest.raises(PermitOutdated):
            for_operation(operation, "volume.create", refused.pk)


def of_the_release_before(operation: Operation, *, has_disk: bool) -> Workflow:
    """Return the workflow without what makes volumes at their first use, and undoes that. `has_disk`: a newer worker
    has made the disk before.
    """
    attachment = UUID(operation.args["first_uses"][0])

    def release(operation: Operation) -> None:
        Instance.objects.filter(pk=operation.resource_id).update(node=None, root_pool=None)
        placement.release_allocation(operation.resource_id)

    def plug(step: Step) -> Step:
        do = instance_create.make_volume if has_disk else instance_create.plug
        changed = replace(step, do=partial(do, attachment), undo=partial(instance_create.unplug, attachment))
        return then(explode)(changed)

    steps = altered(WORKFLOWS["instance.create"], "volume-0", plug)
    return altered(steps, "place", lambda step: replace(step, undo=lambda operation: partial(release, operation)))


@pytest.mark.parametrize("has_disk", [False, True])
def test_worker_of_the_release_before_takes_over_and_a_later_attempt_succeeds(cloud: Cloud, has_disk: bool) -> None:
    """The worker fails without the volume, whose place, claimed by a newer worker, stays until the next attempt."""
    volume = make_unbound(cloud)
    operation = ask_instance(cloud, volumes=(volume,))[1]
    assert run(operation, of_the_release_before(operation, has_disk=has_disk)).state == "failed"
    assert (volume.pk in cloud.fake.volumes) == has_disk
    assert fresh(volume).node == cloud.machine.row
    cloud.world.add_machine(cloud.machine.row.zone_id)
    node_cordon(SYSTEM, cloud.machine.row, reason="it is full")
    refused = ask_instance(cloud, "other", volumes=(fresh(volume),))[1]
    assert run(refused).error["code"] == VolumeElsewhere.code
    assert_unbound(volume)
    assert not cloud.fake.volumes
    make_instance(cloud, "third", volumes=(fresh(volume),))
    delete_everything(cloud)
    assert_clean_slate(cloud)
