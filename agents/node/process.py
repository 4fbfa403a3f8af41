"""Runs other programs, as the only place of the agent: named ones, with a list of arguments, never a shell."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.node.errors import AdapterError

ALLOWED = frozenset({"dnsmasq", "genisoimage", "nft", "qemu-img", "qemu-system-x86_64"})
CLEAN_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


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
    name = arguments[0]
    if name not in ALLOWED:
        raise AdapterError(f"{name} is not a program that the agent runs.", retryable=False)
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


def start_module(name: str, descriptor: int) -> "subprocess.Popen[bytes]":
    """Start a module of the agent's package as a process of its own, which gets this descriptor, and its number."""
    return subprocess.Popen(
        [sys.executable, "-m", name, str(descriptor)],
        stdin=subprocess.DEVNULL,
        pass_fds=[descriptor],
        env=CLEAN_ENVIRONMENT,
        cwd=ROOT,
    )
