"""Run commands of manage.py, workers of Celery and the stream process as copies of one preloaded process.

Loading Django anew costs more than most commands, and 80 to 100 MiB for each lasting process.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from typing import Any, BinaryIO

import django
import psutil
import uvicorn
from django.conf import settings
from django.core.management import execute_from_command_line
from django.db import connections

import manage
from controlplane.config import run_workers
from controlplane.config.workers import WORKERS

ROOT = Path(__file__).resolve().parent.parent
END_LIMIT_S = 60
# The answer to the other side, or the task of a copy.
Answer = int | list[Any] | Callable[[], int]
Program = Callable[[list[str]], int]
PROGRAMS: Mapping[str, Program] = {"celery": run_workers.celery, "uvicorn": uvicorn.main}
SETTINGS_OF_LIMITS = {
    "STATEMENT": "statement_timeout",
    "LOCK": "lock_timeout",
    "IDLE_TRANSACTION": "idle_in_transaction_session_timeout",
}
# What the processes that are commands import, besides what workers do.
OF_COMMANDS = ("controlplane.watcher.management.commands.watch_nodes",)


def program_of(command: Sequence[str]) -> tuple[Program, list[str]] | None:
    """Return the program of a copy for a command, and its arguments; None: the command needs a process of its own."""
    name, *arguments = command
    if arguments[:1] == ["manage.py"]:
        return _manage, arguments[1:]
    program = PROGRAMS.get(Path(name).name)
    return (program, arguments) if program is not None else None


def limits_of(command: Sequence[str]) -> str:
    """Return manage.py's limits for a command that stays, as options of its connections to the database.

    The last option of a name counts.
    """
    limits = manage.LIMITS.get(command[2], {}) if command[1:2] == ["manage.py"] else {}
    return "".join(f" -c {SETTINGS_OF_LIMITS[name]}={seconds}s" for name, seconds in limits.items())


@dataclass
class ForkedCommands:
    """Runs commands. The preloaded process starts with the first command, and ends with `close()` or with its parent.

    One command runs at a time.
    """

    environment: Mapping[str, str]
    _lock: Lock = field(default_factory=Lock)
    _process: subprocess.Popen[bytes] | None = None
    _line: BinaryIO | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def run(self, arguments: tuple[str, ...], *, stdin: str | None) -> subprocess.CompletedProcess[str]:
        """Run a command and return its result; without `stdin` there is nothing to read.

        Raises:
            SystemExit: the process has ended; why is on its stderr, which is ours.
        """
        code, stdout, stderr = self._answer_to(["command", arguments, stdin or ""])
        return subprocess.CompletedProcess(arguments, code, stdout, stderr)

    def begin(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        pid_file: Path,
        *,
        user: str | None = None,
        has_secret_key: bool = True,
    ) -> int:
        """Start a process that survives this one, in a session of its own, and return its pid.

        `command`: one of PROGRAMS with its arguments. `pid_file`: has its pid also when the caller is interrupted.
        `user`: its database user, if it differs from the commands'.

        Raises:
            SystemExit: as run().
        """
        return int(self._answer_to(["process", command, str(pid_file), name, str(log), user, has_secret_key]))

    def _answer_to(self, request: list[Any]) -> Any:
        with self._lock:
            if self._process is None or self._line is None:
                self._process, self._line = self._started()
            try:
                self._line.write(json.dumps(request).encode() + b"\n")
                self._line.flush()
                answer = self._line.readline()
            except ConnectionError:
                answer = b""
            except BaseException:  # interrupted: the next request would get the answer to this one
                self._end()
                raise
            if not answer:
                what = " ".join(map(str, request[1]))
                raise SystemExit(f"{what} failed: the process that runs manage.py commands has ended.")
            return json.loads(answer)

    def close(self) -> None:
        """End the process, and the command of an interrupted caller."""
        with self._lock:
            self._end()

    def _end(self) -> None:
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
                [sys.executable, "-m", "scripts.forked_commands", str(its.fileno())],
                cwd=ROOT,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
                start_new_session=True,
            )
            return process, ours.makefile("rwb")  # type: ignore[return-value]


def record_pid(pid: int, file: Path) -> None:
    """Write the pid of a started process, and when it started, so that a later process with that pid is not it."""
    file.write_text(json.dumps({"pid": pid, "started": psutil.Process(pid).create_time()}))


@dataclass
class Copies:
    """The processes that this one has started."""

    pids: set[int] = field(default_factory=set)

    def reap(self, *_: object) -> None:
        """Reap ended processes, which would stay zombies; the exit status of commands is waited for."""
        for pid in [*self.pids]:
            if os.waitpid(pid, os.WNOHANG)[0]:
                self.pids.discard(pid)


def main(number: int) -> int:
    """Answer each line of that socket until the other side closes it. In a copy: return the command's exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    django.setup()
    for module in (settings.ROOT_URLCONF, *OF_COMMANDS):
        import_module(module)
    run_workers.load(WORKERS)
    copies = Copies()
    signal.signal(signal.SIGCHLD, copies.reap)
    work = _answer(number, copies)
    return work() if work else 0


def _answer(number: int, copies: Copies) -> Callable[[], int] | None:
    """Answer until the other side closes the socket. In a copy: return its task, without the socket."""
    interruption = suppress(BrokenPipeError, ConnectionResetError)  # of the caller
    with interruption, socket.socket(fileno=number) as connection, connection.makefile("rb") as lines:
        for request in lines:
            kind, *rest = json.loads(request)
            answer: Answer = _command(*rest) if kind == "command" else _begin(copies, *rest)
            if not isinstance(answer, int | list):
                return answer
            connection.sendall(json.dumps(answer).encode() + b"\n")
    return None


def _command(arguments: list[str], text: str) -> list[Any] | Callable[[], int]:
    """Return the exit status and output of a command; in the copy, return its task."""
    with TemporaryFile() as stdin, TemporaryFile() as stdout, TemporaryFile() as stderr:
        stdin.write(text.encode())
        stdin.seek(0)
        child = os.fork()
        if child == 0:
            _take((stdin, stdout, stderr))
            return lambda: _manage(arguments)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return [code, *(_read(file) for file in (stdout, stderr))]


def _manage(arguments: list[str]) -> int:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    execute_from_command_line(["manage.py", *arguments])
    return 0


def _begin(copies: Copies, command: list[str], pid_file: str, *process: Any) -> int | Callable[[], int]:
    """Return the copy's pid, once it has a session and a group of its own, by which it can be killed, and is noted.

    In the copy: return its task.
    """
    ours, its = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.close(ours)
        os.close(its)
        return lambda: _process(command, *process)
    os.close(its)
    os.read(ours, 1)
    os.close(ours)
    record_pid(pid, Path(pid_file))
    copies.pids.add(pid)
    copies.reap()  # it may have ended before it was known
    return pid


def _process(command: list[str], name: str, log: str, user: str | None, has_secret_key: bool) -> int:
    if user is not None:
        connections.settings["default"]["USER"] = user
    if not has_secret_key:
        settings.SECRET_KEY = ""
    with Path("/dev/null").open("rb") as nothing, Path(log).open("ab") as file:
        _take((nothing, file, file))
    run_workers.begin_anew(name)
    command_program = program_of(command)
    assert command_program is not None, command
    options = connections.settings["default"]["OPTIONS"]
    options["options"] += limits_of(command)
    program, arguments = command_program
    return program(arguments)


def _take(files: Iterable[BinaryIO]) -> None:
    """Use the descriptors as stdin, stdout and stderr."""
    for own, file in enumerate(files):
        os.dup2(file.fileno(), own)


def _read(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
