"""Starts nodes as copies of one process that has loaded the switch: to load it costs more than most of their tests.

Run as a program, it answers on the socket whose number is its argument: each message brings the descriptors that become
stdin and stdout of a node, and gets the pid of a process that ends with it, and the node with that process.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import traceback
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[3]
PR_SET_PDEATHSIG = 1
CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x20000000, 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


class ForkedNodes:
    """The loaded process, from the first node on until the end of this one."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None

    def start(self, stdin: int, stdout: int) -> int:
        """Start a node with these descriptors; returns the pid of the process that holds its first one."""
        if self._line is None:
            self._line, its = socket.socketpair()
            with its:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", __name__, str(its.fileno())],
                    env={**os.environ, "PYTHONPATH": str(ROOT)},
                    pass_fds=[its.fileno()],
                )
        socket.send_fds(self._line, [b"node"], [stdin, stdout])
        return int(self._line.recv(32))

    def close(self) -> None:
        """End the process, and with it nodes that are left."""
        if self._line is not None and self._process is not None:
            self._line.close()
            self._process.wait()
        self._line = self._process = None


nodes = ForkedNodes()


def main(number: int) -> None:
    from tests.agents.network import inner  # noqa: F401 - for the copies; who asks for nodes does without it

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how copies ended
    with socket.socket(fileno=number) as line:
        while True:
            message, descriptors, *_ = socket.recv_fds(line, 32, 2)
            if not message:
                return
            pid = os.fork()
            if pid == 0:
                line.close()
                _hold(*descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            line.send(str(pid).encode())


def _hold(stdin: int, stdout: int) -> None:
    """Start a node in namespaces of its own and wait for its end; it ends with this process."""
    _end_with_the_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(stdin, 0)
    os.dup2(stdout, 1)
    os.closerange(3, max(stdin, stdout) + 1)
    if LIBC.unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID) != 0:  # Python has it from 3.12 on
        raise OSError(ctypes.get_errno(), "unshare")
    first = os.fork()
    if first == 0:
        _end_with_the_parent()
        _be_first()
    os.waitpid(first, 0)
    os._exit(0)


def _be_first() -> None:
    """Start the switch and reap, as the first process of a pid namespace does, until the switch ends."""
    switch = os.fork()
    if switch == 0:
        _answer()
    with suppress(ChildProcessError):
        while os.wait()[0] != switch:
            pass
    os._exit(0)


def _answer() -> None:
    from tests.agents.network import inner

    status = 1
    try:
        inner.main()
        status = 0
    finally:
        if status:
            traceback.print_exc()
        os._exit(status)


def _end_with_the_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]))
