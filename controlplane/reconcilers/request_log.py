"""Request log: incomplete records are closed, complete ones enter the evidence log, and expired ones are deleted."""

import logging

from controlplane.audit import request_log_batches, request_records

log = logging.getLogger(__name__)


def reconcile() -> int:
    """Return how many incomplete requests were closed."""
    if abandoned := request_records.close_abandoned():
        log.warning("%d requests without a recorded response closed, their outcome is unknown", abandoned)
    request_log_batches.cover_requests()
    if gone := request_log_batches.delete_expired():
        log.info("%d expired request records deleted", gone)
    return abandoned
