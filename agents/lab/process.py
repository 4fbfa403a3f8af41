"""Processes of a node's pid namespace, seen from the machine."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from pathlib import Path

from agents.lab.shell import wait_until

# The kernel ends a process at once unless it waits for a disk.
KILL_LIMIT_S = 10


class NodeProcess:
    """A command that runs in a node.

    Two processes belong to it: the command, and an `nsenter` outside which waits and ends with its code. Call `stop()`
    or `wait()` at the end, also after a power cut of the node.
    """

    def __init__(self, outer: subprocess.Popen[bytes]) -> None:
        self._outer = outer
        wait_until(self._has_begun, what="a command to begin in a node")
        self._children = _children_of(outer.pid)

    @property
    def pid(self) -> int | None:
        """Return the command's pid on the machine; None if the command ended first."""
        return self._children[0] if self._children else None

    def signal(self, number: int) -> None:
        """Send a signal to the command; harmless when it has ended."""
        if self.pid is not None and self._outer.poll() is None:
            os.kill(self.pid, number)

    def poll(self) -> int | None:
        return self._outer.poll()

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for the end and return the exit code, negative or above 128 if a signal ended it."""
        return self._outer.wait(timeout_s)

    def stop(self, *, within_s: float = 10) -> int:
        """Send SIGTERM, and SIGKILL after `within_s` seconds."""
        self.signal(signal.SIGTERM)
        try:
            return self.wait(within_s)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            return self.wait()

    def _has_begun(self) -> bool:
        return bool(_children_of(self._outer.pid)) or self._outer.poll() is not None


def end_process(pid: int) -> None:
    """Kill a process (SIGKILL) and wait for its end; harmless when it has ended already."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        select.select([handle], [], [], KILL_LIMIT_S)
    except ProcessLookupError:
        return
    finally:
        os.close(handle)


def pid_below(pid: int) -> int | None:
    """Return a process's pid in the pid namespace just below; None if it is in another one or has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    line = next(line for line in status.splitlines() if line.startswith("NSpid:"))
    _, *pids = line.split()
    return int(pids[1]) if len(pids) == 2 else None


def command_line_contains(pid: int, text: str) -> bool:
    """Return whether `text` is in a process's command line; false if the process has ended."""
    try:
        return text.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def command_of(pid: int) -> str | None:
    """Return the name of a process's program, cut after 15 characters; None if it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().rstrip("\n")
    except (FileNotFoundError, ProcessLookupError):
        return None


def _children_of(pid: int) -> list[int]:
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
