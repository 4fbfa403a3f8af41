"""Compare JSON Schemas: does a request accept, and an answer contain, the same as before?

Enumerations of answers may grow: clients are documented to expect that. In both directions, keywords that are not
understood here are not compared.
"""

from collections.abc import Iterator
from typing import Any

from scripts.json_references import resolved

Schema = dict[str, Any]
UP = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
DOWN = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
ALIKE = ("pattern", "format", "multipleOf", "uniqueItems")


class Schemas:
    """Schemas of two documents. Pairs in comparison are not begun again: schemas may contain themselves."""

    def __init__(self, old: Any, new: Any) -> None:
        self.old, self.new = old, new
        self._open: set[tuple[str, str, str]] = set()

    def before(self, node: Any) -> Any:
        return resolved(node, self.old)

    def after(self, node: Any) -> Any:
        return resolved(node, self.new)

    def taken(self, old: Schema, new: Schema) -> Iterator[str]:
        """Return what `old` allowed in a request and `new` does not: place and complaint."""
        yield from self._compared("taken", old, new)

    def answered(self, old: Schema, new: Schema) -> Iterator[str]:
        """Return what `new` may answer and `old` does not describe."""
        yield from self._compared("answered", old, new)

    def _compared(self, way: str, old: Schema, new: Schema) -> Iterator[str]:
        pair = (way, str(old.get("$ref")), str(new.get("$ref")))
        if pair in self._open:
            return
        is_named = "$ref" in old or "$ref" in new
        self._open |= {pair} if is_named else set()
        compare = self._taken if way == "taken" else self._answered
        olds, new_ones = self._alternatives(old, self.old), self._alternatives(new, self.new)
        if len(olds) == len(new_ones) == 1:
            yield from compare(olds[0], new_ones[0])
        else:
            yield from self._each(way, olds, new_ones)
        self._open -= {pair}

    def _each(self, way: str, olds: list[Schema], new_ones: list[Schema]) -> Iterator[str]:
        """Compare each alternative: it needs a matching alternative on the other side."""
        compare = self._taken if way == "taken" else self._answered
        for each in olds if way == "taken" else new_ones:
            pairs = [(each, other) for other in new_ones] if way == "taken" else [(other, each) for other in olds]
            complaints = [list(compare(*pair)) for pair in pairs]
            if all(complaints):
                yield from min(complaints, key=len)

    def _alternatives(self, schema: Schema, document: Any) -> list[Schema]:
        """Return the alternatives without references and allOf (oneOf, anyOf, several types)."""
        schema = resolved(schema, document)
        for part in schema.get("allOf", []):
            whole = {name: each for name, each in schema.items() if name != "allOf"}
            schema = _both(whole, resolved(part, document)) | {"allOf": schema["allOf"]}
        several = schema.get("oneOf") or schema.get("anyOf")
        if several:
            rest = {name: each for name, each in schema.items() if name not in ("oneOf", "anyOf")}
            return [_both(rest, each) for part in several for each in self._alternatives(part, document)]
        if isinstance(schema.get("type"), list):
            return [schema | {"type": each} for each in schema["type"]]
        return [schema]

    def _taken(self, old: Schema, new: Schema) -> Iterator[str]:
        if not _has_type(old, new):
            yield f" must be {new['type']} now, not {old.get('type', 'anything')}"
            return
        yield from _words_lost(old, new)
        yield from _narrowed(old, new)
        yield from (f": {name!r} is required now" for name in _missing(new, old))
        yield from self._members("taken", old, new)
        if old.get("additionalProperties", True) is not False and new.get("additionalProperties", True) is False:
            yield " takes no other members any more"

    def _answered(self, old: Schema, new: Schema) -> Iterator[str]:
        if not _has_type(new, old):
            yield f" may be {new.get('type', 'anything')} now, not {old['type']}"
            return
        if "format" in old and new.get("format") != old["format"]:
            yield f" has the format {new.get('format', 'none')} now, not {old['format']}"
        gone = old.get("properties", {}).keys() - new.get("properties", {}).keys()
        yield from (f": {name!r} may be missing now" for name in _missing(old, new) if name not in gone)
        yield from self._members("answered", old, new)

    def _members(self, way: str, old: Schema, new: Schema) -> Iterator[str]:
        new_members = new.get("properties", {})
        for name, member in old.get("properties", {}).items():
            if name not in new_members:
                yield f": {name!r} is gone"
            else:
                yield from (f": {name!r}{each}" for each in self._compared(way, member, new_members[name]))
        for keyword, suffix in (("items", " (each item)"), ("additionalProperties", " (each other member)")):
            was, is_ = old.get(keyword), new.get(keyword)
            if isinstance(was, dict) and isinstance(is_, dict):
                yield from (f"{suffix}{each}" for each in self._compared(way, was, is_))


def _both(one: Schema, other: Schema) -> Schema:
    """Merge two schemas, with the members and requirements of both."""
    properties = {**one.get("properties", {}), **other.get("properties", {})}
    required = sorted({*one.get("required", []), *other.get("required", [])})
    return (
        {**one, **other}
        | ({"properties": properties} if properties else {})
        | ({"required": required} if required else {})
    )


def _has_type(part: Schema, whole: Schema) -> bool:
    """Return whether the type of `part` is among those of `whole`."""
    if "type" not in whole or part.get("type") == whole["type"]:
        return True
    return part.get("type") == "integer" and whole["type"] == "number"


def _missing(required: Schema, by: Schema) -> list[str]:
    return sorted({*required.get("required", [])} - {*by.get("required", [])})


def _words_lost(old: Schema, new: Schema) -> Iterator[str]:
    before, after = _words(old), _words(new)
    if after is None:
        return
    if before is None:
        yield f" must be one of {', '.join(map(str, after))} now"
    elif lost := [str(each) for each in before if each not in after]:
        yield f" cannot be {', '.join(lost)} any more"


def _words(schema: Schema) -> list[Any] | None:
    words = schema.get("enum", [schema["const"]] if "const" in schema else None)
    return list(words) if words is not None else None


def _narrowed(old: Schema, new: Schema) -> Iterator[str]:
    for name in (*UP, *DOWN, *ALIKE):
        was, is_ = old.get(name), new.get(name)
        if is_ in (None, False) or was == is_:
            continue
        if was is None or name in ALIKE or (is_ > was if name in UP else is_ < was):
            yield f" has {name} {is_} now, not {'none' if was is None else was}"
