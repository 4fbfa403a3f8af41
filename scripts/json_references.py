"""Resolve `$ref` in an OpenAPI document (RFC 6901)."""

from typing import Any


def resolved(node: Any, document: Any) -> Any:
    """Return the referenced schema, with the members beside the reference."""
    while isinstance(node, dict) and "$ref" in node:
        target = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        node = {**target, **{name: each for name, each in node.items() if name != "$ref"}}
    return node
