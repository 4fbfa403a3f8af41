"""The real stream process on the test's database, and a follower."""

import json
import os
import queue
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

from controlplane.compute.models import Instance
from controlplane.operations import wakeups as operations_hints
from controlplane.operations.models import Operation
from scripts.forked_commands import ForkedCommands
from tests.ports import free_port
from tests.world import Broker, Cloud, Tenant, cloud_in, make_tenant, run

LIMIT_S = 60
PAGE = "https://pages.example"


# What Django is loaded in, by the environment: each start is a copy of one of them.
_loaded: dict[frozenset[tuple[str, str]], ForkedCommands] = {}


@pytest.fixture(scope="package", autouse=True)
def loaded() -> Iterator[None]:
    yield
    while _loaded:
        _loaded.popitem()[1].close()


class Process:
    """The process `stream`. After `kill` it can be started again, at the same port."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.port = free_port()
        self.folder, self.settings = folder, settings
        self.process: psutil.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/events/stream"

    def start(self) -> None:
        known = {**os.environ, "ANDROMEDE_DB_NAME": str(connection.settings_dict["NAME"])}
        own = {f"ANDROMEDE_{name}": value for name, value in self.settings.items()}
        environment = known | own
        commands = _loaded.setdefault(frozenset(environment.items()), ForkedCommands(environment))
        command = ["uvicorn", "--port", str(self.port), "--timeout-graceful-shutdown", "1"]
        command += ["controlplane.config.asgi:application"]
        self.process = psutil.Process(
            commands.begin("stream", command, self.folder / "stream.log", self.folder / "stream.json")
        )
        waiter = threading.Event()
        for _ in range(600):
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}/v1/healthz").status_code == 200:
                    return
            except httpx.TransportError:
                waiter.wait(0.05)
        raise AssertionError((self.folder / "stream.log").read_text())

    def kill(self, number: int = signal.SIGKILL) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(LIMIT_S)
            self.process = None


@pytest.fixture
def tenant(transactional_db: None) -> Tenant:
    return make_tenant()


@pytest.fixture
def stream(transactional_db: None, tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path, STREAM_CHECK_S="1", STREAMS_PER_CREDENTIAL="3", STREAMS_PER_ORGANIZATION="4")
    process.start()
    try:
        yield process
    finally:
        process.kill()


class Follower:
    """Reads a stream in a thread of its own, as a client does: it stores the last id."""

    def __init__(self, response: httpx.Response) -> None:
        self.frames: queue.Queue[dict[str, str] | None] = queue.Queue()
        self.last_id = ""
        self.response = response
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        frame: dict[str, str] = {}
        try:
            for line in self.response.iter_lines():
                name, _, value = line.partition(": ")
                if line:
                    frame |= {name: value}
                    continue
                self.frames.put(frame)
                frame = {}
        except httpx.HTTPError:
            pass
        self.frames.put(None)

    def frame(self) -> dict[str, str] | None:
        """Return the next frame; None when the stream has ended."""
        got = self.frames.get(timeout=LIMIT_S)
        self.last_id = (got or {}).get("id", self.last_id)
        return got

    def event(self) -> Any:
        """Return the next event's document. Keep-alive frames do not prolong the wait."""
        deadline = time.monotonic() + LIMIT_S
        while (got := self.frame()) is not None and time.monotonic() < deadline:
            if "event" in got:
                return json.loads(got["data"]) | {"event": got["event"]}
        raise AssertionError("the stream has ended" if got is None else f"no event in {LIMIT_S} s")

    def is_ready(self) -> str:
        """Wait for the first frame, after which no event is missed. Returns the position."""
        while not self.last_id:
            assert self.frame() is not None
        return self.last_id


@contextmanager
def following(stream: Process, token: str = "alpha", *, last_id: str = "", **query: str) -> Iterator[Follower]:
    headers = {"Authorization": f"Bearer {token}"} | ({"Last-Event-ID": last_id} if last_id else {})
    timeout = httpx.Timeout(LIMIT_S)
    with (
        httpx.Client(timeout=timeout, trust_env=False) as client,
        client.stream("GET", stream.url, headers=headers, params=query) as response,
    ):
        assert response.status_code == 200, response.read()
        follower = Follower(response)
        try:
            yield follower
        finally:
            response.close()
            follower.thread.join(LIMIT_S)


@pytest.fixture(scope="module")
def console_process(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """Return one process for all tests of consoles, with the authority of their nodes in its folder."""
    folder = tmp_path_factory.mktemp("consoles")
    own = {"PKI_DIR": str(folder / "pki"), "CONSOLE_ORIGINS": PAGE}
    own |= {"CONSOLES_PER_CREDENTIAL": "2", "CONSOLES_PER_ORGANIZATION": "3"}
    own |= {"TUNNELS_PER_CREDENTIAL": "2", "TUNNELS_PER_ORGANIZATION": "3"}
    process = Process(folder, STREAM_CHECK_S="1", **own)
    yield process
    process.kill()


@pytest.fixture
def cloud(transactional_db: None, console_process: Process, tmp_path: Path, settings: Settings) -> Iterator[Cloud]:
    """Return a cloud: one node with a fake adapter, and the project alpha."""
    (console_process.folder / "pki").mkdir(exist_ok=True)
    (tmp_path / "pki").symlink_to(console_process.folder / "pki")
    settings.PKI_DIR, settings.IMAGES_DIR = tmp_path / "pki", tmp_path / "images"
    with cloud_in(tmp_path) as created:
        yield created


@pytest.fixture
def consoles(console_process: Process, cloud: Cloud) -> Process:
    """Return the running process, also after a test that stopped it."""
    if console_process.process is None:
        console_process.start()
    return console_process


@pytest.fixture
def instance(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Instance:
    """Return web, which runs."""
    monkeypatch.setattr(operations_hints, "send_wakeup", Broker().send_wakeup)
    answer = Client().post(
        "/v1/projects/alpha/instances",
        {"name": "web", "flavor": "tiny", "image": "tiny", "networks": ["lan"]},
        content_type="application/json",
        headers={"Authorization": "Bearer alpha"},
    )
    operation = run(Operation.objects.get(pk=answer.json()["operation"]["id"]))
    assert operation.state == "succeeded", operation.error
    return Instance.objects.get(pk=answer.json()["id"])
