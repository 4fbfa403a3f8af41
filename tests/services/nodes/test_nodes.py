"""Nodes in the control plane: ready, unreachable, cordoned; and power changes of guests by themselves."""

from datetime import timedelta

import pytest
from pytest_django import Settings

from agents.node.adapters.fake import FakeCapacity
from agents.node.adapters.interfaces import Power
from agents.protocol import agent_pb2 as pb
from controlplane.audit.models import AuditEntry
from controlplane.compute.models import Instance
from controlplane.compute.power import SETTLE_AFTER, STALE_REPORT_GRACE
from controlplane.compute.services import instance_power_off, instance_reboot
from controlplane.identity.actor import SYSTEM
from controlplane.identity.errors import RoleNeeded
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.nodes import selectors
from controlplane.nodes.errors import NodeNotFound
from controlplane.nodes.models import Inventory, Node, NodeRemoval
from controlplane.nodes.services import node_cordon, record_removal
from controlplane.reconcilers import guest_power, node_liveness, node_removals
from controlplane.watcher import report_handlers
from tests.workflows.helpers import done, fresh, make_instance, make_stopped_instance
from tests.world import Cloud


def silent_for(node: Node, duration: timedelta) -> None:
    Node.objects.filter(pk=node.pk).update(last_heartbeat_at=clock.now() - duration)


# ---- liveness


def test_node_is_unreachable_after_the_heartbeat_timeout(cloud: Cloud, settings: Settings) -> None:
    node, other = cloud.machine.row, cloud.world.add_machine("fr-idf-1").row
    limit = timedelta(seconds=settings.NODE_UNREACHABLE_AFTER_S)
    silent_for(node, limit - timedelta(seconds=2))
    node_liveness.reconcile()
    assert fresh(node).state == "ready"
    silent_for(node, limit + timedelta(seconds=1))
    node_liveness.reconcile()
    assert (fresh(node).state, fresh(other).state) == ("unreachable", "ready")
    assert not selectors.is_reachable(node.pk)
    cloud.machine.heartbeat()
    assert fresh(node).state == "ready"
    assert selectors.is_reachable(node.pk)


def test_enrolled_node_without_a_heartbeat_is_not_unreachable(cloud: Cloud) -> None:
    Node.objects.update(state="enrolled", last_heartbeat_at=None)
    node_liveness.reconcile()
    assert fresh(cloud.machine.row).state == "enrolled"


def test_a_heartbeat_brings_facts_and_inventory(cloud: Cloud) -> None:
    node = cloud.machine.row
    inventory = Inventory.objects.get(pk=node.pk)
    assert (node.virt_type, node.cpu_model) == ("qemu", "fake")
    assert "firmware:uefi" in node.traits
    assert (inventory.vcpus_total, inventory.memory_mib_total, inventory.disk_gib_total) == (64, 262144, 4000)
    generation = inventory.generation
    cloud.machine.heartbeat()
    assert Inventory.objects.get(pk=node.pk).generation == generation, "nothing new, nothing written"
    cloud.fake.capacity = FakeCapacity(cores=96)
    cloud.machine.heartbeat()
    inventory.refresh_from_db()
    assert (inventory.vcpus_total, inventory.generation) == (96, generation + 1)


