"""Guests that have failed are started again."""

import logging

from controlplane.compute import guest_restarts

log = logging.getLogger(__name__)


def reconcile() -> int:
    """How many are being started."""
    if begun := guest_restarts.restart_failed():
        log.warning("%d guests had failed and are started again", begun)
    return begun
