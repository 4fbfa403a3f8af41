"""Drains: the confirmed plan, limited concurrent moves, and each outcome with its reason."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from unittest.mock import patch

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from agents.node.adapters.fake import FakeCapacity
from agents.node.errors import AdapterError
from controlplane.compute.errors import DrainNotFound, DrainPlanChanged, DrainWrongState
from controlplane.compute.migration import MigrationOptions
from controlplane.compute.models import Instance
from controlplane.compute.services import instance_delete, instance_power_off, instance_reboot, instance_start
from controlplane.events.models import Event
from controlplane.identity.actor import SYSTEM
from controlplane.identity.errors import RoleNeeded
from controlplane.node_lifecycle.drain import drains
from controlplane.node_lifecycle.drain import post_drain_start as returns
from controlplane.node_lifecycle.drain import reconciler as executor
from controlplane.node_lifecycle.drain.drains import (
    NewDrain,
    drain_begin,
    drain_cancel,
    drain_pause,
    drain_plan,
    drain_resume,
)
from controlplane.nodes.admin_state import mark_fenced, node_return, require_admin_state
from controlplane.nodes.errors import HeartbeatMissing, NodeOutOfService, NodeWrongAdminState
from controlplane.nodes.models import Drain, DrainGuest, Node
from controlplane.nodes.services import node_cordon
from controlplane.operations.maintenance import NewRule, rule_create, rule_end
from controlplane.operations.models import Operation
from controlplane.placement import policies
from controlplane.placement.errors import NoPlace
from controlplane.workflows.registry import WORKFLOWS
from tests.workflows.helpers import (
    Killed,
    altered,
    ask_instance,
    die,
    done,
    followed_by_another_worker,
    fresh,
    make_instance,
    make_stopped_instance,
    then,
)
from tests.world import Cloud, FakeMachine, follow, make_node, run


@pytest.fixture
def other(cloud: Cloud) -> Iterator[FakeMachine]:
    """A second node, which takes nothing until the first one has its guests."""
    machine = cloud.world.add_machine("fr-idf-1")
    node_cordon(SYSTEM, machine.row, reason="")
    yield machine


def opened(machine: FakeMachine) -> None:
    Node.objects.filter(pk=machine.row.pk).update(admin_state="in-service")


def begin(cloud: Cloud, *, fallback: str = "leave", at_once: int = 2) -> Drain:
    node = fresh(cloud.machine.row)
    plan = drain_plan(SYSTEM, node, fallback=fallback)
    with transaction.atomic():
        return drain_begin(SYSTEM, node, NewDrain(plan.digest, fallback, at_once, "fan"))


def states(drain: Drain) -> dict[str, str]:
    return dict(drain.guests.order_by("order").values_list("name", "state"))


def moves() -> list[Operation]:
    return list(Operation.objects.filter(kind="instance.migrate", state="pending").order_by("created_at"))


def carry_on(drain: Drain, *, rounds: int = 20) -> Drain:
    """Until nothing is under way: everything that is asked for succeeds."""
    for _ in range(rounds):
        executor.reconcile()
        waiting = Operation.objects.filter(state="pending")
        if not waiting.exists():
            break
        for operation in waiting:
            move(operation) if operation.kind == "instance.migrate" else done(operation)
    executor.reconcile()
    return fresh(drain)


def move(operation: Operation) -> None:
    assert follow(operation).state == "succeeded", (operation.error, operation.steps)


def test_drain_plan_lists_an_action_per_guest_and_writes_nothing(cloud: Cloud, other: FakeMachine) -> None:
    make_instance(cloud, "web")
    make_stopped_instance(cloud, "old")
    opened(other)
    plan = drain_plan(SYSTEM, cloud.machine.row, fallback="leave")
    planned = {entry.guest.name: (entry.action, entry.target) for entry in plan.entries}
    assert planned == {"web": ("migrate", str(other.row.pk)), "old": ("migrate", str(other.row.pk))}
    assert fresh(cloud.machine.row).admin_state == "in-service"
    assert not Drain.objects.exists()


def test_drain_plan_gives_the_reason_of_an_unmovable_guest(cloud: Cloud, other: FakeMachine) -> None:
    make_instance(cloud)
    (entry,) = drain_plan(SYSTEM, cloud.machine.row, fallback="leave").entries
    assert (entry.action, entry.reasons[0]["code"]) == ("leave", "placement.no_place")
    assert "node-2" in str(entry.reasons[0]["detail"]), "an operator learns of nodes"
    Node.objects.filter(pk=cloud.machine.row.pk).update(traits=["firmware:uefi"])
    (entry,) = drain_plan(SYSTEM, fresh(cloud.machine.row), fallback="stop").entries
    assert (entry.action, entry.reasons[0]["code"]) == ("stop", "compute.instance.not_movable")


def test_drain_begins_only_with_the_digest_of_the_plan(cloud: Cloud, other: FakeMachine) -> None:
    make_instance(cloud)
    node = cloud.machine.row
    digest = drain_plan(SYSTEM, node, fallback="leave").digest
    opened(other)  # the guest could leave now
    with pytest.raises(DrainPlanChanged), transaction.atomic():
        drain_begin(SYSTEM, node, NewDrain(digest, "leave"))
    assert (fresh(node).admin_state, Drain.objects.count()) == ("in-service", 0)


def test_repeated_drain_request_returns_the_same_drain(cloud: Cloud, other: FakeMachine) -> None:
    make_instance(cloud)
    opened(other)
    drain = begin(cloud)
    with transaction.atomic():
        repeated = drain_begin(SYSTEM, fresh(cloud.machine.row), NewDrain("0" * 64, "stop", 7))
    assert (repeated.pk, repeated.fallback, repeated.at_once) == (drain.pk, "leave", 2)


def test_unreachable_or_out_of_service_node_is_not_drained(cloud: Cloud) -> None:
    node = cloud.machine.row
    cloud.machine.become_unreachable()
    with pytest.raises(HeartbeatMissing):
        drain_plan(SYSTEM, node, fallback="leave")
    cloud.machine.come_back()
    drains.node_maintain(SYSTEM, node, reason="")
    with pytest.raises(NodeWrongAdminState):
        drain_plan(SYSTEM, node, fallback="leave")
    with pytest.raises(RoleNeeded):
        drain_plan(cloud.tenant.actor, node, fallback="leave")
    with pytest.raises(DrainNotFound):
        drains.drain_of(SYSTEM, node)


def test_drain_moves_a_few_guests_at_a_time_then_sets_maintenance(cloud: Cloud, other: FakeMachine) -> None:
    for number in range(5):
        make_instance(cloud, f"web-{number}")
    make_stopped_instance(cloud, "old")
    opened(other)
    drain = begin(cloud)
    require_admin_state(fresh(cloud.machine.row), "draining")
    most = 0
    executor.reconcile()
    while under_way := moves():
        most = max(most, len(under_way))
        move(under_way[0])
        executor.reconcile()
    assert (most, fresh(drain).state) == (2, "done")
    assert (fresh(cloud.machine.row).admin_state, fresh(cloud.machine.row).admin_state_reason) == ("maintenance", "fan")
    assert states(drain) == {**{f"web-{number}": "moved" for number in range(5)}, "old": "moved"}
    assert Instance.objects.filter(node=other.row).count() == 6
    assert Instance.objects.get(name="old").state == "stopped"
    assert executor.reconcile() == 0


def test_draining_node_takes_no_new_guests(cloud: Cloud, other: FakeMachine) -> None:
    stopped = make_stopped_instance(cloud)
    begin(cloud)
    with pytest.raises(NoPlace):
        ask_instance(cloud, "new")
    with pytest.raises(NodeOutOfService):
        instance_start(cloud.tenant.actor, stopped)


def test_drain_waits_for_a_guest_under_creation(cloud: Cloud, other: FakeMachine) -> None:
    instance, creation = ask_instance(cloud, "new")
    with pytest.raises(Killed):
        run(creation, altered(WORKFLOWS["instance.create"], "place", then(die)))
    opened(other)
    drain = begin(cloud)
    executor.reconcile()
    assert (drain.guests.get().action, fresh(drain).state) == ("wait", "running")
    assert followed_by_another_worker(creation).state == "succeeded", "it is finished where it was begun"
    assert carry_on(drain).state == "done"
    assert fresh(instance).node_id == other.row.pk


def test_failed_move_leaves_the_guest_running_until_a_drain_retry(cloud: Cloud, other: FakeMachine) -> None:
    instance = make_instance(cloud)
    opened(other)
    drain = begin(cloud)
    executor.reconcile()
    cloud.fake.fail_next("send", AdapterError("It has a device that cannot move.", retryable=False))
    assert follow(moves()[0]).state == "failed"
    executor.reconcile()
    guest = drain.guests.get()
    assert (fresh(drain).state, guest.state, guest.tries) == ("blocked", "failed", 1)
    assert guest.reasons[0]["code"] == "compute.migration.failed"
    assert (fresh(instance).state, fresh(cloud.machine.row).admin_state) == ("active", "draining")
    executor.reconcile()
    assert not moves(), "nobody asked for another try"
    drain = drains.drain_retry(SYSTEM, fresh(drain))
    assert carry_on(drain).state == "done"
    assert drain.guests.get().tries == 2


def test_stopped_guest_that_fails_to_move_does_not_block_the_drain(cloud: Cloud, other: FakeMachine) -> None:
    stopped = make_stopped_instance(cloud)
    opened(other)
    drain = begin(cloud)
    executor.reconcile()
    cloud.fake.fail_next("bring_up", AdapterError("There is no memory left.", retryable=False))
    assert follow(moves()[0]).state == "failed"
    executor.reconcile()
    guest = drain.guests.get()
    assert (fresh(drain).state, guest.state, guest.starts_again) == ("done", "off", False)
    assert guest.reasons[0]["code"] == "compute.migration.failed"
    assert (fresh(stopped).state, fresh(stopped).node_id) == ("stopped", cloud.machine.row.pk)


def test_stopped_guest_without_a_target_stays_with_the_reason(cloud: Cloud, other: FakeMachine) -> None:
    make_stopped_instance(cloud)
    drain = begin(cloud)
    assert carry_on(drain).state == "done"
    guest = drain.guests.get()
    assert (guest.action, guest.state, guest.reasons[0]["code"]) == ("stay", "off", "placement.no_place")


def test_fallback_stop_shuts_down_unmovable_guests(cloud: Cloud, other: FakeMachine) -> None:
    instance = make_instance(cloud)
    drain = begin(cloud, fallback="stop")
    assert carry_on(drain).state == "done"
    assert (states(drain), fresh(instance).state) == ({"web": "off"}, "stopped")
    node_return(SYSTEM, fresh(cloud.machine.row))
    done(instance_start(cloud.tenant.actor, fresh(instance)))


def test_each_move_has_the_options_of_its_drain(cloud: Cloud, other: FakeMachine) -> None:
    make_instance(cloud)
    opened(other)
    node = cloud.machine.row
    new = NewDrain(drain_plan(SYSTEM, node, fallback="leave").digest, "leave", options=MigrationOptions(90, "none"))
    with transaction.atomic():
        drain_begin(SYSTEM, node, new)
    executor.reconcile()
    (begun,) = moves()
    assert begun.deadline_at - begun.created_at == timedelta(seconds=90)
    assert begun.args["convergence"] == "none"


def test_guest_left_behind_blocks_the_drain_until_a_retry(cloud: Cloud, other: FakeMachine) -> None:
    instance, second = make_instance(cloud), make_instance(cloud, "second")
    drain = begin(cloud)
    executor.reconcile()
    assert (fresh(drain).state, states(drain)) == ("blocked", {"web": "left", "second": "left"})
    assert drain.guests.get(name="web").reasons[0]["code"] == "placement.no_place"
    assert Event.objects.filter(kind="node.drain-blocked").count() == 1
    executor.reconcile()
    assert Event.objects.filter(kind="node.drain-blocked").count() == 1, "it is told once"
    done(instance_power_off(cloud.tenant.actor, instance))
    executor.reconcile()
    assert states(drain)["web"] == "off"
    drain = drains.drain_retry(SYSTEM, fresh(drain), fallback="stop")
    assert carry_on(drain).state == "done"
    assert fresh(second).state == "stopped"


def test_guest_deleted_during_the_drain_is_gone(cloud: Cloud, other: FakeMachine) -> None:
    instance = make_instance(cloud)
    drain = begin(cloud)
    executor.reconcile()
    done(instance_delete(cloud.tenant.actor, instance))
    executor.reconcile()
    assert (fresh(drain).state, states(drain)) == ("done", {"web": "gone"})


def test_drain_waits_for_another_operation_of_a_guest(cloud: Cloud, other: FakeMachine) -> None:
    instance = make_instance(cloud)
    opened(other)
    reboot = instance_reboot(cloud.tenant.actor, instance)
    drain = begin(cloud)
    assert drain.guests.get().action == "wait"
    executor.reconcile()
    guest = drain.guests.get()
    assert (guest.state, guest.reasons[0]["code"]) == ("waiting", "resource_busy")
    done(reboot)
    executor.reconcile()
    guest = drain.guests.get()
    assert (guest.action, guest.state, guest.reasons) == ("migrate", "moving", [])


def test_drain_waits_for_a_maintenance_rule_on_moves(cloud: Cloud, other: FakeMachine) -> None:
    make_instance(cloud)
    opened(other)
    rule = rule_create(SYSTEM, NewRule("instance.migrate", "reject", "the network is replaced"))
    drain = begin(cloud)
    executor.reconcile()
    guest = drain.guests.get()
    assert (guest.state, guest.reasons[0]["code"], guest.tries) == ("waiting", "maintenance", 0)
    rule_end(SYSTEM, rule)
    assert carry_on(drain).state == "done"


def test_paused_drain_finishes_moves_and_begins_none(cloud: Cloud, other: FakeMachine) -> None:
    for name in ("a", "b"):
        make_instance(cloud, name)
    opened(other)
    drain = begin(cloud, at_once=1)
    executor.reconcile()
    drain = drain_pause(SYSTEM, fresh(drain))
    drain_pause(SYSTEM, drain)
    move(moves()[0])
    executor.reconcile()
    assert sorted(states(drain).values()) == ["moved", "waiting"]
    assert (fresh(drain).state, moves()) == ("paused", [])
    drain_resume(SYSTEM, fresh(drain))
    assert carry_on(drain).state == "done"
    with pytest.raises(DrainWrongState):
        drain_pause(SYSTEM, fresh(drain))


def test_cancelled_drain_finishes_moves_and_cordons_the_node(cloud: Cloud, other: FakeMachine) -> None:
    for name in ("a", "b"):
        make_instance(cloud, name)
    opened(other)
    drain = begin(cloud, at_once=1)
    executor.reconcile()
    drain_cancel(SYSTEM, fresh(drain))
    assert fresh(cloud.machine.row).admin_state == "cordoned"
    move(moves()[0])
    executor.reconcile()
    assert sorted(states(drain).values()) == ["moved", "waiting"]
    assert not moves()
    assert begin(cloud).pk != drain.pk


def test_drain_reads_all_guests_with_constant_queries(cloud: Cloud, other: FakeMachine) -> None:
    """Every two seconds, for as long as a drain lasts."""

    def look() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert executor.reconcile() == 0
        return len(queries)

    names = ["one", "two", "three", "four", "five"]
    for name in names:
        make_instance(cloud, name)
    drain = begin(cloud)
    executor.reconcile()
    assert states(drain) == dict.fromkeys(names, "left")
    of_many = look()
    drain.guests.exclude(name="one").update(state="gone")
    assert look() == of_many


def looked_at(reconcile: Callable[[], int]) -> int:
    """Return the number of queries of a run that finds nothing new."""
    with CaptureQueriesContext(connection) as queries:
        assert reconcile() == 0
    return len(queries)


def test_drain_skips_blocked_guests_with_constant_queries(cloud: Cloud, other: FakeMachine) -> None:
    for name in ("one", "two", "three", "four", "five"):
        make_instance(cloud, name)
    opened(other)
    drain = begin(cloud)
    for row in drain.guests.all():
        instance_reboot(cloud.tenant.actor, Instance.objects.get(pk=row.instance_id))
    executor.reconcile()
    assert set(states(drain).values()) == {"waiting"}
    of_many = looked_at(executor.reconcile)
    drain.guests.exclude(name="one").update(state="gone")
    assert looked_at(executor.reconcile) == of_many


def test_drain_of_an_unreachable_node_waits_for_a_heartbeat(cloud: Cloud, other: FakeMachine) -> None:
    make_instance(cloud)
    opened(other)
    drain = begin(cloud)
    cloud.machine.become_unreachable()
    executor.reconcile()
    assert (fresh(drain).state, moves()) == ("running", [])
    cloud.machine.come_back()
    assert carry_on(drain).state == "done"


def test_fencing_ends_the_drain(cloud: Cloud, other: FakeMachine) -> None:
    instance = make_instance(cloud)
    opened(other)
    drain = begin(cloud)
    cloud.machine.become_unreachable()
    mark_fenced(SYSTEM, cloud.machine.row, proof={"power": "off"})
    executor.reconcile()
    assert (fresh(drain).state, moves()) == ("cancelled", [])
    assert fresh(instance).node_id == cloud.machine.row.pk, "nobody starts it elsewhere"


def test_unavailable_planned_target_is_replaced(cloud: Cloud, other: FakeMachine) -> None:
    instance = make_instance(cloud)
    third = cloud.world.add_machine("fr-idf-1", capacity=FakeCapacity())
    drain = begin(cloud)
    assert drain.guests.get().target_id == third.row.pk
    opened(other)
    node_cordon(SYSTEM, fresh(third.row), reason="")
    assert carry_on(drain).state == "done"
    assert fresh(instance).node_id == other.row.pk


def test_unrecorded_move_of_a_drain_is_adopted(cloud: Cloud, other: FakeMachine) -> None:
    make_instance(cloud)
    opened(other)
    drain = begin(cloud)
    executor.reconcile()
    operation = moves()[0]
    DrainGuest.objects.filter(drain=drain).update(state="waiting", operation_id=None)
    executor.reconcile()
    assert (drain.guests.get().operation_id, moves()) == (operation.pk, [operation])


def test_drain_of_an_empty_node_sets_maintenance_at_once(cloud: Cloud) -> None:
    drain = begin(cloud)
    executor.reconcile()
    assert (fresh(drain).state, fresh(cloud.machine.row).admin_state) == ("done", "maintenance")


def stopped_by_drain(cloud: Cloud, **more: str) -> tuple[Instance, Drain]:
    instance = make_instance(cloud)
    Instance.objects.filter(pk=instance.pk).update(**more)
    drain = begin(cloud, fallback="stop")
    assert carry_on(drain).state == "done"
    assert drain.guests.get().starts_again == (more.get("restart_policy") != "never")
    return instance, drain


def drift(cloud: Cloud) -> None:
    """The project's policy admits nothing on its node any more."""
    make_node("elsewhere", zone="de-rhein-1")
    clause = {"id": "elsewhere", "attr": "zone.id", "op": "in", "value": ["de-rhein-1"]}
    policies.policy_set(cloud.tenant.actor, clauses=[clause], project=cloud.tenant.project)


