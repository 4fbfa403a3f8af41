"""Processes of the lab, which may end between two queries."""

import subprocess

from agents.lab.process import command_line_contains
from scripts.polling import wait_until
from tests.processes import running


def test_a_command_line_is_known_while_the_process_lives() -> None:
    with running(["sleep", "60"]) as process:
        wait_until(lambda: command_line_contains(process.pid, "sleep"))  # a moment after the kernel has begun it
        assert not command_line_contains(process.pid, "guest=andromede-")


def test_ended_process_has_no_command_line() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert not command_line_contains(ended.pid, "true")
