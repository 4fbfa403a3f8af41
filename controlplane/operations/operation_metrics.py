"""Metrics of operations: number begun and ended, and duration."""

from prometheus_client import Counter, Histogram

from controlplane.operations.models import Operation

BEGUN = Counter("andromede_operations_begun_total", "Requested operations.", ["kind"])
ENDED = Counter("andromede_operations_ended_total", "Ended operations.", ["kind", "state"])
SECONDS = Histogram(
    "andromede_operation_duration_seconds",
    "Seconds from the request to the operation's end.",
    ["kind"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600),
)


def record_begun(operation: Operation) -> None:
    BEGUN.labels(operation.kind).inc()


def record_ended(operation: Operation) -> None:
    ENDED.labels(operation.kind, operation.state).inc()
    if operation.finished_at is not None:
        SECONDS.labels(operation.kind).observe((operation.finished_at - operation.created_at).total_seconds())
