"""Metrics of steps: durations and retries."""

import re
from contextlib import AbstractContextManager

from prometheus_client import Counter, Histogram

NUMBER = re.compile(r"-[0-9]+$")
SECONDS = Histogram(
    "andromede_step_duration_seconds",
    "Duration of operation steps, done or undone, in seconds, without waiting time.",
    ["kind", "step"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800),
)
RETRIES = Counter("andromede_step_retries_total", "Failed steps that are retried.", ["kind", "step"])


def timed(kind: str, step: str) -> AbstractContextManager[object]:
    return SECONDS.labels(kind, _sort_of(step)).time()


def retried(kind: str, step: str) -> None:
    RETRIES.labels(kind, _sort_of(step)).inc()


def _sort_of(step: str) -> str:
    """Return the step's name without its number: all ports of an instance share one label."""
    return NUMBER.sub("", step)
