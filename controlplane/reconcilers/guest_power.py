"""Instances whose guest stopped or started by itself get the state that is true."""

import logging

from controlplane.compute import power

log = logging.getLogger(__name__)


def reconcile() -> int:
    """How many there were."""
    if settled := power.reconcile_power():
        log.warning("%d instances had changed their power state by themselves", settled)
    return settled
