"""The real worker, by Celery, killed in the middle of its work."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from celery import Celery
from django.conf import settings as django_settings
from django.db import connection

from controlplane.config.celery import app
from controlplane.events.services import publish_event
from controlplane.kernel import wakeups as kernel_wakeups
from controlplane.kernel.ids import new_id
from controlplane.webhooks import wakeups
from controlplane.webhooks.dispatch import dispatch
from controlplane.webhooks.models import Delivery, Webhook
from scripts.polling import wait_until
from tests.limits import PATIENCE_S
from tests.nightly import as_nightly
from tests.services.webhooks.conftest import make_webhook
from tests.services.webhooks.receiver import Got, Receiver
from tests.world import make_tenant

BIN = Path(sys.executable).parent
OPTIONS = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING")
NAMES = [f"lan-{number}" for number in range(6)]


class Worker:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        own = {
            "ANDROMEDE_DB_NAME": str(connection.settings_dict["NAME"]),
            "ANDROMEDE_WEBHOOK_PRIVATE_HOSTS": "localhost",
            "ANDROMEDE_IS_WEBHOOK_HTTP_ALLOWED": "true",
            "ANDROMEDE_WEBHOOK_TIMEOUT_S": "5",
        }
        command = [str(BIN / "celery"), "--app", "controlplane.config", "worker", "--queues", "webhooks"]
        with (self.folder / "worker.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--pool", "threads", "--concurrency", "2", *OPTIONS],
                cwd=django_settings.BASE_DIR,
                env=os.environ | own,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(PATIENCE_S)
            self.process = None


@pytest.fixture
def worker(transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    monkeypatch.setattr(wakeups, "send_wakeup", kernel_wakeups.send_wakeup)
    monkeypatch.setattr(kernel_wakeups, "current_app", app)
    _purge(app)
    created = Worker(tmp_path)
    created.start()
    try:
        yield created
    finally:
        created.kill()
        _purge(app)


def _purge(app: Celery) -> None:
    with app.connection_or_acquire() as broker:
        broker.default_channel.queue_declare("webhooks")
        broker.default_channel.queue_purge("webhooks")


@pytest.mark.parametrize("moment", [0, as_nightly(3)])
def test_killed_worker_loses_neither_events_nor_order(worker: Worker, receiver: Receiver, moment: int) -> None:
    tenant = make_tenant()
    webhook, secret = make_webhook(tenant, receiver.url, kinds=["network.created"])
    for name in NAMES:
        publish_event(tenant.actor, "network.created", new_id(), project_id=tenant.project.pk, name=name)

    killed = threading.Event()

    def kill_at_its_moment(got: Got) -> int | None:
        if got.name() == NAMES[moment] and not killed.is_set():
            worker.kill()
            killed.set()
            return None
        return 204

    receiver.answer = kill_at_its_moment
    dispatch_until(killed.is_set)
    assert receiver.names()[-1] == NAMES[moment]
    receiver.over.set()
    worker.start()
    dispatch_until(lambda: not Delivery.objects.filter(state="pending").exists())
    names = receiver.names()
    assert names == [*NAMES[: moment + 1], *NAMES[moment:]], "the one in the middle twice, all in order"
    assert len({got.id for got in receiver.got}) == len(NAMES)
    assert all(got.verified(secret) for got in receiver.got)
    assert Webhook.objects.get(pk=webhook.pk).is_enabled


def dispatch_until(is_so: Callable[[], bool]) -> None:
    """Dispatch as the periodic job does: a wake-up can precede a slow start, and a dead worker's lease must expire."""

    def is_so_now() -> bool:
        dispatch()
        return is_so()

    wait_until(is_so_now, limit_s=PATIENCE_S, every_s=0.5)
