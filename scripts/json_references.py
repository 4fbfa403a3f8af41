"""What a `$ref` of an OpenAPI document refers to (RFC 6901)."""

from typing import Any


def resolved(node: Any, document: Any) -> Any:
    """With what a reference says besides."""
    while isinstance(node, dict) and "$ref" in node:
        found = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
        node = {**found, **{name: each for name, each in node.items() if name != "$ref"}}
    return node
