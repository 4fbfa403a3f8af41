"""Slow name servers and slow receivers: how long a delivery takes, and whom it delays."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from pytest_django import Settings

from controlplane.events.services import publish_event
from controlplane.kernel.ids import new_id
from controlplane.webhooks import deliveries, resolver, sender
from controlplane.webhooks.dispatch import dispatch
from controlplane.webhooks.models import Delivery
from tests.limits import PATIENCE_S
from tests.services.webhooks.conftest import make_webhook
from tests.services.webhooks.receiver import Receiver
from tests.world import Tenant, make_tenant

HOOK = {"headers": {}, "body": b"{}"}


class NameServer:
    """Does not answer before it is told to."""

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        self.may_answer = threading.Event()

    def getaddrinfo(self, *args: Any, **kwargs: Any) -> Any:
        self.asked.release()
        self.may_answer.wait()
        raise socket.gaierror("no such name")


@pytest.fixture
def dead(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    server = NameServer()
    monkeypatch.setattr(socket, "getaddrinfo", server.getaddrinfo)
    yield server
    server.may_answer.set()


def test_unresponsive_name_server_times_out(dead: NameServer, settings: Settings) -> None:
    settings.WEBHOOK_TIMEOUT_S = 1
    with ThreadPoolExecutor(1) as thread:
        sending = thread.submit(sender.post, "https://receiver.example.org/", **HOOK)
        try:
            assert sending.result(timeout=PATIENCE_S).error == "timeout"
            assert dead.asked.acquire(timeout=0) and not dead.may_answer.is_set(), "it still hangs"
        finally:
            dead.may_answer.set()


def test_hanging_lookups_are_limited_and_others_fail_at_once(
    dead: NameServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.WEBHOOK_TIMEOUT_S = 1
    monkeypatch.setattr(resolver, "free_lookups", threading.BoundedSemaphore(1))
    assert sender.post("https://one.example.org/", **HOOK).error == "timeout"
    assert sender.post("https://two.example.org/", **HOOK).error == "unreachable"
    assert dead.asked.acquire(timeout=0) and not dead.asked.acquire(timeout=0)


def deliver(webhook_id: UUID) -> int:
    """In a thread of the worker."""
    try:
        return deliveries.deliver(webhook_id)
    finally:
        connection.close()


def hooks(tenant: Tenant, url: str, count: int) -> list[UUID]:
    """Webhooks that have something to send."""
    created = [make_webhook(tenant, url, name=f"hook-{n}", kinds=["network.*"])[0].pk for n in range(count)]
    publish_event(tenant.actor, "network.created", new_id(), project_id=tenant.project.pk, name="lan")
    return created


@pytest.mark.django_db(transaction=True)
def test_slow_receivers_of_a_project_leave_threads_to_other_projects(receiver: Receiver, settings: Settings) -> None:
    settings.WEBHOOK_THREADS_PER_PROJECT, settings.WEBHOOK_TIMEOUT_S = 2, PATIENCE_S
    may_answer = threading.Event()
    receiver.answer = lambda got: 204 if got.path == "/fast" or may_answer.wait(PATIENCE_S) else 500
    slow = hooks(make_tenant(), receiver.url, 4)
    (fast,) = hooks(make_tenant("beta"), receiver.url.replace("/hook", "/fast"), 1)
    dispatch()
    with ThreadPoolExecutor(8) as threads:
        try:
            first = [threads.submit(deliver, each) for each in slow[:2]]
            receiver.wait_for(lambda got: len(got) == 2)
            rest = [threads.submit(deliver, each) for each in slow[2:]]
            assert [each.result(timeout=PATIENCE_S) for each in rest] == [0, 0], "no more threads for this project"
            assert threads.submit(deliver, fast).result(timeout=PATIENCE_S) == 1
            assert not any(each.done() for each in first)
        finally:
            may_answer.set()
        assert [each.result(timeout=PATIENCE_S) for each in first] == [1, 1]
        assert [threads.submit(deliver, each).result(timeout=PATIENCE_S) for each in slow[2:]] == [1, 1]
    assert set(Delivery.objects.values_list("state", flat=True)) == {"succeeded"}
