"""Root volumes: made with their instance from its image, and deleted with it unless they are kept."""

from dataclasses import replace
from typing import Any

import pytest

from andromede_core.documents import signed
from andromede_core.permits import permit as core
from controlplane.audit.models import AuditEntry
from controlplane.audit.selectors import residency_of
from controlplane.catalog.models import Image
from controlplane.compute import rebuild as rebuilds
from controlplane.compute.actions import allowed
from controlplane.compute.attachments import volume_detach
from controlplane.compute.errors import (
    BootsFromVolume,
    InstanceWrongState,
    RootDiskNotVolume,
    RootVolumeHasSnapshots,
    VolumeIsBoot,
)
from controlplane.compute.migration import instance_migrate
from controlplane.compute.models import Attachment, Instance
from controlplane.compute.rebuild import NewDisk, instance_rebuild
from controlplane.compute.services import (
    NewInstance,
    instance_delete,
    instance_dry_run,
    instance_power_off,
    instance_update,
)
from controlplane.identity.actor import SYSTEM
from controlplane.operations.errors import Busy
from controlplane.operations.models import Operation, ResourceLock
from controlplane.operations.services import operation_cancel
from controlplane.placement.errors import InsufficientCapacity
from controlplane.placement.models import Allocation, Binding, Lineage, Permit
from controlplane.quotas.errors import QuotaExceeded
from controlplane.quotas.models import Quota, QuotaUse
from controlplane.storage.models import Volume
from controlplane.storage.services import volume_lock
from controlplane.workflows.operation_retry import operation_retry
from controlplane.workflows.registry import WORKFLOWS
from tests.workflows.helpers import (
    altered,
    ask_instance,
    assert_clean_slate,
    attach,
    boot_volume_of,
    delete_everything,
    delete_volume,
    done,
    explode,
    fresh,
    make_booted,
    make_instance,
    make_volume,
    run_on,
    share,
    then,
)
from tests.workflows.snapshots import ask_revert, ask_snapshot, cluster, delete_snapshot
from tests.world import Cloud, follow, make_image, run


def change(cloud: Cloud, instance: Instance, **more: Any) -> Instance:
    present = {"name": instance.name, "labels": instance.labels, "restart_policy": instance.restart_policy}
    return instance_update(cloud.tenant.actor, fresh(instance), **{**present, **more})


def delete(cloud: Cloud, instance: Instance) -> Operation:
    return instance_delete(cloud.tenant.actor, fresh(instance))


def disks(cloud: Cloud, instance: Instance) -> list[Any]:
    return [disk.volume_id for disk in cloud.fake.guests[instance.pk].spec.disks]


def space(consumer: Any) -> tuple[int, int, int]:
    row = Allocation.objects.get(consumer_id=consumer)
    return row.vcpus, row.disk_gib, row.pool_gib


def test_root_disk_with_snapshots_is_a_volume(cloud: Cloud) -> None:
    kind = cluster(cloud)
    instance = make_instance(cloud, root_volume_type=kind)
    volume = boot_volume_of(instance)
    assert (volume.name, volume.state, volume.image, volume.volume_type) == ("web-root", "in-use", cloud.image, kind)
    assert (volume.size_gib, volume.node_id) == (instance.disk_gib, instance.node_id)
    assert volume.pool is not None and volume.pool.is_of_cluster
    assert (instance.boot_volume_id, instance.root_pool, instance.keeps_root_volume) == (volume.pk, None, False)
    assert set(cloud.world.clusters[0].volumes) == {volume.pk}
    assert disks(cloud, instance) == [volume.pk]
    delete_everything(cloud)
    assert_clean_slate(cloud)


def test_disk_counts_once(cloud: Cloud) -> None:
    instance = make_instance(cloud, root_volume_type=cluster(cloud))
    volume = boot_volume_of(instance)
    assert (space(instance.pk), space(volume.pk)) == ((instance.vcpus, 0, 0), (0, 0, instance.disk_gib))
    assert volume.pool is not None and volume.pool.used_gib == instance.disk_gib
    assert dict(QuotaUse.objects.filter(resource_id=volume.pk).values_list("dimension", "amount")) == {
        "volumes": 1,
        "storage_gib": instance.disk_gib,
    }


