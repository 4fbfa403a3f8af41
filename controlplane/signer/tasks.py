"""Celery tasks of the signer and of the sentinel (cosign_…): thin shells, each on its own queue.

A message is a wake-up and carries no authority.
"""

import logging
from uuid import UUID

from celery import shared_task

from andromede_core.documents.parsing import Malformed
from controlplane.audit import exports
from controlplane.kernel.errors import CloudError
from controlplane.signer import announcements, instance_metadata, permits, port_rules, segments, sentinel

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


@shared_task(name="controlplane.signer.tasks.port_rules_requested")
def port_rules_requested(port_id: str, zone: str) -> None:
    try:
        port_rules.sign_port(UUID(port_id), zone)
    except CloudError as exc:
        log.error("rules of port %s in %s not signed: %s %s", port_id, zone, exc, exc.facts)


@shared_task(name="controlplane.signer.tasks.security_group_requested")
def security_group_requested(group_id: str) -> None:
    try:
        port_rules.sign_group(UUID(group_id))
    except CloudError as exc:
        log.error("security group %s not signed: %s %s", group_id, exc, exc.facts)


@shared_task(name="controlplane.signer.tasks.instance_metadata_requested")
def instance_metadata_requested() -> None:
    instance_metadata.sign_all()


@shared_task(name="controlplane.signer.tasks.announcements_requested")
def announcements_requested(zone: str) -> None:
    try:
        announcements.sign(zone)
    except CloudError as exc:
        log.error("announcements of %s not signed: %s %s", zone, exc, exc.facts)
    except Malformed as exc:
        log.error("announcements of %s not signed: %s", zone, exc)


@shared_task(name="controlplane.signer.tasks.evidence_exports")
def evidence_exports() -> None:
    """Create evidence exports, here because the log's key signs them."""
    exports.make_all()
