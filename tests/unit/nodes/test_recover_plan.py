"""The plan of a recovery, which knows no database: who is made again elsewhere, who waits for a place, who stays."""

from hypothesis import given

from andromede_core.placement.fleet import Fleet, NodeRow
from andromede_core.placement.request import Group, Resources
from controlplane.node_lifecycle.drain.drain_plan import Guest, GuestRequest, Places, Plan, PlanInputs
from controlplane.node_lifecycle.recovery.recovery_plan import plan_recovery
from tests.unit.nodes.test_drain_plan import HERE, OBSTACLE, REFUSED, SPACE, actions, guest, guest_lists, refusal_reason
from tests.unit.placement.examples import VIRGINIA, ask, assessed, fleet, node, row_lists

DEAD = node(HERE, is_ready=False, is_cordoned=True)


def planned(lost: list[Guest], nodes: Fleet, *, places: Places | None = None) -> Plan:
    return plan_recovery(lost, PlanInputs(HERE, nodes, places or {}, refusal_reason))


def test_guests_are_evacuated_stopped_ones_too() -> None:
    plan = planned([guest("web"), guest("old", is_running=False)], fleet(DEAD, node("n01")))
    assert actions(plan) == {"web": ("evacuate", "n01"), "old": ("evacuate", "n01")}


def test_running_guests_are_placed_before_stopped_ones() -> None:
    full = fleet(DEAD, node("n01", used=Resources(13, 0, 0)))
    plan = planned([guest("old", is_running=False), guest("web")], full)
    assert actions(plan) == {"web": ("evacuate", "n01"), "old": ("evacuate", None)}
    assert [entry.guest.name for entry in plan.entries] == ["web", "old"]


def test_guest_without_a_node_is_in_the_plan_with_the_reason() -> None:
    (entry,) = planned([guest("web")], fleet(DEAD, node("n01", is_cordoned=True))).entries
    assert (entry.action, entry.target, entry.reasons) == ("evacuate", None, (REFUSED | {"detail": "inadmissible"},))


def test_guest_with_a_local_disk_stays_until_its_node_returns() -> None:
    (entry,) = planned([guest("db", obstacles=(OBSTACLE,))], fleet(DEAD, node("n01"))).entries
    assert (entry.action, entry.target, entry.reasons) == ("stay", None, (OBSTACLE,))


def test_guest_with_a_running_operation_waits() -> None:
    plan = planned([guest("new", is_changing=True, question=None)], fleet(DEAD, node("n01")))
    assert actions(plan) == {"new": ("wait", None)}


def test_policies_apply_to_recoveries() -> None:
    request = ask(zones=("fr-idf-1",))
    (entry,) = planned([guest("web", request)], fleet(DEAD, node("n01", VIRGINIA))).entries
    assert (entry.action, entry.target) == ("evacuate", None)


def test_affinity_group_moves_to_one_new_node() -> None:
    """The first member chooses the node when no member has one."""
    request = ask(groups=(Group("affinity", True, frozenset()),))
    members = [
        guest(name, request, question=GuestRequest(request, assessed(request), SPACE)) for name in ("a", "b", "c")
    ]
    nodes = fleet(DEAD, node("n01"), node("n02"), node("n03"))
    targets = {target for _, target in actions(planned(members, nodes)).values()}
    assert len(targets) == 1 and targets < {"n01", "n02", "n03"}


def test_digest_does_not_depend_on_order_and_targets() -> None:
    lost = [guest("a"), guest("b", is_running=False), guest("c", obstacles=(OBSTACLE,))]
    plan = planned(lost, fleet(DEAD, node("n01")))
    assert plan.digest == planned(list(reversed(lost)), fleet(DEAD, node("n02"))).digest
    assert plan.digest != planned(lost[:2], fleet(DEAD, node("n01"))).digest
    assert plan.digest != planned(lost, fleet(DEAD)).digest, "nobody finds a place any more"


@given(guest_lists, row_lists)
def test_every_guest_is_planned_and_capacity_allocated_once(lost: list[Guest], rows: list[NodeRow]) -> None:
    nodes = fleet(DEAD, *(row for row in rows if row.id != HERE))
    plan = planned(lost, nodes)
    assert plan == planned(list(reversed(lost)), nodes)
    assert sorted(entry.guest.id for entry in plan.entries) == sorted(each.id for each in lost)
    for entry in plan.entries:
        assert entry.action == "evacuate" or entry.target is None
        assert bool(entry.reasons) == (entry.action != "wait" and entry.target is None)
    for row in rows:
        sent = [each.guest.question for each in plan.entries if each.target == row.id]
        for dimension in range(3):
            requested = sum(each.request.resources[dimension] for each in sent if each)
            assert requested == 0 or requested <= row.capacity[dimension] - row.used[dimension]
            assert row.id != HERE or not sent
