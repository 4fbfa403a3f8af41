"""One JSON object a line, for log collectors.

The subject of the work (a request, an operation, a resource) is set once around the work, and is in every line that the
same thread or task logs within. Tenant data never goes in: no user data, no keys, no console, no credential.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from logging import LogRecord
from types import MappingProxyType
from typing import Any

from pythonjsonlogger.json import JsonFormatter

# In the metadata of calls to agents: this, and the name of what the line is about.
METADATA = "andromede-"
PASSED_ON = ("request_id", "operation_id")
ID_MAX = 64

_about: ContextVar[Mapping[str, str]] = ContextVar("about", default=MappingProxyType({}))
process_fields: dict[str, str] = {}


class Lines(JsonFormatter):
    """Formats lines. `facts`: further fields of a line, given as `extra`."""

    def __init__(self) -> None:
        names = {"levelname": "level", "name": "logger", "exc_info": "traceback"}
        super().__init__(["levelname", "name", "message"], style="list", timestamp="time", rename_fields=names)

    def add_fields(self, log_data: dict[str, Any], record: LogRecord, message_dict: dict[str, Any]) -> None:
        fields: dict[str, Any] = {}
        super().add_fields(fields, record, message_dict)
        facts = fields.pop("facts", {})
        fields["level"] = fields["level"].lower()
        log_data |= {"time": fields.pop("time"), **fields, **process_fields, **_about.get()}
        log_data |= {name: fact for name, fact in facts.items() if name not in log_data}


def set_process_fields(**named: str) -> None:
    """Set fields of every further line of this process."""
    process_fields.update(named)


class log_context:
    """Set fields of every line that is logged within the block; empty values are left out."""

    __slots__ = ("before", "named")

    def __init__(self, **named: str) -> None:
        self.named = named

    def __enter__(self) -> None:
        self.before = _about.get()
        _about.set({**self.before, **{name: value for name, value in self.named.items() if value}})

    def __exit__(self, *exception: object) -> None:
        _about.set(self.before)  # not by a token: a stream may end in another context than it began in


def outgoing_metadata() -> tuple[tuple[str, str], ...]:
    """Return the fields to pass on to the called process."""
    context = _about.get()
    return tuple((_key(name), context[name]) for name in PASSED_ON if name in context)


def received(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields from the calling process; values that are too long for ids are dropped."""
    values = {name: str(metadata.get(_key(name), "")) for name in PASSED_ON}
    return {name: value for name, value in values.items() if len(value) <= ID_MAX}


def _key(name: str) -> str:
    return METADATA + name.replace("_", "-")
