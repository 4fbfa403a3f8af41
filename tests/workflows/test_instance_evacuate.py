"""Evacuation over real gRPC: a guest of a fenced node is recreated on one other node with its disks, addresses and ids.

It needs evidence that the fenced node has stopped."""

from dataclasses import dataclass
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from agents.node.adapters.interfaces import Power
from agents.node.errors import AdapterError
from controlplane.audit.models import AuditEntry
from controlplane.audit.selectors import residency_of
from controlplane.compute.affinity_groups import affinity_group_create
from controlplane.compute.attachments import volume_detach
from controlplane.compute.errors import InstanceNotEvacuable, NodeBeingRecovered
from controlplane.compute.models import Attachment, Instance, Migration
from controlplane.compute.services import instance_power_off, instance_start
from controlplane.identity.actor import SYSTEM
from controlplane.identity.errors import RoleNeeded
from controlplane.network.models import Port, PortBinding
from controlplane.node_lifecycle.drain.drains import node_maintain
from controlplane.node_lifecycle.recovery.evacuation import evacuation_obstacles, instance_evacuate
from controlplane.nodes import incidents
from controlplane.nodes.admin_state import admin_state_change, node_return
from controlplane.nodes.errors import NodeNotCleared, NodeWrongAdminState
from controlplane.nodes.models import Inventory, Node, NodeRemoval
from controlplane.operations.models import Operation
from controlplane.placement.errors import InsufficientCapacity, NoPlace
from controlplane.placement.models import Allocation, Permit
from controlplane.reconcilers import capacity_drift, node_removals, quota_drift
from controlplane.signer import permits as signer
from controlplane.storage.models import Volume
from controlplane.workflows.registry import WORKFLOWS
from tests.workflows.helpers import (
    Killed,
    altered,
    assert_clean_slate,
    attach,
    delete_everything,
    die,
    die_with_guests,
    done,
    files,
    followed_by_another_worker,
    fresh,
    make_instance,
    make_lost,
    make_shared,
    make_volume,
    share,
    then,
)
from tests.world import Cloud, FakeMachine, run


@dataclass(frozen=True)
class Lost:
    """A guest with a volume, both in a pool, on a node that is dead; another node has the pool."""

    cloud: Cloud
    attachment: Attachment

    @property
    def dead(self) -> FakeMachine:
        return self.cloud.machine

    @property
    def other(self) -> FakeMachine:
        return self.cloud.world.machines[1]

    @property
    def instance(self) -> Instance:
        return fresh(self.attachment.instance)

    @property
    def volume(self) -> Volume:
        return fresh(self.attachment.volume)

    def ask(self, **more: Any) -> Operation:
        return instance_evacuate(SYSTEM, self.instance, **more)

    def assert_is_elsewhere(self, *, power: Power = Power.RUNNING) -> None:
        """Check the rows of the instance and its resources, its one running guest and one file per disk."""
        instance, volume, other = self.instance, self.volume, self.other.row
        assert self.other.fake.guests[instance.pk].power is power
        assert runs(self.dead, instance) is False
        assert (instance.node, volume.node, volume.state) == (other, other, "in-use")
        assert files(self.cloud) == {str(instance.root_volume_id), str(volume.pk)}
        assert self.other.fake.call_counts["create_volume"] == 0, "taken over, not made"
        places = Allocation.objects.values_list("consumer_id", "moving_id", "node", "vcpus", "pool_gib")
        assert set(places) == {
            (instance.pk, None, other.pk, instance.vcpus, instance.disk_gib),
            (volume.pk, None, other.pk, 0, volume.size_gib),
        }
        used = Inventory.objects.get(pk=self.dead.row.pk)
        assert (used.vcpus_used, used.memory_mib_used, used.disk_gib_used) == (0, 0, 0)
        assert (capacity_drift.reconcile(), quota_drift.reconcile()) == ([], [])


