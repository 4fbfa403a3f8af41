"""The feed over HTTP: pages, filters, waiting, and the same as server-sent events."""

import json
from typing import Any

import pytest

from controlplane.events.services import publish_event
from controlplane.kernel.ids import new_id
from tests.api.client import Caller
from tests.api.conftest import finish
from tests.api.test_versions import MADE
from tests.world import Cloud

NETWORK = {"name": "office", "cidr": "10.1.0.0/24"}


def now(api: Caller) -> str:
    cursor: str = api.get("/v1/events?after=now").body["cursor"]
    return cursor


def frames(text: str) -> list[dict[str, str]]:
    """Server-sent events, as the standard says to read them."""
    result: list[dict[str, str]] = []
    for block in text.split("\n\n"):
        lines = [line.partition(": ") for line in block.split("\n") if line and not line.startswith(":")]
        if lines:
            result.append({name: value for name, _, value in lines})
    return result


def test_events_follow_an_operation_to_its_end(api: Caller) -> None:
    cursor = now(api)
    network = api.post("networks", NETWORK).body
    answer = api.get(f"/v1/events?after={cursor}").body
    (event,) = answer["items"]
    assert (event["kind"], event["data"]) == ("network.created", {"cidr": "10.1.0.0/24"})
    assert event["resource"] == {"kind": "network", "id": network["id"], "name": "office"}
    assert event["project"] is not None
    assert event["actor"]["user"] is not None
    assert answer["cursor"] == event["cursor"]
    assert not answer["has_more"]
    finish(api.post("volumes", {"name": "data", "size_gib": 1}))
    kinds = [each["kind"] for each in api.get(f"/v1/events?after={answer['cursor']}").body["items"]]
    assert kinds == ["volume.created", "operation.pending", "volume.available", "operation.succeeded"]


@pytest.mark.parametrize("kind", MADE)
def test_rename_publishes_an_event(api: Caller, kind: str) -> None:
    created = api.post(kind, MADE[kind])
    if created.body.get("operation") is not None:
        finish(created)
    cursor = now(api)
    assert api.patch(f"{kind}/web", {"name": "site", "labels": {"env": "prod"}}).status == 200
    (event,) = api.get(f"/v1/events?after={cursor}").body["items"]
    noun = kind.rpartition("/")[2].removesuffix("s").replace("-", "_")
    assert (event["kind"], event["resource"]["name"]) == (f"{noun}.updated", "site")


def test_pages_follow_one_another(api: Caller) -> None:
    cursor = now(api)
    for number in range(5):
        api.post("networks", NETWORK | {"name": f"lan-{number}"})
    names: list[str] = []
    has_more = True
    while has_more:
        page = api.get(f"/v1/events?after={cursor}&limit=2").body
        names += [event["resource"]["name"] for event in page["items"]]
        cursor, has_more = page["cursor"], page["has_more"]
    assert names == [f"lan-{number}" for number in range(5)]


def test_events_are_filtered_by_resource_kind_and_project(api: Caller, cloud: Cloud) -> None:
    first, second = (api.post("networks", NETWORK | {"name": name}).body["id"] for name in ("one", "two"))
    api.delete("networks/two")
    assert [event["kind"] for event in api.get(f"/v1/events?resource={second}").body["items"]] == [
        "network.created",
        "network.deleted",
    ]
    assert {e["resource"]["id"] for e in api.get("/v1/events?kind=network.deleted").body["items"]} == {second}
    events = api.get("/v1/events?kind=network.*,volume.*&project=alpha").body["items"]
    assert {first, second} <= {event["resource"]["id"] for event in events}
    assert {event["kind"].partition(".")[0] for event in events} == {"network"}


@pytest.mark.parametrize("path", ["/v1/events", "/v1/events/stream"])
@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("after=nonsense", (410, "events.cursor_expired", "after")),
        ("after=", (410, "events.cursor_expired", "after")),
        ("kind=instance.painted", (400, "invalid_parameter", "kind")),
        ("kind=", (400, "invalid_parameter", "kind")),
        ("resource=web", (400, "invalid_parameter", "resource")),
        ("limit=0", (400, "invalid_parameter", "limit")),
        ("limit=201", (400, "invalid_parameter", "limit")),
        ("project=beta", (422, "identity.project.not_found", "project")),
        ("colour=red", (400, "unknown_parameter", "colour")),
    ],
)
def test_invalid_query_is_refused(api: Caller, path: str, query: str, problem: tuple[int, str, str]) -> None:
    assert api.get(f"{path}?{query}").problem == problem


def test_waiting_request_is_answered_at_its_deadline(api: Caller) -> None:
    answer = api.get(f"/v1/events?after={now(api)}&wait=1s").body
    assert answer["items"] == []
    assert api.get("/v1/events?wait=61s").problem == (400, "invalid_parameter", "wait")


def test_events_of_other_projects_are_hidden(api: Caller, stranger: Caller, operator: Caller) -> None:
    cursor = now(operator)
    api.post("networks", NETWORK)
    publish_event(None, "node.ready", new_id(), project_id=None)
    assert stranger.get(f"/v1/events?after={cursor}").body["items"] == []
    assert '"kind"' not in stranger.get(f"/v1/events/stream?after={cursor}").text
    assert [event["kind"] for event in api.get(f"/v1/events?after={cursor}").body["items"]] == ["network.created"]
    kinds = [event["kind"] for event in operator.get(f"/v1/events?after={cursor}").body["items"]]
    assert kinds == ["network.created", "node.ready"]


def test_a_viewer_reads_events(viewer: Caller, api: Caller) -> None:
    api.post("networks", NETWORK)
    assert viewer.get("/v1/events?kind=network.created").body["items"]


def test_server_sent_events_equal_the_list(api: Caller) -> None:
    begin = frames(api.get("/v1/events/stream").text)
    assert begin[0] == {"retry": "3000"}
    cursor = begin[-1]["id"]
    assert cursor == now(api), "nothing of what was, and a place from where to go on"
    api.post("networks", NETWORK)
    listed = api.get(f"/v1/events?after={cursor}").body["items"]
    for answer in (
        api.get(f"/v1/events/stream?after={cursor}"),
        api.get("/v1/events/stream", Last_Event_ID=cursor),
        api.get("/v1/events/stream?after=now", Last_Event_ID=cursor),
    ):
        _, event, end = frames(answer.text)
        assert (event["event"], event["id"], json.loads(event["data"])) == (
            "network.created",
            listed[0]["cursor"],
            listed[0],
        )
        assert end == {"id": listed[0]["cursor"]}


def test_user_text_cannot_forge_a_frame(api: Caller) -> None:
    cursor = now(api)
    publish_event(None, "network.created", new_id(), project_id=_project_of(api), cidr="x\n\nevent: forged\ndata: {}\r")
    assert [frame.get("event") for frame in frames(api.get(f"/v1/events/stream?after={cursor}").text)] == [
        None,
        "network.created",
        None,
    ]


def _project_of(api: Caller) -> Any:
    return api.get("/v1/projects/alpha").body["id"]
