"""The page of an instance's migrations: what blocks one, its possible destinations, its progress and outcome."""

from datetime import timedelta

import pytest
from django.test import Client

from controlplane.compute.models import Instance, Migration
from controlplane.identity.actor import SYSTEM
from controlplane.nodes.services import node_cordon
from controlplane.operations.models import Operation
from tests.api.client import Caller
from tests.api.conftest import finish
from tests.dashboard.conftest import SignIn
from tests.dashboard.sample_resources import text_of
from tests.world import Cloud, FakeMachine, follow, run


@pytest.fixture
def operator(signed_in: SignIn) -> Client:
    return signed_in("operator")


@pytest.fixture
def other(cloud: Cloud) -> FakeMachine:
    finish(Caller(token="alpha", project="alpha").post("instances", {"name": "web", "flavor": "tiny", "image": "tiny"}))
    return cloud.world.add_machine("fr-idf-1")


@pytest.fixture
def page(other: FakeMachine) -> str:
    return f"/platform/instances/{Instance.objects.get().pk}/move"


def test_instance_is_migrated_to_the_chosen_node(operator: Client, page: str) -> None:
    shown = operator.get(page)
    assert "automatic placement" in text_of(shown) and "node-2" in text_of(shown)
    assert "No migrations yet." in text_of(shown)
    assert operator.post(page, {"node": "node-2", "reason": "repairs"})["Location"] == page
    shown = text_of(operator.get(page))
    assert "placing" in shown and "selecting" in shown and "repairs" in shown
    assert follow(Operation.objects.get(kind="instance.migrate")).state == "succeeded"
    shown = text_of(operator.get(page))
    assert "1 ms" in shown and "migrated" in shown
    assert Migration.objects.get().requested_destination.name == "node-2"


def test_blocked_migration_is_explained_and_disabled(operator: Client, page: str, other: FakeMachine) -> None:
    node_cordon(SYSTEM, other.row, reason="full")
    shown = operator.get(page)
    assert "The instance cannot be migrated now" in text_of(shown) and "placement.no_place" in text_of(shown)
    assert b"<button>Migrate</button>" not in shown.content
    Instance.objects.update(power_state="off")
    assert "does not run" in text_of(operator.get(page))


def test_migration_has_the_options_of_the_form(operator: Client, page: str) -> None:
    refused = text_of(operator.post(page, {"deadline_s": "5"}))
    assert "greater than or equal to 60" in refused and not Migration.objects.exists()
    operator.post(page, {"deadline_s": "90", "convergence": "none"})
    begun = Operation.objects.get(kind="instance.migrate")
    assert begun.deadline_at - begun.created_at == timedelta(seconds=90)
    assert begun.args["convergence"] == "none"


def test_stopped_instance_is_migrated_cold(operator: Client, page: str) -> None:
    Instance.objects.update(state="stopped", power_state="off")
    shown = operator.get(page)
    assert "Cold migration" in text_of(shown) and b"convergence" not in shown.content
    assert operator.post(page, {})["Location"] == page
    assert Migration.objects.get().state == "placing"


def test_running_migration_shows_its_progress_and_is_cancelled(
    operator: Client, page: str, cloud: Cloud, other: FakeMachine
) -> None:
    operator.post(page, {})
    cloud.machine.fake.tunnel.hang = other.fake.tunnel.hang = True
    operation = Operation.objects.get(kind="instance.migrate")
    run(operation)
    Migration.objects.update(total_bytes=2**30, moved_bytes=2**28)
    shown = text_of(operator.get(page))
    assert "25 %" in shown and "256.0" in shown and "1.0" in shown and "node-2" in shown
    assert operator.post(f"{page}/cancel")["Location"] == page
    assert follow(operation).state == "cancelled"
    assert "cancelled" in text_of(operator.get(page))
    assert "not being migrated" in text_of(operator.post(f"{page}/cancel", follow=True))


def test_auditors_read_migrations_and_tenants_do_not(page: str, signed_in: SignIn) -> None:
    shown = signed_in("auditor").get(page)
    assert shown.status_code == 200 and b"<button>Migrate</button>" not in shown.content
    assert signed_in("member").get(page).status_code in (403, 404)


def test_migrations_are_linked_from_node_and_instance(operator: Client, page: str) -> None:
    instance = Instance.objects.get()
    assert page in operator.get("/platform/nodes/node-1").content.decode()
    assert page in operator.get(f"/projects/{instance.project_id}/instances/{instance.pk}").content.decode()
