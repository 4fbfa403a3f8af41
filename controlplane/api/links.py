"""Links in the OpenAPI document from a response to the operations on the resource in it, generated from the paths.

The response of POST …/volumes links to all operations of …/volumes/{volume} and below it, for every form of the
project's path; a response with an operation links to the routes of that operation.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import uritemplate

JSON = "application/json"
OPERATION = {"$ref": "#/components/schemas/Operation"}
METHODS = ("get", "post", "put", "patch", "delete")
ANSWERS = ("201", "202")  # 200 may be a dry run, which created nothing


def add(document: dict[str, Any]) -> None:
    """Add links to each response that names a resource with operations."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for status in ANSWERS:
                response = operation["responses"].get(status, {})
                members = _members(response, document)
                links: dict[str, Any] = {}
                if method == "post" and status == "201" and "id" in members:
                    links |= dict(_links(document, path, path.rsplit("/", 1)[1], "$response.body#/id"))
                if members.get("operation") == OPERATION:  # and never null
                    links |= dict(_links(document, path, "operations", "$response.body#/operation/id"))
                if links:
                    response["links"] = links


def _members(response: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    schema = response.get("content", {}).get(JSON, {}).get("schema", {})
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    members: Mapping[str, Any] = schema.get("properties", {})
    return members


def _links(document: Mapping[str, Any], source: str, noun: str, named: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the operations whose path needs an id of `noun` and the variables of the source's path, and nothing
    else.
    """
    variables = {name: f"$request.path.{name}" for name in uritemplate.variables(source)}
    for path, operations in document["paths"].items():
        within, _, own = path.rpartition(f"/{noun}/{{")
        name = own.partition("}")[0]
        needed = list(uritemplate.variables(path))
        if within and set(needed) <= {*variables, name}:
            parameters = {each: named if each == name else variables[each] for each in needed}
            for method in METHODS:
                if method in operations:
                    target = operations[method]["operationId"]
                    yield target, {"operationId": target, "parameters": parameters}
