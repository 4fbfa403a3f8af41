"""Answers that were stored under idempotency keys are forgotten after a day."""

import logging

from controlplane.kernel import idempotency

log = logging.getLogger(__name__)


def reconcile() -> int:
    """How many."""
    total = 0
    while count := idempotency.purge():
        total += count
    if total:
        log.info("%d answers under idempotency keys were forgotten", total)
    return total
