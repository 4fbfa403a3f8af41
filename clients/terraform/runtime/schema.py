"""Types, attributes and schemas, and their form in the protocol."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from clients.terraform.runtime.protocol import tfplugin6_pb2 as pb
from clients.terraform.runtime.values import UNKNOWN, Value

Nesting = Literal["single", "list", "set", "map"]
# Says what is wrong with a known value, or nothing.
Validator = Callable[[Value], str | None]


class Absent:
    """No default, which null could be."""


ABSENT: Final = Absent()


@dataclass(frozen=True)
class Type:
    """A type. `kind` is string, number or bool; or list, set or map of `of`; or an object with `members`."""

    kind: str
    of: "Type | None" = None
    members: Mapping[str, "Type"] = field(default_factory=dict)

    def as_json(self) -> Any:
        if self.of is not None:
            return [self.kind, self.of.as_json()]
        if self.kind == "object":
            return ["object", {name: member.as_json() for name, member in self.members.items()}]
        return self.kind


STRING = Type("string")
NUMBER = Type("number")
BOOL = Type("bool")


def list_of(of: Type) -> Type:
    return Type("list", of)


def set_of(of: Type) -> Type:
    return Type("set", of)


def map_of(of: Type) -> Type:
    return Type("map", of)


@dataclass(frozen=True)
class Nested:
    """Attributes within an attribute; as a block, written without an equals sign."""

    nesting: Nesting
    attributes: Mapping[str, "Attribute"]
    is_block: bool = False


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """An attribute. With `default` or `computed` the provider sets a value that the configuration omits.

    `replace`: a change makes a new object, always or where the function of (prior, planned) returns True. `volatile`:
    computed, and unknown in each plan with another change. `write_only`: in the configuration alone, never in a plan or
    a state.
    """

    type: Type | Nested
    description: str
    required: bool = False
    optional: bool = False
    computed: bool = False
    default: Value = ABSENT
    replace: bool | Callable[[Value, Value], bool] = False
    volatile: bool = False
    sensitive: bool = False
    write_only: bool = False
    deprecated: str = ""
    checks: Sequence[Validator] = ()

    @property
    def has_default(self) -> bool:
        return self.default is not ABSENT

    def message(self, name: str) -> pb.Schema.Attribute:
        message = pb.Schema.Attribute(
            name=name,
            description=self.description,
            description_kind=pb.MARKDOWN,
            required=self.required,
            optional=self.optional or self.has_default,
            computed=self.computed or self.has_default,
            sensitive=self.sensitive,
            write_only=self.write_only,
            deprecated=bool(self.deprecated),
            deprecation_message=self.deprecated,
        )
        if isinstance(self.type, Nested):
            message.nested_type.CopyFrom(_object_message(self.type))
        else:
            message.type = json.dumps(self.type.as_json()).encode()
        return message


def _object_message(nested: Nested) -> pb.Schema.Object:
    attributes = [attribute.message(name) for name, attribute in nested.attributes.items()]
    return pb.Schema.Object(attributes=attributes, nesting=nested.nesting.upper())


@dataclass(frozen=True)
class Schema:
    attributes: Mapping[str, Attribute]
    description: str = ""
    version: int = 0

    def message(self) -> pb.Schema:
        return pb.Schema(version=self.version, block=_block_message(self.attributes, self.description))

    def with_attribute(self, name: str, attribute: Attribute) -> "Schema":
        return Schema({**self.attributes, name: attribute}, self.description, self.version)


def _block_message(attributes: Mapping[str, Attribute], description: str) -> pb.Schema.Block:
    block = pb.Schema.Block(description=description, description_kind=pb.MARKDOWN)
    for name, attribute in attributes.items():
        if isinstance(attribute.type, Nested) and attribute.type.is_block:
            block.block_types.append(_nested_block_message(name, attribute, attribute.type))
        else:
            block.attributes.append(attribute.message(name))
    return block


def _nested_block_message(name: str, attribute: Attribute, nested: Nested) -> pb.Schema.NestedBlock:
    return pb.Schema.NestedBlock(
        type_name=name,
        block=_block_message(nested.attributes, attribute.description),
        nesting=nested.nesting.upper(),
    )


@dataclass(frozen=True)
class IdentityAttribute:
    """An attribute of the permanent identity. An attribute that an import does not require can be omitted from it."""

    description: str
    is_required: bool = True
    type: Type = STRING

    def message(self, name: str) -> pb.ResourceIdentitySchema.IdentityAttribute:
        return pb.ResourceIdentitySchema.IdentityAttribute(
            name=name,
            type=json.dumps(self.type.as_json()).encode(),
            required_for_import=self.is_required,
            optional_for_import=not self.is_required,
            description=self.description,
        )


def canonical(value: Value, of: Type | Nested) -> Value:
    """Return a form that is equal for equal values: the order in a set does not count."""
    if value is None or value is UNKNOWN:
        return value
    if isinstance(of, Nested):
        return _canonical_nested(value, of)
    if of.kind == "object":
        return {name: canonical(value[name], member) for name, member in of.members.items()}
    if of.of is None:
        return value
    if of.kind == "map":
        return {name: canonical(item, of.of) for name, item in value.items()}
    items = [canonical(item, of.of) for item in value]
    return sorted(items, key=_sort_key) if of.kind == "set" else items


def _canonical_nested(value: Value, nested: Nested) -> Value:
    def one(item: Value) -> Value:
        if item is None or item is UNKNOWN:
            return item
        return {name: canonical(item.get(name), attribute.type) for name, attribute in nested.attributes.items()}

    if nested.nesting == "single":
        return one(value)
    if nested.nesting == "map":
        return {key: one(item) for key, item in value.items()}
    items = [one(item) for item in value]
    return sorted(items, key=_sort_key) if nested.nesting == "set" else items


def _sort_key(value: Value) -> str:
    return json.dumps(value, sort_keys=True, default=repr)


def same(one: Value, other: Value, of: Type | Nested) -> bool:
    return bool(canonical(one, of) == canonical(other, of))


def conform(value: Any, attributes: Mapping[str, Attribute]) -> dict[str, Any]:
    """Return a state with exactly the attributes of the schema, as Terraform demands."""
    return {name: _conformed(value.get(name), attribute.type) for name, attribute in attributes.items()}


def _conformed(value: Value, of: Type | Nested) -> Value:
    if not isinstance(of, Nested) or value is UNKNOWN:
        return value
    if value is None:
        return [] if of.is_block and of.nesting in ("list", "set") else None
    if of.nesting == "single":
        return conform(value, of.attributes)
    if of.nesting == "map":
        return {key: conform(item, of.attributes) for key, item in value.items()}
    return [conform(item, of.attributes) for item in value]
