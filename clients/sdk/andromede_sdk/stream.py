"""Parse server-sent events from the lines of an answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

END = "end"  # the kind of the last event of a stream that is not to be read again


@dataclass(frozen=True)
class Event:
    """An event. `data` empty: only the position, `id`, is given. `retry_s`: the pause before a reconnection."""

    id: str = ""
    kind: str = ""
    data: str = ""
    retry_s: float | None = None


def events_of(lines: Iterable[str]) -> Iterator[Event]:
    """Yield the complete events, without comments."""
    block: dict[str, list[str]] = {}
    for line in lines:
        if not line:
            if block:
                yield _event(block)
            block = {}
            continue
        name, _colon, value = line.partition(":")
        if name:
            block.setdefault(name, []).append(value.removeprefix(" "))


def _event(block: dict[str, list[str]]) -> Event:
    def last(name: str) -> str:
        return block.get(name, [""])[-1]

    retry_ms = last("retry")
    pause_s = int(retry_ms) / 1000 if retry_ms.isdecimal() else None
    return Event(last("id"), last("event"), "\n".join(block.get("data", [])), pause_s)
