"""Query parameters: description and JSON Schema.

The schema is documentation; the code that reads a parameter checks it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Schema = Mapping[str, Any]

# C0, DEL, C1, line and paragraph separators, and marks that change the direction of writing.
CONTROL_CLASS = r"\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
CONTROL = re.compile(f"[{CONTROL_CLASS}]")
ONE_LINE = rf"^[^{CONTROL_CLASS}]*$"
MANY_LINES = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
TEXT: Schema = {"type": "string", "pattern": ONE_LINE}
FLAG: Schema = {"type": "boolean"}
ID: Schema = {"type": "string", "format": "uuid"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
# 0s to 60s.
WAIT: Schema = {"type": "string", "pattern": "^([0-5]?[0-9]|60)s?$"}


@dataclass(frozen=True)
class Parameter:
    description: str
    schema: Schema = field(default_factory=lambda: TEXT)
    is_required: bool = False


Parameters = Mapping[str, Parameter]


def one_of(words: Iterable[str]) -> Schema:
    return {"type": "string", "enum": list(words)}


def whole(least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


def like(pattern: str) -> Schema:
    """Return the schema of a text that matches the whole pattern."""
    return {"type": "string", "pattern": f"^{pattern}$"}
