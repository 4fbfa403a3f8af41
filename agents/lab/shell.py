"""Run the system's tools, print progress, and wait for conditions."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 0.5  # polling takes processor time from the awaited work
SLOWER_EACH_TIME = 1.2
# Limit for a condition that is polled: no measure of speed, only the end of a wait that is in vain. Guests
# without KVM take most of a minute to boot on shared processors.
PATIENCE_S = 300


class LabError(Exception):
    """The lab cannot do the requested action; `facts` holds the details."""

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(message)
        self.facts = facts


def run(argv: Sequence[str], *, stdin: str | None = None, env: dict[str, str] | None = None) -> str:
    """Run a tool to its end and return its standard output.

    Raises:
        LabError: the tool ended with another code than 0; its own words are in the message.
    """
    done = subprocess.run(argv, input=stdin, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip()
        raise LabError(f"{argv[0]} ended with {done.returncode}: {words}", argv=list(argv))
    return done.stdout


def succeeds(argv: Sequence[str]) -> bool:
    """Return whether a read-only tool ends with code 0."""
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def print_status(text: str) -> None:
    """Print a status line, on standard error so that results can be piped."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Announce a piece of work before it begins, and print its duration."""
    print_status(f"{text} ...")
    started = time.monotonic()
    yield
    print_status(f"{text}: {time.monotonic() - started:.1f} s")


def wait_until(holds: Callable[[], bool], *, what: str, within_s: float = PATIENCE_S) -> None:
    """Return soon after `holds()` became true; for facts that the kernel or a tool announces in no other way.

    Raises:
        LabError: it was not true within `within_s` seconds.
    """
    deadline, pause_s = time.monotonic() + within_s, FIRST_PAUSE_S
    while not holds():
        if time.monotonic() > deadline:
            raise LabError(f"Waited {within_s:g} s in vain for {what}.", what=what)
        time.sleep(pause_s)
        pause_s = min(pause_s * SLOWER_EACH_TIME, LONGEST_PAUSE_S)
