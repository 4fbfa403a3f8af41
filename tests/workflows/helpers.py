"""Helpers of workflow tests: requests to a cloud, and checks that nothing is left."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from django.db import transaction

from agents.node.adapters import pools
from agents.node.adapters.fake import FakeNode
from agents.node.adapters.pools import Pools
from controlplane.catalog import image_store
from controlplane.catalog.models import FIRST_USE, Image, VolumeType
from controlplane.catalog.services import image_delete
from controlplane.compute.attachments import volume_attach
from controlplane.compute.models import Attachment, Instance
from controlplane.compute.services import NewInstance, instance_create, instance_delete, instance_power_off
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError
from controlplane.network.models import Port, PortBinding
from controlplane.network.ports import NewPort, port_create, port_delete
from controlplane.nodes.admin_state import mark_fenced
from controlplane.nodes.models import Inventory, Node, NodeRemoval
from controlplane.operations.models import Operation, ResourceLock
from controlplane.operations.services import operation_cancel
from controlplane.placement.models import Allocation
from controlplane.quotas.models import QuotaUse
from controlplane.reconcilers import capacity_drift, node_removals, quota_drift
from controlplane.storage.models import Snapshot, Volume
from controlplane.storage.services import NewVolume, volume_create, volume_delete
from controlplane.workflows.workflow_types import Step, Workflow
from tests.power import lose_power
from tests.workflows.snapshots import delete_snapshot
from tests.world import PATIENCE, Cloud, FakeMachine, run, run_next_attempt

POOL = "shared"


class Broken(CloudError):
    code = "test.broken"
    detail = "A test broke it."


class Killed(BaseException):
    """The worker's process is gone: no code catches this exception, so nothing more is written."""


def fresh(row: Any) -> Any:
    return type(row).objects.get(pk=row.pk)


def done(operation: Operation) -> Operation:
    """Run the operation; it must succeed without waiting."""
    assert run(operation).state == "succeeded", (operation.state, operation.error, operation.steps)
    return operation


def ask_instance(cloud: Cloud, name: str = "web", **more: Any) -> tuple[Instance, Operation]:
    """Request an instance in one transaction; a refusal leaves only its record."""
    fields = {"flavor": cloud.flavor, "image": cloud.image, "networks": (cloud.network,), **more}
    try:
        with transaction.atomic():
            return instance_create(cloud.tenant.actor, cloud.tenant.project, NewInstance(name=name, **fields))
    except CloudError as exc:
        exc.keep()
        raise


def make_instance(cloud: Cloud, name: str = "web", **more: Any) -> Instance:
    instance, operation = ask_instance(cloud, name, **more)
    done(operation)
    return fresh(instance)


def make_stopped_instance(cloud: Cloud, name: str = "web", **more: Any) -> Instance:
    instance = make_instance(cloud, name, **more)
    done(instance_power_off(cloud.tenant.actor, instance))
    return fresh(instance)


def ask_volume(cloud: Cloud, name: str = "data", *, size_gib: int = 2, **more: Any) -> tuple[Volume, Operation]:
    new = NewVolume(name=name, size_gib=size_gib, **{"volume_type": cloud.volume_type, **more})
    return volume_create(cloud.tenant.actor, cloud.tenant.project, new)


def late(pool: str = "") -> VolumeType:
    """Return a volume type that binds at first use."""
    fields = {"description": "late", "pool": pool, "binding": FIRST_USE}
    return VolumeType.objects.get_or_create(pk=f"late{pool}", defaults=fields)[0]


def boot_volume_of(instance: Instance) -> Volume:
    return Attachment.objects.select_related("volume__pool").get(instance=instance, is_boot=True).volume


def make_booted(cloud: Cloud, name: str = "web", **more: Any) -> Instance:
    """Make an instance that boots from a volume. `volume_type`: of that volume."""
    of_volume = {key: more.pop(key) for key in ("volume_type",) if key in more}
    volume = make_volume(cloud, "system", image=cloud.image, **of_volume)
    return make_instance(cloud, name, boot_volume=volume, **more)


