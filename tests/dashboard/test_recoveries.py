"""Pages of the recovery of a dead node: the plan before it, and how it goes on."""

import pytest
from django.test import Client

from controlplane.node_lifecycle.recovery import reconciler as executor
from controlplane.nodes.models import Drain, Node
from controlplane.operations.models import Operation
from tests.dashboard.conftest import SignIn
from tests.dashboard.sample_resources import text_of
from tests.workflows.helpers import die_with_guests, done, make_instance, make_shared, share
from tests.world import Cloud, FakeMachine

NODE = "/platform/nodes/node-1"
PLAN, DRAIN = f"{NODE}/recover", f"{NODE}/drain"


@pytest.fixture
def operator(signed_in: SignIn) -> Client:
    return signed_in("operator")


@pytest.fixture
def other(cloud: Cloud) -> FakeMachine:
    """Add a node with capacity for one of the two guests of the dead node."""
    make_shared(cloud, "web")
    make_instance(cloud, "local")
    machine = cloud.world.add_machine("fr-idf-1")
    share(cloud, machine)
    die_with_guests(cloud.machine)
    return machine


def begin(operator: Client) -> str:
    page = operator.get(PLAN).content.decode()
    digest = page.split('name="plan" value="')[1].split('"')[0]
    answer = operator.post(PLAN, {"plan": digest, "at_once": "4", "reason": "its mainboard"})
    return answer["Location"] if answer.status_code == 302 else answer.content.decode()


def test_recovery_runs_from_its_plan_to_its_end(operator: Client, other: FakeMachine) -> None:
    assert f'href="{PLAN}"' in operator.get(NODE).content.decode()
    page = text_of(operator.get(PLAN))
    assert "evacuated to another node 1" in page and "node-2" in page
    assert "returns with the node 1" in page and "its disk is on that node alone" in page
    assert "Instances without a valid node" not in page
    assert not Drain.objects.exists()
    assert begin(operator) == DRAIN
    page = text_of(operator.get(DRAIN))
    assert "Recovery of node-1" in page and "its mainboard" in page and "Shut down remaining instances" not in page
    executor.reconcile()
    assert "evacuating" in text_of(operator.get(DRAIN))
    done(Operation.objects.get(kind="instance.evacuate"))
    executor.reconcile()
    page = text_of(operator.get(DRAIN))
    assert "100 %" in page and "All instances that can run elsewhere are evacuated." in page and "evacuated" in page
    assert "Show recovery" in text_of(operator.get(NODE))


def test_guest_without_a_valid_node_is_in_the_plan_and_stays_down(operator: Client, other: FakeMachine) -> None:
    Node.objects.filter(pk=other.row.pk).update(admin_state="cordoned")
    page = text_of(operator.get(PLAN))
    assert "Instances without a valid node" in page and "compute.instance.evacuation_blocked" in page
    begin(operator)
    executor.reconcile()
    page = text_of(operator.get(DRAIN))
    assert "blocked" in page and "still down" in page and "They are retried automatically" in page
    assert operator.post(f"{DRAIN}/cancel")["Location"] == DRAIN
    assert (Drain.objects.get().state, Node.objects.get(name="node-1").admin_state) == ("cancelled", "fenced")


def test_node_that_is_not_fenced_is_not_recovered(operator: Client, cloud: Cloud) -> None:
    answer = operator.get(PLAN)
    assert "this needs a node that is fenced" in text_of(answer) and b"Recover node</button>" not in answer.content


def test_support_reads_the_plan_and_starts_nothing(signed_in: SignIn, other: FakeMachine) -> None:
    support = signed_in("support")
    answer = support.get(PLAN)
    assert b"Recover node</button>" not in answer.content
    support.post(PLAN, {"plan": "0" * 64, "at_once": "4"})
    assert not Drain.objects.exists()
