"""Breaking and compatible changes for users of a published version of the API, rule by rule."""

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scripts import api_compatibility
from scripts.api_compatibility import breaks, complaints, publish

NOW = datetime(2027, 1, 1, tzinfo=UTC)
VOLUME = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "size_gib": {"type": "integer"},
        "state": {"type": "string", "enum": ["available", "error"]},
        "zone": {"type": ["string", "null"]},
        "image": {"oneOf": [{"$ref": "#/components/schemas/Named"}, {"type": "null"}]},
        "copies": {"type": "array", "items": {"$ref": "#/components/schemas/Volume"}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "required": ["id", "size_gib", "state"],
}
NAMED = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
VOLUME_INPUT = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 63},
        "size_gib": {"type": "integer", "minimum": 1, "maximum": 1000},
        "kind": {"type": "string", "enum": ["local", "shared"]},
        "zones": {"type": "array", "items": {"type": "string"}, "maxItems": 8},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "image": {"allOf": [{"$ref": "#/components/schemas/Named"}], "default": None},
        "anything": {},
    },
    "required": ["name"],
    "additionalProperties": False,
}
PUBLISHED: dict[str, Any] = {
    "openapi": "3.1.0",
    "paths": {
        "/v1/volumes/{volume}": {
            "post": {
                "operationId": "volume_put",
                "parameters": [
                    {"in": "path", "name": "volume", "required": True, "schema": {"type": "string"}},
                    {"in": "query", "name": "limit", "schema": {"type": "integer", "maximum": 200}},
                    {"in": "header", "name": "If-Match", "required": True, "schema": {"type": "string"}},
                ],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Input"}}}},
                "security": [{"token": []}, {"session": []}],
                "responses": {
                    "200": {
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Volume"}}},
                        "headers": {"ETag": {"schema": {"type": "string"}}},
                    },
                    "404": {"$ref": "#/components/responses/Problem"},
                },
            },
            "get": {"operationId": "volume_get", "responses": {"200": {}, "default": {}}},
        }
    },
    "components": {
        "schemas": {"Volume": VOLUME, "Named": NAMED, "Input": VOLUME_INPUT},
        "responses": {"Problem": {"content": {"application/problem+json": {"schema": {"type": "object"}}}}},
    },
}
Change = Callable[[Any], object]


def changed(change: Change) -> Any:
    """The document with a change: `change` gets its parts by short names."""
    document = copy.deepcopy(PUBLISHED)
    path = document["paths"]["/v1/volumes/{volume}"]
    schemas = document["components"]["schemas"]
    parts = {
        "document": document,
        "path": path,
        "post": path["post"],
        "parameters": path["post"]["parameters"],
        "answers": path["post"]["responses"],
        "input": schemas["Input"],
        "takes": schemas["Input"]["properties"],
        "volume": schemas["Volume"],
        "gives": schemas["Volume"]["properties"],
    }
    change(parts)
    return document