def make_volume(cloud: Cloud, name: str = "data", **more: Any) -> Volume:
    volume, operation = ask_volume(cloud, name, **more)
    done(operation)
    return fresh(volume)


def make_port(cloud: Cloud, name: str = "own", **more: Any) -> Port:
    """Make a free port on the cloud's network."""
    return port_create(cloud.tenant.actor, NewPort(cloud.network, name, **more))


def attach(cloud: Cloud, instance: Instance, volume: Volume) -> tuple[Attachment, Operation]:
    is_shared = volume.is_multi_attach
    return volume_attach(cloud.tenant.actor, instance, volume=volume, is_read_only=False, is_shared=is_shared)


def make_attached(cloud: Cloud) -> Attachment:
    """Make a volume attached to a running instance."""
    attachment, operation = attach(cloud, make_instance(cloud), make_volume(cloud))
    done(operation)
    return fresh(attachment)


def share(cloud: Cloud, *machines: FakeMachine) -> VolumeType:
    """Give these nodes and the first one a common pool; returns its volume type."""
    folder = cloud.world.folder / "pool"
    if not folder.exists():
        folder.mkdir()
        pools.make(folder)
    for machine in (cloud.machine, *machines):
        if not machine.fake.pools.current():
            machine.fake.pools = Pools({POOL: folder})
            machine.heartbeat()
    return VolumeType.objects.get_or_create(pk=POOL, defaults={"description": "shared", "pool": POOL})[0]


def files(cloud: Cloud) -> set[str]:
    """Return the volumes in the pool."""
    return {path.stem for path in (cloud.world.folder / "pool" / pools.VOLUMES).iterdir()}


def make_shared(cloud: Cloud, name: str = "web", **more: Any) -> Instance:
    """Make an instance on the first node, whose disk is in the pool."""
    return make_instance(cloud, name, root_volume_type=share(cloud), **more)


def die_with_guests(machine: FakeMachine, **proof: object) -> Node:
    """Cut the node's power, notice it and fence the node: its admin state is `fenced`."""
    lose_power(machine.fake)
    machine.become_unreachable()
    mark_fenced(SYSTEM, machine.row, proof=proof or {"kind": "attestation"})
    machine.row.refresh_from_db()
    return machine.row


def make_lost(cloud: Cloud) -> Attachment:
    """Make a guest with a volume, both in a pool, on a dead node; another node has the pool."""
    return _lose(cloud, make_shared(cloud))


def make_lost_booted(cloud: Cloud) -> Attachment:
    """Make the same, of a guest that boots from a volume."""
    return _lose(cloud, make_booted(cloud, volume_type=share(cloud)))


def _lose(cloud: Cloud, instance: Instance) -> Attachment:
    new = NewVolume(name="data", size_gib=2, volume_type=share(cloud))
    volume, operation = volume_create(cloud.tenant.actor, cloud.tenant.project, new)
    done(operation)
    attachment, operation = attach(cloud, instance, volume)
    done(operation)
    other = cloud.world.add_machine(cloud.machine.row.zone_id)
    share(cloud, other)
    die_with_guests(cloud.machine)
    return fresh(attachment)


def delete_volume(cloud: Cloud, volume: Volume) -> Operation:
    return volume_delete(cloud.tenant.actor, volume, attached_to=None)


def delete_everything(cloud: Cloud) -> None:
    """Delete all resources of the tenant."""
    for instance in Instance.objects.exclude(state="deleted"):
        done(instance_delete(cloud.tenant.actor, instance))
    for image in Image.objects.exclude(state="deleted").exclude(source_kind=""):
        image_delete(cloud.tenant.actor, image)
    for snapshot in Snapshot.objects.exclude(state="deleted"):
        done(delete_snapshot(cloud, snapshot))
    for volume in Volume.objects.exclude(state="deleted"):
        done(delete_volume(cloud, volume))
    for port in Port.objects.all():
        port_delete(cloud.tenant.actor, port)


