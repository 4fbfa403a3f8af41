"""Processes of dnsmasq in the router's namespace: started, found again, told of changed files, and ended.

A process outlives the agent. It is found again by its pid file and its command line, which states its whole
configuration but its hosts.
"""

import os
import select
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from agents.node.adapters.network import namespaces
from agents.node.errors import AdapterError
from agents.node.process import run

BASICS = ("dnsmasq", "--conf-file=/dev/null", "--user=dnsmasq")
STOP_TIMEOUT_S = 5


@dataclass(frozen=True, slots=True)
class Process:
    """A running dnsmasq. `descriptor` stands for this process and no other."""

    descriptor: int
    command: list[str]

    def reread(self) -> None:
        """Have it read its files again."""
        signal.pidfd_send_signal(self.descriptor, signal.SIGHUP)

    def stop(self) -> None:
        """Stop dnsmasq at once: it has no data that could be damaged."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.descriptor, signal.SIGKILL)
        if not select.select([self.descriptor], [], [], STOP_TIMEOUT_S)[0]:
            raise AdapterError(f"dnsmasq did not stop: {self.command}", retryable=True)


@contextmanager
def running(pid_file: Path) -> Iterator[Process | None]:
    """Return the process with this pid file.

    Its pid may be another program's by now: so the command line is checked after opening the descriptor.
    """
    try:
        pid = int(pid_file.read_text())
        descriptor = os.pidfd_open(pid)
    except (OSError, ValueError, OverflowError):
        yield None
        return
    try:
        process = Process(descriptor, _command_line(pid))
        yield process if f"--pid-file={pid_file}" in process.command else None
    finally:
        os.close(descriptor)


def start(namespace: str, command: Sequence[str]) -> None:
    """Start it in the namespace; returns when it listens."""
    namespaces.inside(namespace, lambda: run(command))


def stop(pid_file: Path) -> None:
    with running(pid_file) as process:
        if process is not None:
            process.stop()


def write(path: Path, text: str) -> None:
    """Write the file, completely or not at all. dnsmasq reads it as an unprivileged user, whatever our umask is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o755)
    draft = path.with_suffix(".new")
    draft.write_text(text)
    draft.chmod(0o644)
    draft.replace(path)


def _command_line(pid: int) -> list[str]:
    """Return the command line; empty when the process has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
    return []