def test_creation_of_the_volume_is_in_the_audit_log(cloud: Cloud) -> None:
    instance = make_instance(cloud, keep_root_volume=True)
    entry = AuditEntry.objects.get(verb="volume.create")
    assert (entry.resource_id, entry.facts["name"]) == (boot_volume_of(instance).pk, "web-root")


def test_local_root_disk_is_a_volume_if_it_is_to_be_kept(cloud: Cloud) -> None:
    instance = make_instance(cloud, keep_root_volume=True)
    volume = boot_volume_of(instance)
    assert (volume.pool, volume.node_id, set(cloud.fake.volumes)) == (None, instance.node_id, {volume.pk})
    assert (space(instance.pk), space(volume.pk)) == ((instance.vcpus, 0, 0), (0, instance.disk_gib, 0))
    done(delete(cloud, instance))
    assert (fresh(volume).state, set(cloud.fake.volumes)) == ("available", {volume.pk})
    second = make_instance(cloud, "second", boot_volume=fresh(volume))
    assert (disks(cloud, second), second.keeps_root_volume) == ([volume.pk], True)


def test_root_disk_without_snapshots_is_no_volume_by_default(cloud: Cloud) -> None:
    instance = make_instance(cloud, root_volume_type=share(cloud))
    assert (instance.boot_volume, instance.root_pool_id is None, Volume.objects.exists()) == (None, False, False)
    assert not instance.keeps_root_volume
    with pytest.raises(RootDiskNotVolume):
        change(cloud, instance, keep_root_volume=True)
    change(cloud, instance, keep_root_volume=False)


@pytest.mark.parametrize("kept", [True, False])
def test_deletion_keeps_the_root_volume_or_not(cloud: Cloud, kept: bool) -> None:
    instance = make_instance(cloud, root_volume_type=cluster(cloud), keep_root_volume=not kept)
    volume = boot_volume_of(instance)
    assert change(cloud, instance, keep_root_volume=kept).keeps_root_volume == kept
    done(delete(cloud, instance))
    assert fresh(volume).state == ("available" if kept else "deleted")
    assert set(cloud.world.clusters[0].volumes) == ({volume.pk} if kept else set())
    assert QuotaUse.objects.filter(dimension="volumes").count() == kept
    delete_everything(cloud)
    assert_clean_slate(cloud)


def test_boot_volume_of_the_user_is_deleted_only_on_request(cloud: Cloud) -> None:
    instance = make_booted(cloud)
    volume = boot_volume_of(instance)
    assert instance.keeps_root_volume
    change(cloud, instance, keep_root_volume=False)
    done(delete(cloud, instance))
    assert (fresh(volume).state, cloud.fake.volumes) == ("deleted", {})


def test_boot_volume_of_an_older_instance_is_kept(cloud: Cloud) -> None:
    instance = make_booted(cloud)
    Instance.objects.update(keep_root_volume=None)
    assert fresh(instance).keeps_root_volume
    done(delete(cloud, instance))
    assert fresh(Volume.objects.get()).state == "available"


def test_deletion_of_the_previous_release_keeps_the_root_volume(cloud: Cloud) -> None:
    instance = make_instance(cloud, root_volume_type=cluster(cloud))
    operation = delete(cloud, instance)
    del operation.args["root_volume"]
    operation.save()
    done(operation)
    assert fresh(Volume.objects.get()).state == "available"


def test_creation_of_the_previous_release_is_carried_out(cloud: Cloud) -> None:
    instance, operation = ask_instance(cloud)
    del operation.args["root_volume"]
    operation.save()
    done(operation)
    assert fresh(instance).state == "active"


