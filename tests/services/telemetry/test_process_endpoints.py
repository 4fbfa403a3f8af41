"""Health and metrics of each real process at its own address."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from scripts.control_plane import Stack
from tests.limits import PATIENCE_S
from tests.nightly import as_nightly, thinned
from tests.ports import free_port

PROCESSES = sorted(Stack(Path("nowhere")).commands())
NEEDS_REDIS = {"worker", "transfer", "periodic", "signer", "sentinel", "webhooks"}


class Process:
    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder, self.port = name, folder, free_port()
        # Of two ports that nobody has, the stream takes the second.
        self.stack = Stack(folder, port=free_port())
        self.client = httpx.Client(trust_env=False, timeout=PATIENCE_S)

    @contextmanager
    def running(self, **variables: str) -> Iterator["Process"]:
        own = {"OBSERVE_LISTEN": f"127.0.0.1:{self.port}", "VAR_DIR": str(self.folder)}
        own |= {"DB_NAME": str(connection.settings_dict["NAME"]), "DB_HOST": str(connection.settings_dict["HOST"])}
        own |= variables
        environment = {"ANDROMEDE_REDIS_URL": settings.REDIS_URL, **os.environ}
        environment["PYTHONWARNINGS"] = "ignore"  # Celery's remark on tests that run as root
        environment |= {f"ANDROMEDE_{name}": value for name, value in own.items()}
        with (self.folder / "log").open("wb") as log, ExitStack() as stack:
            process = subprocess.Popen(
                self.stack.commands()[self.name],
                cwd=settings.BASE_DIR,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
            stack.callback(process.wait, PATIENCE_S)
            stack.callback(process.terminate)
            stack.callback(self.client.close)
            self._wait(process)
            yield self

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        waiter = threading.Event()
        for _ in range(PATIENCE_S * 20):
            try:
                assert self.get("/healthz") == (200, "ok\n")
                return
            except httpx.TransportError:
                assert process.poll() is None, (self.folder / "log").read_text()
                waiter.wait(0.05)
        raise AssertionError((self.folder / "log").read_text())

    def get(self, path: str) -> tuple[int, str]:
        answer = self.client.get(f"http://127.0.0.1:{self.port}{path}")
        return answer.status_code, answer.text

    def ready(self) -> tuple[int, list[str]]:
        status, text = self.get("/readyz")
        return status, json.loads(text)["missing"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path


@pytest.mark.parametrize("name", PROCESSES)
def test_each_process_reports_readiness_and_metrics(transactional_db: None, folder: Path, name: str) -> None:
    with Process(name, folder).running() as process:
        assert process.ready() == (200, [])
        status, text = process.get("/metrics")
        assert status == 200
        assert ("andromede_database_up 1.0" in text) == (name == "watcher")
        assert ('andromede_stream_connections{kind="events"} 0.0' in text) == (name == "stream")


@pytest.mark.parametrize("name", thinned(["web", "stream", "worker", "periodic", "watcher"], keep_every=5))
def test_each_process_logs_json_lines(transactional_db: None, folder: Path, name: str) -> None:
    nowhere = {"DB_HOST": str(folder), "REDIS_URL": f"redis+socket://{folder}/no.sock"}
    nowhere |= {"TRACES_URL": "http://127.0.0.1:9/v1/traces"}
    with Process(name, folder).running(LOG_FORMAT="json", **nowhere) as process:
        assert process.ready()[0] == 503
    lines = [json.loads(line) for line in (folder / "log").read_text().splitlines()]
    assert {line["process"] for line in lines if line["logger"] == "telemetry.http_endpoint"} == {name}


@pytest.mark.parametrize("name", ["web", "worker"])
def test_api_answers_and_workers_are_unready_without_redis(transactional_db: None, folder: Path, name: str) -> None:
    nowhere = f"redis+socket://{folder}/no.sock"
    with Process(name, folder).running(REDIS_URL=nowhere) as process:
        assert process.ready() == ((503, ["redis"]) if name in NEEDS_REDIS else (200, []))


@pytest.mark.parametrize("name", [as_nightly("web"), "worker"])
def test_process_is_ready_with_a_newer_database_only(transactional_db: None, folder: Path, name: str) -> None:
    recorder = MigrationRecorder(connection)
    newest = max(key for key in recorder.applied_migrations() if key[0] == "nodes")
    with Process(name, folder).running() as process:
        recorder.record_applied("nodes", "9999_of_the_next_release")
        try:
            assert process.ready() == (200, [])
            recorder.record_unapplied(*newest)
            assert process.ready() == (503, ["migrations"])
        finally:
            recorder.record_applied(*newest)
            recorder.record_unapplied("nodes", "9999_of_the_next_release")
        assert process.ready() == (200, [])
    assert f"not applied: {'.'.join(newest)}" in (folder / "log").read_text()


def test_process_is_unready_without_the_database(transactional_db: None, folder: Path) -> None:
    with Process("web", folder).running(DB_HOST=str(folder)) as process:
        assert process.ready() == (503, ["database"])


def test_web_workers_share_one_count(transactional_db: None, folder: Path) -> None:
    earlier = folder / "run" / "web-metrics" / "counter_1.db"
    earlier.parent.mkdir()
    earlier.write_bytes(b"of a run that is over")
    with Process("web", folder).running() as process:
        assert not earlier.exists()
        for _ in range(20):
            assert process.client.get(f"{process.stack.url}/v1/healthz").status_code == 200
        line = 'andromede_requests_total{operation_id="health_get",status="200"} 20.0'
        for _ in range(5):
            assert line in process.get("/metrics")[1].splitlines()