PUT = "volume_put (POST /v1/volumes/{}): "
BREAKING: dict[str, tuple[Change, str]] = {
    "path gone": (lambda p: p["document"].update(paths={}), "volume_get (GET /v1/volumes/{}): the route is gone"),
    "method gone": (lambda p: p["path"].pop("get"), "volume_get (GET /v1/volumes/{}): the route is gone"),
    "operationId": (lambda p: p["post"].update(operationId="x"), PUT + "its operationId is x now"),
    "security": (lambda p: p["post"].update(security=[{"token": []}]), PUT + "its security is another"),
    "parameter gone": (lambda p: p["parameters"].pop(1), PUT + "the query parameter 'limit' is gone"),
    "parameter required": (
        lambda p: p["parameters"][1].update(required=True),
        PUT + "the query parameter 'limit' is required now",
    ),
    "new parameter required": (
        lambda p: p["parameters"].append({"in": "query", "name": "zone", "required": True}),
        PUT + "the query parameter 'zone' is required now",
    ),
    "parameter narrowed": (
        lambda p: p["parameters"][1]["schema"].update(maximum=100),
        PUT + "the query parameter 'limit' has maximum 100 now, not 200",
    ),
    "parameter enumerated": (
        lambda p: p["parameters"][0]["schema"].update(enum=["a", "b"]),
        PUT + "the path parameter '1' must be one of a, b now",
    ),
    "body required": (lambda p: p["post"]["requestBody"].update(required=True), PUT + "the body is required now"),
    "body gone": (lambda p: p["post"].pop("requestBody"), PUT + "it takes no body any more"),
    "body of another media type": (
        lambda p: p["post"]["requestBody"].update(content={"text/plain": {}}),
        PUT + "the body cannot be application/json any more",
    ),
    "member gone": (lambda p: p["takes"].pop("zones"), PUT + "the body: 'zones' is gone"),
    "member required": (lambda p: p["input"]["required"].append("kind"), PUT + "the body: 'kind' is required now"),
    "member of another type": (
        lambda p: p["takes"].update(size_gib={"type": "string"}),
        PUT + "the body: 'size_gib' must be string now, not integer",
    ),
    "typed now": (
        lambda p: p["takes"].update(anything={"type": "string"}),
        PUT + "the body: 'anything' must be string now, not anything",
    ),
    "longer at least": (
        lambda p: p["takes"]["size_gib"].update(minimum=10),
        PUT + "the body: 'size_gib' has minimum 10 now, not 1",
    ),
    "shorter at most": (
        lambda p: p["takes"]["name"].update(maxLength=8),
        PUT + "the body: 'name' has maxLength 8 now, not 63",
    ),
    "pattern": (
        lambda p: p["takes"]["name"].update(pattern="^x"),
        PUT + "the body: 'name' has pattern ^x now, not none",
    ),
    "word taken no more": (
        lambda p: p["takes"]["kind"].update(enum=["local"]),
        PUT + "the body: 'kind' cannot be shared any more",
    ),
    "items narrowed": (
        lambda p: p["takes"]["zones"]["items"].update(maxLength=3),
        PUT + "the body: 'zones' (each item) has maxLength 3 now, not none",
    ),
    "other members narrowed": (
        lambda p: p["takes"]["labels"]["additionalProperties"].update(maxLength=3),
        PUT + "the body: 'labels' (each other member) has maxLength 3 now, not none",
    ),
    "no other members": (
        lambda p: p["takes"]["labels"].update(additionalProperties=False),
        PUT + "the body: 'labels' takes no other members any more",
    ),
    "through a reference": (
        lambda p: p["document"]["components"]["schemas"]["Named"]["properties"]["name"].update(maxLength=3),
        PUT + "the body: 'image': 'name' has maxLength 3 now, not none",
    ),
    "status gone": (
        lambda p: p["answers"].update({"201": p["answers"].pop("200")}),
        PUT + "it has no answer 200 any more",
    ),
    "default gone": (
        lambda p: p["path"]["get"]["responses"].pop("default"),
        "volume_get (GET /v1/volumes/{}): it has no answer default any more",
    ),
    "refusal gone": (lambda p: p["answers"].pop("404"), PUT + "it has no answer 404 any more"),
    "header gone": (lambda p: p["answers"]["200"].pop("headers"), PUT + "answer 200 has no header ETag any more"),
    "answer of another media type": (
        lambda p: p["answers"]["200"].update(content={"text/plain": {}}),
        PUT + "answer 200 is not application/json any more",
    ),
    "answer without a member": (lambda p: p["gives"].pop("labels"), PUT + "answer 200: 'labels' is gone"),
    "member that may be missing": (
        lambda p: p["volume"]["required"].remove("state"),
        PUT + "answer 200: 'state' may be missing now",
    ),
    "answer of another type": (
        lambda p: p["gives"].update(size_gib={"type": "number"}),
        PUT + "answer 200: 'size_gib' may be number now, not integer",
    ),
    "answer that may be null": (
        lambda p: p["gives"].update(size_gib={"type": ["integer", "null"]}),
        PUT + "answer 200: 'size_gib' may be null now, not integer",
    ),
    "answer that may be anything": (
        lambda p: p["gives"].update(size_gib={}),
        PUT + "answer 200: 'size_gib' may be anything now, not integer",
    ),
    "answer of another format": (
        lambda p: p["gives"]["id"].pop("format"),
        PUT + "answer 200: 'id' has the format none now, not uuid",
    ),
    "alternative answer": (
        lambda p: p["gives"]["image"]["oneOf"].append({"type": "integer"}),
        PUT + "answer 200: 'image' may be integer now, not object",
    ),
}
ADDITIVE: dict[str, Change] = {
    "nothing": lambda p: None,
    "a route": lambda p: p["document"]["paths"].update({"/v1/x": {"get": {"operationId": "x", "responses": {}}}}),
    "another name in the path": lambda p: p["parameters"][0].update(name="ref"),
    "a parameter": lambda p: p["parameters"].append({"in": "query", "name": "zone", "schema": {"type": "string"}}),
    "a parameter that was required": lambda p: p["parameters"][2].update(required=False),
    "another way to sign in": lambda p: p["post"]["security"].append({"key": []}),
    "no need to sign in": lambda p: p["post"].update(security=[{}]),
    "a member": lambda p: p["takes"].update(note={"type": "string"}),
    "a member that was required": lambda p: p["input"].update(required=[]),
    "wider bounds": lambda p: p["takes"]["size_gib"].update(minimum=0, maximum=2000),
    "no bounds": lambda p: p["takes"]["size_gib"].pop("maximum"),
    "a wider type": lambda p: p["takes"].update(size_gib={"type": ["number", "null"]}),
    "a word to take": lambda p: p["takes"]["kind"]["enum"].append("fast"),
    "a word to answer": lambda p: p["gives"]["state"]["enum"].append("in-use"),
    "a member of the answer": lambda p: p["gives"].update(note={"type": "string"}),
    "an answer that is never null": lambda p: p["gives"].update(zone={"type": "string"}),
    "a narrower answer": lambda p: p["gives"].update(image={"$ref": "#/components/schemas/Named"}),
    "a status": lambda p: p["answers"].update({"409": {}}),
    "refusals spelt out": lambda p: (
        p["path"]["get"]["responses"].pop("default"),
        p["path"]["get"]["responses"].update({"404": {}}),
    ),
    "an example": lambda p: p["answers"]["200"]["content"]["application/json"].update(example={}),
}