def runs(machine: FakeMachine, instance: Instance) -> bool:
    guest = machine.fake.guests.get(instance.pk)
    return guest is not None and guest.power is Power.RUNNING


@pytest.fixture
def lost(cloud: Cloud) -> Lost:
    return Lost(cloud, make_lost(cloud))


# ---- it is made again


def test_evacuated_instance_keeps_its_disks_and_addresses(lost: Lost) -> None:
    before, port, volume = lost.instance, Port.objects.get(), lost.volume
    Instance.objects.filter(pk=before.pk).update(last_error={"code": "x"}, restarts=3)
    operation = done(lost.ask(reason="its mainboard is dead"))
    lost.assert_is_elsewhere()
    after, moved = lost.instance, Port.objects.get()
    assert (after.state, after.power_state, after.last_error, after.restarts) == ("active", "running", None, 0)
    assert (after.name, after.root_volume_id, lost.volume.pk) == (before.name, before.root_volume_id, volume.pk)
    assert (moved.pk, moved.mac, moved.ip) == (port.pk, port.mac, port.ip)
    migration = Migration.objects.get()
    assert (migration.kind, migration.state, migration.operation_id) == ("evacuate", "done", operation.pk)
    assert after.generation == migration.generation > before.generation
    assert {disk.volume_id for disk in lost.other.fake.guests[after.pk].spec.disks} == {
        after.root_volume_id,
        volume.pk,
    }
    assert list(PortBinding.objects.values_list("node", flat=True)) == [lost.other.row.pk], "no frame goes to the dead"
    assert AuditEntry.objects.filter(verb="instance.evacuate", resource_id=after.pk).count() == 1


def test_evacuated_instance_accepts_operations(lost: Lost) -> None:
    done(lost.ask())
    tenant = lost.cloud.tenant.actor
    done(volume_detach(tenant, lost.attachment))
    done(instance_power_off(tenant, lost.instance))
    done(instance_start(tenant, lost.instance))
    delete_everything(lost.cloud)
    assert_clean_slate(lost.cloud)


@pytest.mark.parametrize("policy", ["on-failure", "never"])
def test_stopped_instance_is_evacuated_and_stays_off(cloud: Cloud, policy: str) -> None:
    instance = make_shared(cloud, restart_policy=policy)
    done(instance_power_off(cloud.tenant.actor, instance))
    other = cloud.world.add_machine("fr-idf-1")
    share(cloud, other)
    die_with_guests(cloud.machine)
    done(instance_evacuate(SYSTEM, fresh(instance)))
    assert (fresh(instance).node, fresh(instance).state, fresh(instance).power_state) == (other.row, "stopped", "off")
    assert other.fake.guests[instance.pk].starts == 0
    done(instance_start(cloud.tenant.actor, fresh(instance)))
    assert runs(other, instance)


def test_instance_with_policy_never_is_evacuated_off(lost: Lost) -> None:
    Instance.objects.update(restart_policy="never")
    done(lost.ask())
    lost.assert_is_elsewhere(power=Power.OFF)
    assert (lost.instance.state, lost.instance.power_state) == ("stopped", "off")
    assert lost.other.fake.guests[lost.instance.pk].starts == 0
    done(instance_start(lost.cloud.tenant.actor, lost.instance))
    lost.assert_is_elsewhere()


def test_strict_affinity_ignores_members_on_the_fenced_node(cloud: Cloud) -> None:
    actor, project = cloud.tenant.actor, cloud.tenant.project
    group = affinity_group_create(actor, project, name="pair", rule="affinity", is_strict=True, labels={})
    pair = [make_shared(cloud, name, affinity_group=group) for name in ("a", "b")]
    others = [cloud.world.add_machine("fr-idf-1") for _ in range(2)]
    share(cloud, *others)
    die_with_guests(cloud.machine)
    for instance in pair:
        done(instance_evacuate(SYSTEM, instance))
    assert len({fresh(instance).node_id for instance in pair} & {machine.row.pk for machine in others}) == 1


# ---- the dead node comes back


