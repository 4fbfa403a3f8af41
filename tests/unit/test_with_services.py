"""A command ends with the run that started it, however that run ends."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from scripts import with_services
from scripts.polling import wait_until
from scripts.with_services import ROOT
from tests.limits import PATIENCE_S

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
STARTER = """
import sys
from pathlib import Path
from scripts import with_services
with_services.VAR, with_services.TEST_CLOUDS = Path(sys.argv[1]), []
sys.exit(with_services.main(["true"]))
"""
# Redis that daemonizes slowly, and has no pid file when the run that starts it is ended.
SLOW_REDIS = """#!/bin/sh
( sleep 1; exec {redis} "$@" ) &
kill -TERM $PPID
wait $!
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder that PostgreSQL's user reaches, with a path that is short enough for sockets."""
    folder = ROOT / "var" / f"start-{os.getpid()}"
    folder.mkdir(parents=True)
    yield folder
    for process in processes_of(folder):
        process.kill()
    shutil.rmtree(folder)


def processes_of(folder: Path) -> list[psutil.Process]:
    """Return the processes with the folder in their command line."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(str(folder) in word for word in process.cmdline()):
                found.append(process)
    return found


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


def test_a_run_that_is_ended_while_it_starts_leaves_no_service(folder: Path, tmp_path: Path) -> None:
    redis = tmp_path / "redis-server"
    redis.write_text(SLOW_REDIS.format(redis=shutil.which("redis-server")))
    redis.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        [sys.executable, "-c", STARTER, str(folder)], cwd=ROOT, env=environment, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 130
    assert (folder / "test/log/postgresql.log").exists()
    assert processes_of(folder) == []


def test_the_folder_of_a_killed_run_with_the_same_number_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(with_services, "MEMORY", tmp_path)
    (tmp_path / f"t{os.getpid()}" / "left").mkdir(parents=True)
    with with_services._temporary_folder() as folder:
        assert folder is not None and list(folder.iterdir()) == []
    assert list(tmp_path.iterdir()) == []
