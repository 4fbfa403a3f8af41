"""Failed guests are restarted."""

import logging

from controlplane.compute import guest_restarts

log = logging.getLogger(__name__)


def reconcile() -> int:
    """Return how many are being started."""
    if begun := guest_restarts.restart_failed():
        log.warning("%d crashed guests are restarted", begun)
    return begun
