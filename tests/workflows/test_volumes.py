"""Creation, growth and deletion of volumes."""

import pytest

from agents.node.adapters.fake import FakeCapacity
from agents.node.errors import AdapterError, HypervisorUnavailable
from controlplane.catalog.errors import ImageSizeMismatch
from controlplane.nodes.models import Inventory, NodeRemoval
from controlplane.operations.errors import Busy
from controlplane.operations.models import Operation
from controlplane.placement.errors import InsufficientCapacity, NoAllocation, ZoneUnknown
from controlplane.placement.models import Allocation, Decision
from controlplane.quotas.errors import QuotaExceeded
from controlplane.quotas.models import Quota, QuotaUse
from controlplane.reconcilers import node_removals
from controlplane.storage.errors import VolumeCannotShrink, VolumeInUse, VolumeNameTaken, VolumeWrongState
from controlplane.storage.models import Volume
from controlplane.storage.services import volume_delete, volume_grow
from tests.workflows.helpers import (
    ask_instance,
    ask_volume,
    assert_clean_slate,
    delete_volume,
    done,
    fresh,
    make_attached,
    make_instance,
    make_volume,
    pass_deadline,
    picture,
)
from tests.world import Cloud, run, run_next_attempt


def grow(cloud: Cloud, volume: Volume, size_gib: int) -> Operation:
    return volume_grow(cloud.tenant.actor, volume, size_gib=size_gib)


def storage_used(volume: Volume) -> int:
    return QuotaUse.objects.get(resource_id=volume.pk, dimension="storage_gib").amount


def test_empty_volume_and_volume_from_an_image_are_created(cloud: Cloud) -> None:
    empty, clone = make_volume(cloud), make_volume(cloud, "clone", size_gib=3, image=cloud.image)
    assert (empty.state, empty.node_id) == ("available", cloud.machine.row.pk)
    assert cloud.fake.volumes == {empty.pk: 2 * 2**30, clone.pk: 3 * 2**30}
    assert set(cloud.fake.images) == {cloud.image.sha256}
    assert Allocation.objects.get(consumer_id=clone.pk).disk_gib == storage_used(clone) == 3


def test_volume_smaller_than_its_image_is_refused(cloud: Cloud) -> None:
    cloud.image.virtual_size_bytes = 3 * 2**30 + 1
    cloud.image.save(update_fields=["virtual_size_bytes"])
    with pytest.raises(ImageSizeMismatch) as caught:
        ask_volume(cloud, image=cloud.image)
    assert (caught.value.field, caught.value.facts) == ("size_gib", {"needed_gib": 4, "given_gib": 2})


def test_invalid_volume_request_is_refused_and_leaves_nothing(cloud: Cloud) -> None:
    make_volume(cloud)
    before = picture(cloud)
    with pytest.raises(VolumeNameTaken):
        ask_volume(cloud)
    with pytest.raises(InsufficientCapacity) as caught:
        ask_volume(cloud, "huge", size_gib=10**6)
    assert not Decision.objects.get(pk=caught.value.facts["placement_decision"]).is_admitted
    with pytest.raises(ZoneUnknown):
        ask_volume(cloud, "mars", zones=("mars-1",))
    Quota.objects.create(project=cloud.tenant.project, dimension="volumes", limit=1)
    with pytest.raises(QuotaExceeded):
        ask_volume(cloud, "many")
    assert picture(cloud) == before


def test_volume_refused_by_the_node_is_in_error_and_deletable(cloud: Cloud) -> None:
    cloud.fake.fail_next("create_volume", AdapterError("disk full", retryable=False))
    volume, operation = ask_volume(cloud)
    assert (run(operation).state, operation.error["code"]) == ("failed", "node.refused")
    assert (fresh(volume).state, fresh(volume).last_error["code"]) == ("error", "node.refused")
    assert_clean_slate(cloud)
    done(delete_volume(cloud, volume))
    assert fresh(volume).state == "deleted"
    make_volume(cloud)


