"""Check that an answer matches the OpenAPI document: no member missing, none added."""

import json
import re
from functools import cache, lru_cache
from threading import Lock
from typing import Any
from urllib.parse import quote

from django.http import HttpResponse
from django.urls import resolve
from jsonschema_rs import Draft202012Validator, Registry

from controlplane.api.schema import document

ROOT = "urn:openapi"
WRITING = Lock()
METHOD_NOT_ALLOWED = 405
FAULT_OF_OURS = 500


@cache
def _written() -> str:
    return document()


@cache
def _parsed() -> Any:
    return json.loads(_written())


def contract() -> Any:
    with WRITING:  # two threads of a test may be the first to ask, and the generator loads its extensions once
        return _parsed()


@cache
def _registry() -> Registry:
    return Registry([(ROOT, json.loads(_written(), object_hook=_closed))])


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Close the schema: an object with listed members has no others."""
    if schema.get("type") == "object" and "properties" in schema:
        schema.setdefault("additionalProperties", False)
    return schema


@cache
def _validator(pointer: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"{ROOT}#{quote(pointer)}"}, registry=_registry(), validate_formats=True)


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


@lru_cache(maxsize=4096)
def template_of(path: str) -> str:
    """Return the path as the document writes it."""
    return "/" + re.sub(r"<str:(\w+)>", r"{\1}", resolve(path.split("?")[0]).route)


def check(method: str, path: str, response: HttpResponse) -> None:
    """Check the answer of a route against the document."""
    template, method = template_of(path), method.lower()
    if method not in contract()["paths"][template]:
        assert response.status_code == METHOD_NOT_ALLOWED or method == "head"
        return
    responses, status = contract()["paths"][template][method]["responses"], str(response.status_code)
    if response.status_code == FAULT_OF_OURS:  # promised nowhere
        _validator("/components/schemas/Problem").validate(json.loads(response.content))
        return
    assert status in responses, f"{method} {template} {status} is not in the document: {response.content[:500]!r}"
    described, pointer = _resolved(responses[status], f"/paths/{_escaped(template)}/{method}/responses/{status}")
    _check_headers(described, response)
    if "content" not in described:
        assert not response.content, f"{method} {template} {status} has no body in the document"
        return
    media_type = response.headers["Content-Type"].split(";")[0]
    assert media_type in described["content"], (method, template, status, media_type)
    if media_type.endswith("json"):
        _validator(f"{pointer}/content/{_escaped(media_type)}/schema").validate(json.loads(response.content))


def _resolved(described: Any, pointer: str) -> tuple[Any, str]:
    """Return the target of a reference, and its place."""
    if "$ref" not in described:
        return described, pointer
    pointer = described["$ref"].removeprefix("#")
    target = contract()
    for part in pointer.split("/")[1:]:
        target = target[part]
    return target, pointer


def _check_headers(described: Any, response: HttpResponse) -> None:
    """Check that required headers are present."""
    for name, each in described["headers"].items():
        header, _ = _resolved(each, "")
        assert name in response.headers or not header.get("required"), f"{name} is not there"