def test_instance_whose_root_volume_has_snapshots_is_not_deleted_with_it(cloud: Cloud) -> None:
    instance = make_instance(cloud, root_volume_type=cluster(cloud))
    snapshot, operation = ask_snapshot(cloud, boot_volume_of(instance))
    done(operation)
    with pytest.raises(RootVolumeHasSnapshots) as refused:
        delete(cloud, instance)
    assert refused.value.facts["names"] == "then"
    assert "keep_root_volume" in str(refused.value)
    assert not fresh(instance).is_deleting and not fresh(boot_volume_of(instance)).is_deleting
    done(delete_snapshot(cloud, snapshot))
    done(delete(cloud, instance))
    assert_clean_slate(cloud)


def test_snapshot_of_a_root_volume_is_what_it_is_reverted_to(cloud: Cloud) -> None:
    instance = make_instance(cloud, root_volume_type=cluster(cloud))
    volume, agent = boot_volume_of(instance), cloud.world.clusters[0]
    snapshot, operation = ask_snapshot(cloud, volume)
    done(operation)
    before = agent.contents[volume.pk]
    agent.write(volume.pk)
    done(instance_power_off(cloud.tenant.actor, fresh(instance)))
    done(ask_revert(cloud, fresh(snapshot)))
    assert agent.contents[volume.pk] == before


def test_root_volume_is_not_detached(cloud: Cloud) -> None:
    instance = make_instance(cloud, keep_root_volume=True)
    with pytest.raises(VolumeIsBoot):
        volume_detach(cloud.tenant.actor, Attachment.objects.get(instance=instance))


def test_name_is_free_and_short_enough(cloud: Cloud) -> None:
    make_volume(cloud, "web-root")
    assert boot_volume_of(make_instance(cloud, keep_root_volume=True)).name == "web-root-2"
    long = make_instance(cloud, "w" * 63, keep_root_volume=True)
    assert boot_volume_of(long).name == f"{'w' * 58}-root"
    longer = make_instance(cloud, f"{'w' * 62}x", keep_root_volume=True)
    assert boot_volume_of(longer).name == f"{'w' * 56}-root-2"


def test_classifications_of_image_and_instance_are_those_of_the_volume(cloud: Cloud) -> None:
    instance = make_instance(cloud, keep_root_volume=True, classifications=())
    volume = boot_volume_of(instance)
    pairs = {(volume.pk, instance.pk), (instance.pk, volume.pk)}
    assert pairs <= set(Lineage.objects.values_list("resource_id", "source_id"))
    assert Binding.objects.get(pk=volume.pk).kind == "volume"


def test_permit_lists_the_new_volume_and_its_image(cloud: Cloud) -> None:
    instance = make_instance(cloud, keep_root_volume=True, volumes=(make_volume(cloud),))
    row = Permit.objects.get(resource_id=instance.pk, op="instance.create")
    contents = core.parse(signed.read(bytes(row.document or b"")).payload).contents
    assert contents.images == (cloud.image.sha256,)
    assert set(contents.volumes) == {str(each) for each in Attachment.objects.values_list("volume_id", flat=True)}


def test_residency_of_the_volume_begins_with_the_instance(cloud: Cloud) -> None:
    other = cloud.world.add_machine("fr-idf-1")
    instance = make_instance(cloud, keep_root_volume=True)
    volume = boot_volume_of(instance)
    assert follow(instance_migrate(SYSTEM, instance)).state == "succeeded"
    for machine in (cloud.machine, other):
        machine.account()
    history = residency_of(volume.pk)
    stored = [(each.role, each.node, each.end is None, each.state) for each in history.intervals]
    now_at = str(fresh(volume).node_id)
    assert stored == [("storage", str(volume.node_id), False, "proven"), ("storage", now_at, True, "proven")]
    assert not history.problems and all(each.is_compliant for each in history.intervals)