def test_near_constraint_places_the_volume_on_the_node(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    for n in range(3):
        cloud.world.add_machine("fr-idf-1", capacity=FakeCapacity(disk_gib=10**6))
        assert make_volume(cloud, f"near-{n}", near=instance.pk).node_id == instance.node_id


def test_near_an_unplaced_instance_is_refused(cloud: Cloud) -> None:
    """Else it would be put anywhere, and could never be attached."""
    instance, _ = ask_instance(cloud)
    with pytest.raises(NoAllocation):
        ask_volume(cloud, near=instance.pk)


def test_volume_grows_twice(cloud: Cloud) -> None:
    volume = make_volume(cloud)
    for size_gib in (5, 9):
        done(grow(cloud, fresh(volume), size_gib))
        volume = fresh(volume)
        assert (volume.state, volume.size_gib, storage_used(volume)) == ("available", size_gib, size_gib)
        assert Allocation.objects.get(consumer_id=volume.pk).disk_gib == size_gib
        assert cloud.fake.volumes[volume.pk] == size_gib * 2**30


def test_volume_grows_under_a_running_guest(cloud: Cloud) -> None:
    volume = make_attached(cloud).volume
    done(grow(cloud, volume, 5))
    assert (fresh(volume).state, fresh(volume).size_gib) == ("in-use", 5)
    assert cloud.fake.call_counts["grow_disk"] == 1
    assert cloud.fake.call_counts["grow_volume"] == 0, "the hypervisor has the file open, so it grows it"


def test_volume_never_shrinks(cloud: Cloud) -> None:
    stale = make_volume(cloud)
    done(grow(cloud, fresh(stale), 10))
    for size_gib in (10, 5):
        with pytest.raises(VolumeCannotShrink) as caught:
            grow(cloud, stale, size_gib)
        assert caught.value.facts == {"size_gib": 10, "asked_gib": size_gib}
    assert not Operation.objects.filter(state="pending").exists()


def test_growth_without_capacity_is_refused(cloud: Cloud) -> None:
    volume = make_volume(cloud)
    before = picture(cloud)
    with pytest.raises(InsufficientCapacity):
        grow(cloud, volume, 10**6)
    Quota.objects.create(project=cloud.tenant.project, dimension="storage_gib", limit=4)
    with pytest.raises(QuotaExceeded):
        grow(cloud, volume, 5)
    operation = grow(cloud, volume, 4)
    Inventory.objects.filter(pk=volume.node_id).update(disk_gib_total=3)
    run(operation)
    assert (operation.state, operation.error["code"]) == ("failed", "insufficient_capacity")
    assert fresh(volume).last_error["code"] == "insufficient_capacity"
    assert picture(cloud) == before


def test_refused_growth_releases_quota_and_capacity(cloud: Cloud) -> None:
    volume = make_volume(cloud)
    before = picture(cloud)
    operation = grow(cloud, volume, 5)
    cloud.fake.fail_next("grow_volume", HypervisorUnavailable("libvirtd is gone"))
    assert run(operation).state == "running"
    Inventory.objects.filter(pk=volume.node_id).update(disk_gib_total=5)
    Quota.objects.create(project=cloud.tenant.project, dimension="storage_gib", limit=0)
    cloud.fake.fail_next("grow_volume", AdapterError("disk full", retryable=False))
    assert run_next_attempt(operation).state == "failed"
    assert picture(cloud) == before


def test_volume_is_deleted_during_its_creation(cloud: Cloud) -> None:
    volume, creation = ask_volume(cloud)
    cloud.fake.fail_next("create_volume", HypervisorUnavailable("libvirtd is gone"))
    assert run(creation).state == "running"
    deletion = run(delete_volume(cloud, volume))
    assert deletion.state == "pending"
    assert run(creation).state == "cancelled"
    done(deletion)
    assert fresh(volume).state == "deleted"
    assert_clean_slate(cloud)


def test_volume_is_deleted_during_its_growth(cloud: Cloud) -> None:
    volume = make_volume(cloud)
    growth = grow(cloud, volume, 5)
    deletion = delete_volume(cloud, fresh(volume))
    assert run(growth).state == "cancelled"
    done(deletion)
    assert_clean_slate(cloud)


def test_repeated_volume_deletion_requests_succeed(cloud: Cloud) -> None:
    """A repeated request gets the same operation; two requests of the same moment get two, and both end."""
    volume = make_volume(cloud)
    stale = fresh(volume)
    first, second = delete_volume(cloud, volume), delete_volume(cloud, stale)
    assert first != second
    assert delete_volume(cloud, fresh(volume)) == first
    done(first)
    done(second)
    assert_clean_slate(cloud)


def test_an_attached_volume_is_not_deleted(cloud: Cloud) -> None:
    attachment = make_attached(cloud)
    with pytest.raises(VolumeInUse):
        volume_delete(cloud.tenant.actor, attachment.volume, attached_to=attachment.instance_id)
    with pytest.raises(VolumeWrongState):
        volume_delete(cloud.tenant.actor, attachment.volume, attached_to=None)
    assert not fresh(attachment.volume).is_deleting


def test_volume_under_deletion_refuses_changes(cloud: Cloud) -> None:
    volume, instance = make_volume(cloud), make_instance(cloud)
    stale = fresh(volume)
    delete_volume(cloud, volume)
    with pytest.raises(VolumeWrongState):
        grow(cloud, stale, 5)
    with pytest.raises(VolumeWrongState) as caught:
        ask_instance(cloud, "other", volumes=(stale,))
    assert caught.value.facts["state"] == "being deleted"
    assert instance.state == "active"


def test_second_change_of_a_volume_is_busy(cloud: Cloud) -> None:
    volume = make_volume(cloud)
    growth = grow(cloud, volume, 5)
    with pytest.raises(Busy) as caught:
        grow(cloud, volume, 6)
    assert caught.value.facts["blocking_operation"] == str(growth.pk)


def test_volume_on_an_unreachable_node_is_deleted_at_once(cloud: Cloud) -> None:
    volume = make_volume(cloud)
    cloud.machine.become_unreachable()
    done(delete_volume(cloud, volume))
    assert (fresh(volume).state, NodeRemoval.objects.get().resource_id) == ("deleted", volume.pk)
    cloud.machine.come_back()
    node_removals.reconcile()
    assert_clean_slate(cloud)


def test_creation_on_a_lost_node_ends_at_its_deadline(cloud: Cloud) -> None:
    volume, creation = ask_volume(cloud)
    cloud.fake.fail_next("create_volume", HypervisorUnavailable("libvirtd is gone"))
    run(creation)
    cloud.machine.become_unreachable()
    pass_deadline(creation)
    run_next_attempt(creation)
    assert (creation.state, creation.error["code"]) == ("failed", "operation.deadline_exceeded")
    assert fresh(volume).state == "error"
    cloud.machine.come_back()
    node_removals.reconcile()
    assert_clean_slate(cloud)
