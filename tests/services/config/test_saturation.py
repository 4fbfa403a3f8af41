"""Real processes: other work continues while all threads of a worker hang in calls to a node."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import connection
from pytest_django import Settings

from agents.node.adapters.fake import FakeHypervisor
from controlplane.compute.services import instance_delete
from controlplane.config.celery import app
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.nodes.models import Node
from controlplane.operations.models import Operation
from controlplane.operations.queues import QUEUES
from controlplane.operations.services import OperationRequest, enqueue
from scripts.control_plane import Stack
from scripts.polling import wait_until
from tests.limits import PATIENCE_S
from tests.processes import running
from tests.workflows.helpers import make_instance
from tests.world import Cloud, make_node

THREADS = 2


@pytest.fixture
def queues() -> Iterator[None]:
    """Empty before and after."""

    def purge() -> None:
        with app.connection_or_acquire() as broker:
            for name in (*QUEUES, "periodic"):
                broker.default_channel.queue_declare(name)
                broker.default_channel.queue_purge(name)

    purge()
    yield
    purge()


@contextmanager
def process(name: str, folder: Path, settings: Settings) -> Iterator[None]:
    own = {
        "DB_NAME": str(connection.settings_dict["NAME"]),
        "PKI_DIR": str(settings.PKI_DIR),
        "IMAGES_DIR": str(settings.IMAGES_DIR),
        "AGENT_TIMEOUT_S": "600",
        "OPERATIONS_PER_PROJECT": str(THREADS),
    }
    environment = os.environ | {f"ANDROMEDE_{key}": value for key, value in own.items()}
    command = Stack(folder, worker_threads=THREADS).commands()[name]
    with (folder / f"{name}.log").open("ab") as log:
        more = {"cwd": django_settings.BASE_DIR, "env": environment, "stdin": subprocess.DEVNULL}
        with running(command, stdout=log, stderr=log, **more):
            yield


def test_hung_nodes_stop_neither_liveness_nor_recoveries(
    shared_cloud: Cloud, queues: None, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud, go_on, hanging = shared_cloud, threading.Event(), threading.Semaphore(0)
    instances = [make_instance(cloud, f"web-{number}") for number in range(THREADS + 1)]

    def hang(*_: object, **__: object) -> None:
        hanging.release()
        go_on.wait()  # longer than anybody here waits for anything

    monkeypatch.setattr(FakeHypervisor, "undefine", hang)
    deletions = [instance_delete(cloud.tenant.actor, instance) for instance in instances]
    try:
        with process("worker", tmp_path, settings), process("periodic", tmp_path, settings):
            for _ in range(THREADS):
                assert hanging.acquire(timeout=PATIENCE_S)
            silent = make_node("silent")
            Node.objects.filter(pk=silent.pk).update(last_heartbeat_at=clock.now() - timedelta(hours=1))
            fence = enqueue(SYSTEM, OperationRequest("node.fence", None, (new_id(),), resource_name="silent"))

            wait_until(lambda: Node.objects.get(pk=silent.pk).state == "unreachable", limit_s=PATIENCE_S)
            wait_until(lambda: Operation.objects.get(pk=fence.pk).started_at is not None, limit_s=PATIENCE_S)
            hung = Operation.objects.filter(pk__in=[each.pk for each in deletions], state="running")
            assert hung.count() == THREADS, "the worker still hangs, and the last deletion waits"
            go_on.set()
    finally:
        go_on.set()
