"""Metrics of webhook deliveries by outcome."""

from prometheus_client import Counter, Histogram

from controlplane.webhooks.sender import Outcome

ATTEMPTS = Counter("andromede_webhook_attempts_total", "Attempts to deliver an event to a webhook.", ["outcome"])
SECONDS = Histogram(
    "andromede_webhook_attempt_duration_seconds",
    "Response time of webhook receivers in seconds.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)


def record_attempt(outcome: Outcome | None) -> None:
    """Count an attempt; None: it could not be signed."""
    if outcome is None:
        ATTEMPTS.labels("unsigned").inc()
        return
    ATTEMPTS.labels(outcome.error or "succeeded").inc()
    SECONDS.observe(outcome.duration_ms / 1000)
