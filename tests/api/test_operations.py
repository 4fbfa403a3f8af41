"""Operations: found from the resource, waited for, cancelled."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.nodes.models import NodeRemoval
from controlplane.operations.models import Operation
from controlplane.operations.selectors import STUCK_ATTEMPTS
from tests.api.client import Caller
from tests.api.conftest import finish
from tests.cases import in_one_cloud
from tests.world import Cloud, make_tenant, run

WEB = {"name": "web", "flavor": "tiny", "image": "tiny"}


def test_an_operation_is_found_from_its_resource(api: Caller, cloud: Cloud) -> None:
    instance = api.post("instances", WEB).body
    api.post("volumes", {"name": "data", "size_gib": 1})
    operations = api.get(f"operations?resource={instance['id']}").body["items"]
    assert [each["id"] for each in operations] == [instance["operation"]["id"]]
    assert [each["kind"] for each in api.get("operations").body["items"]] == ["volume.create", "instance.create"]
    assert [each["kind"] for each in api.get("operations?kind=volume.create&state=pending").body["items"]] == [
        "volume.create"
    ]
    assert api.get("operations?state=failed").body["items"] == []


def test_an_operation_keeps_the_name_that_its_resource_had(api: Caller, cloud: Cloud) -> None:
    finish(api.post("instances", WEB))
    finish(api.post("volumes", {"name": "data", "size_gib": 1, "near_instance": "web"}))
    finish(api.post("instances/web/attachments", {"volume": "data"}))
    finish(api.post("volumes/data/actions/grow", {"size_gib": 2}))
    finish(api.post("instances/web/actions/shutdown"))
    api.patch("instances/web", {"name": "shop"})
    api.patch("volumes/data", {"name": "goods"})
    finish(api.delete("instances/shop/attachments/goods"))
    finish(api.delete("volumes/goods"))
    finish(api.delete("instances/shop"))
    api.post("images", {"name": "fresh", "format": "raw", "source_url": "https://example.org/fresh"})
    assert [(each["kind"], each["resource_name"]) for each in api.get("operations?sort=created_at").body["items"]] == [
        ("instance.create", "web"),
        ("volume.create", "data"),
        ("volume.attach", "data"),
        ("volume.grow", "data"),
        ("instance.shutdown", "web"),
        ("volume.detach", "goods"),
        ("volume.delete", "goods"),
        ("instance.delete", "shop"),
        ("image.import", "fresh"),
    ]


def test_operations_of_all_projects_are_visible_to_operators_only(api: Caller, operator: Caller, cloud: Cloud) -> None:
    own = api.post("instances", WEB).body["operation"]["id"]
    beta = make_tenant("beta").project
    now, volume = clock.now(), new_id()
    other = Operation.objects.create(
        project=beta, kind="volume.create", resource_id=volume, resource_ids=[volume], deadline_at=now, due_at=now
    )
    newest, first = operator.get("/v1/operations").body["items"]
    assert (newest["id"], newest["project"]["name"], newest["organization"]["name"]) == (
        str(other.pk),
        "beta",
        "beta-org",
    )
    assert (first["id"], first["project"]["name"]) == (own, "alpha")
    for query in (f"project={beta.pk}", f"organization={beta.organization_id}", "kind=volume.create"):
        (listed,) = operator.get(f"/v1/operations?{query}").body["items"]
        assert listed["id"] == str(other.pk), query
    assert operator.get("/v1/operations?state=failed").body["items"] == []
    assert api.get("/v1/operations").problem[0] == 403


def test_operation_has_its_steps_and_progress(api: Caller, cloud: Cloud) -> None:
    body = finish(api.post("instances", WEB, X_Request_Id="my-request-1"))
    operation = api.get(f"operations/{body['operation']['id']}?wait=30s").body
    assert (operation["state"], operation["progress"], operation["error"]) == ("succeeded", 100, None)
    assert [(step["name"], step["state"]) for step in operation["steps"]][:1] == [("place", "done")]
    assert operation["resources"] == [body["id"]]
    assert operation["created_by"] == {
        "user": str(cloud.tenant.actor.user_id),
        "credential": str(cloud.tenant.actor.credential_id),
    }
    assert operation["request_id"] == "my-request-1"


@pytest.mark.parametrize(("language", "title"), [("en", "Cancelled"), ("fr", "Annulée")])
def test_failure_is_in_the_language_of_the_caller(api: Caller, cloud: Cloud, language: str, title: str) -> None:
    body = api.post("instances", WEB).body
    cancelled = api.post(f"operations/{body['operation']['id']}/actions/cancel")
    assert cancelled.status == 202
    run(Operation.objects.get())
    api.language = language
    operation = api.get(f"operations/{body['operation']['id']}").body
    assert (operation["state"], operation["error"]["code"]) == ("cancelled", "operation.cancelled")
    assert operation["error"]["title"] == title
    assert api.get("instances/web").body["last_error"] == operation["error"]


def test_ended_operation_cannot_be_cancelled(api: Caller, cloud: Cloud) -> None:
    body = finish(api.post("instances", WEB))
    answer = api.post(f"operations/{body['operation']['id']}/actions/cancel")
    assert answer.problem == (409, "operation.not_cancellable", None)


def test_retry_of_a_cancelled_operation_links_both(api: Caller, cloud: Cloud) -> None:
    body = api.post("instances", WEB).body
    first = body["operation"]["id"]
    api.post(f"operations/{first}/actions/cancel")
    run(Operation.objects.get())
    answer = api.post(f"operations/{first}/actions/retry")
    assert (answer.status, answer.body["retry_of"], answer.body["retried_by"]) == (202, first, None)
    assert answer.body["id"] != first
    assert api.get(f"operations/{first}").body["retried_by"] == answer.body["id"]
    run(Operation.objects.get(pk=answer.body["id"]))
    assert api.get("instances/web").body["state"] == "active"
    assert api.post(f"operations/{first}/actions/retry").problem[:2] == (409, "compute.instance.wrong_state")
    assert api.post(f"operations/{answer.body['id']}/actions/retry").problem[:2] == (409, "operation.not_retryable")


def test_retry_of_a_running_operation_runs_it_now(api: Caller, cloud: Cloud) -> None:
    operation_id = api.post("instances", WEB).operation["id"]
    Operation.objects.update(due_at=clock.now() + timedelta(hours=1))
    answer = api.post(f"operations/{operation_id}/actions/retry")
    assert (answer.status, answer.body["id"], answer.body["retry_of"]) == (202, operation_id, None)
    assert Operation.objects.get().due_at <= clock.now()


@pytest.fixture
def stuck(api: Caller, cloud: Cloud) -> str:
    """The deletion of a volume whose node is gone."""
    api.post("volumes", {"name": "data", "size_gib": 1})
    run(Operation.objects.get())
    operation_id = api.delete("volumes/data").operation["id"]
    step = {"name": "disk", "state": "retrying", "attempts": STUCK_ATTEMPTS, "message": "The node does not answer."}
    Operation.objects.filter(pk=operation_id).update(state="running", attempts=STUCK_ATTEMPTS, steps=[step])
    cloud.machine.become_unreachable()
    return operation_id


def test_stuck_operation_is_listed_with_its_error(operator: Caller, stuck: str) -> None:
    (listed,) = operator.get("/v1/operations?stuck=true").body["items"]
    assert (listed["id"], listed["obstacle"]) == (stuck, "The node does not answer.")
    (other,) = operator.get("/v1/operations?stuck=false").body["items"]
    assert (other["kind"], other["obstacle"]) == ("volume.create", None)
    assert operator.get("/v1/operations?stuck=no").problem == (400, "invalid_parameter", "stuck")


def test_operator_resolves_a_stuck_operation_or_previews_it(api: Caller, operator: Caller, stuck: str) -> None:
    url = f"/v1/operations/{stuck}/actions/resolve"
    tried = operator.post(f"{url}?dry_run=true", {"reason": "it burnt"}).body
    assert api.get("volumes/data").body["state"] == "available" and not NodeRemoval.objects.exists()
    done = operator.post(url, {"reason": "it burnt"}).body
    assert (done["operation"]["state"], done["node"]["name"]) == ("running", "node-1")
    assert done["removals"] == tried["removals"] == []
    assert run(Operation.objects.get(pk=stuck)).state == "succeeded", "a worker ends it without the node"
    removal = NodeRemoval.objects.get()
    assert (removal.kind, str(removal.resource_id)) == ("volume", done["operation"]["resources"][0])
    assert api.get("volumes/data").status == 404
    assert operator.post(url, {"reason": "again"}).problem == (409, "operation.not_resolvable", None)


def test_resolve_needs_a_reason_and_an_operator(api: Caller, operator: Caller, stuck: str) -> None:
    url = f"/v1/operations/{stuck}/actions/resolve"
    assert operator.post(url, {}).problem == (400, "invalid_request", "/reason")
    assert api.post(url, {"reason": "it burnt"}).problem[0] == 403


@pytest.mark.django_db(transaction=True)
def test_a_wait_ends_with_the_operation() -> None:
    tenant = make_tenant()
    now = clock.now()
    operation = Operation.objects.create(
        kind="x", project=tenant.project, resource_id=tenant.project.pk, resource_ids=[], due_at=now, deadline_at=now
    )
    api = Caller(token="alpha", project="alpha")
    states: list[str] = []

    def wait() -> None:
        states.append(api.get(f"operations/{operation.pk}?wait=60s").body["state"])
        connection.close()

    waiting = threading.Thread(target=wait)
    waiting.start()
    Operation.objects.update(state="succeeded", finished_at=clock.now())
    waiting.join()
    assert states == ["succeeded"]


def test_wait_answers_the_current_state_at_its_deadline(api: Caller, cloud: Cloud) -> None:
    body = api.post("instances", WEB).body
    assert api.get(f"operations/{body['operation']['id']}?wait=1").body["state"] == "pending"


@in_one_cloud("wait", ["61", "1m", "-1", "", "1.5"])
def test_invalid_wait_is_refused(api: Caller, cloud: Cloud, wait: str) -> None:
    operation_id = api.post("instances", WEB).operation["id"]
    assert api.get(f"operations/{operation_id}?wait={wait}").problem == (400, "invalid_parameter", "wait")