def bring_back(cloud: Cloud) -> None:
    """Bring dead nodes back; they forget resources that are not theirs any more."""
    for machine in cloud.world.machines:
        if Node.objects.filter(pk=machine.row.pk, state="unreachable", admin_state="fenced").exists():
            machine.come_back()
            node_removals.reconcile()


def assert_clean_slate(cloud: Cloud, *, volumes: int = 0) -> None:
    """Check that only `volumes` existing volumes are left, in the database and on the nodes."""
    bring_back(cloud)
    for fake in (machine.fake for machine in cloud.world.machines):
        assert not fake.guests
        assert not fake.ports
        assert not fake.seeds
        assert not fake.tunnel.expected
        assert not _on(fake)["shared"]
        assert not fake.opened_copies
    for cluster in cloud.world.clusters:
        assert not any(pool.volumes for pool in cluster.pools.values())
        assert not any(any(pool.keys.values()) for pool in cluster.pools.values())
        assert not cluster.snapshots
    assert sum(len(machine.fake.volumes) for machine in cloud.world.machines) == volumes
    assert Allocation.objects.count() == volumes
    assert not Port.objects.exists()
    assert not PortBinding.objects.exists()
    assert not Attachment.objects.exists()
    assert not ResourceLock.objects.exists()
    assert not NodeRemoval.objects.exists()
    assert not incoming_files()
    of_instances = ["instances", "vcpus", "memory_mib", "ports", "addresses"]
    assert not QuotaUse.objects.filter(dimension__in=of_instances).exists()
    assert quota_drift.reconcile() == []
    assert QuotaUse.objects.filter(dimension="volumes").count() == volumes
    for inventory in Inventory.objects.all():
        assert (inventory.vcpus_used, inventory.memory_mib_used) == (0, 0)
    assert capacity_drift.reconcile() == []


def picture(cloud: Cloud) -> dict[str, object]:
    """Return everything that a failed change must restore.

    A resource in `error` holds nothing, so it is left out; a grown file stays large, so sizes on the node are left out
    too.
    """
    live = ("building", "active", "stopped", "available", "in-use")
    return {
        "instances": _rows(Instance.objects.filter(state__in=live), "state", "vcpus", "memory_mib", "disk_gib", "node"),
        "volumes": _rows(
            Volume.objects.filter(state__in=live),
            *(
                "state",
                "size_gib",
                "node",
                "pool",
                "is_unbound",
                "volume_type",
                "next_type",
                "iops_limit",
                "mb_per_s_limit",
            ),
        ),
        "images": _rows(Image.objects.filter(state__in=live), "state", "sha256"),
        "incoming": incoming_files(),
        "snapshots": _rows(Snapshot.objects.filter(state__in=live), "state", "volume"),
        "attachments": _rows(Attachment.objects, "instance", "volume", "is_plugged"),
        "ports": _rows(Port.objects, "instance_id", "ip", "position"),
        "bindings": _rows(PortBinding.objects, "node", "port"),
        "allocations": _rows(Allocation.objects, "consumer_id", "node", "vcpus", "memory_mib", "disk_gib"),
        "quotas": _rows(QuotaUse.objects, "resource_id", "dimension", "amount"),
        "holds": _rows(ResourceLock.objects, "operation"),
        "removals": _rows(NodeRemoval.objects, "kind", "resource_id"),
        "drift": [*capacity_drift.reconcile(), *quota_drift.reconcile()],
        "on the nodes": [_on(machine.fake) for machine in cloud.world.machines],
        "in the clusters": [
            ({name: dict(pool.contents) for name, pool in each.pools.items()}, dict(each.snapshots))
            for each in cloud.world.clusters
        ],
    }


