"""State of the hook for the node attestation: does libvirt ask this agent before it starts a guest?"""

import hashlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from agents.node.hook import script

RUN_DIR = Path("/run")
DAEMONS = ("libvirtd", "virtqemud")  # the one for all drivers, or the one for QEMU alone
MAX_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class HookState:
    """Digest and state of the hook. `sha256` is that of the file that libvirtd would run, empty when there is none.

    `is_active`: no libvirtd runs that would start a guest without asking the agent. `problem` is the reason if it is
    not active, for an operator.
    """

    sha256: str
    is_active: bool
    problem: str


@dataclass(frozen=True, slots=True)
class InstalledHook:
    """The expected hook at `path`: that of this version of the agent, as it was when the agent started.

    Raises:
        ValueError: a hook cannot use that socket.
    """

    path: Path
    socket: Path
    run_dir: Path = RUN_DIR
    _wanted: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_wanted", script.render(self.socket))

    def state(self) -> HookState:
        """Return the state; cheap enough for every heartbeat, since it reads one small file.

        It cannot detect what root hides on purpose.
        """
        try:
            status = self.path.lstat()
            content = _read(self.path)
        except OSError as exc:
            return HookState("", is_active=False, problem=f"{self.path} cannot be read: {exc.strerror}")
        problem = self._fault(status, content) or self._ignored_by(status)
        return HookState(hashlib.sha256(content).hexdigest(), is_active=not problem, problem=problem)

    def _fault(self, status: os.stat_result, content: bytes) -> str:
        if not stat.S_ISREG(status.st_mode):
            return f"{self.path} is not a regular file."
        if status.st_uid != 0 or status.st_mode & 0o022:
            return f"{self.path} can be changed by others than root."
        if not status.st_mode & stat.S_IXUSR:
            return f"{self.path} is not executable, so libvirtd ignores it."
        if content != self._wanted:
            return f"{self.path} is not the hook of this agent: install it again."
        return ""

    def _ignored_by(self, status: os.stat_result) -> str:
        """Return the problem if libvirtd ignores the hook: it looks for hooks once, after its start."""
        for name in DAEMONS:
            started_ns = self._started_ns(name)
            if started_ns is not None and started_ns < status.st_ctime_ns:
                return f"{name} has run since before {self.path} was installed or changed: restart it."
        return ""

    def _started_ns(self, daemon: str) -> int | None:
        pid_file = self.run_dir / f"{daemon}.pid"
        try:
            status = pid_file.stat()
            command = Path("/proc", pid_file.read_text().strip(), "comm").read_text().strip()
        except OSError:
            return None  # it does not run
        return status.st_mtime_ns if command == daemon else None


def _read(path: Path) -> bytes:
    """Read a file that an attacker may have put there: not a device, a pipe or an endless file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb", buffering=0) as file:
        return file.read(MAX_BYTES)
