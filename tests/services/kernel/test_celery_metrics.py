"""Metrics of tasks, of findings of reconcilers and of webhook attempts."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from celery.signals import task_postrun, task_prerun
from prometheus_client import REGISTRY

from controlplane.config.periodic import JOBS
from controlplane.kernel import celery_metrics, clock, periodic
from controlplane.nodes.models import Node
from controlplane.reconcilers import tasks
from controlplane.webhooks import delivery_metrics
from controlplane.webhooks.sender import Outcome
from tests.world import Cloud


@pytest.fixture
def watched() -> Iterator[None]:
    celery_metrics.watch()
    yield
    task_prerun.disconnect(celery_metrics._begin)
    task_postrun.disconnect(celery_metrics._end)


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"andromede_{name}", labels) or 0


def test_a_task_is_counted_and_timed(shared_cloud: Cloud, watched: None) -> None:
    name = tasks.network_peers.name

    def numbers() -> tuple[float, ...]:
        return (
            value("tasks_total", task=name, state="success"),
            value("task_duration_seconds_count", task=name),
        )

    before = numbers()
    tasks.network_peers.apply()
    assert [now - then for now, then in zip(numbers(), before, strict=True)] == [1, 1]


def test_findings_of_a_reconciler_are_counted(shared_cloud: Cloud) -> None:
    Node.objects.update(state="ready", last_heartbeat_at=clock.now() - timedelta(hours=1))
    liveness = next(job for job in JOBS if job.name == "node_liveness")
    before = value("reconciler_findings_total", reconciler="node_liveness")
    assert periodic.run(liveness)
    assert periodic.run(liveness)
    assert value("reconciler_findings_total", reconciler="node_liveness") - before == 1


def test_webhook_attempts_are_counted_by_outcome() -> None:
    outcomes = {
        "succeeded": Outcome(204, 12, ""),
        "timeout": Outcome(None, 10_000, "timeout"),
        "status": Outcome(500, 3, "status"),
        "unsigned": None,
    }
    before = {name: value("webhook_attempts_total", outcome=name) for name in outcomes}
    seconds = value("webhook_attempt_duration_seconds_sum")
    for outcome in outcomes.values():
        delivery_metrics.record_attempt(outcome)
    assert {name: value("webhook_attempts_total", outcome=name) - before[name] for name in outcomes} == dict.fromkeys(
        outcomes, 1
    )
    assert value("webhook_attempt_duration_seconds_sum") - seconds == pytest.approx(10.015)
