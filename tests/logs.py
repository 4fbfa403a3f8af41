"""Capture the log as a process writes it."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from telemetry.logs import Lines


class Log:
    def __init__(self) -> None:
        self.written = io.StringIO()

    @property
    def text(self) -> str:
        return self.written.getvalue()

    def of(self, logger: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in lines if line["logger"] == logger]


@contextmanager
def written() -> Iterator[Log]:
    log, root = Log(), logging.getLogger()
    handler = logging.StreamHandler(log.written)
    handler.setFormatter(Lines())
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield log
    finally:
        root.setLevel(before)
        root.removeHandler(handler)