def test_space_and_quota_of_the_volume_are_checked_first(cloud: Cloud) -> None:
    cloud.flavor.disk_gib = 10**6
    with pytest.raises(InsufficientCapacity):
        ask_instance(cloud, keep_root_volume=True)
    cloud.flavor.refresh_from_db()
    Quota.objects.create(project=cloud.tenant.project, dimension="volumes", limit=0)
    with pytest.raises(QuotaExceeded) as refused:
        ask_instance(cloud, keep_root_volume=True)
    assert refused.value.facts["dimension"] == "volumes"
    assert not Volume.objects.exists() and not Instance.objects.exists()


def test_dry_run_sees_the_disk_and_leaves_nothing(cloud: Cloud) -> None:
    new = NewInstance("web", cloud.flavor, cloud.image, (cloud.network,), keep_root_volume=True)
    taken = instance_dry_run(cloud.tenant.actor, cloud.tenant.project, new)
    assert taken.decision.is_admitted and taken.decision.request.resources.disk_gib == cloud.flavor.disk_gib
    assert not Volume.objects.exists() and not Instance.objects.exists()


@pytest.mark.parametrize("step", ["place", "root-disk", "start"])
def test_failed_creation_leaves_no_volume_and_is_retried_with_another(cloud: Cloud, step: str) -> None:
    kind = cluster(cloud)
    instance, operation = ask_instance(cloud, root_volume_type=kind)
    made = fresh(instance).boot_volume
    assert run_on(operation, altered(WORKFLOWS["instance.create"], step, then(explode))).state == "failed"
    assert (fresh(instance).boot_volume, fresh(made).state) == (None, "deleted")
    assert not cloud.world.clusters[0].volumes
    assert_clean_slate(cloud)
    change(cloud, instance, keep_root_volume=True)
    actor = replace(cloud.tenant.actor, organization_id=cloud.tenant.project.organization_id)
    done(operation_retry(actor, fresh(operation)))
    volume = boot_volume_of(instance)
    assert (volume.name, volume.pk != made.pk, fresh(instance).keeps_root_volume) == ("web-root", True, True)


def test_instance_is_deleted_while_it_is_created(cloud: Cloud) -> None:
    instance, operation = ask_instance(cloud, root_volume_type=cluster(cloud))
    deletion = delete(cloud, instance)
    assert run(operation).state == "cancelled"
    assert follow(deletion).state == "succeeded"
    assert (Volume.objects.get().state, fresh(instance).state) == ("deleted", "deleted")
    assert_clean_slate(cloud)


def test_cancelled_creation_leaves_no_volume(cloud: Cloud) -> None:
    _, operation = ask_instance(cloud, keep_root_volume=True)
    operation_cancel(cloud.tenant.actor, operation)
    assert run(operation).state == "cancelled"
    assert Volume.objects.get().state == "deleted"
    assert_clean_slate(cloud)


def rebuild(cloud: Cloud, instance: Instance) -> Operation:
    image = Image.objects.filter(name="other").first() or make_image(cloud.world.folder / "images", name="other")
    return instance_rebuild(cloud.tenant.actor, fresh(instance), NewDisk(image))


@pytest.mark.parametrize("in_cluster", [True, False])
def test_rebuild_replaces_a_root_volume(cloud: Cloud, in_cluster: bool) -> None:
    more = {"root_volume_type": cluster(cloud)} if in_cluster else {"keep_root_volume": True}
    instance = make_instance(cloud, volumes=(make_volume(cloud),), **more)
    old, used = boot_volume_of(instance), QuotaUse.objects.filter(dimension="volumes").count()
    change(cloud, instance, keep_root_volume=False, labels={"a": "b"})
    Volume.objects.filter(pk=old.pk).update(labels={"tier": "root"})
    operation = done(rebuild(cloud, instance))
    new, instance = boot_volume_of(instance), fresh(instance)
    assert (fresh(old).state, new.state, instance.boot_volume) == ("deleted", "in-use", new)
    assert (new.name, new.labels, new.image.name, instance.image) == (old.name, {"tier": "root"}, "other", new.image)
    assert (new.size_gib, new.pool, new.node_id) == (old.size_gib, old.pool, instance.node_id)
    assert {str(old.pk), str(new.pk)} <= set(map(str, operation.resource_ids))
    assert instance.root_volume_id != new.pk
    running = cloud.fake.guests[instance.pk].running
    assert running is not None and running.disks[0].volume_id == new.pk
    assert not Allocation.objects.filter(consumer_id=old.pk).exists()
    assert QuotaUse.objects.filter(dimension="volumes").count() == used
    delete_everything(cloud)
    assert_clean_slate(cloud)


