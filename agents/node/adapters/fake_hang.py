"""Calls of a fake node that do not answer for a while, as with an engine or a storage that blocks."""

import time
from pathlib import Path

LOOK_S = 0.05


class Hang:
    """Makes calls hang.

    `file` names the calls that hang, one a line, for as long as the file exists: another process writes and removes it.
    A call that hung goes on afterwards, whether or not its caller still waits.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file

    def wait(self, call: str) -> None:
        """Return when the call does not hang, or does not hang any more."""
        while call in self._calls():
            time.sleep(LOOK_S)

    def _calls(self) -> list[str]:
        try:
            return self._file.read_text().split() if self._file is not None else []
        except FileNotFoundError:
            return []
