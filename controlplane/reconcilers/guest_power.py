"""Instances whose guest stopped or started by itself get the observed state."""

import logging

from controlplane.compute import power

log = logging.getLogger(__name__)


def reconcile() -> int:
    """Return how many instances changed."""
    if changed := power.reconcile_power():
        log.warning("%d instances changed their power state without an operation", changed)
    return changed