@pytest.mark.parametrize("restart_policy", ["on-failure", "never"])
def test_drain_plan_names_guests_that_will_not_be_restarted(
    cloud: Cloud, other: FakeMachine, restart_policy: str
) -> None:
    instance = make_instance(cloud)
    (entry,) = drain_plan(SYSTEM, fresh(cloud.machine.row), fallback="stop").entries
    assert (entry.action, entry.start_obstacles) == ("stop", ())
    before = drain_plan(SYSTEM, fresh(cloud.machine.row), fallback="stop").digest
    Instance.objects.filter(pk=instance.pk).update(restart_policy=restart_policy)
    if restart_policy != "never":
        drift(cloud)
    plan = drain_plan(SYSTEM, fresh(cloud.machine.row), fallback="stop")
    (entry,) = plan.entries
    code = "compute.instance.not_started_again" if restart_policy == "never" else "placement.no_place"
    assert (entry.action, [obstacle["code"] for obstacle in entry.start_obstacles]) == ("stop", [code])
    assert plan.digest != before, "it is another thing to agree to"


def test_drifted_guest_is_reported_to_stay_off(cloud: Cloud, other: FakeMachine) -> None:
    instance = make_instance(cloud)
    drift(cloud)
    drain = begin(cloud, fallback="stop")
    executor.reconcile()
    (operation,) = Operation.objects.filter(kind="instance.shutdown")
    assert operation.reason == executor.STOP_REASON
    assert carry_on(drain).state == "done"
    (before,) = drain.guests.get().reasons
    node_return(SYSTEM, fresh(cloud.machine.row))
    returns.reconcile()
    (after,) = drain.guests.get().reasons
    assert (before["code"], after["code"]) == ("placement.no_place", "policy_unsatisfiable")
    assert (fresh(instance).state, starts()) == ("stopped", [])


