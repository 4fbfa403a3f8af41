"""Emulates a watchdog for a node of a lab.

In the node it is a FIFO, /run/watchdog. Opening it arms the watchdog; then the node's power is cut when no byte arrives
for `timeout_s`. A "V" as the last byte before the close disarms it.
"""

from __future__ import annotations

import os
import select
import threading

from agents.lab.node import LabNode

PATH_IN_NODE = "/run/watchdog"
MAGIC_CLOSE = b"V"
LOOK_S = 0.1


class LabWatchdog:
    """Emulates a watchdog until `stop`. `has_bitten`: it has cut the power."""

    def __init__(self, node: LabNode, *, timeout_s: float) -> None:
        self.has_bitten = threading.Event()
        self._node = node
        self._timeout_s = timeout_s
        self._is_stopped = threading.Event()
        path = node.folder / PATH_IN_NODE.lstrip("/")
        path.unlink(missing_ok=True)
        os.mkfifo(path)
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name=f"watchdog of {node.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the watchdog; may be repeated."""
        self._is_stopped.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._watch()
        finally:
            os.close(self._fd)

    def _watch(self) -> None:
        is_armed, last, hungry_s = False, b"", 0.0
        while not self._is_stopped.is_set():
            eaten = self._read()
            if eaten:
                is_armed, last, hungry_s = True, eaten[-1:], 0.0
                continue
            if eaten is None and not is_armed:
                is_armed, last, hungry_s = True, b"", 0.0
            elif eaten == b"" and last == MAGIC_CLOSE:
                is_armed = False
            self._is_stopped.wait(LOOK_S)
            hungry_s += LOOK_S
            if is_armed and hungry_s > self._timeout_s:
                self._node.power_off()
                self.has_bitten.set()
                return

    def _read(self) -> bytes | None:
        """Return the written bytes; empty when no process has the FIFO open, None when one has and does not write."""
        select.select([self._fd], [], [], LOOK_S)
        try:
            return os.read(self._fd, 4096)
        except BlockingIOError:
            return None
