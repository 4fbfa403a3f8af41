"""The Celery tasks of the signer and of the sentinel (cosign_…): thin shells, each on its own queue. A message is a
hint and carries no authority."""

import logging
from uuid import UUID

from celery import shared_task

from controlplane.audit import exports
from controlplane.kernel.errors import CloudError
from controlplane.signer import floors as floor
from controlplane.signer import permits, retired, segments, sentinel

log = logging.getLogger(__name__)


@shared_task(name="controlplane.signer.tasks.sign_requested")
def sign_requested(permit_id: str) -> None:
    permits.sign(UUID(permit_id))


@shared_task(name="controlplane.signer.tasks.sign_all")
def sign_all() -> None:
    permits.sign_all()


@shared_task(name="controlplane.signer.tasks.cosign_signed")
def cosign_signed(permit_id: str) -> None:
    sentinel.cosign(UUID(permit_id))


@shared_task(name="controlplane.signer.tasks.cosign_all")
def cosign_all() -> None:
    sentinel.cosign_all()


@shared_task(name="controlplane.signer.tasks.floors")
def floors() -> None:
    try:
        floor.raise_all()
    except CloudError as exc:
        log.error("floors are not signed: %s %s", exc, exc.facts)


@shared_task(name="controlplane.signer.tasks.retired_nodes")
def retired_nodes() -> None:
    try:
        retired.deny_all()
    except CloudError as exc:
        log.error("retired nodes are not denied: %s %s", exc, exc.facts)


@shared_task(name="controlplane.signer.tasks.segment_requested")
def segment_requested(network_id: str, zone: str) -> None:
    try:
        segments.sign(UUID(network_id), zone)
    except CloudError as exc:
        log.error("the segment of network %s in %s is not signed: %s %s", network_id, zone, exc, exc.facts)


@shared_task(name="controlplane.signer.tasks.segments_all")
def segments_all() -> None:
    try:
        segments.sign_all()
    except CloudError as exc:
        log.error("segments are not signed: %s %s", exc, exc.facts)


@shared_task(name="controlplane.signer.tasks.evidence_exports")
def evidence_exports() -> None:
    """Here because exports are signed with the log's key."""
    exports.make_all()