def test_node_reporting_less_than_used_is_cordoned(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    cloud.fake.capacity = FakeCapacity(memory_mib=64)
    cloud.machine.heartbeat()
    cloud.machine.heartbeat()
    node = fresh(cloud.machine.row)
    assert (node.state, node.is_cordoned) == ("ready", True)
    assert "less than what is already allocated" in node.admin_state_reason
    assert Inventory.objects.get(pk=node.pk).memory_mib_total == 262144
    assert fresh(instance).state == "active"
    assert AuditEntry.objects.filter(verb="node.cordon", resource_id=node.pk).exists()


def test_nodes_are_visible_to_operators_only(cloud: Cloud) -> None:
    assert selectors.node_get(SYSTEM, cloud.machine.row.name) == cloud.machine.row
    with pytest.raises(NodeNotFound):
        selectors.node_get(SYSTEM, "nowhere")
    with pytest.raises(RoleNeeded):
        selectors.nodes(cloud.tenant.actor)
    with pytest.raises(RoleNeeded):
        node_cordon(cloud.tenant.actor, cloud.machine.row, reason="")


# ---- power


def settle(instance: Instance, *, after: timedelta = 2 * SETTLE_AFTER) -> Instance:
    """Time passes, and the reconciler comes by."""
    Instance.objects.filter(pk=instance.pk).update(power_state_at=clock.now() - after)
    guest_power.reconcile()
    return fresh(instance)


def test_a_guest_that_powers_itself_off_is_stopped_a_little_later(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    cloud.fake.guest_powers_off(instance.pk)
    cloud.machine.report_power()
    guest_power.reconcile()
    assert (fresh(instance).state, fresh(instance).power_state) == ("active", "off"), "it may be a matter of seconds"
    settled = settle(instance)
    assert (settled.state, settled.power_state) == ("stopped", "off")
    assert settled.power_reason == "The guest powered itself off."


def test_a_guest_that_crashed_is_stopped_and_the_reason_is_kept(cloud: Cloud) -> None:
    instance = make_instance(cloud, restart_policy="never")
    cloud.fake.crash(instance.pk, "Kernel panic.")
    cloud.machine.report_power()
    settled = settle(instance)
    assert (settled.state, settled.power_state, settled.power_reason) == ("stopped", "crashed", "Kernel panic.")


def test_guest_started_outside_the_control_plane_is_active(cloud: Cloud) -> None:
    instance = make_stopped_instance(cloud)
    cloud.fake.guests[instance.pk].power = Power.RUNNING
    cloud.machine.report_power()
    assert settle(instance).state == "active"


def test_paused_guest_keeps_the_active_state(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    seen_at = fresh(instance).power_state_at
    cloud.machine.report_power()
    assert fresh(instance).power_state_at == seen_at, "nothing new, nothing written"
    cloud.fake.guests[instance.pk].power = Power.PAUSED
    cloud.machine.report_power()
    assert (settle(instance).state, fresh(instance).power_state) == ("active", "paused")


def test_power_is_not_reconciled_during_an_operation(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    operation = instance_reboot(cloud.tenant.actor, instance)
    cloud.fake.guest_powers_off(instance.pk)
    cloud.machine.report_power()
    assert settle(instance).state == "active"
    done(operation)
    assert (fresh(instance).state, fresh(instance).power_state) == ("active", "running")


def test_late_power_report_does_not_override_an_operation(cloud: Cloud) -> None:
    """The node's last word before the operation arrives after it. After a while it counts: then the node has forgotten
    what it was told."""
    instance = make_instance(cloud)
    done(instance_power_off(cloud.tenant.actor, instance))
    late = pb.InstanceState(subject=pb.Subject(id=str(instance.pk), generation=2), power=pb.POWER_RUNNING)
    report_handlers.write(cloud.machine.row.pk, pb.NodeEvent(instance=late))
    guest_power.reconcile()
    assert (fresh(instance).state, fresh(instance).power_state) == ("stopped", "off")
    cloud.machine.report_power()
    assert settle(instance).state == "stopped"
    Instance.objects.update(power_state_at=clock.now() - STALE_REPORT_GRACE)
    report_handlers.write(cloud.machine.row.pk, pb.NodeEvent(instance=late))
    assert fresh(instance).power_state == "running"


def test_power_off_right_after_a_start_is_recorded(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    off = pb.InstanceState(subject=pb.Subject(id=str(instance.pk), generation=2), power=pb.POWER_OFF)
    report_handlers.write(cloud.machine.row.pk, pb.NodeEvent(instance=off))
    assert fresh(instance).power_state == "off"


def test_node_cannot_report_guests_of_another_node(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    liar = cloud.world.add_machine("us-va-1").row
    for power in (pb.POWER_OFF, pb.POWER_CRASHED):
        lie = pb.InstanceState(subject=pb.Subject(id=str(instance.pk), generation=99), power=power)
        report_handlers.write(liar.pk, pb.NodeEvent(instance=lie))
        report_handlers.write(liar.pk, pb.NodeEvent(heartbeat=pb.Heartbeat(instances=[lie])))
    assert (settle(instance).state, fresh(instance).power_state) == ("active", "running")


def test_unknown_power_is_not_recorded(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    state = pb.InstanceState(subject=pb.Subject(id=str(instance.pk), generation=2))
    report_handlers.write(cloud.machine.row.pk, pb.NodeEvent(instance=state))
    assert fresh(instance).power_state == "running"


# ---- removals


def test_removals_follow_the_order_of_dependencies(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    node = cloud.machine.row
    for kind in ("volume", "port", "attachment", "instance"):
        record_removal(node, kind=kind, resource_id=new_id(), generation=1)
        record_removal(node, kind=kind, resource_id=new_id(), generation=2)
    order = []
    monkeypatch.setattr(node_removals.agent_client, "remove", lambda node, *, kind, **_: order.append(kind))
    node_removals.reconcile()
    assert order == ["instance"] * 2 + ["attachment"] * 2 + ["port"] * 2 + ["volume"] * 2
    assert not NodeRemoval.objects.exists()


def test_removal_is_recorded_once_with_the_latest_generation(cloud: Cloud) -> None:
    resource = new_id()
    for generation in (1, 3):
        record_removal(cloud.machine.row, kind="volume", resource_id=resource, generation=generation)
    assert NodeRemoval.objects.get().generation == 3
