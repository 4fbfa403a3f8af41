"""Records of requests that nobody completed are closed, those that were completed enter the evidence log, and those
whose time is over go."""

import logging

from controlplane.audit import batches, requests

log = logging.getLogger(__name__)


def reconcile() -> int:
    """How many requests nobody completed."""
    if abandoned := requests.close_abandoned():
        log.warning("%d requests were never completed: what came of them is unknown", abandoned)
    batches.cover()
    if gone := batches.forget_old():
        log.info("%d records of requests have reached their age and are gone", gone)
    return abandoned