def test_rebuild_spares_a_root_volume_that_is_kept_or_has_snapshots(cloud: Cloud) -> None:
    instance = make_instance(cloud, root_volume_type=cluster(cloud), keep_root_volume=True)
    with pytest.raises(BootsFromVolume):
        rebuild(cloud, instance)
    change(cloud, instance, keep_root_volume=False)
    assert {each["name"]: each["problem"] for each in allowed(fresh(instance), None, has_volumes=True)}[
        "rebuild"
    ] is None
    done(ask_snapshot(cloud, boot_volume_of(instance))[1])
    with pytest.raises(RootVolumeHasSnapshots):
        rebuild(cloud, instance)
    problem = {each["name"]: each["problem"] for each in allowed(fresh(instance), None, has_volumes=True)}["rebuild"]
    assert problem["code"] == "compute.instance.root_volume_has_snapshots"


def test_deletion_during_a_rebuild_deletes_both_volumes(cloud: Cloud) -> None:
    instance = make_instance(cloud, root_volume_type=cluster(cloud))
    rebuilding = rebuild(cloud, instance)
    deletions: list[Operation] = []
    step = then(lambda _: deletions.append(delete(cloud, instance)))
    run_on(rebuilding, altered(WORKFLOWS["instance.rebuild"], "old-root-disk", step))
    assert follow(deletions[0]).state == "succeeded"
    assert set(Volume.objects.values_list("state", flat=True)) == {"deleted"}
    assert_clean_slate(cloud)


def fail_to_boot(cloud: Cloud, volume: Volume) -> Instance:
    """Return an instance that was to boot from the volume, and to be deleted with it, after its creation failed."""
    instance, operation = ask_instance(cloud, boot_volume=volume, keep_root_volume=False)
    assert run_on(operation, altered(WORKFLOWS["instance.create"], "start", then(explode))).state == "failed"
    assert fresh(volume).state == "available"
    return fresh(instance)


@pytest.mark.parametrize("is_used", [True, False])
def test_boot_volume_of_a_failed_creation_stays(cloud: Cloud, is_used: bool) -> None:
    volume = make_volume(cloud, image=cloud.image)
    failed = fail_to_boot(cloud, volume)
    change(cloud, failed, keep_root_volume=True)
    change(cloud, failed, keep_root_volume=False)
    other = make_instance(cloud, "other") if is_used else None
    if other is not None:
        done(attach(cloud, other, fresh(volume))[1])
    done(delete(cloud, failed))
    assert fresh(failed).state == "deleted" and volume.pk in cloud.fake.volumes
    assert (fresh(volume).state, fresh(volume).is_deleting) == ("in-use" if is_used else "available", False)
    delete_everything(cloud)
    assert_clean_slate(cloud)


def test_boot_volume_of_a_creation_that_the_deletion_cancels_is_usable(cloud: Cloud) -> None:
    volume = make_volume(cloud, image=cloud.image)
    instance, operation = ask_instance(cloud, boot_volume=volume, keep_root_volume=False)
    deletion = delete(cloud, instance)
    assert fresh(volume).is_deleting
    assert run(operation).state == "cancelled"
    assert follow(deletion).state == "succeeded"
    assert (fresh(volume).state, fresh(volume).is_deleting) == ("available", False)
    assert boot_volume_of(make_instance(cloud, "second", boot_volume=fresh(volume))) == volume


