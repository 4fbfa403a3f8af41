"""Responses stored under idempotency keys are deleted after a day."""

import logging

from controlplane.kernel import idempotency

log = logging.getLogger(__name__)


def reconcile() -> int:
    """Return how many were deleted."""
    total = 0
    while count := idempotency.purge():
        total += count
    if total:
        log.info("%d expired idempotency records deleted", total)
    return total
