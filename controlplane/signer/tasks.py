"""Celery tasks of the signer and of the sentinel (cosign_…): thin shells, each on its own queue.

A message is a wake-up and carries no authority.
"""

import logging
from uuid import UUID

from celery import shared_task

from controlplane.audit import exports
from controlplane.kernel.errors import CloudError
from controlplane.signer import permits, segments, sentinel

log = logging.getLogger(__name__)


@shared_task(name="controlplane.signer.tasks.sign_requested")
def sign_requested(permit_id: str) -> None:
    permits.sign(UUID(permit_id))


@shared_task(name="controlplane.signer.tasks.cosign_signed")
def cosign_signed(permit_id: str) -> None:
    sentinel.cosign(UUID(permit_id))


@shared_task(name="controlplane.signer.tasks.segment_requested")
def segment_requested(network_id: str, zone: str) -> None:
    try:
        segments.sign(UUID(network_id), zone)
    except CloudError as exc:
        log.error("segment of network %s in %s not signed: %s %s", network_id, zone, exc, exc.facts)


@shared_task(name="controlplane.signer.tasks.evidence_exports")
def evidence_exports() -> None:
    """Create evidence exports, here because the log's key signs them."""
    exports.make_all()
