"""Examples in the OpenAPI document: a request and its response for each route, recorded by tests/api/examples."""

import json
from typing import Any

from django.conf import settings


def recorded() -> dict[str, Any]:
    """Return the recorded examples by operation_id: request and response."""
    examples: dict[str, Any] = {}
    for file in sorted((settings.BASE_DIR / "docs" / "reference" / "examples").glob("*.json")):
        examples |= json.loads(file.read_text())
    return examples


def add(document: dict[str, Any]) -> None:
    """Add each example to the document's schema; files have none.

    Outdated examples are skipped: the test of the examples finds them.
    """
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
