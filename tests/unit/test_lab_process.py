"""What the lab asks of processes, which may end between two questions."""

import subprocess

from agents.lab.process import says
from scripts.waiting import wait_until
from tests.processes import running


def test_a_command_line_is_known_while_the_process_lives() -> None:
    with running(["sleep", "60"]) as process:
        wait_until(lambda: says(process.pid, "sleep"))  # a moment after the kernel has begun it
        assert not says(process.pid, "guest=andromede-")


def test_what_has_ended_says_nothing() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert not says(ended.pid, "true")