def starts() -> list[Operation]:
    return list(Operation.objects.filter(kind="instance.start", state="pending").order_by("created_at"))


def test_guests_stopped_by_a_drain_start_when_the_node_returns(cloud: Cloud, other: FakeMachine) -> None:
    instance, drain = stopped_by_drain(cloud)
    cloud.machine.become_unreachable()
    assert (returns.reconcile(), starts()) == (0, []), "not during maintenance"
    cloud.machine.come_back()
    node_return(SYSTEM, fresh(cloud.machine.row))
    assert returns.reconcile() == 1
    (operation,) = starts()
    assert (states(drain), operation.reason) == ({"web": "starting"}, returns.REASON)
    assert returns.reconcile() == 0, "it is under way"
    done(operation)
    assert returns.reconcile() == 1
    assert (states(drain), fresh(instance).state) == ({"web": "started"}, "active")
    assert not drain.guests.get().starts_again


def test_cancelled_drain_restarts_stopped_guests_a_few_at_a_time(cloud: Cloud, other: FakeMachine) -> None:
    for name in ("a", "b", "c"):
        make_instance(cloud, name)
    drain = begin(cloud, fallback="stop", at_once=2)
    executor.reconcile()
    stopping = Operation.objects.filter(kind="instance.shutdown", state="pending")
    assert stopping.count() == 2
    drain_cancel(SYSTEM, fresh(drain))
    for operation in stopping:
        done(operation)
    executor.reconcile()

    Drain.objects.filter(pk=drain.pk).update(at_once=1)
    returns.reconcile()
    assert len(starts()) == 1
    while pending := starts():
        done(pending[0])
        returns.reconcile()
    assert sorted(states(drain).values()) == ["started", "started", "waiting"]
    assert set(Instance.objects.values_list("state", flat=True)) == {"active"}


