"""The OpenAPI document: what the code makes, what is committed, and that it is one."""

import json
from collections import Counter

import pytest
from django.conf import settings
from django.core.management import call_command
from drf_spectacular.drainage import GENERATOR_STATS
from openapi_spec_validator import validate

from controlplane.kernel.fields import In
from tests.api.contract import contract
from tests.api.test_isolation import ALL, Route


def test_it_is_valid_and_made_without_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("openapi")
    made = capsys.readouterr()
    assert not made.err
    assert not GENERATOR_STATS
    assert json.loads(made.out)["openapi"] == "3.1.0"
    validate(json.loads(made.out))
    assert made.out == (settings.BASE_DIR / "docs" / "reference" / "openapi.json").read_text()


def test_every_route_is_in_it_with_an_operation_id_of_its_own() -> None:
    described = {
        Route(method.upper(), path.removeprefix("/").replace("{", "<str:").replace("}", ">"))
        for path, methods in contract()["paths"].items()
        for method in methods
    }
    assert described == set(ALL)
    ids = Counter(each["operationId"] for methods in contract()["paths"].values() for each in methods.values())
    assert max(ids.values()) == 1


def test_every_body_has_an_example_that_is_right() -> None:
    bodies = [each for each in In.__subclasses__() if each.__module__.startswith("controlplane.")]
    assert len(bodies) > 10
    for body in bodies:
        made = body(data=dict(body.example))
        assert body.example, body
        assert made.is_valid(), (body, made.errors)
