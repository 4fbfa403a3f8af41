"""Print results: tables for people, JSON and YAML for programs, names for pipes."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from andromede_cli.terminal import STEERING, console, harmless
from andromede_sdk.model import Model

NAMES = ("name", "id", "user.email", "zone", "dimension", "number")
GAP = (0, 2, 0, 0)
COLOURS = {
    **dict.fromkeys(("active", "available", "in-use", "ready", "succeeded", "open", "compliant", "approved"), "green"),
    **dict.fromkeys(("error", "failed", "unreachable", "drifted", "closed", "refused"), "red"),
    **dict.fromkeys(("building", "running", "pending", "undoing", "importing", "verifying", "at-risk"), "yellow"),
}


class Format(StrEnum):
    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


@dataclass(frozen=True)
class Column:
    """A column of a table.

    `path`: members of the JSON object with dots between; * stands for each of a list. `is_wide`: only with -o wide.
    """

    title: str
    path: str
    is_wide: bool = False


def listed(documents: Sequence[Mapping[str, Any]], columns: Sequence[Column], *, form: Format) -> None:
    if form in (Format.JSON, Format.YAML):
        structured(documents, form=form)
    elif form is Format.NAME:
        for document in documents:
            plain(name_of(document))
    else:
        shown = [column for column in columns if form is Format.WIDE or not column.is_wide]
        table(
            [column.title for column in shown], [[found(each, column.path) for column in shown] for each in documents]
        )


def shown(item: Model | Mapping[str, Any], *, form: Format) -> None:
    """Print one resource with all of its fields."""
    document = item.raw if isinstance(item, Model) else item
    if form in (Format.JSON, Format.YAML):
        structured(document, form=form)
    elif form is Format.NAME:
        plain(name_of(document))
    else:
        rows = [[name, text] for name, value in document.items() for text in [worded(value)] if text]
        table(None, rows)


def line(document: Mapping[str, Any], columns: Sequence[Column], *, form: Format) -> None:
    """Print one item of an endless sequence: one line each, and JSON Lines for programs."""
    if form is Format.JSON:
        text = json.dumps(document, ensure_ascii=False)
        sys.stdout.write(STEERING.sub(_escaped, text) + "\n")
    elif form is Format.YAML:
        sys.stdout.write("---\n")
        structured(document, form=form)
    elif form is Format.NAME:
        plain(name_of(document))
    else:
        shown = [column for column in columns if form is Format.WIDE or not column.is_wide]
        plain("  ".join(found(document, column.path) or "-" for column in shown))
    sys.stdout.flush()


def structured(document: Any, *, form: Format) -> None:
    if form is Format.YAML:
        import yaml

        text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
    else:
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    sys.stdout.write(STEERING.sub(_escaped, text))


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def plain(text: str) -> None:
    sys.stdout.write(harmless(text) + "\n")


def table(titles: Sequence[str] | None, rows: Sequence[Sequence[str]]) -> None:
    """Return a table without borders; on a terminal it folds to the width, in a pipe it does not."""
    from rich.table import Table
    from rich.text import Text

    out = console()
    grid = Table(box=None, show_header=titles is not None, header_style="bold", padding=GAP, pad_edge=False)
    for number, title in enumerate(titles or [""] * max(map(len, rows), default=0)):
        style = "bold" if titles is None and number == 0 else ""
        grid.add_column(title.upper(), style=style, overflow="fold", no_wrap=not out.is_terminal)
    for row in rows:
        grid.add_row(*(Text(harmless(text), style=COLOURS.get(text, "")) for text in row))
    with out.capture() as captured:
        out.print(grid)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def name_of(document: Mapping[str, Any]) -> str:
    """Return the name that the API accepts for the resource."""
    candidates = (found(document, path) for path in NAMES)
    return next(filter(None, candidates), "")


def found(document: Any, path: str) -> str:
    """Return the value at the end of the path, as text."""
    values = [document]
    for part in path.split("."):
        if part == "*":
            values = [each for value in values if isinstance(value, list) for each in value]
        else:
            values = [value.get(part) for value in values if isinstance(value, Mapping)]
    return ", ".join(text for value in values for text in [worded(value)] if text)


def worded(value: Any) -> str:
    """Format a value for a person, on one line if possible."""
    if value is None or value in ([], {}):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        if _is_named(value):
            return str(value["name"])
        if {"type", "status", "message"} <= set(value):  # a condition
            return f"{value['type']} {value['status']}: {value['message']}"
        if {"is_allowed", "problem"} <= set(value):  # an action
            why = f": {value['problem']['detail']}" if value["problem"] else ""
            return f"{value['name']} {worded(value['is_allowed'])}{why}"
        members = {name: _member(each) for name, each in value.items() if name != "id" or "name" not in value}
        return ", ".join(f"{name}={text}" for name, text in members.items() if text)
    if isinstance(value, list):
        separator = "\n" if any(isinstance(each, Mapping) and not _is_named(each) for each in value) else ", "
        return separator.join(worded(each) for each in value)
    return str(value)


def _member(value: Any) -> str:
    """Format a member of a list so that the end of the list is visible."""
    text = worded(value)
    return f"[{text}]" if isinstance(value, list) and len(value) > 1 else text


def _is_named(value: Mapping[str, Any]) -> bool:
    return "name" in value and set(value) <= {"id", "name", "is_own"}  # `is_own`: of a port