def test_restarts_after_a_drain_use_constant_queries(cloud: Cloud, other: FakeMachine) -> None:
    names = ("a", "b", "c", "d", "e")
    for name in names:
        make_instance(cloud, name)
    drain = begin(cloud, fallback="stop", at_once=4)
    assert carry_on(drain).state == "done"
    node_return(SYSTEM, fresh(cloud.machine.row))
    assert returns.reconcile() == 4
    assert sorted(states(drain).values()) == ["off", *["starting"] * 4]
    of_many = looked_at(returns.reconcile)
    drain.guests.filter(name__in=("b", "c")).update(state="gone")
    Drain.objects.filter(pk=drain.pk).update(at_once=2)
    assert looked_at(returns.reconcile) == of_many


def test_guest_with_policy_never_is_not_restarted_after_a_drain(cloud: Cloud, other: FakeMachine) -> None:
    instance, drain = stopped_by_drain(cloud, restart_policy="never")
    assert [reason["code"] for reason in drain.guests.get().reasons] == ["compute.instance.not_started_again"]
    node_return(SYSTEM, fresh(cloud.machine.row))
    returns.reconcile()
    assert (starts(), states(drain), fresh(instance).state) == ([], {"web": "off"}, "stopped")
    assert returns.reconcile() == 0


