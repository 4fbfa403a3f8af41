"""Processes of tests."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def running(command: Sequence[str | Path], **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """Run a process until the block ends, however it ends, then kill it: `Popen` alone would wait for ever.

    `options` are those of `subprocess.Popen`.
    """
    with subprocess.Popen(command, text=True, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def line_with(words: str, output: IO[str] | None) -> str:
    """Return the first line with the words. Libraries in C may print something before it."""
    assert output is not None
    lines: list[str] = []
    for line in output:
        lines.append(line)
        if words in line:
            return line
    raise AssertionError(f"{words!r} was never said:\n{''.join(lines)}")
