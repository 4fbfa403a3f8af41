"""The OpenAPI document: what the code makes, what is committed, and that it is one."""

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.core.management import call_command
from drf_spectacular.drainage import GENERATOR_STATS
from openapi_spec_validator import validate

from controlplane.api.schema import document
from controlplane.api.v1.service.views import Health
from controlplane.kernel.fields import In
from controlplane.kernel.views import Deprecation
from tests.api.contract import contract
from tests.api.test_isolation import ALL, Route


def test_document_is_valid_and_current(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("openapi")
    created = capsys.readouterr()
    assert not created.err
    assert not GENERATOR_STATS
    assert json.loads(created.out)["openapi"] == "3.1.0"
    validate(json.loads(created.out))
    assert created.out == (settings.BASE_DIR / "docs" / "reference" / "openapi.json").read_text()


def test_every_route_has_a_unique_operation_id() -> None:
    described = {
        Route(method.upper(), path.removeprefix("/").replace("{", "<str:").replace("}", ">"))
        for path, methods in contract()["paths"].items()
        for method in methods
    }
    assert described == set(ALL)
    ids = Counter(each["operationId"] for methods in contract()["paths"].values() for each in methods.values())
    assert max(ids.values()) == 1


@pytest.mark.parametrize(
    ("method", "path", "statuses"),
    [
        ("get", "/v1/healthz", "200 400 429 503"),
        ("get", "/v1/projects", "200 400 401 403 429 503"),
        ("get", "/v1/projects/{project}", "200 400 401 403 404 409 429 503"),
        ("delete", "/v1/projects/{project}", "204 400 401 403 404 409 412 429 503"),
        ("patch", "/v1/projects/{project}", "200 400 401 403 404 409 412 413 415 422 429 503"),
        ("get", "/v1/events", "200 400 401 403 410 422 429 503"),
        ("put", "/v1/projects/{project}/policy", "200 202 400 401 403 404 409 412 413 415 422 428 429 503"),
        (
            "post",
            "/v1/projects/{project}/terraform-states/{terraform_state}",
            "200 400 401 403 404 409 411 412 413 415 422 423 429 503 507",
        ),
    ],
)
def test_route_has_its_statuses(method: str, path: str, statuses: str) -> None:
    assert sorted(contract()["paths"][path][method]["responses"]) == statuses.split()


def test_parameters_and_fields_have_their_limits() -> None:
    listing = contract()["paths"]["/v1/projects/{project}/instances"]["get"]["parameters"]
    schemas = {each["name"]: each["schema"] for each in listing}
    assert schemas["limit"] == {"type": "integer", "minimum": 1, "maximum": 200}
    assert schemas["count"] == {"type": "boolean"}
    assert "active" in schemas["state"]["enum"]
    assert schemas["created_after"]["format"] == "date-time"
    fields = contract()["components"]["schemas"]["VolumeInput"]["properties"]
    assert re.fullmatch(fields["name"]["pattern"], "web-1")
    assert not re.fullmatch(fields["name"]["pattern"], "Web")
    assert (fields["size_gib"]["minimum"], fields["labels"]["maxProperties"]) == (1, 64)


def test_deprecated_route_has_its_dates(monkeypatch: pytest.MonkeyPatch) -> None:
    since, sunset = datetime(2026, 11, 1, tzinfo=UTC), datetime(2027, 5, 1, tzinfo=UTC)
    assert not any("deprecated" in each for methods in contract()["paths"].values() for each in methods.values())
    for end, shown in ((sunset, "2027-05-01T00:00:00+00:00"), (None, None)):
        deprecated = replace(Health.get.route, deprecation=Deprecation(since, "https://example.org/moved", end))
        monkeypatch.setattr(Health.get, "route", deprecated)
        operation = json.loads(document())["paths"]["/v1/healthz"]["get"]
        assert (operation["deprecated"], operation.get("x-sunset")) == (True, shown)


def test_every_body_has_a_valid_example() -> None:
    bodies = [each for each in In.__subclasses__() if each.__module__.startswith("controlplane.")]
    assert len(bodies) > 10
    for body in bodies:
        created = body(data=dict(body.example))
        assert body.example, body
        assert created.is_valid(), (body, created.errors)
