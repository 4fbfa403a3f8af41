"""What the OpenAPI document promises, and whether an answer keeps it: nothing missing, nothing besides."""

import json
import re
from functools import cache
from typing import Any

from django.http import HttpResponse
from django.urls import resolve
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from controlplane.api.schema import document

ROOT = "urn:openapi"


@cache
def contract() -> Any:
    return json.loads(document())


@cache
def _registry() -> Registry[Any]:
    closed = json.loads(document(), object_hook=_closed)
    return Registry().with_resource(ROOT, Resource(contents=closed, specification=DRAFT202012))


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """An object whose members are listed has no others."""
    if schema.get("type") == "object" and "properties" in schema:
        schema.setdefault("additionalProperties", False)
    return schema


@cache
def _validator(path: str, method: str, status: str, media_type: str) -> Draft202012Validator:
    escaped = [part.replace("~", "~0").replace("/", "~1") for part in (path, media_type)]
    place = f"{ROOT}#/paths/{escaped[0]}/{method}/responses/{status}/content/{escaped[1]}/schema"
    return Draft202012Validator({"$ref": place}, registry=_registry(), format_checker=FormatChecker())


def template_of(path: str) -> str:
    """The path as the document writes it."""
    return "/" + re.sub(r"<str:(\w+)>", r"{\1}", resolve(path.split("?")[0]).route)


def check(method: str, path: str, response: HttpResponse) -> None:
    """The answer of a route is one that the document has."""
    template, method = template_of(path), method.lower()
    responses = contract()["paths"][template][method]["responses"] if method in contract()["paths"][template] else {}
    status = str(response.status_code) if str(response.status_code) in responses else "default"
    if not responses or "content" not in responses[status]:
        assert not responses or not response.content, f"{method} {template} {status} has no body in the document"
        return
    media_type = response.headers["Content-Type"].split(";")[0]
    assert media_type in responses[status]["content"], (method, template, status, media_type)
    if media_type.endswith("json"):
        _validator(template, method, status, media_type).validate(json.loads(response.content))