def test_returned_node_removes_the_guest_before_service(lost: Lost) -> None:
    done(lost.ask())
    instance = lost.instance
    assert instance.pk in lost.dead.fake.guests, "its definition is still there"
    lost.dead.come_back()
    node = fresh(lost.dead.row)
    node_maintain(SYSTEM, node, reason="looked at")
    with pytest.raises(NodeNotCleared):
        node_return(SYSTEM, node)
    node_removals.reconcile()
    assert not NodeRemoval.objects.exists()
    assert not lost.dead.fake.guests
    assert not lost.dead.fake.ports
    assert not lost.dead.server.node.state_store.volumes.held()
    lost.assert_is_elsewhere()
    node_return(SYSTEM, fresh(node))
    assert fresh(node).admin_state == "in-service"
    lost.dead.report_power()
    assert lost.instance.power_state == "running"


def test_residency_shows_both_nodes_in_succession(lost: Lost) -> None:
    """The dead node closes what it had open only when it is back."""
    done(lost.ask())
    lost.dead.come_back()
    node_removals.reconcile()
    for machine in (lost.dead, lost.other):
        machine.account()
    places = [str(lost.dead.row.pk), str(lost.other.row.pk)]
    guest = lost.instance.pk
    for resource, role in ((guest, "compute"), (guest, "storage"), (lost.volume.pk, "storage")):
        found = residency_of(resource, role=role)
        assert ([interval.node for interval in found.intervals], found.problems) == (places, ())


def test_guest_still_running_on_a_returned_node_is_removed(lost: Lost) -> None:
    """The attestation was wrong, or somebody started the guest outside the control plane."""
    done(lost.ask())
    guest = lost.dead.fake.guests[lost.instance.pk]
    guest.power, guest.running = Power.RUNNING, guest.spec
    lost.dead.come_back()
    node_removals.reconcile()
    assert not lost.dead.fake.guests
    lost.assert_is_elsewhere()


# ---- only from the dead


def test_evacuation_needs_a_fenced_node(cloud: Cloud) -> None:
    instance, other = make_shared(cloud), cloud.world.add_machine("fr-idf-1")
    share(cloud, other)
    with pytest.raises(NodeWrongAdminState):
        instance_evacuate(SYSTEM, instance)
    cloud.machine.become_unreachable()
    with pytest.raises(NodeWrongAdminState, match="in-service"):
        instance_evacuate(SYSTEM, instance)
    assert not Operation.objects.filter(kind="instance.evacuate").exists()


def test_database_refuses_evacuation_from_an_unfenced_node(lost: Lost) -> None:
    row = Migration(kind="evacuate", instance=lost.instance, source=lost.dead.row, generation=9)
    row.operation_id = lost.attachment.pk
    Node.objects.filter(pk=lost.dead.row.pk).update(admin_state="in-service")
    with pytest.raises(IntegrityError, match="is not fenced"), transaction.atomic():
        row.save(force_insert=True)
    with pytest.raises(IntegrityError, match="does not move"), transaction.atomic():
        Instance.objects.filter(pk=lost.instance.pk).update(node=lost.other.row)


def test_node_stays_fenced_during_evacuations(lost: Lost) -> None:
    operation = lost.ask()
    node = fresh(lost.dead.row)
    with pytest.raises(NodeBeingRecovered):
        node_maintain(SYSTEM, node, reason="")
    with pytest.raises(IntegrityError, match="are being evacuated"), transaction.atomic():
        admin_state_change(SYSTEM, fresh(node), "maintenance", verb="node.maintain")
    done(operation)
    node_maintain(SYSTEM, fresh(node), reason="")


def test_signer_refuses_an_evacuation_permit_unless_fenced(lost: Lost) -> None:
    with pytest.raises(Killed):
        run(lost.ask(), altered(WORKFLOWS["instance.evacuate"], "place", then(die)))
    permit = Permit.objects.get(op="instance.evacuate")
    assert permit.state == "signed"
    Permit.objects.filter(pk=permit.pk).update(state="requested", document=None)
    Migration.objects.update(kind="migrate")
    signer.sign(permit.pk)
    assert (fresh(permit).state, fresh(permit).error["code"]) == ("refused", "permit.outdated")


