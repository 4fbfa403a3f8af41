"""What the lab asks of processes, which may end between two questions."""

import os
import subprocess
import sys

from agents.lab.process import says


def test_a_command_line_is_known_while_the_process_lives() -> None:
    assert says(os.getpid(), sys.argv[0])
    assert not says(os.getpid(), "guest=andromede-")


def test_what_has_ended_says_nothing() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert not says(ended.pid, "true")
