"""Every workflow × every step: failed, cancelled, undone twice, and done twice because a worker died in between.

Whatever happens, the cloud is as it was before or as it was asked to be, and can be deleted without a trace.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from controlplane.catalog.models import VolumeType
from controlplane.compute import services as compute
from controlplane.compute.attachments import volume_detach
from controlplane.compute.migration import instance_migrate
from controlplane.compute.port_attachments import port_attach, port_detach
from controlplane.compute.rebuild import NewDisk, instance_rebuild
from controlplane.compute.relocation import instance_relocate
from controlplane.compute.resize import instance_resize
from controlplane.compute.volume_moves import volume_move
from controlplane.compute.volume_relocation import volume_relocate
from controlplane.identity.actor import SYSTEM
from controlplane.network.models import Port
from controlplane.node_lifecycle.recovery.evacuation import instance_evacuate
from controlplane.operations.models import Operation
from controlplane.storage.models import Snapshot
from controlplane.storage.retype import volume_retype
from controlplane.storage.services import volume_grow
from controlplane.workflows.registry import WORKFLOWS
from tests.nightly import as_nightly, variants_thinned
from tests.workflows.helpers import (
    Killed,
    altered,
    ask_instance,
    ask_volume,
    assert_clean_slate,
    attach,
    cancel,
    count_starts,
    delete_everything,
    delete_volume,
    die,
    done,
    explode,
    followed_by_another_worker,
    fresh,
    late,
    make_attached,
    make_booted,
    make_instance,
    make_lost,
    make_lost_booted,
    make_port,
    make_stopped_instance,
    make_volume,
    picture,
    run_on,
    share,
    then,
    undone_twice,
)
from tests.workflows.instance_snapshots import ask_snapshots, make_clustered
from tests.workflows.sharing import make_sharing
from tests.workflows.snapshots import (
    SECOND,
    ask_clone,
    ask_image,
    ask_revert,
    ask_snapshot,
    cluster,
    delete_snapshot,
    second_pool,
)
from tests.world import Cloud, make_flavor, make_image, run, run_next_attempt

Ask = Callable[[], Operation]


def create(cloud: Cloud) -> Ask:
    """With a volume of its node, one in a pool, and a port that was made by itself."""
    volumes = (make_volume(cloud), make_volume(cloud, "pooled", volume_type=share(cloud)))
    port = make_port(cloud)
    return lambda: ask_instance(cloud, volumes=volumes, ports=(fresh(port),))[1]


def create_from_volume(cloud: Cloud) -> Ask:
    """Its root disk is a volume of its node; it has another one in a pool."""
    boot_volume = make_volume(cloud, image=cloud.image)
    volumes = (make_volume(cloud, "pooled", volume_type=share(cloud)),)
    return lambda: ask_instance(cloud, boot_volume=boot_volume, volumes=volumes)[1]


def create_with_root_volume(cloud: Cloud) -> Ask:
    """Its root disk becomes a volume in a storage cluster; it has another one on its node."""
    kind, volumes = cluster(cloud), (make_volume(cloud),)
    return lambda: ask_instance(cloud, root_volume_type=kind, volumes=volumes)[1]


def create_with_kept_volume(cloud: Cloud) -> Ask:
    return lambda: ask_instance(cloud, keep_root_volume=True)[1]


def create_with_first_uses(cloud: Cloud) -> Ask:
    """Its volumes have no place yet: one gets it on its node, as a copy of an image, the other one in a cluster."""
    local = make_volume(cloud, volume_type=late(), image=cloud.image)
    volumes = (local, make_volume(cloud, "pooled", volume_type=late(pool=cluster(cloud).pool)))
    return lambda: ask_instance(cloud, volumes=volumes)[1]


def create_from_unbound_volume(cloud: Cloud) -> Ask:
    boot_volume = make_volume(cloud, volume_type=late(), image=cloud.image)
    return lambda: ask_instance(cloud, boot_volume=boot_volume)[1]


def rebuild_root_volume(cloud: Cloud) -> Ask:
    instance = make_instance(cloud, root_volume_type=cluster(cloud))
    return lambda: instance_rebuild(cloud.tenant.actor, instance, NewDisk(cloud.image))


def delete_with_root_volume(cloud: Cloud) -> Ask:
    instance = make_instance(cloud, root_volume_type=cluster(cloud))
    return lambda: compute.instance_delete(cloud.tenant.actor, instance)


def start(cloud: Cloud) -> Ask:
    instance = make_stopped_instance(cloud)
    return lambda: compute.instance_start(cloud.tenant.actor, instance)


def change_of_running(change: Callable[..., Operation]) -> Callable[[Cloud], Ask]:
    def prepare(cloud: Cloud) -> Ask:
        instance = make_instance(cloud)
        return lambda: change(cloud.tenant.actor, instance)

    return prepare


def rebuild(cloud: Cloud) -> Ask:
    instance, image = make_attached(cloud).instance, make_image(cloud.world.folder / "images", name="other")
    return lambda: instance_rebuild(cloud.tenant.actor, instance, NewDisk(image))


def rebuild_stopped(cloud: Cloud) -> Ask:
    instance = make_stopped_instance(cloud)
    return lambda: instance_rebuild(cloud.tenant.actor, instance, NewDisk(cloud.image))


def resize(cloud: Cloud) -> Ask:
    instance = make_stopped_instance(cloud)
    flavor = make_flavor("other", vcpus=2, memory_mib=64, disk_gib=3)
    return lambda: instance_resize(cloud.tenant.actor, instance, flavor=flavor)


def resize_on_volume(cloud: Cloud) -> Ask:
    instance = make_booted(cloud)
    flavor = make_flavor("other", vcpus=2, memory_mib=64, disk_gib=3)
    done(compute.instance_power_off(cloud.tenant.actor, instance))
    return lambda: instance_resize(cloud.tenant.actor, fresh(instance), flavor=flavor)


def resize_with_root_volume(cloud: Cloud) -> Ask:
    instance = make_stopped_instance(cloud, root_volume_type=cluster(cloud))
    flavor = make_flavor("other", vcpus=2, memory_mib=64, disk_gib=3)
    return lambda: instance_resize(cloud.tenant.actor, instance, flavor=flavor)


def migrate(cloud: Cloud) -> Ask:
    instance = make_attached(cloud).instance
    cloud.world.add_machine(cloud.machine.row.zone_id)
    return lambda: instance_migrate(SYSTEM, instance)


def relocate(cloud: Cloud) -> Ask:
    """With a volume of its node, to a node in another zone."""
    instance = make_attached(cloud).instance
    done(compute.instance_power_off(cloud.tenant.actor, instance))
    zone = cloud.world.add_machine("de-fra-1").row.zone
    return lambda: instance_relocate(cloud.tenant.actor, instance, zone=zone)


def relocate_with_boot_volume(cloud: Cloud) -> Ask:
    instance = make_booted(cloud)
    done(compute.instance_power_off(cloud.tenant.actor, instance))
    zone = cloud.world.add_machine("de-fra-1").row.zone
    return lambda: instance_relocate(cloud.tenant.actor, instance, zone=zone)


def migrate_with_boot_volume(cloud: Cloud) -> Ask:
    instance = make_booted(cloud)
    cloud.world.add_machine(cloud.machine.row.zone_id)
    return lambda: instance_migrate(SYSTEM, instance)


def evacuate(cloud: Cloud) -> Ask:
    instance = make_lost(cloud).instance
    return lambda: instance_evacuate(SYSTEM, instance)


def evacuate_with_boot_volume(cloud: Cloud) -> Ask:
    instance = make_lost_booted(cloud).instance
    return lambda: instance_evacuate(SYSTEM, instance)


def delete(cloud: Cloud) -> Ask:
    instance = make_attached(cloud).instance
    return lambda: compute.instance_delete(cloud.tenant.actor, instance)


def delete_from_volume(cloud: Cloud) -> Ask:
    instance = make_booted(cloud)
    return lambda: compute.instance_delete(cloud.tenant.actor, instance)


def create_volume(cloud: Cloud) -> Ask:
    return lambda: ask_volume(cloud, image=cloud.image)[1]


def grow_volume(cloud: Cloud) -> Ask:
    volume = make_volume(cloud)
    return lambda: volume_grow(cloud.tenant.actor, volume, size_gib=5)


def grow_attached(cloud: Cloud) -> Ask:
    volume = make_attached(cloud).volume
    return lambda: volume_grow(cloud.tenant.actor, volume, size_gib=5)


def retype_attached(cloud: Cloud) -> Ask:
    volume, kind = make_attached(cloud).volume, VolumeType.objects.create(pk="fast", description="fast", iops=500)
    return lambda: volume_retype(cloud.tenant.actor, volume, volume_type=kind)


def move_to_cluster(cloud: Cloud) -> Ask:
    """The volume is a layer over an image, and attached to an instance that is off."""
    volume, kind = make_volume(cloud, image=cloud.image), cluster(cloud)
    instance = make_stopped_instance(cloud)
    done(attach(cloud, instance, volume)[1])
    return lambda: volume_move(cloud.tenant.actor, fresh(volume), volume_type=kind, max_mb_per_s=5)


def move_from_cluster(cloud: Cloud) -> Ask:
    volume = make_volume(cloud, volume_type=cluster(cloud))
    return lambda: volume_move(cloud.tenant.actor, volume, volume_type=cloud.volume_type)


def move_between_pools(cloud: Cloud) -> Ask:
    """The pools are of one cluster, and the volume is attached to an instance that is off."""
    volume, kind = make_volume(cloud, volume_type=cluster(cloud), image=cloud.image), second_pool(cloud)
    instance = make_stopped_instance(cloud)
    done(attach(cloud, instance, volume)[1])
    return lambda: volume_move(cloud.tenant.actor, fresh(volume), volume_type=kind, max_mb_per_s=5)


def move_between_clusters(cloud: Cloud) -> Ask:
    volume, kind = make_volume(cloud, volume_type=cluster(cloud)), cluster(cloud, pool=SECOND)
    return lambda: volume_move(cloud.tenant.actor, volume, volume_type=kind)


def move_of_running(cloud: Cloud) -> Ask:
    instance, volume, kind = make_instance(cloud), make_volume(cloud, image=cloud.image), cluster(cloud)
    done(attach(cloud, instance, volume)[1])
    return lambda: volume_move(cloud.tenant.actor, fresh(volume), volume_type=kind, max_mb_per_s=5)


def move_of_running_from_cluster(cloud: Cloud) -> Ask:
    instance, volume = make_instance(cloud), make_volume(cloud, volume_type=cluster(cloud))
    done(attach(cloud, instance, volume)[1])
    return lambda: volume_move(cloud.tenant.actor, fresh(volume), volume_type=cloud.volume_type)


def relocate_volume(cloud: Cloud) -> Ask:
    """A layer over an image, to a node in another zone."""
    volume = make_volume(cloud, image=cloud.image)
    zone = cloud.world.add_machine("de-fra-1").row.zone
    return lambda: volume_relocate(cloud.tenant.actor, fresh(volume), zone=zone, max_mb_per_s=5)


def remove_volume(cloud: Cloud) -> Ask:
    volume = make_volume(cloud)
    return lambda: delete_volume(cloud, volume)


def take_snapshot(cloud: Cloud) -> Ask:
    volume = make_volume(cloud, volume_type=cluster(cloud))
    return lambda: ask_snapshot(cloud, volume)[1]


def take_snapshots(cloud: Cloud) -> Ask:
    """Pause a guest that runs for the snapshots."""
    instance = make_clustered(cloud)
    return lambda: ask_snapshots(cloud, instance)[1]


def take_frozen_snapshots(cloud: Cloud) -> Ask:
    instance = make_clustered(cloud)
    return lambda: ask_snapshots(cloud, instance, consistency="filesystem")[1]


def remove_snapshot(cloud: Cloud) -> Ask:
    snapshot = _snapshot(cloud)
    return lambda: delete_snapshot(cloud, snapshot)


def revert_volume(cloud: Cloud) -> Ask:
    snapshot = _snapshot(cloud)
    cloud.world.clusters[0].write(snapshot.volume_id)
    return lambda: ask_revert(cloud, snapshot)


def create_clone(cloud: Cloud) -> Ask:
    snapshot = _snapshot(cloud)
    return lambda: ask_clone(cloud, snapshot, volume_type=snapshot.volume.volume_type)[1]


def image_of_volume(cloud: Cloud) -> Ask:
    volume = make_volume(cloud, volume_type=cluster(cloud))
    return lambda: ask_image(cloud, volume)[1]


def image_of_snapshot(cloud: Cloud) -> Ask:
    snapshot = _snapshot(cloud)
    return lambda: ask_image(cloud, snapshot)[1]


def _snapshot(cloud: Cloud) -> Snapshot:
    snapshot, operation = ask_snapshot(cloud, make_volume(cloud, volume_type=cluster(cloud)))
    done(operation)
    return fresh(snapshot)


def attach_volume(cloud: Cloud) -> Ask:
    instance, volume = make_instance(cloud), make_volume(cloud)
    return lambda: attach(cloud, instance, volume)[1]


def attach_first(cloud: Cloud) -> Ask:
    """The volume is a copy of an image, and gets its place with the attachment."""
    instance, volume = make_instance(cloud), make_volume(cloud, volume_type=late(), image=cloud.image)
    return lambda: attach(cloud, instance, volume)[1]


def attach_first_in_cluster(cloud: Cloud) -> Ask:
    instance, kind = make_instance(cloud), cluster(cloud)
    volume = make_volume(cloud, volume_type=late(pool=kind.pool))
    return lambda: attach(cloud, instance, volume)[1]


def detach_volume(cloud: Cloud) -> Ask:
    attachment = make_attached(cloud)
    return lambda: volume_detach(cloud.tenant.actor, attachment)


def attach_shared(cloud: Cloud) -> Ask:
    """Another instance, on another node, has the volume too."""
    sharing = make_sharing(cloud)
    return lambda: attach(cloud, sharing.instance, sharing.volume)[1]


def detach_shared(cloud: Cloud) -> Ask:
    sharing = make_sharing(cloud)
    attachment, operation = attach(cloud, sharing.instance, sharing.volume)
    done(operation)
    return lambda: volume_detach(cloud.tenant.actor, fresh(attachment))


def attach_port(cloud: Cloud) -> Ask:
    instance, port = make_instance(cloud), make_port(cloud)
    return lambda: port_attach(cloud.tenant.actor, port, instance=instance)


def attach_port_to_stopped(cloud: Cloud) -> Ask:
    instance, port = make_stopped_instance(cloud), make_port(cloud)
    return lambda: port_attach(cloud.tenant.actor, port, instance=instance)


def detach_port(cloud: Cloud) -> Ask:
    port = make_port(cloud)
    make_instance(cloud, ports=(port,))
    return lambda: port_detach(cloud.tenant.actor, fresh(port))


def detach_port_of_instance(cloud: Cloud) -> Ask:
    port = Port.objects.get(instance_id=make_instance(cloud).pk)
    return lambda: port_detach(cloud.tenant.actor, port)


@dataclass(frozen=True)
class Case:
    """`prepare` makes what must be there first and answers how to ask for the change."""

    kind: str
    prepare: Callable[[Cloud], Ask]
    steps: tuple[str, ...]


CREATE_STEPS = ("place", "image", "root-disk", "port-0", "port-1", "bring-0", "define", "volume-0", "volume-1", "start")
MIGRATE_STEPS = ("place", "images", "root-disk", "volume-0", "port-0", "expect", "move", "settle", "clear-source")
EVACUATE_STEPS = ("place", "root-disk", "volume-0", "port-0", "define", "plug-0", "start")
VOLUME_MOVE_STEPS = ("place", "copy", "switch", "finish", "open", "erase")
ONLINE_MOVE_STEPS = ("place", "copy", "decide", "pivot", "switch", "finish", "open", "erase")
CASES = (
    Case("instance.create", create, CREATE_STEPS),
    Case(
        "instance.create",
        create_with_first_uses,
        ("place", "image", "root-disk", "port-0", "define", "volume-0", "volume-1", "start"),
    ),
    Case("instance.start", start, ("start",)),
    Case("instance.shutdown", change_of_running(compute.instance_shutdown), ("shut-down",)),
    Case("instance.power-off", change_of_running(compute.instance_power_off), ("power-off",)),
    Case("instance.reboot", change_of_running(compute.instance_reboot), ("reboot",)),
    Case("instance.reset", change_of_running(compute.instance_reset), ("reset",)),
    Case("instance.rebuild", rebuild, ("image", "root-disk", "define", "start", "old-root-disk")),
    Case("instance.rebuild", rebuild_stopped, ("image", "root-disk", "define", "old-root-disk")),
    Case("instance.resize", resize, ("place", "define", "grow-disk")),
    Case("instance.migrate", migrate, MIGRATE_STEPS),
    Case("instance.relocate", relocate, MIGRATE_STEPS),
    Case("instance.evacuate", evacuate, EVACUATE_STEPS),
    Case("instance.delete", delete, ("guest", "volumes", "ports", "root-disk")),
    Case("port.attach", attach_port, ("port", "plug")),
    Case("port.attach", attach_port_to_stopped, ("port", "plug")),
    Case("port.detach", detach_port, ("unplug", "remove-port")),
    Case("port.detach", detach_port_of_instance, ("unplug", "remove-port")),
    Case("volume.create", create_volume, ("place", "image", "disk")),
    Case("volume.create", create_clone, ("place", "image", "disk")),
    Case("volume.grow", grow_volume, ("place", "grow")),
    Case("volume.grow", grow_attached, ("place", "grow")),
    Case("volume.retype", retype_attached, ("limit",)),
    Case("volume.move", move_to_cluster, VOLUME_MOVE_STEPS),
    Case("volume.move", move_from_cluster, VOLUME_MOVE_STEPS),
    Case("volume.move", move_between_pools, VOLUME_MOVE_STEPS),
    Case("volume.move", move_between_clusters, VOLUME_MOVE_STEPS),
    Case("volume.move", move_of_running, ONLINE_MOVE_STEPS),
    Case("volume.move", move_of_running_from_cluster, ONLINE_MOVE_STEPS),
    Case("volume.relocate", relocate_volume, ("place", "copy", "switch", "open", "finish", "erase")),
    Case("volume.revert", revert_volume, ("close", "revert")),
    Case("volume.delete", remove_volume, ("disk",)),
    Case("volume.attach", attach_volume, ("plug",)),
    Case("volume.attach", attach_first, ("place", "image", "disk", "plug")),
    Case("volume.attach", attach_first_in_cluster, ("place", "image", "disk", "plug")),
    Case("volume.attach", attach_shared, ("place", "bring", "plug")),
    Case("volume.detach", detach_volume, ("unplug",)),
    Case("volume.detach", detach_shared, ("unplug",)),
    Case("snapshot.create", take_snapshot, ("snapshot",)),
    Case("instance.snapshot", take_snapshots, ("snapshots",)),
    Case("instance.snapshot", take_frozen_snapshots, ("snapshots",)),
    Case("snapshot.delete", remove_snapshot, ("snapshot",)),
    Case("image.create", image_of_volume, ("snapshot", "read", "remove-snapshot", "convert", "inspect", "publish")),
    Case("image.create", image_of_snapshot, ("read", "convert", "inspect", "publish")),
)
# The same workflows of an instance that boots from a volume.
FROM_VOLUME = (
    Case(
        "instance.create",
        create_from_volume,
        ("place", "port-0", "bring-0", "boot-volume", "define", "volume-0", "start"),
    ),
    Case("instance.create", create_from_unbound_volume, ("place", "port-0", "boot-volume", "start")),
    Case("instance.resize", resize_on_volume, ("place", "define")),
    Case(
        "instance.migrate",
        migrate_with_boot_volume,
        ("place", "images", "volume-0", "port-0", "expect", "move", "settle", "clear-source"),
    ),
    Case(
        "instance.relocate",
        relocate_with_boot_volume,
        ("place", "images", "volume-0", "port-0", "expect", "move", "settle", "clear-source"),
    ),
    Case(
        "instance.evacuate",
        evacuate_with_boot_volume,
        ("place", "volume-0", "volume-1", "port-0", "define", "plug-0", "start"),
    ),
    Case("instance.delete", delete_from_volume, ("guest", "volumes", "ports")),
)
# Of an instance whose root volume is made and deleted with it.
WITH_ROOT_VOLUME = (
    Case(
        "instance.create",
        create_with_root_volume,
        ("place", "image", "root-disk", "port-0", "boot-volume", "define", "volume-0", "start"),
    ),
    Case("instance.create", create_with_kept_volume, ("place", "image", "root-disk", "port-0", "boot-volume", "start")),
    Case(
        "instance.rebuild",
        rebuild_root_volume,
        ("place", "image", "root-disk", "define", "start", "old-root-disk"),
    ),
    Case("instance.resize", resize_with_root_volume, ("place", "define", "grow-disk")),
    Case("instance.delete", delete_with_root_volume, ("guest", "volumes", "ports", "root-volume")),
)


def _param(case: Case, step: str) -> Any:
    return pytest.param(case, step, id=f"{case.kind}-{case.prepare.__name__}-{step}")


STEPS = variants_thinned((*CASES, *FROM_VOLUME, *WITH_ROOT_VOLUME), lambda case: (case.kind, case.steps), _param)
# Steps that cannot be undone, nor cancelled when they are done.
FINAL = {"old-root-disk", "move", "settle", "clear-source", "revert", "switch", "finish", "open", "erase"} | {
    "decide",
    "pivot",
}
UNDOABLE = [
    param for param in STEPS if not WORKFLOWS[param.values[0].kind].retries_forever and param.values[1] not in FINAL
]
CANCELLABLE = [
    param for param in STEPS if not param.values[0].kind.endswith(".delete") and param.values[1] not in FINAL
]
# What happens at a step: in the gate one of these at each, in turn; a step that cannot be cancelled fails.
HAPPENINGS = ("fails", "is cancelled", "dies")


def of_steps(happening: str, params: list[Any]) -> list[Any]:
    """Keep the steps of the gate at which this happens; at the others it does nightly."""
    cancellable = {param.id for param in CANCELLABLE}
    kept, number = set[str](), 0
    for param in STEPS:
        if not param.marks:
            own = HAPPENINGS[number % len(HAPPENINGS)]
            own = "fails" if own == "is cancelled" and param.id not in cancellable else own
            kept |= {param.id} if own == happening else set()
            number += 1
    return [param if param.id in kept else as_nightly(param) for param in params]


AT_FAILED = of_steps("fails", UNDOABLE)
AT_FAILED_FOREVER = of_steps("fails", [param for param in STEPS if param not in UNDOABLE])
AT_CANCELLED = of_steps("is cancelled", CANCELLABLE)
AT_DEATHS = of_steps("dies", STEPS)


def test_the_table_has_every_workflow_of_instances_and_volumes() -> None:
    others = {"image.import", "image.verify", "node.fence"}
    assert {case.kind for case in CASES} == WORKFLOWS.keys() - others


def test_the_gate_has_every_step_of_every_workflow() -> None:
    def in_workflows(params: list[Any]) -> set[tuple[str, str]]:
        return {(case.kind, step) for case, step in (param.values for param in params)}

    kept = [param for param in STEPS if not param.marks]
    assert in_workflows(kept) == in_workflows(STEPS)
    interrupted = [*AT_FAILED, *AT_FAILED_FOREVER, *AT_CANCELLED, *AT_DEATHS]
    assert sorted(param.id for param in interrupted if not param.marks) == sorted(param.id for param in kept)


@pytest.mark.parametrize(("case", "step"), AT_FAILED)
def test_failed_operation_undone_twice_restores_everything(cloud: Cloud, case: Case, step: str) -> None:
    ask = case.prepare(cloud)
    before = picture(cloud)
    operation = run_on(ask(), altered(undone_twice(WORKFLOWS[case.kind]), step, then(explode)))
    assert (operation.state, operation.error["code"]) == ("failed", "test.broken")
    assert picture(cloud) == before
    delete_everything(cloud)
    assert_clean_slate(cloud)


@pytest.mark.parametrize(("case", "step"), AT_FAILED_FOREVER)
def test_workflow_that_retries_forever_succeeds_after_an_error(cloud: Cloud, case: Case, step: str) -> None:
    operation = run_on(case.prepare(cloud)(), altered(WORKFLOWS[case.kind], step, then(explode)))
    assert (operation.state, operation.attempts) == ("running", 1)
    assert run_next_attempt(operation).state == "succeeded"
    delete_everything(cloud)
    assert_clean_slate(cloud)


@pytest.mark.parametrize(("case", "step"), AT_CANCELLED)
def test_cancelled_operation_restores_everything(cloud: Cloud, case: Case, step: str) -> None:
    """The request comes while the step is under way; after the last step it comes too late."""
    ask = case.prepare(cloud)
    before = picture(cloud)
    operation = run_on(ask(), altered(WORKFLOWS[case.kind], step, then(cancel(cloud))))
    if step == case.steps[-1]:
        assert operation.state == "succeeded"
    else:
        assert (operation.state, operation.error["code"]) == ("cancelled", "operation.cancelled")
        assert picture(cloud) == before
    delete_everything(cloud)
    assert_clean_slate(cloud)


@pytest.mark.parametrize(("case", "step"), AT_DEATHS)
def test_operation_continues_after_a_worker_died(cloud: Cloud, case: Case, step: str) -> None:
    """The step was done and is done a second time, which changes nothing."""
    operation = case.prepare(cloud)()
    starts = count_starts(cloud)
    with pytest.raises(Killed):
        run_on(operation, altered(WORKFLOWS[case.kind], step, then(die)))
    operation.refresh_from_db()
    assert (operation.state, operation.position) == ("running", case.steps.index(step))
    assert run(operation).state == "running", "the lease of the dead worker still holds"
    assert run_on(followed_by_another_worker(operation)).state == "succeeded"
    assert tuple(entry["name"] for entry in operation.steps) == case.steps, "the table above has every step"
    assert count_starts(cloud) <= starts + 1
    delete_everything(cloud)
    assert_clean_slate(cloud)
