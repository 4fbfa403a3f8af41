"""Several workers as copies of one process, as an installed control plane runs them."""

import os
import signal
import subprocess
import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest
from django.conf import settings
from django.db import connection

from controlplane.config import run_workers
from controlplane.config.run_workers import EARLY_S, RESTART_MOST_S, WorkerSupervisor
from scripts.polling import wait_until
from tests.limits import PATIENCE_S
from tests.processes import running
from tests.services.telemetry.test_process_endpoints import free_port

COMMAND = [sys.executable, "-m", "controlplane.config.run_workers"]


class Run:
    def __init__(self, process: psutil.Process, ports: dict[str, int]) -> None:
        self.process, self.ports = process, ports

    def is_ready(self, name: str) -> bool:
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.ports[name]}/readyz", trust_env=False, timeout=PATIENCE_S)
        except httpx.TransportError:
            return False
        return answer.status_code == 200

    def copy(self, name: str) -> psutil.Process:
        """The one that listens at the address of this worker."""
        (listening,) = (
            child
            for child in self.process.children()
            if any(each.laddr and each.laddr.port == self.ports[name] for each in child.net_connections("tcp"))
        )
        return listening


@contextmanager
def run(folder: Path, *names: str) -> Iterator[Run]:
    ports = {name: free_port() for name in names}
    own = {
        "OBSERVE_LISTEN": ",".join(f"{name}=127.0.0.1:{port}" for name, port in ports.items()),
        "DB_NAME": str(connection.settings_dict["NAME"]),
        "DB_HOST": str(connection.settings_dict["HOST"]),
        "PKI_DIR": str(folder),
    }
    environment = {"ANDROMEDE_REDIS_URL": settings.REDIS_URL, **os.environ, "PYTHONWARNINGS": "ignore"}
    environment |= {f"ANDROMEDE_{name}": value for name, value in own.items()}
    with (folder / "log").open("wb") as log:
        options = {"cwd": settings.BASE_DIR, "env": environment, "stdout": log, "stderr": log}
        with running([*COMMAND, *names], stdin=subprocess.DEVNULL, start_new_session=True, **options) as process:
            workers = Run(psutil.Process(process.pid), ports)
            try:
                for name in names:
                    wait_until(partial(workers.is_ready, name), limit_s=PATIENCE_S)
                yield workers
                process.terminate()
                assert process.wait(PATIENCE_S) == 0, (folder / "log").read_text()
            finally:
                end_all_of(process.pid)


def end_all_of(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def test_workers_answer_restart_after_death_and_end_together(transactional_db: None, tmp_path: Path) -> None:
    with run(tmp_path, "webhooks", "transfer") as workers:
        assert workers.process.num_threads() == 1
        sockets = [each for each in workers.process.net_connections("all") if each.fd > 2]
        assert not sockets, "connections are made by the copies"

        before, other = workers.copy("webhooks"), workers.copy("transfer")
        before.kill()
        wait_until(lambda: workers.is_ready("webhooks"), limit_s=PATIENCE_S)
        assert workers.copy("webhooks").pid != before.pid
        assert workers.copy("transfer").pid == other.pid
        copies = workers.process.children()
        assert len(copies) == 2
    assert not any(copy.is_running() for copy in copies)
    assert "process webhooks exited with code -9 and is restarted in 1 s" in (tmp_path / "log").read_text()


def test_unknown_worker_name_is_refused() -> None:
    for word, reason in {
        "web": "there is no worker 'web', but worker, transfer, periodic",
        "signer=0": "signer: a number of threads is 1 or more, not '0'",
        "signer=": "signer: a number of threads is 1 or more, not ''",
    }.items():
        with pytest.raises(ArgumentTypeError, match=reason):
            run_workers._named(word)
    assert run_workers._named("signer=3") == ("signer", 3)


@pytest.mark.django_db
def test_process_with_connections_refuses_to_fork() -> None:
    connection.ensure_connection()
    with pytest.raises(RuntimeError, match=r"connections to \['default'\]"):
        run_workers._check_alone()


def test_restart_delay_of_a_short_lived_worker_grows() -> None:
    family = WorkerSupervisor({"signer": 0})

    def next_delay_s(ran_s: float) -> float:
        family.began["signer"] = time.monotonic() - ran_s
        family._await("signer", 1)
        return family.delay_s["signer"]

    assert [next_delay_s(0) for _ in range(6)] == [2, 4, 8, 16, RESTART_MOST_S, RESTART_MOST_S]
    assert next_delay_s(EARLY_S) == 2
    assert next_delay_s(0) == 4


KNOWN = """
import django, sys
django.setup()
from controlplane.config.celery import app, register_only
register_only(["operations", "webhooks"])
register_only(["signer"])
print(sorted({name.rpartition(".")[0] for name in app.tasks if name.startswith("controlplane.")}))
app.loader.import_default_modules()
print("controlplane.config.urls" in sys.modules)
"""


def test_worker_loads_only_tasks_of_its_queues() -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "controlplane.config.settings"}
    ran = subprocess.run(
        [sys.executable, "-c", KNOWN],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines() == ["['controlplane.signer.tasks']", "False"]
