"""The reference for people: what a schema is called, and that its examples can be pasted into a shell."""

import json
import shlex
from typing import Any

import pytest

from scripts.api_pages import Reference
from scripts.api_schemas import members, type_of

BOX = {"type": "object", "properties": {"size": {"type": "integer"}, "boxes": {"$ref": "#/components/schemas/Boxes"}}}
DOCUMENT: dict[str, Any] = {
    "paths": {
        "/v1/projects/{project}/boxes/{box}": {
            "put": {
                "operationId": "box_set",
                "summary": "Replace a box",
                "tags": ["boxes"],
                "description": "All of it.",
                "parameters": [
                    {"in": "path", "name": "box", "required": True, "schema": {"type": "string"}},
                    {"in": "query", "name": "dry_run", "schema": {"type": "string"}},
                ],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Box"}}}},
                "security": [{"token": []}],
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Box"}}}},
                    "404": {"$ref": "#/components/responses/NotFound"},
                },
            }
        }
    },
    "components": {
        "schemas": {"Box": BOX, "Boxes": {"type": "array", "items": {"$ref": "#/components/schemas/Box"}}},
        "responses": {"NotFound": {"description": "It is not there."}},
    },
}
BODY = {"note": "it's $HOME `here`"}
REQUEST = {"method": "PUT", "path": "/v1/projects/web/boxes/a", "query": {"x": "a b&c"}, "body": BODY}
ANSWER = {"status": 200, "media_type": "application/json", "body": {"size": 1}}
ERRORS = {"storage.box.not_found": {"status": 404, "detail": "There is no box."}}


def page() -> str:
    reference = Reference(
        DOCUMENT,
        examples={"box_set": {"request": REQUEST, "answer": ANSWER}},
        kinds={"box_set": "boxes"},
        errors=ERRORS,
    )
    return reference.pages()["api/boxes.md"]


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string", "maxLength": 63}, "string, at most 63 characters"),
        ({"type": "integer", "minimum": 1, "maximum": 9, "default": 3}, "integer, 1 to 9; `3` if not given"),
        ({"type": "integer", "minimum": 0}, "integer"),
        ({"type": ["string", "null"], "format": "date-time"}, "time, or null"),
        ({"oneOf": [{"$ref": "#/components/schemas/Box"}, {"type": "null"}]}, "object, or null"),
        ({"enum": ["a", "b"], "type": "string"}, "`a`, `b`"),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 2}, "list of 2 of: true or false"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "object of: string"),
        ({"$ref": "#/components/schemas/Boxes"}, "list of: object"),
        ({}, "anything"),
    ],
)
def test_schema_has_a_type_name(schema: dict[str, Any], words: str) -> None:
    assert type_of(schema, DOCUMENT) == words


def test_recursive_schema_ends() -> None:
    names = [name for name, _, _ in members(BOX, DOCUMENT)]
    assert names == ["size", "boxes", "boxes[].size", "boxes[].boxes", "boxes[].boxes[].size", "boxes[].boxes[].boxes"]


def test_command_sends_the_example_body() -> None:
    command = page().split("```sh\n")[1].split("\n```")[0]
    words = shlex.split(command)
    assert words[:4] == ["curl", "-X", "PUT", "$ANDROMEDE_URL/v1/projects/web/boxes/a?x=a+b%26c"]
    assert "Authorization: Bearer $ANDROMEDE_TOKEN" in words
    assert json.loads(words[words.index("-d") + 1]) == BODY


def test_page_has_summary_parameters_and_answers() -> None:
    text = page()
    for line in (
        "[Replace a box](#replace-a-box)",
        "`PUT /v1/projects/{project}/boxes/{box}` · `box_set` · [who may](../authorization.md#boxes)",
        "| **`box`** | path | string |",
        "Besides: [`dry_run`](../api.md#dry-run-dry_runtrue).",
        "| 200 | [Box](#box) |",
        "| 404 | [`storage.box.not_found`](../errors/storage.box.not_found.md) |",
        "| [`storage.box.not_found`](../errors/storage.box.not_found.md) | 404 | There is no box. |",
        "## Box",
    ):
        assert line in text, line
