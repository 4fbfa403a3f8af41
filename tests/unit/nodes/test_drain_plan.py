"""The plan of a drain, which knows no database: everybody has an action and a reason, and no room is given twice."""

from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from andromede_core.placement.decision import Decision
from andromede_core.placement.fleet import Fleet, NodeRow
from andromede_core.placement.request import Group, ResolvedRequest, Resources
from controlplane.node_lifecycle.drain.drain_plan import Guest, GuestRequest, Places, Plan, PlanInputs, plan
from tests.unit.placement.examples import ROOMY, VIRGINIA, amounts, ask, assessed, fleet, node, row_lists

SPACE = UUID(int=7)
HERE = "n00"
REFUSED = {"code": "no_room", "detail": "", "facts": {}, "retryable": False}
OBSTACLE = {"code": "obstacle", "detail": "", "facts": {}, "retryable": False}


def uuid(name: str) -> UUID:
    return uuid5(SPACE, name)


def guest(name: str, request: ResolvedRequest | None = None, **changes: object) -> Guest:
    request = request or ask()
    fields = {"is_running": True, "question": GuestRequest(request, assessed(request))} | changes
    return Guest(uuid(name), name, SPACE, **fields)  # type: ignore[arg-type]


def refusal_reason(decision: Decision) -> dict[str, object]:
    return REFUSED | {"detail": decision.verdict}


def planned(guests: list[Guest], nodes: Fleet, *, fallback: str = "leave", places: Places | None = None) -> Plan:
    return plan(guests, PlanInputs(HERE, nodes, places or {}, refusal_reason), fallback=fallback)


def actions(plan: Plan) -> dict[str, tuple[str, str | None]]:
    return {entry.guest.name: (entry.action, entry.target) for entry in plan.entries}


def test_guests_move_running_ones_first_and_stopped_ones_too() -> None:
    plan = planned([guest("old", is_running=False), guest("web")], fleet(node(HERE), node("n01")))
    assert actions(plan) == {"web": ("migrate", "n01"), "old": ("migrate", "n01")}
    assert [entry.guest.name for entry in plan.entries] == ["web", "old"]


def test_stopped_guest_without_a_node_stays_with_any_fallback() -> None:
    full = fleet(node(HERE), node("n01", used=Resources(16, 0, 0)))
    for fallback in ("leave", "stop"):
        (entry,) = planned([guest("old", is_running=False)], full, fallback=fallback).entries
        assert (entry.action, entry.reasons) == ("stay", (REFUSED | {"detail": "no_capacity"},))


def test_capacity_is_not_allocated_twice() -> None:
    nodes = fleet(node(HERE), node("n01", used=Resources(12, 0, 0)))
    plan = planned([guest("a"), guest("b"), guest("c")], nodes)
    kinds = sorted(action for action, _ in actions(plan).values())
    assert kinds == ["leave", "migrate", "migrate"]
    (not_placed,) = [entry for entry in plan.entries if entry.action == "leave"]
    assert not_placed.reasons == (REFUSED | {"detail": "no_capacity"},)


def test_largest_guest_is_placed_first() -> None:
    nodes = fleet(
        node(HERE),
        node("n01", capacity=Resources(16, 8192, 1000)),
        node("n02", capacity=Resources(16, 4096, 1000)),
    )
    large = ask(resources=Resources(1, 8192, 1))
    plan = planned([guest("small"), guest("large", large)], nodes)
    assert actions(plan) == {"large": ("migrate", "n01"), "small": ("migrate", "n02")}
    assert [entry.guest.name for entry in plan.entries] == ["large", "small"]


def test_blocked_guest_has_its_reason_and_the_fallback_decides() -> None:
    stuck = guest("gpu", obstacles=(OBSTACLE,))
    for fallback, action in (("leave", "leave"), ("stop", "stop")):
        (entry,) = planned([stuck], fleet(node(HERE), node("n01")), fallback=fallback).entries
        assert (entry.action, entry.target, entry.reasons) == (action, None, (OBSTACLE,))


def test_guest_without_a_placement_request_is_not_moved() -> None:
    (entry,) = planned([guest("odd", question=None, obstacles=(OBSTACLE,))], fleet(node(HERE), node("n01"))).entries
    assert (entry.action, entry.reasons) == ("leave", (OBSTACLE,))


