"""Metrics of Celery tasks: duration and outcome."""

import time
from typing import Any

from celery import Task
from celery.signals import task_postrun, task_prerun
from prometheus_client import Counter, Histogram

TASKS = Counter("andromede_tasks_total", "Ended tasks.", ["task", "state"])
SECONDS = Histogram(
    "andromede_task_duration_seconds",
    "Duration of tasks in seconds.",
    ["task"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800),
)
_begun: dict[str, float] = {}


def watch() -> None:
    task_prerun.connect(_begin)
    task_postrun.connect(_end)


def _begin(task_id: str, **_: Any) -> None:
    _begun[task_id] = time.monotonic()


def _end(task_id: str, task: Task, state: str | None = None, **_: Any) -> None:
    TASKS.labels(task.name, (state or "unknown").lower()).inc()
    if (begun := _begun.pop(task_id, None)) is not None:
        SECONDS.labels(task.name).observe(time.monotonic() - begun)
