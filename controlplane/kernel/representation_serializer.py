"""Serializers compiled to functions.

REST framework copies the fields of a serializer for each instance, and calls each field through several layers; here a
serializer class is compiled into one function per member, once for each class of rows.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from operator import attrgetter, itemgetter
from typing import Any
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model
from rest_framework import serializers
from rest_framework.fields import Field, SkipField, empty, is_simple_callable

# Function from serializer and row to the value of a member; raises SkipField to leave the member out.
FieldGetter = Callable[[Any, Any], Any]


@cache
def field_getters(kind: type[serializers.Serializer[Any]], rows: type) -> tuple[tuple[str, FieldGetter], ...]:
    """Return the functions of a serializer class for a class of rows, by member name."""
    return tuple((name, _member(field, rows)) for name, field in kind().fields.items() if not field.write_only)


def _member(field: Any, rows: type) -> FieldGetter:
    """Return the function of a field; a field with `from_context(context, row)` takes its value from the context, not
    the row.
    """
    if isinstance(field, serializers.SerializerMethodField):
        name = field.method_name
        return lambda serializer, row: getattr(serializer, name)(row)
    if hasattr(field, "from_context"):
        return lambda serializer, row: field.from_context(serializer.context, row)
    if type(field).get_attribute is not Field.get_attribute:
        raise TypeError(f"{type(field).__name__} reads rows in a way of its own, which nobody would call.")
    convert, read, plain = _converter(field), _reader(field.source_attrs, rows), _plain(field)

    def member(serializer: Any, row: Any) -> Any:
        try:
            value = read(row)
        except ObjectDoesNotExist:
            return None
        except (AttributeError, KeyError):
            return _missing_value(field)
        if type(value) in plain:
            return value
        if callable(value) and is_simple_callable(value):
            value = value()
        return None if value is None else convert(serializer, value)

    return member


def _reader(attributes: Sequence[str], rows: type) -> Callable[[Any], Any]:
    """Return a function from a row to the value at the end of a path of attributes; of a mapping they are keys."""
    if len(attributes) == 1:
        return itemgetter(*attributes) if issubclass(rows, Mapping) else attrgetter(*attributes)

    def follow(value: Any) -> Any:
        for attribute in attributes:
            is_row = isinstance(value, Model) or not isinstance(value, Mapping)
            value = getattr(value, attribute) if is_row else value[attribute]
        return value

    return follow


def _missing_value(field: Any) -> Any:
    """Return the value of a missing attribute: default, None or SkipField; re-raises the handled error if the field is
    required.
    """
    if field.default is not empty:
        return field.get_default()
    if field.allow_null:
        return None
    if not field.required:
        raise SkipField
    raise


def _converter(field: Any) -> Callable[[Any, Any], Any]:
    """Return a function from a present value to a JSON value."""
    if isinstance(field, serializers.ListSerializer):
        child: Any = type(field.child)
        return lambda serializer, rows: _all_of(_inner(serializer, child), rows)
    if isinstance(field, serializers.Serializer):
        kind: Any = type(field)
        return lambda serializer, row: _inner(serializer, kind).to_representation(row)
    return lambda serializer, value: field.to_representation(value)


def _inner(serializer: Any, kind: Any) -> Any:
    """Return the nested serializer, shared by all rows of this serializer: it keeps no data of them."""
    cache = serializer.__dict__.setdefault("inner", {})
    if kind not in cache:
        cache[kind] = kind(context=serializer.context)
    return cache[kind]


def _all_of(child: Any, rows: Any) -> list[Any]:
    return [child.to_representation(row) for row in (rows.all() if hasattr(rows, "all") else rows)]


def _plain(field: Any) -> tuple[type, ...]:
    """Return the types without conversion: the renderer knows datetimes and UUIDs, and all datetimes are in UTC."""
    if isinstance(field, serializers.DictField):
        return (dict,) if type(field.child) is serializers.CharField else ()
    return PLAIN.get(type(field).to_representation, ())


PLAIN: Mapping[Any, tuple[type, ...]] = {
    serializers.CharField.to_representation: (str,),
    serializers.ChoiceField.to_representation: (str,),
    serializers.IntegerField.to_representation: (int,),
    serializers.UUIDField.to_representation: (UUID, str),
    serializers.DateTimeField.to_representation: (datetime,),
}
