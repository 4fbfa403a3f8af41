"""Instances whose guest stopped or started by itself get the observed state."""

import logging

log = logging.getLogger(__name__)


def reconcile() -> int:
    """Return how many instances changed."""
    if settled := services.reconcile_power():
        log.warning("%d instances had changed their power state by themselves", settled)
    return settled
