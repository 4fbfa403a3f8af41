"""Lists: filters, order and pages.

A page begins after a key, not after a number of rows, so that rows added or removed meanwhile are neither repeated nor
skipped.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import QueryDict
from rest_framework.request import Request
from rest_framework.response import Response

from andromede_core.documents.messages import Message, message_of
from controlplane.kernel.errors import InvalidRequest
from controlplane.kernel.fields import Out
from controlplane.kernel.label_selectors import label_selector
from controlplane.kernel.names import as_uuid
from controlplane.kernel.prepared_queries import Collection
from controlplane.kernel.query_parameters import (
    CONTROL,
    FLAG,
    ID,
    MOMENT,
    TEXT,
    Parameter,
    Parameters,
    Schema,
    one_of,
    whole,
)
from controlplane.kernel.states import Machine

LIMIT_DEFAULT = 50
LIMIT_MAX = 200
LIMIT_PARAMETER = Parameter(
    f"Maximum number of items, 1 to {LIMIT_MAX}; {LIMIT_DEFAULT} by default.", whole(1, LIMIT_MAX)
)
RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
M = TypeVar("M", bound=Model)


class InvalidParameter(InvalidRequest):
    code = "invalid_parameter"
    title = "Invalid query parameter"
    detail = "The query parameter {name} is not valid: {reason}"


def invalid(name: str, reason: Message) -> InvalidParameter:
    return InvalidParameter(field=f"?{name}", name=name, reason=reason)


@dataclass(frozen=True)
class Filter:
    """A filter of a list.

    `condition` turns the text of the parameter into a condition, or raises ValueError with the reason.
    """

    condition: Callable[[str], Q]
    description: str
    schema: Schema = field(default_factory=lambda: TEXT)

    @property
    def parameter(self) -> Parameter:
        return Parameter(self.description, self.schema)


def exactly(lookup: str, description: str) -> Filter:
    return Filter(lambda text: Q(**{lookup: text}), description)


def identified(lookup: str, description: str) -> Filter:
    """Return a filter by an id that is no resource's here."""

    def condition(text: str) -> Q:
        if as_uuid(text) is None:
            raise ValueError(Message("it must be an id."))
        return Q(**{lookup: as_uuid(text)})

    return Filter(condition, description)


def referring(relation: str, description: str) -> Filter:
    """Return a filter by the id or the name of a related resource."""

    def condition(text: str) -> Q:
        return Q(**{f"{relation}_id": as_uuid(text)}) if as_uuid(text) else Q(**{f"{relation}__name": text})

    return Filter(condition, description)


def among(lookup: str, values: Iterable[str]) -> Filter:
    return chosen({value: Q(**{lookup: value}) for value in values})


def chosen(conditions: Mapping[str, Q]) -> Filter:
    """Return a filter with a fixed set of words, each with its condition."""

    def condition(text: str) -> Q:
        if text not in conditions:
            raise ValueError(Message("it must be one of {known}.", known=", ".join(conditions)))
        return conditions[text]

    return Filter(condition, f"One of {', '.join(conditions)}.", one_of(tuple(conditions)))


def in_state(machine: Machine) -> Filter:
    """Return a filter by state. Terminal states are left out: such rows are no part of a collection."""
    return among("state", [state for state in machine.moves if state not in machine.terminal])


def created_after(lookup: str = "created_at") -> Filter:
    return at_moment(lambda at: Q(**{f"{lookup}__gt": at}), "Created after this time (RFC 3339).")


def at_moment(condition: Callable[[datetime], Q], description: str) -> Filter:
    return Filter(lambda text: condition(parse_timestamp(text)), description, MOMENT)


def parse_timestamp(text: str) -> datetime:
    """Parse an RFC 3339 timestamp with its offset, as UTC. Raises ValueError."""
    try:
        if RFC3339.fullmatch(text):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError(Message("it must be a date and time with its offset, such as 2026-05-01T12:00:00Z."))


def contains_id(lookup: str, description: str) -> Filter:
    """Return a filter for rows whose list of ids contains an id."""
    return Filter(lambda text: Q(**{f"{lookup}__contains": [_id(text)]}), description, ID)


def has_id(lookup: str, description: str) -> Filter:
    """Return a filter for rows whose column has an id."""
    return Filter(lambda text: Q(**{lookup: _id(text)}), description, ID)


def _id(text: str) -> UUID:
    value = as_uuid(text)
    if value is None:
        raise ValueError(Message("it must be an id."))
    return value


def labelled(lookup: str = "labels") -> Filter:
    return Filter(
        lambda text: label_selector(text, lookup),
        "A selector: `env=prod,tier!=web,app in (a,b)`; all terms must match.",
    )


