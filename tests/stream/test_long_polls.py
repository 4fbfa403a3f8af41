"""Long polls in the process `stream`: they hold no thread, and end with what they wait for."""

import re
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from controlplane.events.services import publish_event
from controlplane.identity.models import ApiToken
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.operations.models import Operation
from tests.ports import free_port
from tests.stream.conftest import LIMIT_S, Process
from tests.world import Tenant

MANY = 40  # ten for each thread that the process has
HEADERS = {"Authorization": "Bearer alpha"}


class Site:
    """The process, and requests to it that may wait."""

    def __init__(self, folder: Path) -> None:
        self.observed = free_port()
        own = {"LONG_POLLS_PER_CREDENTIAL": str(MANY), "OBSERVE_LISTEN": f"127.0.0.1:{self.observed}"}
        self.process = Process(folder, STREAM_CHECK_S="1", **own)
        self.process.start()
        self.pool = ThreadPoolExecutor(MANY)

    def get(self, path: str, **query: str) -> httpx.Response:
        url = f"http://127.0.0.1:{self.process.port}/v1/{path}"
        return httpx.get(url, params=query, headers=HEADERS, timeout=LIMIT_S + 60, trust_env=False)

    def begin(self, path: str, **query: str) -> Future[httpx.Response]:
        return self.pool.submit(self.get, path, **query)

    def waiting(self) -> int:
        text = httpx.get(f"http://127.0.0.1:{self.observed}/metrics", trust_env=False).text
        match = re.search(r'^andromede_stream_connections\{kind="long_polls"\} (\S+)$', text, re.MULTILINE)
        assert match is not None, text
        return int(float(match[1]))

    def until_waiting(self, count: int) -> None:
        pause = threading.Event()
        for _ in range(LIMIT_S * 20):
            if self.waiting() == count:
                return
            pause.wait(0.05)
        raise AssertionError(f"{self.waiting()} wait, and not {count}")

    def close(self) -> None:
        self.process.kill()
        self.pool.shutdown()


@pytest.fixture
def site(transactional_db: None, tmp_path: Path) -> Iterator[Site]:
    created = Site(tmp_path)
    try:
        yield created
    finally:
        created.close()


@pytest.fixture
def operation(tenant: Tenant) -> Operation:
    now = clock.now()
    return Operation.objects.create(
        kind="x", project=tenant.project, resource_id=tenant.project.pk, resource_ids=[], due_at=now, deadline_at=now
    )


def end(operation: Operation, tenant: Tenant) -> None:
    """End the operation like a worker, with an event of the project."""
    Operation.objects.filter(pk=operation.pk).update(state="succeeded", finished_at=clock.now())
    publish_one(tenant)


def publish_one(tenant: Tenant) -> None:
    publish_event(tenant.actor, "network.created", new_id(), project_id=tenant.project.pk, name="one")


def test_waiting_requests_hold_no_threads(site: Site, tenant: Tenant, operation: Operation) -> None:
    path = f"projects/alpha/operations/{operation.pk}"
    waiting = [site.begin(path, wait="60s") for _ in range(MANY)]
    site.until_waiting(MANY)
    assert site.get("healthz").status_code == 200
    assert site.get(path, wait="60s").json()["state"] == "pending", "one more of this credential is answered at once"
    end(operation, tenant)
    assert {each.result(LIMIT_S).json()["state"] for each in waiting} == {"succeeded"}
    assert site.waiting() == 0


def test_operation_end_is_found_without_an_event(site: Site, operation: Operation) -> None:
    waiting = site.begin(f"projects/alpha/operations/{operation.pk}", wait="60s")
    site.until_waiting(1)
    Operation.objects.filter(pk=operation.pk).update(state="succeeded", finished_at=clock.now())
    assert waiting.result(LIMIT_S).json()["state"] == "succeeded"


def test_wait_answers_the_current_state_at_its_deadline(site: Site, operation: Operation) -> None:
    assert site.get(f"projects/alpha/operations/{operation.pk}", wait="1s").json()["state"] == "pending"


def test_wait_after_now_returns_only_new_events(site: Site, tenant: Tenant) -> None:
    publish_one(tenant)
    waiting = site.begin("events", after="now", wait="60s")
    site.until_waiting(1)
    publish_one(tenant)
    answer: dict[str, Any] = waiting.result(LIMIT_S).json()
    assert [event["kind"] for event in answer["items"]] == ["network.created"]
    repeated = site.get("events", after=answer["cursor"], wait="0s").json()
    assert repeated["items"] == []


def test_credential_revoked_while_waiting_is_refused(site: Site, tenant: Tenant, operation: Operation) -> None:
    waiting = site.begin(f"projects/alpha/operations/{operation.pk}", wait="60s")
    site.until_waiting(1)
    ApiToken.objects.update(expires_at=clock.now())
    end(operation, tenant)
    assert waiting.result(LIMIT_S).status_code == 401


def test_a_client_that_hangs_up_is_forgotten(site: Site, tenant: Tenant) -> None:
    url = f"http://127.0.0.1:{site.process.port}/v1/events?after=now&wait=60s"
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(url, headers=HEADERS, timeout=httpx.Timeout(LIMIT_S, read=1), trust_env=False)
    site.until_waiting(0)


def test_invalid_wait_is_refused_at_once(site: Site, tenant: Tenant) -> None:
    assert site.get("events", wait="61s").json()["code"] == "invalid_parameter"
    assert site.get("operations/x", wait="60s").status_code == 403
    assert site.get("projects/alpha/operations/x", wait="60s").status_code == 404
    assert site.get("projects/alpha/operations", wait="1s").json()["code"] == "route_not_found", (
        "another process serves it"
    )