def test_guest_with_a_running_operation_waits() -> None:
    plan = planned([guest("new", is_changing=True, question=None)], fleet(node(HERE)))
    assert actions(plan) == {"new": ("wait", None)}


def test_cordoned_unreachable_or_drained_node_is_no_target() -> None:
    nodes = fleet(node(HERE), node("n01", is_cordoned=True), node("n02", is_ready=False))
    assert actions(planned([guest("web")], nodes)) == {"web": ("leave", None)}


def test_policies_apply_to_drains() -> None:
    request = ask(zones=("fr-idf-1",))
    nodes = fleet(node(HERE), node("n01", VIRGINIA))
    (entry,) = planned([guest("web", request)], nodes).entries
    assert (entry.action, entry.reasons[0]["detail"]) == ("leave", "inadmissible")


def test_anti_affinity_members_get_different_nodes() -> None:
    group = UUID(int=1)
    request = ask(groups=(Group("anti-affinity", True, frozenset({HERE})),))
    members = [guest(name, request, question=GuestRequest(request, assessed(request), group)) for name in ("a", "b")]
    places = {group: {member.id: HERE for member in members}}
    nodes = fleet(node(HERE), node("n01"), node("n02"))
    plan = planned(members, nodes, places=places)
    assert sorted(str(target) for _, target in actions(plan).values()) == ["n01", "n02"]
    plan = planned(members, fleet(node(HERE), node("n01")), places=places)
    assert sorted(action for action, _ in actions(plan).values()) == ["leave", "migrate"]


def test_digest_covers_the_agreed_actions_without_the_targets() -> None:
    guests = [guest("a"), guest("b", is_running=False)]
    one, other = fleet(node(HERE), node("n01")), fleet(node(HERE), node("n02"))
    plan = planned(guests, one)
    assert plan.digest == planned(list(reversed(guests)), other).digest
    assert plan.digest != planned(guests, one, fallback="stop").digest
    assert plan.digest != planned(guests[:1], one).digest
    assert plan.digest != planned([guest("a", obstacles=(OBSTACLE,)), guests[1]], one).digest
    assert plan.digest != planned([guests[0], guest("b", is_running=False, obstacles=(OBSTACLE,))], one).digest


guests = st.builds(
    lambda number, resources, is_running, is_changing, is_stuck: guest(
        f"g{number}",
        ask(resources=resources),
        is_running=is_running,
        is_changing=is_changing,
        obstacles=(OBSTACLE,) if is_stuck else (),
    ),
    st.integers(0, 99),
    amounts,
    st.booleans(),
    st.sampled_from([False, False, False, True]),
    st.sampled_from([False, False, False, True]),
)
guest_lists = st.lists(guests, max_size=8, unique_by=lambda each: each.id)


@given(guest_lists, row_lists, st.sampled_from(["leave", "stop"]))
def test_plan_covers_every_guest_with_a_reason_and_oversells_nothing(
    drained: list[Guest], rows: list[NodeRow], fallback: str
) -> None:
    nodes = fleet(*(row for row in rows if row.id != HERE), node(HERE))
    plan = planned(drained, nodes, fallback=fallback)
    assert plan == planned(list(reversed(drained)), nodes, fallback=fallback)
    assert sorted(entry.guest.id for entry in plan.entries) == sorted(each.id for each in drained)
    for entry in plan.entries:
        assert (entry.target is not None) == (entry.action == "migrate")
        assert bool(entry.reasons) == (entry.action in ("stay", "leave", "stop"))
        assert entry.action != ("stop" if fallback == "leave" else "leave")
    for row in rows:
        sent = [each.guest.question for each in plan.entries if each.target == row.id]
        for dimension in range(3):
            requested = sum(each.request.resources[dimension] for each in sent if each)
            assert requested == 0 or requested <= row.capacity[dimension] - row.used[dimension]
            assert row.id != HERE or not sent


def test_allocation_reduces_the_free_capacity_of_a_copy() -> None:
    before = fleet(node("n01"))
    after = before.with_allocated("n01", Resources(2, 1024, 10))
    assert after.free[:, 0].tolist() == [ROOMY.vcpus - 2, ROOMY.memory_mib - 1024, ROOMY.disk_gib - 10]
    assert before.free[:, 0].tolist() == list(ROOMY), "a fleet is a value"