def incoming_files() -> set[str]:
    """Return the names of the files of images that are not accepted yet."""
    return {path.name for path in image_store.incoming_path("").glob("*")}


def _on(fake: FakeNode) -> dict[str, object]:
    return {
        "guests": set(fake.guests),
        "disks": {key: {disk.volume_id for disk in guest.spec.disks} for key, guest in fake.guests.items()},
        "limits": {
            key: {disk.volume_id: disk.limits for disk in (guest.running or guest.spec).disks}
            for key, guest in fake.guests.items()
        },
        "cards": {key: [nic.mac for nic in guest.spec.nics] for key, guest in fake.guests.items()},
        "volumes": set(fake.volumes),
        "ports": set(fake.ports),
        "shared": {path.name for pool in fake.pools.current() for path in (pool.path / pools.VOLUMES).iterdir()},
    }


def run_on(operation: Operation, workflow: Workflow | None = None) -> Operation:
    """Run through waiting steps, until the operation has ended, has failed in a step, or another worker has it."""
    run(operation, workflow)
    for _ in range(PATIENCE):
        is_ours = operation.lease_token is None and operation.finished_at is None
        if not is_ours or operation.steps[-1]["state"] != "waiting":
            return operation
        time.sleep(0.02)
        run_next_attempt(operation, workflow)
    raise AssertionError(f"{operation.kind} waits for ever: {operation.steps}")


def count_starts(cloud: Cloud) -> int:
    """Count the starts and restarts of existing guests."""
    guests = [guest for machine in cloud.world.machines for guest in machine.fake.guests.values()]
    return sum(guest.starts + guest.restarts for guest in guests)


def _rows(rows: Any, *fields: str) -> set[tuple[object, ...]]:
    return set(rows.values_list("pk", *fields))


Altered = Callable[[Step], Step]


def altered(workflow: Workflow, name: str, alter: Altered) -> Workflow:
    """Return the workflow with one step changed."""

    def steps(operation: Operation) -> list[Step]:
        return [alter(step) if step.name == name else step for step in workflow.steps(operation)]

    return dataclasses.replace(workflow, steps=steps)


def then(act: Callable[[Operation], None]) -> Altered:
    """Run the step's work, then the given failure before its record: the worst moment."""

    def alter(step: Step) -> Step:
        def do(operation: Operation) -> Any:
            effect = step.do(operation)
            act(operation)
            return effect

        return dataclasses.replace(step, do=do)

    return alter


def explode(operation: Operation) -> None:
    raise Broken()


def die(operation: Operation) -> None:
    raise Killed()


def cancel(cloud: Cloud) -> Callable[[Operation], None]:
    return lambda operation: operation_cancel(cloud.tenant.actor, fresh(operation))


def undone_twice(workflow: Workflow) -> Workflow:
    """Run each undo twice, as after a crash between the work and its record."""

    def alter(step: Step) -> Step:
        def undo(operation: Operation) -> Any:
            if step.undo is None:
                return None
            step.undo(operation)
            return step.undo(operation)

        return dataclasses.replace(step, undo=undo)

    return dataclasses.replace(workflow, steps=lambda operation: [alter(step) for step in workflow.steps(operation)])


def followed_by_another_worker(operation: Operation) -> Operation:
    """Let the dead worker's lease end, so that the sweep finds the operation."""
    Operation.objects.filter(pk=operation.pk).update(lease_expires_at=operation.created_at)
    return run_next_attempt(operation)


def pass_deadline(operation: Operation) -> None:
    """Move the start of the operation back by its time limit."""
    operation.refresh_from_db()
    assert operation.started_at is not None, "what nobody has begun has all of its time"
    now = clock.now()
    begun_at = now - operation.limit
    Operation.objects.filter(pk=operation.pk).update(created_at=begun_at, started_at=begun_at, deadline_at=now)