def test_guest_changed_by_its_users_is_not_restarted_after_a_drain(cloud: Cloud, other: FakeMachine) -> None:
    instance, drain = stopped_by_drain(cloud)
    node_return(SYSTEM, fresh(cloud.machine.row))
    done(instance_start(cloud.tenant.actor, fresh(instance)))
    done(instance_power_off(cloud.tenant.actor, fresh(instance)))
    returns.reconcile()
    assert (starts(), states(drain)) == ([], {"web": "off"})
    assert not drain.guests.get().starts_again


def test_deleted_or_running_guest_is_not_restarted_after_a_drain(cloud: Cloud, other: FakeMachine) -> None:
    web, second = make_instance(cloud), make_instance(cloud, "second")
    drain = begin(cloud, fallback="stop")
    assert carry_on(drain).state == "done"
    node_return(SYSTEM, fresh(cloud.machine.row))
    done(instance_delete(cloud.tenant.actor, fresh(web)))
    done(instance_start(cloud.tenant.actor, fresh(second)))
    returns.reconcile()
    assert (starts(), states(drain)) == ([], {"web": "gone", "second": "started"})


def test_guest_no_longer_admitted_stays_off_with_the_reason(cloud: Cloud, other: FakeMachine) -> None:
    instance, drain = stopped_by_drain(cloud)
    with patch.object(returns, "instance_start", side_effect=NoPlace(explanation="Not there.")):
        node_return(SYSTEM, fresh(cloud.machine.row))
        returns.reconcile()
    guest = drain.guests.get()
    assert (guest.state, guest.starts_again, guest.reasons[0]["code"]) == ("off", False, "placement.no_place")
    assert fresh(instance).state == "stopped"


def test_failed_restart_after_a_drain_records_the_reason(cloud: Cloud, other: FakeMachine) -> None:
    instance, drain = stopped_by_drain(cloud)
    node_return(SYSTEM, fresh(cloud.machine.row))
    returns.reconcile()
    cloud.fake.fail_next("start", AdapterError("There is no memory.", retryable=False))
    (operation,) = starts()
    assert follow(operation).state == "failed"
    returns.reconcile()
    guest = drain.guests.get()
    assert (guest.state, guest.reasons[0]["code"]) == ("off", operation.error["code"])
    assert (returns.reconcile(), starts(), fresh(instance).state) == (0, [], "stopped")
