"""Long polls: their routes, and the answer of a web process that receives one."""

import json
import re

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from controlplane.api.long_polls import PATH
from controlplane.kernel import long_poll
from tests.api.client import Caller
from tests.world import Cloud

WEB = {"name": "web", "flavor": "tiny", "image": "tiny"}
ROLE = django_settings.BASE_DIR / "ansible" / "roles" / "nginx" / "templates"


def test_the_long_polls_are_the_routes_with_the_parameter_wait() -> None:
    document = json.loads((django_settings.BASE_DIR / "docs" / "reference" / "openapi.json").read_text())
    routes = {
        re.sub(r"\{[^}]+\}", "x", path): {parameter.get("name") for parameter in methods["get"].get("parameters", [])}
        for path, methods in document["paths"].items()
        if "get" in methods
    }
    assert {path for path in routes if PATH.fullmatch(path)} == {
        path for path, names in routes.items() if "wait" in names
    }


def test_the_proxy_knows_the_same_routes() -> None:
    assert f"location ~ ^{PATH.pattern}$ {{" in (ROLE / "locations.conf.j2").read_text()


def test_web_process_without_free_slots_answers_at_once(
    api: Caller, cloud: Cloud, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LONG_POLLS_IN_WEB = 1
    monkeypatch.setattr(long_poll, "wait_in_thread", lambda condition, limit_s: waited.append(limit_s))
    waited: list[int] = []
    url = f"operations/{api.post('instances', WEB).operation['id']}?wait=60s"
    with long_poll.slots_in_web(1):
        assert (api.get(url).body["state"], waited) == ("pending", [])
    assert (api.get(url).body["state"], waited) == ("pending", [60])
    assert (api.get(url).body["state"], waited) == ("pending", [60, 60]), "the slot was released"


def test_the_first_answer_of_a_long_poll_in_stream_reads_no_condition(api: Caller, cloud: Cloud) -> None:
    """The process reads it next, before it waits."""
    url = f"operations/{api.post('instances', WEB).operation['id']}"
    with CaptureQueriesContext(connection) as plain:
        api.get(url)
    with CaptureQueriesContext(connection) as first, long_poll.deferred() as deferral:
        api.get(f"{url}?wait=60s")
    assert deferral.waiting is not None
    assert len(first) == len(plain)
