"""ETag and If-Match."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from controlplane.kernel.fields import NamedOut
from controlplane.kernel.views import Deprecation, View, route
from controlplane.network.models import Network
from tests.api.client import Answer, Caller
from tests.api.conftest import finish
from tests.api.test_instances import KEY
from tests.limits import PATIENCE_S
from tests.world import Cloud, make_tenant

WEB = {"name": "web", "flavor": "tiny", "image": "tiny"}
OTHER = '"1.000000000000"'
MADE: dict[str, Any] = {
    "instances": WEB,
    "volumes": {"name": "web", "size_gib": 1},
    "images": {"name": "web", "format": "qcow2"},
    "networks": {"name": "web", "cidr": "10.20.0.0/24"},
    "networks/lan/subnets": {"name": "web", "cidr": "10.20.0.0/24"},
    "ports": {"name": "web", "network": "lan"},
    "ssh-keys": {"name": "web", "public_key": KEY},
    "affinity-groups": {"name": "web", "rule": "affinity"},
    "webhooks": {"name": "web", "url": "https://hooks.example.org/", "kinds": ["instance.*"]},
}


def etag(answer: Answer) -> str:
    assert answer.status < 300
    return answer.headers["ETag"]


@pytest.mark.parametrize("kind", MADE)
def test_edit_needs_the_version_that_was_read(api: Caller, cloud: Cloud, kind: str) -> None:
    created = api.post(kind, MADE[kind])
    first = etag(created)
    if kind in ("instances", "volumes"):
        finish(created)
    assert etag(api.get(f"{kind}/web")) == first
    changed = api.patch(f"{kind}/web", {"labels": {"env": "test", "tier": "a"}}, If_Match=first)
    second = etag(changed)
    assert second not in (first, OTHER)
    for late in (first, OTHER, "1", f"W/{second}"):
        answer = api.patch(f"{kind}/web", {"labels": {"env": "prod"}}, If_Match=late)
        assert answer.problem[:2] == (412, "outdated")
        assert answer.body["facts"]["current"] == second
        assert api.delete(f"{kind}/web", If_Match=late).problem[:2] == (412, "outdated")
    assert api.get(f"{kind}/web").body["labels"] == {"env": "test", "tier": "a"}
    assert etag(api.patch(f"{kind}/web", {"labels": {"tier": None}}, If_Match=f"{OTHER}, {second}")) != second
    assert api.patch(f"{kind}/web", {"labels": {"tier": "b"}}, If_Match="*").status == 200
    assert api.get(f"{kind}?labels=tier=b,env=test").body["items"][0]["name"] == "web"
    assert api.get(f"{kind}?labels=tier=c").body["items"] == []
    assert api.patch(f"{kind}/web", {"name": "No Name"}).problem[0] == 400
    last = etag(api.patch(f"{kind}/web", {"name": "other"}))
    assert api.delete(f"{kind}/other", If_Match=last).status in (202, 204)


def test_action_needs_the_version_that_was_read(api: Caller, cloud: Cloud) -> None:
    read = etag(api.post("instances", WEB))
    for path in ("actions/power-off", "actions/start"):
        assert api.post(f"instances/web/{path}", If_Match=OTHER).problem[:2] == (412, "outdated")
    assert api.post("instances/web/actions/start", If_Match=read).problem[0] == 409


def test_background_change_keeps_the_version(api: Caller, cloud: Cloud) -> None:
    answer = api.post("instances", WEB)
    finish(answer)
    assert api.get("instances/web").body["state"] == "active"
    assert etag(api.get("instances/web")) == etag(answer)
    assert etag(api.post("instances/web/actions/power-off", If_Match=etag(answer))) != etag(answer)


def test_unversioned_resource_is_not_matched(api: Caller, cloud: Cloud) -> None:
    assert api.post("networks", MADE["networks"], If_Match=OTHER).problem[:2] == (412, "not_versioned")
    assert api.post("networks", MADE["networks"], If_Match="*").status == 201
    assert "ETag" not in api.get("networks").headers


def test_repetition_under_a_key_ignores_a_changed_version(api: Caller, cloud: Cloud) -> None:
    read = etag(finish_and_get(api))
    first = api.post("instances/web/actions/power-off", If_Match=read, Idempotency_Key="off")
    repeated = api.post("instances/web/actions/power-off", If_Match=read, Idempotency_Key="off")
    assert (first.status, repeated.status, first.data) == (202, 202, repeated.data)


def finish_and_get(api: Caller) -> Answer:
    finish(api.post("instances", WEB))
    return api.get("instances/web")


@pytest.mark.django_db(transaction=True)
def test_concurrent_edits_of_one_version_change_it_once() -> None:
    make_tenant()
    read = etag(Caller(token="alpha", project="alpha").post("networks", MADE["networks"]))
    start = threading.Barrier(4)

    def edit(number: int) -> int:
        try:
            start.wait(timeout=PATIENCE_S)
            caller = Caller(token="alpha", project="alpha")
            return caller.patch("networks/web", {"labels": {f"n{number}": ""}}, If_Match=read).status
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        statuses = sorted(threads.map(edit, range(4)))
    assert statuses == [200, 412, 412, 412]
    assert len(Network.objects.get().labels) == 1


class Old(View):
    authentication_classes: Any = []
    permission_classes: Any = []
    deprecation = Deprecation(
        datetime(2026, 11, 1, tzinfo=UTC), "https://example.org/moved", datetime(2027, 5, 1, tzinfo=UTC)
    )

    @route("old_get", NamedOut, deprecation=deprecation)
    def get(self, request: Request) -> Response:
        return Response({"name": "old"})

    @route("old_delete", status=204)
    def delete(self, request: Request) -> Response:
        return Response(status=204)


@pytest.mark.django_db
def test_deprecated_route_has_its_headers() -> None:
    make = APIRequestFactory()
    for path in ("/", "/?unknown=1"):  # errors too
        answer = Old.as_view()(make.get(path))
        assert answer.headers["Deprecation"] == "@1793491200"
        assert answer.headers["Sunset"] == "Sat, 01 May 2027 00:00:00 GMT"
        assert answer.headers["Link"] == '<https://example.org/moved>; rel="deprecation"; type="text/html"'
    assert "Deprecation" not in Old.as_view()(make.delete("/")).headers
