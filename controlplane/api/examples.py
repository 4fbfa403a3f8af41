"""The examples in the OpenAPI document: of each route a request and its answer, as tests/api/examples has seen them."""

import json
from typing import Any

from django.conf import settings


def recorded() -> dict[str, Any]:
    """By operation_id: the request and the answer."""
    found: dict[str, Any] = {}
    for file in sorted((settings.BASE_DIR / "docs" / "reference" / "examples").glob("*.json")):
        found |= json.loads(file.read_text())
    return found


def add(document: dict[str, Any]) -> None:
    """Each where the document says what such a thing looks like; files have none. One that is of an older route has no
    place: the test of the examples tells of it."""
    examples = recorded()
    for methods in document["paths"].values():
        for operation in methods.values():
            if (example := examples.get(operation["operationId"])) is not None:
                _add(operation, example["request"], example["answer"])


def _add(operation: dict[str, Any], request: dict[str, Any], answer: dict[str, Any]) -> None:
    if "body" in request:
        _show(operation.get("requestBody", {}), "application/json", request["body"])
    if "body" in answer:
        _show(operation["responses"].get(str(answer["status"]), {}), answer["media_type"], answer["body"])


def _show(part: dict[str, Any], media_type: str, body: object) -> None:
    if media_type in part.get("content", {}):
        part["content"][media_type]["example"] = body
