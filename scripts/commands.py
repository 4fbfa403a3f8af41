"""Commands of manage.py, many of them in one environment: Django is loaded once, and each command runs in a copy of the
process that has it loaded. To load it anew costs more than most commands.
"""

import gc
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from typing import BinaryIO

import django
from django.conf import settings
from django.core.management import execute_from_command_line

ROOT = Path(__file__).resolve().parent.parent
END_LIMIT_S = 10


@dataclass
class Commands:
    """The process is started by the first command, and ends with `close()` or with ours. One command at a time."""

    environment: Mapping[str, str]
    _lock: Lock = field(default_factory=Lock)
    _process: subprocess.Popen[bytes] | None = None
    _line: BinaryIO | None = None

    def run(self, arguments: tuple[str, ...], *, stdin: str | None) -> subprocess.CompletedProcess[str]:
        """What came of a command; without `stdin` there is nothing to read.

        Raises:
            SystemExit: the process has ended; why is on its stderr, which is ours.
        """
        with self._lock:
            if self._process is None or self._line is None:
                self._process, self._line = self._started()
            try:
                self._line.write(json.dumps([arguments, stdin or ""]).encode() + b"\n")
                self._line.flush()
                answer = self._line.readline()
            except ConnectionError:
                answer = b""
            if not answer:
                raise SystemExit(f"{' '.join(arguments)} failed: what runs commands of manage.py has ended.")
            code, stdout, stderr = json.loads(answer)
            return subprocess.CompletedProcess(arguments, code, stdout, stderr)

    def close(self) -> None:
        """End the process, and a command that goes on since whoever asked for it was interrupted."""
        with self._lock:
            if self._process is not None and self._line is not None:
                self._line.close()
                try:
                    self._process.wait(END_LIMIT_S)
                except subprocess.TimeoutExpired:
                    os.killpg(self._process.pid, signal.SIGKILL)
                    self._process.wait()
            self._process = self._line = None

    def _started(self) -> tuple[subprocess.Popen[bytes], BinaryIO]:
        ours, its = socket.socketpair()
        with ours, its:
            process = subprocess.Popen(
                [sys.executable, "-m", "scripts.commands", str(its.fileno())],
                cwd=ROOT,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
                start_new_session=True,
            )
            return process, ours.makefile("rwb")  # type: ignore[return-value]


def main(number: int) -> int:
    """Answer each line of that socket until the other side is closed. In a copy: the command's exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    django.setup()
    import_module(settings.ROOT_URLCONF)
    gc.freeze()  # copies share what none of them writes to
    with socket.socket(fileno=number) as line, line.makefile("rwb") as lines:
        for request in lines:
            arguments, text = json.loads(request)
            with TemporaryFile() as stdin, TemporaryFile() as stdout, TemporaryFile() as stderr:
                stdin.write(text.encode())
                stdin.seek(0)
                child = os.fork()
                if child == 0:
                    for own, file in enumerate((stdin, stdout, stderr)):
                        os.dup2(file.fileno(), own)
                    signal.signal(signal.SIGINT, signal.default_int_handler)
                    execute_from_command_line(["manage.py", *arguments])
                    return 0
                code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                lines.write(json.dumps([code, *(_read(file) for file in (stdout, stderr))]).encode() + b"\n")
                lines.flush()
    return 0


def _read(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
