"""Time limits of operations: `20m`, `1h30m`, `45s`, in the attribute `timeouts` of every resource."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

from clients.terraform.runtime.schema import STRING, Attribute, Nested
from clients.terraform.runtime.values import Value

_UNITS_S = {"h": 3600, "m": 60, "s": 1}
_DURATION = re.compile(r"(\d+[hms])+")


@dataclass(frozen=True)
class Timeouts:
    """Defaults, in seconds."""

    create: int = 300
    read: int = 60
    update: int = 300
    delete: int = 300

    def attribute(self) -> Attribute:
        parts = {
            part.name: Attribute(
                type=STRING,
                description=f"How long to {part.name} may take; `{shown(getattr(self, part.name))}` when not given.",
                optional=True,
                checks=(_complaint,),
            )
            for part in fields(self)
        }
        description = "How long each kind of operation may take, such as `90s`, `20m` or `1h30m`."
        return Attribute(type=Nested("single", parts), description=description, optional=True)

    def of(self, verb: str, given: Mapping[str, Value] | None) -> int:
        """Return the seconds for an operation, from the attribute `timeouts` of its resource."""
        text = (given or {}).get(verb)
        return seconds(text) if text else int(getattr(self, verb))


def seconds(text: str) -> int:
    return sum(int(part[:-1]) * _UNITS_S[part[-1]] for part in re.findall(r"\d+[hms]", text))


def shown(duration_s: int) -> str:
    unit, size_s = next((unit, size_s) for unit, size_s in _UNITS_S.items() if duration_s % size_s == 0)
    return f"{duration_s // size_s}{unit}"


def _complaint(value: Value) -> str | None:
    if _DURATION.fullmatch(value) and seconds(value) > 0:
        return None
    return "A duration is a number and h, m or s, such as 90s, 20m or 1h30m."
