"""Base of all models: the members of a JSON object as attributes, with the object itself in `raw`.

Members that this version does not know are in `raw` alone; members that an older control plane does not send are None.
Enumerations such as states are plain strings, since new values may appear.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from andromede_sdk import models
from andromede_sdk.errors import MalformedAnswer

if TYPE_CHECKING:
    from andromede_sdk.resource import Scope as CallScope  # the API has another Scope, which is a model


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    raw: Mapping[str, Any] = field(repr=False)
    _scope: CallScope = field(repr=False)

    @classmethod
    def read(cls, document: Any, scope: CallScope) -> Self:
        """Build a model from JSON. Raises MalformedAnswer."""
        if not isinstance(document, dict):
            raise MalformedAnswer(f"Instead of a {cls.__name__} there came a {type(document).__name__}.")
        readers = _readers(cls)
        try:
            members = {name: read(document.get(key), scope) for name, (key, read) in readers.items()}
        except (TypeError, ValueError, AttributeError) as exc:
            raise MalformedAnswer(f"A {cls.__name__} of the answer is not what it should be: {exc}") from exc
        return cls(raw=document, _scope=scope, **members)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and type(self) is type(other) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash((type(self), self.raw.get("id")))


Reader = Callable[[Any, Any], Any]
_READERS: dict[type[Model], Mapping[str, tuple[str, Reader]]] = {}


def _readers(model: type[Model]) -> Mapping[str, tuple[str, Reader]]:
    """Map each attribute to the name of the JSON member and the function that converts its value."""
    if model not in _READERS:
        _READERS[model] = _make_readers(model)
    return _READERS[model]


def _make_readers(model: type[Model]) -> Mapping[str, tuple[str, Reader]]:
    """Build the converters on first use: annotations may name classes of other modules."""
    words = {word for hint in model.__annotations__.values() for word in re.findall(r"\w+", hint)}
    classes = {word: getattr(models, word) for word in words & models.PLACES.keys()}
    hints = typing.get_type_hints(model, None, {"CallScope": Any, **classes})
    members = [each.name for each in dataclasses.fields(model) if each.name not in ("raw", "_scope")]
    return {name: (name.rstrip("_"), _reader(hints[name])) for name in members}


def _reader(hint: Any) -> Reader:
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        inner = _reader(next(each for each in typing.get_args(hint) if each is not type(None)))
        return lambda value, scope: None if value is None else inner(value, scope)
    if typing.get_origin(hint) is list:
        read = _reader(typing.get_args(hint)[0])
        return lambda value, scope: [read(each, scope) for each in value or []]
    if typing.get_origin(hint) is dict:
        return lambda value, scope: value if value is not None else {}
    if isinstance(hint, type) and issubclass(hint, Model):
        return lambda value, scope: None if value is None else hint.read(value, scope)
    if hint is datetime:
        return lambda value, scope: None if value is None else datetime.fromisoformat(value)
    return lambda value, scope: value
