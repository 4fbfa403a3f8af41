"""Runs other programs, as the only place of the agent: named ones, with a list of arguments, never a shell."""

import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.node.errors import AdapterError

ALLOWED = frozenset({"conntrack", "dnsmasq", "genisoimage", "nft", "qemu-img", "qemu-nbd", "qemu-system-x86_64"})
CLEAN_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


STOP_WITHIN_S, READ_BYTES = 0.2, 4096  # of programs that are followed
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for programs that read untrusted input. A program that exceeds them is killed or fails."""

    cpu_s: int
    address_space_bytes: int
    file_size_bytes: int

    def prefix(self) -> list[str]:
        """Return the prefix prlimit(1), rather than a function between fork and exec: this process has threads."""
        return [
            "prlimit",
            f"--cpu={self.cpu_s}",
            f"--as={self.address_space_bytes}",
            f"--fsize={self.file_size_bytes}",
            "--core=0",
            "--",
        ]


@dataclass(frozen=True, slots=True)
class Completed:
    returncode: int
    stdout: bytes
    stderr: str


def _allowed(arguments: Sequence[str]) -> str:
    """Return the program's name. Raises AdapterError if the agent does not run it."""
    name = arguments[0]
    if name not in ALLOWED:
        raise AdapterError(f"{name} is not a program that the agent runs.", retryable=False)
    return name


def run(
    arguments: Sequence[str],
    *,
    input_bytes: bytes = b"",
    timeout_s: float = 30,
    limits: Limits | None = None,
    check: bool = True,
) -> Completed:
    """Run `arguments[0]` from the allow-list and wait for its end.

    Raises:
        AdapterError: it failed (and `check`), is not installed, or was killed after `timeout_s` seconds.
    """
    name = _allowed(arguments)
    try:
        done = subprocess.run(
            [*(limits.prefix() if limits else []), *arguments],
            input=input_bytes,
            capture_output=True,
            timeout=timeout_s,
            env=CLEAN_ENVIRONMENT,
            check=False,
        )
    except FileNotFoundError as exc:
        raise AdapterError(f"{exc.filename} is not installed on this node.", retryable=False) from exc
    except subprocess.TimeoutExpired as exc:
        raise AdapterError(f"{name} did not end within {timeout_s} s.", retryable=True) from exc
    completed = Completed(done.returncode, done.stdout, done.stderr.decode(errors="replace").strip())
    if check and completed.returncode != 0:
        raise AdapterError(f"{name} failed ({completed.returncode}): {completed.stderr[-500:]}", retryable=True)
    return completed


def follow(
    arguments: Sequence[str],
    *,
    on_output: Callable[[bytes], None],
    is_stopped: Callable[[], bool],
    descriptors: Sequence[int] = (),
    silent_s: float,
) -> None:
    """Run `arguments[0]` from the allow-list until its end, however long that takes, and pass on what it prints.

    `descriptors`: it gets them, with their numbers. It is killed when `is_stopped`, after `silent_s` seconds without
    output, and together with this process, as by the kernel when memory runs out.

    Raises:
        AdapterError: it failed, is not installed, or was killed.
    """
    name = _allowed(arguments)
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            pass_fds=descriptors,
            env=CLEAN_ENVIRONMENT,
        ) as running,
    ):
        try:
            _read_output(running, on_output=on_output, is_stopped=is_stopped, silent_s=silent_s)
        finally:
            running.kill()  # one that has ended is left alone
        code = running.wait()
        errors.seek(0)
        problem = errors.read().decode(errors="replace").strip()
    if code != 0:
        raise AdapterError(f"{name} failed ({code}): {problem[-500:]}", retryable=True)


def _read_output(
    running: "subprocess.Popen[bytes]",
    *,
    on_output: Callable[[bytes], None],
    is_stopped: Callable[[], bool],
    silent_s: float,
) -> None:
    assert running.stdout is not None
    spoke_at = time.monotonic()
    with selectors.DefaultSelector() as selector:
        selector.register(running.stdout, selectors.EVENT_READ)
        while not is_stopped():
            if selector.select(STOP_WITHIN_S):
                text = running.stdout.read1(READ_BYTES)  # type: ignore[attr-defined]  # it is buffered
                if not text:
                    running.wait()
                    return
                spoke_at = time.monotonic()
                on_output(text)
            elif time.monotonic() - spoke_at > silent_s:
                raise AdapterError(f"The program printed nothing for {silent_s} s.", retryable=True)
    raise AdapterError("It was stopped.", retryable=True)


def start(arguments: Sequence[str], *, user: int | None = None) -> "subprocess.Popen[bytes]":
    """Start `arguments[0]` from the allow-list. The caller waits for its end, or kills it.

    `user`: it runs as the user and group of this number, without privileges. None: as the agent.

    Raises:
        AdapterError: it is not installed.
    """
    _allowed(arguments)
    own = [] if user is None else [f"--reuid={user}", f"--regid={user}", "--clear-groups", "--bounding-set=-all"]
    try:
        return subprocess.Popen(
            ["setpriv", "--no-new-privs", *own, "--", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=CLEAN_ENVIRONMENT,
        )
    except FileNotFoundError as exc:
        raise AdapterError(f"{exc.filename} is not installed on this node.", retryable=False) from exc


def start_module(name: str, descriptor: int) -> "subprocess.Popen[bytes]":
    """Start a module of the agent's package as a process of its own, which gets this descriptor, and its number."""
    return subprocess.Popen(
        [sys.executable, "-m", name, str(descriptor)],
        stdin=subprocess.DEVNULL,
        pass_fds=[descriptor],
        env=CLEAN_ENVIRONMENT,
        cwd=ROOT,
    )
