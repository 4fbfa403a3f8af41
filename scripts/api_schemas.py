"""Describe JSON Schemas in words, for the tables of the reference."""

from collections.abc import Iterator
from typing import Any

from scripts.json_references import resolved

Schema = dict[str, Any]
DEEPEST = 3
FORMATS = {"date-time": "time", "uuid": "id", "uri": "URL", "email": "mail address", "binary": "bytes"}


def short(text: str) -> str:
    """Return the short form for a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def members(schema: Schema, document: Any, *, prefix: str = "", depth: int = 1) -> Iterator[tuple[str, Schema, bool]]:
    """Return the members of an object and of nested objects: name, schema, whether it is required."""
    required = schema.get("required", [])
    for name, member in schema.get("properties", {}).items():
        yield f"{prefix}{name}", member, name in required
        inner, path = _within(member, document, f"{prefix}{name}")
        if inner and depth < DEEPEST and name != "operation":
            yield from members(inner, document, prefix=f"{path}.", depth=depth + 1)


def type_of(schema: Schema, document: Any) -> str:
    """Return the type as text: "list of 1 to 8 of: string, at most 63 characters"; null is mentioned."""
    schema = resolved(schema, document)
    kinds, is_nullable = _alternatives(schema, document)
    words = " or ".join(dict.fromkeys(_one(each, document) for each in kinds)) or "anything"
    default = schema.get("default")
    return words + (", or null" if is_nullable else "") + (f"; `{default}` if not given" if _is_shown(default) else "")


def _is_shown(default: object) -> bool:
    return isinstance(default, bool | int) or (isinstance(default, str) and default != "")


def _alternatives(schema: Schema, document: Any) -> tuple[list[Schema], bool]:
    several = schema.get("oneOf") or schema.get("anyOf") or schema.get("allOf") or [schema]
    kinds = [resolved(each, document) for each in several]
    types = [(each, kind) for each in kinds for kind in _types(each)]
    alternatives = [each | {"type": kind} for each, kind in types if kind != "null"]
    return alternatives, len(alternatives) < len(types)


def _types(schema: Schema) -> list[str | None]:
    kind = schema.get("type")
    return kind if isinstance(kind, list) else [kind]


def _one(schema: Schema, document: Any) -> str:
    if words := schema.get("enum"):
        return ", ".join(f"`{each}`" for each in words if each is not None)
    kind = schema["type"]
    if kind == "array":
        return f"list{_range(schema, 'Items', before=' of ')} of: {type_of(schema.get('items', {}), document)}"
    if kind in ("integer", "number"):
        return f"{kind}{_range(schema, 'imum')}"
    if kind == "string":
        name = FORMATS.get(schema.get("format", ""), "string")
        return name + _range(schema, "Length", after=" characters")
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict) and "properties" not in schema:
        inner = schema["additionalProperties"]
        return f"object of: {type_of(inner, document)}" if inner else "object"
    return "true or false" if kind == "boolean" else str(kind or "anything")


def _range(schema: Schema, what: str, *, before: str = ", ", after: str = "") -> str:
    least, most = schema.get(f"min{what}"), schema.get(f"max{what}")
    if least and most == least:
        return f"{before}{least}{after}"
    if least is not None and most is not None:
        return f"{before}{least} to {most}{after}"
    if most is not None:
        return f"{before}at most {most}{after}"
    return f"{before}at least {least}{after}" if least else ""


def _within(member: Schema, document: Any, path: str) -> tuple[Schema | None, str]:
    """Return the object that a member is, or that its list contains."""
    for each in _alternatives(resolved(member, document), document)[0]:
        if "properties" in each:
            return each, path
        if each.get("type") == "array":
            return _within(each.get("items", {}), document, f"{path}[]")
    return None, path
