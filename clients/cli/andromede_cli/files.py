"""Documents that people write, in files or on standard input."""

from __future__ import annotations

import sys
from gettext import gettext as _
from pathlib import Path
from typing import Any

import yaml

from andromede_cli.failures import Misuse

STDIN = Path("-")


def read_document(file: Path, member: str) -> list[dict[str, Any]]:
    """A list of objects in YAML or JSON: as it is, or under `member`. Raises Misuse."""
    try:
        document = yaml.safe_load(sys.stdin.read() if file == STDIN else file.read_text())
    except (OSError, ValueError, yaml.YAMLError) as exc:
        raise Misuse(_("{file} cannot be read: {reason}").format(file=file, reason=exc)) from exc
    found = document.get(member) if isinstance(document, dict) else document
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise Misuse(_("{file} has no list of {member}.").format(file=file, member=member))
    return found