def test_heartbeat_of_the_fenced_node_ends_the_evacuation(lost: Lost) -> None:
    """The fenced node reports running guests during the evacuation: nothing is started elsewhere."""
    operation = lost.ask()
    with pytest.raises(Killed):
        run(operation, altered(WORKFLOWS["instance.evacuate"], "plug-0", then(die)))
    incidents.report(lost.dead.row, "fence-broken", str(lost.instance.pk))
    run(followed_by_another_worker(operation))
    assert (operation.state, operation.error["code"]) == ("failed", "compute.instance.not_evacuable")
    assert not lost.other.fake.guests
    assert len(files(lost.cloud)) == 2
    with pytest.raises(InstanceNotEvacuable, match="reachable again"):
        lost.ask()


def test_evacuation_needs_an_operator(lost: Lost) -> None:
    with pytest.raises(RoleNeeded):
        instance_evacuate(lost.cloud.tenant.actor, lost.instance)


def test_instance_with_a_local_disk_is_not_evacuated(cloud: Cloud) -> None:
    local, pooled = make_instance(cloud, "local"), make_shared(cloud, "pooled")
    volume = make_volume(cloud, near=pooled.pk)
    done(attach(cloud, pooled, volume)[1])
    share(cloud, cloud.world.add_machine("fr-idf-1"))
    die_with_guests(cloud.machine)
    assert [str(each) for each in evacuation_obstacles(fresh(local))] == [
        "its disk is on that node alone, and comes back with the node."
    ]
    with pytest.raises(InstanceNotEvacuable, match="its volume data is on that node alone"):
        instance_evacuate(SYSTEM, fresh(pooled))


# ---- no place, and files that are gone


def test_evacuation_without_capacity_is_refused(lost: Lost) -> None:
    Inventory.objects.filter(pk=lost.other.row.pk).update(memory_mib_total=1)
    with pytest.raises(InsufficientCapacity):
        lost.ask()
    assert lost.instance.node == lost.dead.row


def test_capacity_lost_after_the_request_blocks_the_evacuation(lost: Lost) -> None:
    operation = lost.ask()
    Inventory.objects.filter(pk=lost.other.row.pk).update(memory_mib_total=1)
    run(operation)
    assert operation.state == "failed"
    assert lost.instance.last_error["code"] == "compute.instance.evacuation_blocked"
    assert lost.instance.node == lost.dead.row


def test_evacuation_respects_policies(lost: Lost) -> None:
    """An evacuation never goes to another zone."""
    abroad = lost.cloud.world.add_machine("us-va-1")
    share(lost.cloud, abroad)
    Node.objects.filter(pk=lost.other.row.pk).update(admin_state="cordoned")
    with pytest.raises(NoPlace):
        lost.ask()


def test_missing_disk_file_is_not_recreated(lost: Lost) -> None:
    for path in (lost.cloud.world.folder / "pool" / "volumes").iterdir():
        path.unlink()
    operation = run(lost.ask())
    assert (operation.state, operation.error["code"]) == ("failed", "node.refused")
    assert files(lost.cloud) == set()
    assert lost.instance.node == lost.dead.row


def test_failed_evacuation_leaves_nothing_and_can_be_repeated(lost: Lost) -> None:
    lost.other.fake.fail_next("start", AdapterError("The guest does not start.", retryable=False))
    operation = run(lost.ask())
    assert (operation.state, lost.instance.node) == ("failed", lost.dead.row)
    assert not lost.other.fake.guests
    assert len(files(lost.cloud)) == 2, "their files are still there"
    assert lost.instance.last_error["code"] == "node.refused"
    done(lost.ask())
    lost.assert_is_elsewhere()