@dataclass(frozen=True)
class Page(Generic[M]):
    rows: list[M]
    next_token: str | None
    total: int | None
    next_link: str | None

    def answer(self, out: type[Out], *, context: Mapping[str, Any] | None = None) -> Response:
        document: dict[str, Any] = {
            "items": out(self.rows, many=True, context=dict(context or {})).data,
            "next_page_token": self.next_token,
        }
        if self.total is not None:
            document["total_count"] = self.total
        return Response(document, headers={"Link": self.next_link} if self.next_link else None)


@dataclass(frozen=True)
class Listing:
    """Filters and orders of a collection; the first of `sorts` is the default order, a leading - reverses it."""

    filters: Mapping[str, Filter]
    sorts: tuple[str, ...] = ("created_at", "-created_at", "name", "-name")

    @property
    def parameters(self) -> Parameters:
        return {
            **{name: each.parameter for name, each in self.filters.items()},
            "sort": Parameter(f"One of {', '.join(self.sorts)}.", one_of(self.sorts)),
            "limit": LIMIT_PARAMETER,
            "page_token": Parameter("The next_page_token of the previous page."),
            "count": Parameter("true: also return the total number of items.", FLAG),
        }

    def page(self, request: Request, rows: QuerySet[M] | Collection[M]) -> Page[M]:
        """Return the page that the query requests; raises InvalidParameter."""
        query, limit = request.query_params, limit_of(request)
        total = self._narrowed(query, rows).count() if flag(query, "count") else None
        sort = query.get("sort", self.sorts[0])
        if sort not in self.sorts:
            raise invalid("sort", Message("it must be one of {known}.", known=", ".join(self.sorts)))
        if isinstance(rows, Collection) and not query.keys() & {"page_token", *self.filters}:
            items = rows.first(_keys(sort), limit + 1)
        else:
            narrowed = self._narrowed(query, rows)
            if "page_token" in query:
                narrowed = narrowed.filter(_after(narrowed.model, sort, query["page_token"]))
            items = list(narrowed.order_by(*_keys(sort))[: limit + 1])
        if len(items) <= limit:
            return Page(items, None, total, None)
        token = _token(sort, items[limit - 1])
        return Page(items[:limit], token, total, _next_link(request, token))

    def _narrowed(self, query: QueryDict, rows: QuerySet[M] | Collection[M]) -> QuerySet[M]:
        return (rows.all() if isinstance(rows, Collection) else rows).filter(self.condition(query))

    def condition(self, query: QueryDict) -> Q:
        """Return the condition of the query's filters; raises InvalidParameter."""
        condition = Q()
        for name, each in self.filters.items():
            if (text := query.get(name)) is not None:
                condition &= self._written(name, each, text)
        return condition

    @staticmethod
    def _written(name: str, each: Filter, text: str) -> Q:
        try:
            return each.condition(text)
        except ValueError as exc:
            raise invalid(name, message_of(exc)) from exc


def flag(query: QueryDict, name: str) -> bool:
    """Return a boolean parameter, false by default; raises InvalidParameter for other values than true and false."""
    text = query.get(name, "false")
    if text not in ("true", "false"):
        raise invalid(name, Message("it must be true or false."))
    return text == "true"


def limit_of(request: Request) -> int:
    """Return the maximum number of items; raises InvalidParameter."""
    text = request.query_params.get("limit", str(LIMIT_DEFAULT))
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= LIMIT_MAX:
        raise invalid("limit", Message("it must be a whole number from 1 to {limit}.", limit=LIMIT_MAX))
    return int(text)


def _keys(sort: str) -> tuple[str, ...]:
    """Return the columns of the order; the primary key orders rows with equal values."""
    sign = "-" if sort.startswith("-") else ""
    return (sort,) if sort.removeprefix("-") == "id" else (sort, f"{sign}pk")


def _token(sort: str, last: Model) -> str:
    value = getattr(last, sort.removeprefix("-"))
    key = [sort, value.isoformat() if isinstance(value, datetime) else str(value), str(last.pk)]
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _after(model: type[Model], sort: str, token: str) -> Q:
    """Return the condition for rows after the token's row.

    A token is a position and no right, so it needs no signature.
    """
    column, sign = sort.removeprefix("-"), "lt" if sort.startswith("-") else "gt"
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
        token_sort, value, pk = json.loads(text)
        if token_sort != sort or not isinstance(value, str) or not isinstance(pk, str) or CONTROL.search(value + pk):
            raise ValueError(token)
        last = parse_timestamp(value) if column.endswith("_at") else value
        last_pk = model._meta.pk.to_python(pk)
    except (ValueError, TypeError, binascii.Error, ValidationError, RecursionError) as exc:
        raise invalid("page_token", Message("it is not one that a page with this sort has given.")) from exc
    if column == "id":
        return Q(**{f"pk__{sign}": last_pk})
    return Q(**{f"{column}__{sign}": last}) | Q(**{column: last, f"pk__{sign}": last_pk})


def _next_link(request: Request, token: str) -> str:
    query = request.query_params.copy()
    query["page_token"] = token
    return f'<{request.path}?{query.urlencode()}>; rel="next"'
