"""Announcements: the signed lists of a zone's public addresses and the nodes behind which they are.

They are built from the rows; a request names only the zone.
"""

import logging

from django.db import transaction

from andromede_core.documents.canonical import digest
from andromede_core.documents.parsing import Malformed
from andromede_core.permits import announcements as core
from andromede_core.permits.announcements import Announcements
from controlplane.announcers.models import AnnouncementsDocument, Announcer
from controlplane.catalog.models import Zone
from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError
from controlplane.kernel.wakeups import send_wakeup
from controlplane.network.announced_prefixes import announced_routes
from controlplane.network.models import AddressPool
from controlplane.network.segments import trusted_keys
from controlplane.nodes import trust_documents
from controlplane.nodes.signing_keys import signing_key
from controlplane.signer.document_versions import next_version

log = logging.getLogger(__name__)

SEND = "controlplane.reconcilers.tasks.announcements", "periodic"


def sign(zone: str) -> int:
    """Sign the zone's announcements if they have changed, and have them sent. Returns how many were signed.

    Raises:
        NoKeyset, KeyMissing, NoUsableKey.
        Malformed: a pool's community is none.
    """
    signed = _sign(zone)
    if signed:
        send_wakeup(SEND)
    return signed


def sign_all() -> int:
    """Sign the changed announcements of the zones that have a pool or an announcer. Returns how many were signed.

    A zone that cannot be signed is logged and keeps its last document; the others are signed.
    """
    zones = {
        *AddressPool.objects.order_by().values_list("zone", flat=True).distinct(),
        *Announcer.objects.order_by().values_list("zone", flat=True).distinct(),
    }
    signed = 0
    for zone in sorted(zones):
        try:
            signed += sign(zone)
        except CloudError as exc:
            log.error("announcements of %s not signed: %s %s", zone, exc, exc.facts)
        except Malformed as exc:
            log.error("announcements of %s not signed: %s", zone, exc)
    return signed


@transaction.atomic
def _sign(zone: str) -> int:
    """Sign under a lock: of two concurrent calls the second finds nothing to do."""
    if not Zone.objects.filter(pk=zone).exists():
        return 0
    AnnouncementsDocument.objects.bulk_create([AnnouncementsDocument(zone_id=zone)], ignore_conflicts=True)
    row = AnnouncementsDocument.objects.select_for_update().defer("document").get(zone=zone)
    version = next_version(row.version)
    announced = Announcements(zone, version, announced_routes(zone))
    payload = announced.payload()
    routes = digest(payload["routes"])
    if row.version and row.digest == routes and row.key_id in trusted_keys():
        return 0
    key = signing_key(trust_documents.keyset(), trust_documents.deny_list(), zone=zone, classifications=())
    AnnouncementsDocument.objects.filter(pk=row.pk).update(
        version=version,
        digest=routes,
        route_count=len(announced.routes),
        key_id=key.id,
        document=key.sign(core.KIND, payload).document(),
        updated_at=clock.now(),
    )
    return 1
