"""Recoveries of the guests of a fenced node: by a confirmed plan, and automatic."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from agents.node.errors import AdapterError
from controlplane.compute.errors import RecoveryPlanChanged
from controlplane.compute.models import Instance
from controlplane.compute.power import SETTLE_AFTER
from controlplane.compute.services import instance_delete, instance_power_off
from controlplane.events.models import Event
from controlplane.identity.actor import SYSTEM
from controlplane.identity.errors import RoleNeeded
from controlplane.kernel import clock
from controlplane.node_lifecycle.drain import drains
from controlplane.node_lifecycle.recovery import auto_recovery
from controlplane.node_lifecycle.recovery import reconciler as executor
from controlplane.node_lifecycle.recovery.recoveries import NewRecovery, recover_begin, recover_plan
from controlplane.nodes.admin_state import mark_fenced, node_return
from controlplane.nodes.errors import HeartbeatMissing, NodeWrongAdminState
from controlplane.nodes.models import Bmc, Drain, DrainGuest, Incident, Node
from controlplane.operations.models import Operation
from controlplane.reconcilers import guest_restart, node_removals
from tests.power import lose_power
from tests.workflows.helpers import (
    assert_clean_slate,
    delete_everything,
    die_with_guests,
    done,
    files,
    fresh,
    make_instance,
    make_shared,
    share,
)
from tests.world import Cloud, FakeMachine, follow, make_node


@pytest.fixture
def other(cloud: Cloud) -> FakeMachine:
    """A second node, which has the pool, and takes nothing while guests are made on the first one."""
    machine = cloud.world.add_machine("fr-idf-1")
    share(cloud, machine)
    Node.objects.filter(pk=machine.row.pk).update(admin_state="cordoned")
    return machine


def opened(machine: FakeMachine) -> None:
    Node.objects.filter(pk=machine.row.pk).update(admin_state="in-service")


def begin(cloud: Cloud, *, at_once: int = 8) -> Drain:
    node = fresh(cloud.machine.row)
    plan = recover_plan(SYSTEM, node)
    with transaction.atomic():
        return recover_begin(SYSTEM, node, NewRecovery(plan.digest, at_once, "mainboard"))


def states(recovery: Drain) -> dict[str, str]:
    return dict(recovery.guests.order_by("order").values_list("name", "state"))


def under_way() -> list[Operation]:
    return list(Operation.objects.filter(kind="instance.evacuate", state="pending").order_by("created_at"))


def carry_on(recovery: Drain) -> Drain:
    """Until nothing is under way: everything that is asked for succeeds."""
    executor.reconcile()
    while operations := under_way():
        for operation in operations:
            done(operation)
        executor.reconcile()
    return fresh(recovery)


def later() -> None:
    """The pause before the next try is over."""
    DrainGuest.objects.update(finished_at=clock.now() - timedelta(hours=1))


# ---- the plan


def test_recovery_plan_lists_each_guest_and_writes_nothing(cloud: Cloud, other: FakeMachine) -> None:
    make_shared(cloud, "web")
    done(instance_power_off(cloud.tenant.actor, make_shared(cloud, "off")))
    make_instance(cloud, "local")
    opened(other)
    node = die_with_guests(cloud.machine)
    plan = recover_plan(SYSTEM, node)
    target = str(other.row.pk)
    assert {entry.guest.name: (entry.action, entry.target) for entry in plan.entries} == {
        "web": ("evacuate", target),
        "off": ("evacuate", target),
        "local": ("stay", None),
    }
    assert plan.entries[-1].guest.name in ("off", "local"), "who is to run comes first"
    assert plan.digest == recover_plan(SYSTEM, node).digest
    assert not Drain.objects.exists()


def test_recovery_needs_a_fenced_node_and_an_operator(cloud: Cloud) -> None:
    node = cloud.machine.row
    with pytest.raises(NodeWrongAdminState):
        recover_plan(SYSTEM, node)
    cloud.machine.become_unreachable()
    with pytest.raises(NodeWrongAdminState), transaction.atomic():
        recover_begin(SYSTEM, fresh(node), NewRecovery(None))
    with pytest.raises(RoleNeeded):
        recover_plan(cloud.tenant.actor, node)


def test_fenced_node_is_recovered_and_not_drained(cloud: Cloud, other: FakeMachine) -> None:
    """Two verbs: who asks for the wrong one is told why."""
    make_shared(cloud)
    node = cloud.machine.row
    cloud.machine.become_unreachable()
    with pytest.raises(HeartbeatMissing):
        drains.drain_plan(SYSTEM, node, fallback="leave")
    mark_fenced(SYSTEM, node, proof={"kind": "attestation"})
    with pytest.raises(NodeWrongAdminState):
        drains.drain_plan(SYSTEM, node, fallback="leave")
    assert [entry.action for entry in recover_plan(SYSTEM, fresh(node)).entries] == ["evacuate"]


def test_recovery_begins_with_the_plan_digest_and_is_idempotent(cloud: Cloud, other: FakeMachine) -> None:
    make_shared(cloud)
    node = die_with_guests(cloud.machine)
    digest = recover_plan(SYSTEM, node).digest
    opened(other)  # there is a place now
    with pytest.raises(RecoveryPlanChanged), transaction.atomic():
        recover_begin(SYSTEM, node, NewRecovery(digest))
    assert not Drain.objects.exists()
    recovery = begin(cloud)
    with transaction.atomic():
        assert recover_begin(SYSTEM, node, NewRecovery("0" * 64, 1)).pk == recovery.pk


# ---- it is carried out


def test_recovered_guests_run_elsewhere_and_the_node_returns_empty(cloud: Cloud, other: FakeMachine) -> None:
    """Dead, fenced, recovered and back: one guest of each everywhere, and the files of the pool are there."""
    guests = [make_shared(cloud, f"web-{number}") for number in range(3)]
    local = make_instance(cloud, "local")
    opened(other)
    die_with_guests(cloud.machine)
    recovery = carry_on(begin(cloud, at_once=2))
    assert recovery.state == "done"
    assert states(recovery) == {**{f"web-{number}": "moved" for number in range(3)}, "local": "left"}
    assert recovery.guests.get(name="local").reasons[0]["code"] == "compute.instance.not_evacuable"
    assert fresh(local).state == "active", "it is to run, and does not"
    assert {fresh(guest).node_id for guest in guests} == {other.row.pk}
    assert files(cloud) == {str(guest.root_volume_id) for guest in guests}
    assert Event.objects.filter(kind="node.recovered").count() == 1
    cloud.machine.come_back()
    node_removals.reconcile()
    assert set(cloud.machine.fake.guests) == {local.pk}
    assert set(other.fake.guests) == {guest.pk for guest in guests}
    assert (fresh(local).node, fresh(cloud.machine.row).admin_state) == (cloud.machine.row, "fenced")
    cloud.machine.report_power()
    drains.node_maintain(SYSTEM, fresh(cloud.machine.row), reason="repaired")
    node_return(SYSTEM, fresh(cloud.machine.row))
    Instance.objects.filter(pk=local.pk).update(power_state_at=clock.now() - 2 * SETTLE_AFTER)
    assert guest_restart.reconcile() == 1
    done(Operation.objects.get(kind="instance.reboot"))
    assert (fresh(local).node, fresh(local).power_state) == (cloud.machine.row, "running")
    delete_everything(cloud)
    assert_clean_slate(cloud)


def test_recovery_limits_concurrent_evacuations(cloud: Cloud, other: FakeMachine) -> None:
    for number in range(3):
        make_shared(cloud, f"web-{number}")
    opened(other)
    die_with_guests(cloud.machine)
    recovery = begin(cloud, at_once=2)
    executor.reconcile()
    assert len(under_way()) == 2
    drains.drain_pause(SYSTEM, fresh(recovery))
    done(under_way()[0])
    executor.reconcile()
    assert len(under_way()) == 1, "paused, nothing more is begun"
    drains.drain_resume(SYSTEM, fresh(recovery))
    assert carry_on(recovery).state == "done"


def test_guest_without_a_target_is_evacuated_when_capacity_appears(cloud: Cloud, other: FakeMachine) -> None:
    instance = make_shared(cloud)
    node = die_with_guests(cloud.machine)
    recovery = carry_on(begin(cloud))
    guest = recovery.guests.get()
    assert (recovery.state, guest.state) == ("blocked", "failed")
    assert guest.reasons[0]["code"] == "compute.instance.evacuation_blocked"
    assert "node-2" in str(guest.reasons[0]["detail"]), "an operator learns of nodes"
    error = fresh(instance).last_error
    assert error["code"] == "compute.instance.evacuation_blocked"
    assert "node-2" not in str(error), "a tenant does not"
    assert fresh(instance).node == node
    assert Incident.objects.filter(node=node, kind="evacuation-blocked", ended_at=None).count() == 1
    assert Event.objects.filter(kind="node.recovery-blocked").count() == 1
    opened(other)
    executor.reconcile()
    assert not under_way(), "not yet"
    later()
    recovery = carry_on(recovery)
    assert (recovery.state, states(recovery)) == ("done", {"web": "moved"})
    assert fresh(instance).last_error is None
    executor.reconcile()
    assert not Incident.objects.filter(kind="evacuation-blocked", ended_at=None).exists()


def test_blocked_guest_loses_its_error_when_its_node_returns(cloud: Cloud, other: FakeMachine) -> None:
    instance = make_shared(cloud)
    done(instance_power_off(cloud.tenant.actor, instance))
    die_with_guests(cloud.machine)
    recovery = carry_on(begin(cloud))
    assert fresh(instance).last_error["code"] == "compute.instance.evacuation_blocked"
    drains.node_maintain(SYSTEM, fresh(cloud.machine.row), reason="a new mainboard")
    executor.reconcile()
    assert (fresh(recovery).state, fresh(instance).last_error) == ("cancelled", None)


def test_failed_evacuation_is_retried(cloud: Cloud, other: FakeMachine) -> None:
    make_shared(cloud)
    opened(other)
    die_with_guests(cloud.machine)
    recovery = begin(cloud)
    executor.reconcile()
    other.fake.fail_next("start", AdapterError("The guest does not start.", retryable=False))
    assert follow(under_way()[0]).state == "failed"
    executor.reconcile()
    assert (fresh(recovery).state, recovery.guests.get().reasons[0]["code"]) == ("blocked", "node.refused")
    later()
    assert carry_on(recovery).state == "done"
    assert recovery.guests.get().tries == 2


def test_stopped_guest_of_a_fenced_node_is_evacuated_off(cloud: Cloud, other: FakeMachine) -> None:
    instance = make_shared(cloud)
    opened(other)
    die_with_guests(cloud.machine)
    done(instance_power_off(cloud.tenant.actor, instance))
    recovery = carry_on(begin(cloud))
    assert (recovery.state, fresh(instance).state, fresh(instance).node) == ("done", "stopped", other.row)
    assert other.fake.guests[instance.pk].starts == 0


def test_guest_deleted_during_the_recovery_is_gone(cloud: Cloud, other: FakeMachine) -> None:
    instance = make_shared(cloud)
    die_with_guests(cloud.machine)
    recovery = carry_on(begin(cloud))
    done(instance_delete(cloud.tenant.actor, instance))
    executor.reconcile()
    assert (fresh(recovery).state, states(recovery)) == ("done", {"web": "gone"})


def test_unrecorded_evacuation_of_a_recovery_is_adopted(cloud: Cloud, other: FakeMachine) -> None:
    make_shared(cloud)
    opened(other)
    die_with_guests(cloud.machine)
    recovery = begin(cloud)
    executor.reconcile()
    (operation,) = under_way()
    DrainGuest.objects.filter(drain=recovery).update(state="waiting", operation_id=None)
    executor.reconcile()
    assert (recovery.guests.get().operation_id, under_way()) == (operation.pk, [operation])


def test_cancelled_recovery_finishes_evacuations_and_stays_fenced(cloud: Cloud, other: FakeMachine) -> None:
    for name in ("a", "b"):
        make_shared(cloud, name)
    opened(other)
    die_with_guests(cloud.machine)
    recovery = begin(cloud, at_once=1)
    executor.reconcile()
    drains.drain_cancel(SYSTEM, fresh(recovery))
    done(under_way()[0])
    executor.reconcile()
    assert (sorted(states(recovery).values()), under_way()) == (["moved", "waiting"], [])
    assert fresh(cloud.machine.row).admin_state == "fenced"
    assert carry_on(begin(cloud)).state == "done"


def test_recovery_replaces_the_drain_of_a_fenced_node(cloud: Cloud, other: FakeMachine) -> None:
    make_shared(cloud)
    node = cloud.machine.row
    plan = drains.drain_plan(SYSTEM, node, fallback="leave")
    with transaction.atomic():
        drain = drains.drain_begin(SYSTEM, node, drains.NewDrain(plan.digest, "leave"))
    opened(other)
    die_with_guests(cloud.machine)
    recovery = begin(cloud)
    assert (fresh(drain).state, recovery.kind) == ("cancelled", "recover")
    assert carry_on(recovery).state == "done"


# ---- without anybody


@pytest.fixture
def leased(cloud: Cloud, other: FakeMachine) -> Instance:
    """The first node has a guest, and stops its guests by itself when its lease lapses, which is over for long."""
    instance = make_shared(cloud)
    opened(other)
    lose_power(cloud.machine.fake)
    cloud.machine.become_unreachable()
    Node.objects.filter(pk=cloud.machine.row.pk).update(
        fences_within_s=10, leased_until=clock.now() - timedelta(minutes=30)
    )
    return instance


def test_lost_node_is_fenced_and_recovered_automatically(cloud: Cloud, other: FakeMachine, leased: Instance) -> None:
    assert auto_recovery.reconcile() == 2
    node = fresh(cloud.machine.row)
    assert (node.admin_state, node.fenced_by["kind"]) == ("fenced", "lease")
    recovery = Drain.objects.get(kind="recover")
    assert carry_on(recovery).state == "done"
    assert fresh(leased).node == other.row
    assert auto_recovery.reconcile() == 0, "it is recovered once"


def test_unreachable_node_without_evidence_is_not_fenced(cloud: Cloud, leased: Instance) -> None:
    Node.objects.filter(pk=cloud.machine.row.pk).update(fences_within_s=None)
    assert auto_recovery.reconcile() == 0
    assert fresh(cloud.machine.row).admin_state == "in-service"


def test_node_is_not_fenced_before_its_lease_expires(cloud: Cloud, leased: Instance) -> None:
    Node.objects.filter(pk=cloud.machine.row.pk).update(last_heartbeat_at=clock.now() - timedelta(seconds=20))
    assert auto_recovery.reconcile() == 0


def test_automatic_recovery_can_be_switched_off(cloud: Cloud, leased: Instance, settings: Settings) -> None:
    settings.RECOVER_BY_ITSELF = False
    assert auto_recovery.reconcile() == 0
    assert fresh(cloud.machine.row).admin_state == "in-service"


def test_node_in_maintenance_is_not_fenced_when_off(cloud: Cloud, leased: Instance) -> None:
    Node.objects.filter(pk=cloud.machine.row.pk).update(admin_state="maintenance")
    assert auto_recovery.reconcile() == 0


def test_manually_fenced_node_is_not_recovered_automatically(cloud: Cloud, leased: Instance) -> None:
    proof = {"kind": "attestation", "by": str(leased.pk)}
    Node.objects.filter(pk=cloud.machine.row.pk).update(
        admin_state="fenced", fenced_by=proof, admin_state_since=clock.now()
    )
    assert auto_recovery.reconcile() == 0
    assert not Drain.objects.exists()


def test_many_unreachable_nodes_stop_automatic_fencing_with_an_incident(cloud: Cloud, leased: Instance) -> None:
    """Many lost nodes at once point to a fault of our own network."""
    for number in range(3):
        make_node(f"quiet-{number}")
    Node.objects.filter(name__startswith="quiet-").update(
        state="unreachable", last_heartbeat_at=clock.now() - timedelta(hours=1)
    )
    assert auto_recovery.storms()["fr-idf-1"] == auto_recovery.Storm(4, 1)
    assert auto_recovery.reconcile() == 0
    assert fresh(cloud.machine.row).admin_state == "in-service"
    open_incidents = Incident.objects.filter(kind="recovery-held", ended_at=None)
    assert open_incidents.count() == 4
    assert open_incidents.first().facts == {"silent": 4, "limit": 1}
    Node.objects.filter(name__startswith="quiet-").update(state="ready")
    assert auto_recovery.reconcile() == 2
    assert not open_incidents.exists()


def test_automatic_recovery_uses_constant_queries(cloud: Cloud, leased: Instance) -> None:
    """Also when each of them is left as it is for another time."""

    def silence(first: int, last: int) -> int:
        for number in range(first, last):
            make_node(f"quiet-{number}", zone=f"de-rhein-{number % 2 + 1}")
        rows = Node.objects.filter(name__startswith="quiet-")
        rows.update(state="unreachable", last_heartbeat_at=clock.now() - timedelta(hours=1))
        auto_recovery.reconcile()
        with CaptureQueriesContext(connection) as queries:
            assert auto_recovery.reconcile() == 0
        assert Incident.objects.filter(kind="recovery-held", ended_at=None).count() == last + 1
        return len(queries)

    assert silence(0, 4) == silence(4, 16)


def test_recently_fenced_nodes_count_toward_the_storm_limit(cloud: Cloud, leased: Instance) -> None:
    for number in range(2):
        make_node(f"quiet-{number}")
    Node.objects.filter(name__startswith="quiet-").update(
        state="unreachable", admin_state="fenced", fenced_by={"kind": "lease"}, admin_state_since=clock.now()
    )
    assert auto_recovery.storms()["fr-idf-1"] == auto_recovery.Storm(3, 1)
    auto_recovery.reconcile()
    assert fresh(cloud.machine.row).admin_state == "in-service"
    Node.objects.filter(name__startswith="quiet-").update(admin_state_since=clock.now() - timedelta(hours=1))
    auto_recovery.reconcile()
    assert fresh(cloud.machine.row).admin_state == "fenced"


def test_bmc_is_not_called_while_the_lease_will_give_evidence(cloud: Cloud, leased: Instance) -> None:
    """A BMC often dies with its node: the reconciler does not wait for it alone."""
    Bmc.objects.create(node=cloud.machine.row, address="192.0.2.1:443", username="x", encrypted_password=b"")
    Node.objects.filter(pk=cloud.machine.row.pk).update(leased_until=clock.now() + timedelta(minutes=5))
    assert auto_recovery.reconcile() == 0
    assert not Operation.objects.filter(kind="node.fence").exists()
    Node.objects.filter(pk=cloud.machine.row.pk).update(leased_until=clock.now() - timedelta(minutes=5))
    assert auto_recovery.reconcile() == 2