@pytest.mark.parametrize("name", BREAKING)
def test_breaking_change_is_named_with_its_path(name: str) -> None:
    change, complaint = BREAKING[name]
    assert complaint in list(breaks(PUBLISHED, changed(change)))


@pytest.mark.parametrize("name", ADDITIVE)
def test_compatible_change_is_accepted(name: str) -> None:
    assert list(breaks(PUBLISHED, changed(ADDITIVE[name]))) == []


def without_get(**changes: Any) -> dict[str, Any]:
    """The published version with what it says of volume_get, and one before it that says nothing."""
    announced = changed(lambda p: p["path"]["get"].update(changes))
    return {"1.0": PUBLISHED, "1.1": announced}


GONE = changed(lambda p: p["path"].pop("get"))


def test_a_route_goes_when_its_announced_sunset_is_over() -> None:
    past, future = (NOW + timedelta(days=days) for days in (-1, 1))
    assert complaints(without_get(deprecated=True, **{"x-sunset": past.isoformat()}), GONE, at=NOW) == []
    for announcement in (
        {"deprecated": True, "x-sunset": future.isoformat()},
        {"deprecated": True},
        {"x-sunset": past.isoformat()},
        {},
    ):
        breaking = complaints(without_get(**announcement), GONE, at=NOW)
        assert [each.partition(":")[0] for each in breaking] == ["1.0", "1.1"]


def test_a_published_version_is_new_and_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_compatibility, "PUBLISHED", tmp_path)
    document = {"info": {"version": "1"}}
    assert [publish(document, version) for version in ("1.1", "1.1", "2.0", "../x", "1")] == [0, 1, 1, 1, 1]
    assert json.loads((tmp_path / "1.1.json").read_text()) == {"info": {"version": "1.1"}}
    assert len(list(tmp_path.iterdir())) == 1


def test_schemas_that_contain_themselves_end() -> None:
    assert list(breaks(PUBLISHED, changed(lambda p: p["gives"]["copies"].update(maxItems=2)))) == []
