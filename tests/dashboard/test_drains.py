"""Pages about the life of a node: the plan before a drain, the drain, maintenance, and the end."""

import pytest
from django.test import Client

from controlplane.compute.models import Instance
from controlplane.identity.actor import SYSTEM
from controlplane.node_lifecycle.drain import reconciler as executor
from controlplane.nodes.models import Drain, Node
from controlplane.nodes.services import node_cordon
from controlplane.operations.models import Operation
from tests.api.client import Caller
from tests.api.conftest import finish
from tests.dashboard.conftest import SignIn
from tests.dashboard.sample_resources import text_of
from tests.workflows.helpers import done
from tests.world import Cloud, FakeMachine, follow

NODE = "/platform/nodes/node-1"
PLAN, DRAIN = f"{NODE}/drain/new", f"{NODE}/drain"


@pytest.fixture
def operator(signed_in: SignIn) -> Client:
    return signed_in("operator")


@pytest.fixture
def guest(cloud: Cloud) -> None:
    finish(Caller(token="alpha", project="alpha").post("instances", {"name": "web", "flavor": "tiny", "image": "tiny"}))


@pytest.fixture
def other(cloud: Cloud, guest: None) -> FakeMachine:
    machine = cloud.world.add_machine("fr-idf-1")
    return machine


def move(operation: Operation) -> None:
    assert follow(operation).state == "succeeded", (operation.error, operation.steps)


def begin(operator: Client, *, fallback: str = "leave", plan: str = "") -> str:
    page = operator.get(f"{PLAN}?fallback={fallback}").content.decode()
    digest = plan or page.split('name="plan" value="')[1].split('"')[0]
    body = {"plan": digest, "fallback": fallback, "at_once": "1", "reason": "its fan"}
    body |= {"deadline_s": "900", "convergence": "none"}
    answer = operator.post(PLAN, body)
    return answer["Location"] if answer.status_code == 302 else answer.content.decode()


def test_plan_is_shown_with_its_blockers_before_the_drain(operator: Client, other: FakeMachine) -> None:
    page = operator.get(PLAN)
    assert "migrates to another node 1" in text_of(page) and "node-2" in text_of(page)
    assert "Blockers" not in text_of(page)
    node_cordon(SYSTEM, other.row, reason="")
    blocked = text_of(operator.get(PLAN))
    assert (
        "cannot be moved, continues to run 1" in blocked
        and "The drain cannot complete while these instances run on the node" in blocked
    )
    assert "placement.no_place" in blocked
    stopped = text_of(operator.get(f"{PLAN}?fallback=stop"))
    assert "shut down, restarted when the node returns to service 1" in stopped
    assert "restarted when the node returns to service" in stopped
    assert not Drain.objects.exists()


def test_guests_that_stay_off_are_named_before_and_during_the_drain(operator: Client, other: FakeMachine) -> None:
    node_cordon(SYSTEM, other.row, reason="")
    assert "Some would stay off" not in text_of(operator.get(f"{PLAN}?fallback=stop"))
    Instance.objects.update(restart_policy="never")
    plan = text_of(operator.get(f"{PLAN}?fallback=stop"))
    assert "Some would stay off" in plan and "shut down, would stay off 1" in plan
    assert "restarted when the node returns to service" not in plan
    assert "Start it by hand" in plan and "compute.instance.not_started_again" in plan
    assert begin(operator, fallback="stop") == DRAIN
    executor.reconcile()
    done(Operation.objects.get(kind="instance.shutdown"))
    executor.reconcile()
    page = text_of(operator.get(DRAIN))
    assert "stays off until started manually" in page and "Start it by hand" in page
    assert "restarted when the node returns to service" not in page


