"""Nodes without heartbeats become unreachable. (The watcher makes them ready again, with their next heartbeat.)"""

import logging

from controlplane.nodes import services

log = logging.getLogger(__name__)


def reconcile() -> int:
    """Return how many became unreachable."""
    if lost := services.mark_unreachable():
        log.error("%d nodes became unreachable", lost)
    return lost
