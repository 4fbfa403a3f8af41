"""Run a command with a private PostgreSQL and Redis under var/test: `python -m scripts.with_services COMMAND …`.

Both end with the command, and so does whatever it has left running in labs, clouds and Ceph clusters under var/, also
when it was interrupted. The exit status is the command's.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agents.lab import Lab
from agents.lab.ceph import CephCluster
from scripts import database_template, services
from scripts.control_plane import ROOT, Stack
from scripts.polling import wait_until

VAR = ROOT / "var"
TEST_CLOUDS = [VAR / name for name in ("test-cloud", "test-chaos", "test-clients", "test-terraform")]
CEPH_FOLDERS = "test-ceph/*"
LAB_FOLDERS = ("test-labs/*", "agent-labs/*", "test-cloud/lab")
TEMPLATE = "test_template"
END_LIMIT_S = 90
ENDING = (signal.SIGTERM, signal.SIGINT)
MEMORY = Path("/dev/shm")  # a tmpfs, where there is one
TEMPORARY_MIN_BYTES = 2 * 2**30
# Tests of limits set their own.
UNLIMITED = (
    "ANDROMEDE_RATE_READS_PER_MIN",
    "ANDROMEDE_RATE_WRITES_PER_MIN",
    "ANDROMEDE_RATE_ANONYMOUS_PER_MIN",
    "ANDROMEDE_FREE_SPACE_MIN_MIB",
)


def main(command: list[str]) -> int:
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    VAR.mkdir(exist_ok=True)
    with (VAR / "test.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another run uses var/test: wait for its end or use another clone.", file=sys.stderr)
            return 1
        for number in ENDING:  # a shell's background jobs are born deaf to SIGINT
            signal.signal(number, signal.default_int_handler)
        try:
            _clean_up()  # after a run that was killed
            with _deferred_interruptions():
                _start(VAR / "test")
            with _temporary_folder() as temporary:
                return run(command, temporary)
        except KeyboardInterrupt:
            return 130
        finally:
            for number in ENDING:
                signal.signal(number, signal.SIG_IGN)
            _clean_up()


@contextmanager
def _deferred_interruptions() -> Iterator[None]:
    """Raise KeyboardInterrupt at the end of the block: a service that begins has no pid file, and cannot be stopped."""
    received: list[int] = []
    for number in ENDING:
        signal.signal(number, lambda number, frame: received.append(number))
    try:
        yield
    finally:
        for number in ENDING:
            signal.signal(number, signal.default_int_handler)
    if received:
        raise KeyboardInterrupt


def _start(var: Path) -> None:
    """Start both services, with an empty database and with the template of each test process."""
    shutil.rmtree(var / "pg", ignore_errors=True)
    database_template.copy_cluster_into(var)
    services.start(var, is_durable=False)
    services.sql(var, "postgres", f"CREATE DATABASE {TEMPLATE} TEMPLATE andromede")


@contextmanager
def _temporary_folder() -> Iterator[Path | None]:
    """Return a temporary folder in memory: an agent of a test writes its state store with fsync some twenty times.

    None: too little room.
    """
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < TEMPORARY_MIN_BYTES:
        yield None
        return
    folder = MEMORY / f"t{os.getpid()}"  # short: sockets are made in it
    shutil.rmtree(folder, ignore_errors=True)  # of a killed run that had the same number
    folder.mkdir(mode=0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(command: list[str], temporary: Path | None) -> int:
    """Run the command and return its exit status.

    An interruption is passed on, and so is the death of this process, so that the command can end properly.
    """
    environment = _environment() | ({"TMPDIR": str(temporary)} if temporary else {})
    ending_with_us = ["setpriv", "--pdeathsig", "INT", "--", *command]
    process = subprocess.Popen(ending_with_us, env=environment, start_new_session=True)
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
        try:
            # Processes of xdist end some seconds after pytest: what they start until then is cleaned up too.
            wait_until(lambda: _has_ended(process), limit_s=END_LIMIT_S)
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        raise


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Return whether the process has ended, and all of its group."""
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return True
    return False


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "ANDROMEDE_VAR_DIR": str(VAR / "test"),
        "ANDROMEDE_SECRET_KEY": "only-for-tests",
        **dict.fromkeys(UNLIMITED, "0"),
        "PYTHONDONTWRITEBYTECODE": "",  # else each of some hundred processes compiles the control plane anew
        "DJANGO_SETTINGS_MODULE": "controlplane.config.settings",
    }


def _clean_up() -> None:
    for cloud in TEST_CLOUDS:
        if (cloud / "run").exists():
            Stack(cloud).stop()
    for pattern in LAB_FOLDERS:
        for folder in VAR.glob(pattern):
            _remove_lab(folder)
    for folder in VAR.glob(CEPH_FOLDERS):
        CephCluster(folder).remove()
    services.stop(VAR / "test")


def _remove_lab(folder: Path) -> None:
    if os.geteuid() == 0 and Lab(folder).traces():
        Lab(folder).down()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
