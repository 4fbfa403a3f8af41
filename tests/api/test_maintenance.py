"""Maintenance over the API: operators make rules, everybody reads them, and hears why something is not taken."""

from datetime import timedelta

import pytest

from controlplane.events.models import Event
from controlplane.kernel import clock
from controlplane.operations.models import MaintenanceRule
from tests.api.client import Caller
from tests.cases import in_one_cloud
from tests.world import Cloud

URL = "/v1/maintenance"
RULE = {"kind": "*", "action": "reject", "reason": "new switches"}
WEB = {"name": "web", "flavor": "tiny", "image": "tiny"}


@pytest.mark.parametrize(("language", "title"), [("en", "Under maintenance"), ("fr", "En maintenance")])
def test_rejected_request_has_retry_after(
    api: Caller, operator: Caller, cloud: Cloud, language: str, title: str
) -> None:
    until = clock.now() + timedelta(seconds=50)
    operator.post(URL, {**RULE, "ends_at": until.isoformat()})
    api.language = language
    answer = api.post("instances", WEB)
    assert answer.problem == (503, "maintenance", None)
    assert answer.body["title"] == title and "new switches" in answer.body["detail"]
    assert 40 <= int(answer.headers["Retry-After"]) <= 50
    assert api.get("instances").body["items"] == []


def test_rule_is_created_listed_and_ended(api: Caller, operator: Caller, cloud: Cloud) -> None:
    created = operator.post(URL, {**RULE, "zone": "fr-idf-1"})
    assert (created.status, created.body["state"], created.body["ends_at"]) == (201, "active", None)
    (active,) = api.get(f"{URL}?state=active").body["items"]
    assert active == created.body == api.get(f"{URL}/{created.body['id']}").body
    ended = operator.post(f"{URL}/{created.body['id']}/actions/end").body
    assert ended["state"] == "ended"
    assert operator.post(f"{URL}/{created.body['id']}/actions/end").body == ended
    assert api.get(f"{URL}?state=active").body["items"] == []
    assert api.post("instances", WEB).status == 201
    events = Event.objects.filter(kind__startswith="maintenance.").order_by("pk")
    assert list(events.values_list("kind", flat=True)) == ["maintenance.begun", "maintenance.ended"]


def test_node_rules_are_visible_to_readers_of_nodes_only(api: Caller, operator: Caller, cloud: Cloud) -> None:
    created = operator.post(URL, {**RULE, "node": "node-1"}).body
    assert created["node"] == str(cloud.machine.row.pk)
    assert api.get(URL).body["items"] == []
    assert api.get(f"{URL}/{created['id']}").problem == (404, "maintenance.not_found", None)


@in_one_cloud(
    ("change", "pointer"),
    [
        ({"kind": "instance.dance"}, "/kind"),
        ({"action": "delay"}, "/action"),
        ({"zone": "nowhere"}, "/zone"),
        ({"node": "nobody"}, "/node"),
        ({"begins_at": "tomorrow"}, "/begins_at"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "/ends_at"),
        ({"reason": ""}, "/reason"),
    ],
)
def test_rule_without_effect_names_the_field(
    operator: Caller, cloud: Cloud, change: dict[str, str], pointer: str
) -> None:
    assert operator.post(URL, {**RULE, **change}).problem[2] == pointer
    assert not MaintenanceRule.objects.exists()


def test_only_an_operator_creates_and_ends_a_rule(api: Caller, operator: Caller, cloud: Cloud) -> None:
    assert api.post(URL, RULE).problem[0] == 403
    created = operator.post(URL, RULE).body["id"]
    assert api.post(f"{URL}/{created}/actions/end").problem[0] == 403
