"""Bars over time, drawn next to a table with the same data."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from controlplane.kernel import clock

WIDTH = 1000
LEAST = 3
SHORT = timedelta(days=3)  # the hours matter


@dataclass(frozen=True)
class Span:
    """A span of a bar. `end` None: not ended. `tone` is one of labels.py's; `is_code`: the name is not translated."""

    name: Any
    start: datetime
    end: datetime | None
    tone: str
    is_code: bool = False


def moment(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


def bars(spans: Iterable[Span]) -> dict[str, Any] | None:
    """Return bar positions on a line of WIDTH from the first start to the last end or now; None without spans."""
    all_spans = list(spans)
    if not all_spans:
        return None
    now = clock.now()
    first = min(span.start for span in all_spans)
    last = max([span.end or now for span in all_spans] + [now])
    whole = max(last - first, timedelta(seconds=1))

    def at(point: datetime) -> int:
        return round(WIDTH * ((point - first) / whole))

    rows = [
        {"name": span.name, "is_code": span.is_code, "tone": span.tone, "x": min(at(span.start), WIDTH - LEAST),
         "width": max(at(span.end or last) - at(span.start), LEAST)}
        for span in all_spans
    ]  # fmt: skip
    return {
        "rows": rows,
        "now": at(now),
        "first": first.isoformat(),
        "last": last.isoformat(),
        "is_short": whole < SHORT,
    }
