"""Log lines link a request to its operation and the agent's calls, and contain no secrets."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from agents.node.errors import AdapterError
from controlplane.workflows.tasks import run
from tests.logs import Log, written
from tests.workflows.helpers import ask_instance, fresh, make_instance
from tests.world import Cloud

REQUEST = "request-of-the-test"


@pytest.fixture
def log(cloud: Cloud) -> Iterator[Log]:
    """From now on; the node has the image already, so that no operation goes to another lane."""
    make_instance(cloud, "first")
    with written() as log:
        yield log


def test_agent_log_names_the_request_and_operation(cloud: Cloud, log: Log) -> None:
    asked = replace(cloud.tenant, actor=replace(cloud.tenant.actor, request_id=REQUEST))
    cloud = replace(cloud, tenant=asked)
    instance, operation = ask_instance(cloud)
    run(str(operation.pk))
    calls = [line for line in log.of("agents.node.rpc.interceptor") if line["method"] == "EnsureInstance"]
    assert calls
    known = {"request_id": REQUEST, "operation_id": str(operation.pk), "resource_id": str(instance.pk)}
    assert all(known.items() <= line.items() for line in calls)


def test_a_step_that_fails_names_its_operation(cloud: Cloud, log: Log) -> None:
    instance, operation = ask_instance(cloud)
    cloud.fake.fail_next("start", AdapterError("no", retryable=False))
    run(str(operation.pk))
    assert fresh(operation).state == "failed"
    (line,) = [line for line in log.of("controlplane.workflows.engine") if line["level"] == "warning"]
    known = {"operation_id": str(operation.pk), "resource_id": str(instance.pk)}
    assert known.items() <= line.items()


def test_tenant_data_is_never_logged(cloud: Cloud, log: Log) -> None:
    _, operation = ask_instance(cloud, user_data=b"#!/bin/sh\necho hunter2\n")
    cloud.fake.fail_next("start", RuntimeError("a bug"))
    run(str(operation.pk))
    assert log.of("agents.node.rpc.interceptor")
    assert "hunter2" not in log.text
