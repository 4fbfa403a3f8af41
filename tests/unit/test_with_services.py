"""A command ends with the run that started it, however that run ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from scripts.polling import wait_until
from scripts.with_services import ROOT

RUNNER = """
import os, signal, sys
from scripts import with_services
signal.signal(signal.SIGTERM, signal.default_int_handler)
try:
    with_services.run([sys.executable, *sys.argv[1:]], None)
finally:
    print(os.path.exists(sys.argv[-1] + "-ended"))
"""
# As pytest and a process of xdist, which learns from a closed pipe that pytest has ended, and ends later.
COMMAND = """
import os, signal, sys, time
ours, its = os.pipe()
if os.fork() == 0:
    os.close(its)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    open(sys.argv[1], "w").write(str(os.getpid()))
    os.read(ours, 1)
    time.sleep(0.5)
    os.rename(sys.argv[1], sys.argv[1] + "-ended")
else:
    time.sleep(1000)
"""


@pytest.fixture
def pid_file(tmp_path: Path) -> Path:
    return tmp_path / "pid"


@pytest.fixture
def runner(pid_file: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", RUNNER, "-c", COMMAND, str(pid_file)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: pid_file.exists() and pid_file.read_text() != "")
        yield process
        process.kill()


def test_an_interrupted_run_ends_after_the_last_process_of_its_command(runner: subprocess.Popen[bytes]) -> None:
    runner.send_signal(signal.SIGTERM)
    assert runner.communicate()[0] == b"True\n"


def test_the_command_of_a_killed_run_ends(runner: subprocess.Popen[bytes], pid_file: Path) -> None:
    command = os.getpgid(int(pid_file.read_text()))
    runner.kill()
    wait_until(lambda: not psutil.pid_exists(command) or psutil.Process(command).status() == psutil.STATUS_ZOMBIE)
    wait_until(lambda: pid_file.with_name("pid-ended").exists())
