"""Instances whose guest stopped or started by itself get the observed state."""

import logging

from controlplane.compute import power

log = logging.getLogger(__name__)


def reconcile() -> int:
    """Return how many instances changed."""
    if settled := power.reconcile_power():
        log.warning("%d instances had changed their power state by themselves", settled)
    return settled