def test_drain_runs_from_its_plan_to_the_return_of_the_node(operator: Client, other: FakeMachine) -> None:
    assert "No drain yet" in text_of(operator.get(DRAIN))
    assert begin(operator) == DRAIN
    drain = Drain.objects.get()
    assert (drain.at_once, drain.deadline_s, drain.convergence) == (1, 900, "none")
    page = text_of(operator.get(DRAIN))
    assert "waiting" in page and "its fan" in page and "0 %" in page
    assert "Instances are being moved to other nodes" in text_of(operator.get(NODE))
    executor.reconcile()
    assert "migrating" in text_of(operator.get(DRAIN))
    move(Operation.objects.get(kind="instance.migrate"))
    executor.reconcile()
    page = text_of(operator.get(DRAIN))
    assert "100 %" in page and "The node stays in maintenance until you return it to service." in page
    assert operator.post(f"{NODE}/return", {"next": NODE})["Location"] == NODE
    assert Node.objects.get(name="node-1").admin_state == "in-service"
    assert "Drain again" in text_of(operator.get(DRAIN))


def test_changed_plan_is_shown_and_starts_no_drain(operator: Client, other: FakeMachine) -> None:
    page = begin(operator, plan="0" * 64)
    assert "Request the plan again" in page
    assert 'name="plan" value="0000' not in page, "the new one can be agreed to"
    assert not Drain.objects.exists()


def test_drain_is_paused_resumed_and_cancelled(operator: Client, other: FakeMachine) -> None:
    begin(operator)
    for verb, state in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        assert operator.post(f"{DRAIN}/{verb}")["Location"] == DRAIN
        assert Drain.objects.get().state == state
    assert "A node that was draining is now cordoned" in text_of(operator.get(DRAIN))
    assert "this needs a drain that is" in text_of(operator.post(f"{DRAIN}/pause", follow=True))


def test_blocked_guest_has_a_reason_and_is_retried_or_shut_down(operator: Client, guest: None, cloud: Cloud) -> None:
    begin(operator)
    executor.reconcile()
    page = text_of(operator.get(DRAIN))
    assert "blocked" in page and "not moved" in page and "placement.no_place" in page
    operator.post(f"{DRAIN}/retry")
    executor.reconcile()
    assert Drain.objects.get().state == "blocked"
    operator.post(f"{DRAIN}/retry", {"fallback": "stop"})
    assert (Drain.objects.get().state, Drain.objects.get().fallback) == ("running", "stop")


def test_empty_node_enters_maintenance_returns_and_is_retired(operator: Client, cloud: Cloud) -> None:
    node_cordon(SYSTEM, cloud.machine.row, reason="")
    assert operator.post(f"{NODE}/maintenance", {"reason": "disks"})["Location"] == NODE
    page = text_of(operator.get(NODE))
    assert "in maintenance" in page and "disks" in page and "Return to service" in page
    operator.post(f"{NODE}/return")
    assert b'class="errorlist"' in operator.post(f"{NODE}/retire", {"reason": ""}).content
    assert operator.post(f"{NODE}/retire", {"reason": "sold"})["Location"] == "/platform/nodes"
    assert b'href="/platform/nodes/node-1"' not in operator.get("/platform/nodes").content
    assert "node-1" in text_of(operator.get("/platform/nodes?duty=retired"))


def test_node_that_cannot_be_drained_or_retired_has_a_reason(operator: Client, guest: None, cloud: Cloud) -> None:
    assert "are allocated there" in text_of(operator.post(f"{NODE}/retire", {"reason": "sold"}))
    assert "Drain it first" in text_of(operator.post(f"{NODE}/maintenance", {"reason": ""}))
    cloud.machine.become_unreachable()
    answer = operator.get(PLAN)
    assert "No heartbeat from the node" in text_of(answer) and b"Drain node</button>" not in answer.content


def test_other_platform_roles_read_a_drain_and_change_nothing(
    signed_in: SignIn, operator: Client, other: FakeMachine
) -> None:
    begin(operator)
    support = signed_in("support")
    page = text_of(support.get(DRAIN))
    assert "its fan" in page and "Pause" not in page
    for verb in ("pause", "cancel"):
        support.post(f"{DRAIN}/{verb}")
    for verb, body in (("maintenance", {}), ("retire", {"reason": "x"}), ("return", {})):
        support.post(f"{NODE}/{verb}", body)
    assert (Drain.objects.get().state, Node.objects.get(name="node-1").admin_state) == ("running", "draining")
    assert signed_in("owner").get(DRAIN).status_code == 403