def test_deletion_of_the_volume_itself_goes_on_after_that_of_the_instance(cloud: Cloud) -> None:
    volume = make_volume(cloud, image=cloud.image)
    instance, operation = ask_instance(cloud, boot_volume=volume, keep_root_volume=False)
    deletion = delete(cloud, instance)
    assert run(operation).state == "cancelled"
    own = delete_volume(cloud, fresh(volume))
    assert follow(deletion).state == "succeeded"
    assert fresh(volume).is_deleting
    assert follow(own).state == "succeeded"
    assert fresh(volume).state == "deleted"


def test_unmade_volume_of_an_earlier_release_is_deleted_with_its_instance(cloud: Cloud) -> None:
    instance, operation = ask_instance(cloud, keep_root_volume=True)
    volume = boot_volume_of(instance)
    operation_cancel(cloud.tenant.actor, operation)
    assert run(operation).state == "cancelled"
    Instance.objects.update(boot_volume=volume)
    Volume.objects.update(state="building")
    done(delete(cloud, instance))
    assert (fresh(volume).state, fresh(instance).state) == ("deleted", "deleted")
    assert_clean_slate(cloud)


def test_keeping_the_root_volume_is_refused_once_its_deletion_has_begun(cloud: Cloud) -> None:
    instance = make_instance(cloud, root_volume_type=cluster(cloud))
    delete(cloud, instance)
    with pytest.raises(InstanceWrongState) as refused:
        change(cloud, instance, keep_root_volume=True)
    assert refused.value.field == "keep_root_volume"
    change(cloud, instance, keep_root_volume=False)
    assert not fresh(instance).keeps_root_volume


def test_keeping_the_root_volume_waits_for_the_rebuild_that_replaces_it(cloud: Cloud) -> None:
    instance = make_instance(cloud, root_volume_type=cluster(cloud))
    operation = rebuild(cloud, instance)
    with pytest.raises(Busy) as refused:
        change(cloud, instance, keep_root_volume=True)
    assert refused.value.field == "keep_root_volume"
    done(operation)
    assert change(cloud, instance, keep_root_volume=True).keeps_root_volume


def test_kept_root_volume_of_a_rebuild_is_usable_after_the_deletion(cloud: Cloud) -> None:
    instance = make_instance(cloud, root_volume_type=cluster(cloud))
    rebuilding = rebuild(cloud, instance)
    deletions: list[Operation] = []

    def keep_and_delete(_: Operation) -> None:
        Instance.objects.update(keep_root_volume=True)  # by a process of the release before
        deletions.append(delete(cloud, instance))

    run_on(rebuilding, altered(WORKFLOWS["instance.rebuild"], "old-root-disk", then(keep_and_delete)))
    assert follow(deletions[0]).state == "succeeded"
    left = Volume.objects.exclude(state="deleted").get()
    assert (left.state, left.is_deleting) == ("available", False)


def test_rebuild_locks_the_old_volume_before_the_resources(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = make_instance(cloud, root_volume_type=cluster(cloud))
    were_locked: list[bool] = []

    def lock(volume: Volume) -> None:
        were_locked.append(ResourceLock.objects.filter(resource_id=volume.pk).exists())
        volume_lock(volume)

    monkeypatch.setattr(rebuilds, "volume_lock", lock)
    rebuild(cloud, instance)
    assert were_locked == [False]


def test_exempted_instance_gets_no_root_volume_by_its_flag(cloud: Cloud) -> None:
    instance, operation = ask_instance(cloud)
    Instance.objects.update(keep_root_volume=None)  # as of an instance that an exemption admits
    operation_cancel(cloud.tenant.actor, operation)
    assert run(operation).state == "cancelled"
    change(cloud, instance, keep_root_volume=False)
    with pytest.raises(RootDiskNotVolume):
        change(cloud, instance, keep_root_volume=True)
    assert fresh(instance).keep_root_volume is None
