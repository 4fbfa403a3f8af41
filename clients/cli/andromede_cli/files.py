"""Read documents of users, from files or standard input."""

from __future__ import annotations

import sys
from gettext import gettext as _
from pathlib import Path
from typing import Any

import yaml

from andromede_cli.error_reports import Misuse

STDIN = Path("-")


def read_document(file: Path, member: str) -> list[dict[str, Any]]:
    """Return a list of objects in YAML or JSON: the whole document, or its `member`. Raises Misuse."""
    text = read_text(file)
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as exc:
        raise Misuse(_("{file} is neither YAML nor JSON: {reason}").format(file=named(file), reason=exc)) from exc
    items = document.get(member) if isinstance(document, dict) else document
    if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
        raise Misuse(_("{file} has no list of {member}.").format(file=named(file), member=member))
    return items


def read_text(file: Path) -> str:
    """Return the text of a file or of standard input. Raises Misuse."""
    try:
        return sys.stdin.read() if file == STDIN else file.read_text()
    except UnicodeDecodeError as exc:
        raise Misuse(_("{file} is not UTF-8 text.").format(file=named(file))) from exc
    except OSError as exc:
        raise Misuse(_("{file} cannot be read: {reason}").format(file=file, reason=exc.strerror)) from exc


def named(file: Path) -> str:
    return _("Standard input") if file == STDIN else str(file)
