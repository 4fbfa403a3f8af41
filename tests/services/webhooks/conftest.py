from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from pytest_django import Settings

from controlplane.kernel.wakeups import Task
from controlplane.webhooks import wakeups
from controlplane.webhooks.models import Webhook
from controlplane.webhooks.services import WebhookSpec, webhook_create
from tests.services.webhooks.receiver import Receiver, receiving
from tests.world import Tenant, make_tenant


class Queue:
    """Replaces Celery's queue: stores the webhooks of the wake-ups."""

    def __init__(self) -> None:
        self.sent: list[UUID] = []

    def send_wakeup(self, task: Task, args: list[str], *, expires_s: int) -> None:
        assert (task, expires_s) == (wakeups.DELIVER, wakeups.EXPIRES_S)
        self.sent.append(UUID(args[0]))


@pytest.fixture(autouse=True)
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    queue = Queue()
    monkeypatch.setattr(wakeups, "send_wakeup", queue.send_wakeup)
    return queue


@pytest.fixture(autouse=True)
def local(settings: Settings) -> None:
    """Allow receivers of this machine, by name."""
    settings.WEBHOOK_PRIVATE_HOSTS = ["localhost"]
    settings.IS_WEBHOOK_HTTP_ALLOWED = True


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as created:
        yield created


@pytest.fixture
def tenant(db: None) -> Tenant:
    return make_tenant()


def make_webhook(tenant: Tenant, url: str, **more: Any) -> tuple[Webhook, str]:
    spec = WebhookSpec(**({"name": "ops", "url": url, "kinds": ["*"]} | more))
    return webhook_create(tenant.actor, tenant.project, spec)
