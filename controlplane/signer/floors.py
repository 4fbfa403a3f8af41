"""Floors: from which facts epoch on permits count in a zone, and the facts of that epoch, for the zone's nodes."""

from datetime import timedelta

from django.db import transaction

from andromede_core.permits.trust_documents import Floor
from controlplane.audit import evidence
from controlplane.catalog import epochs
from controlplane.kernel import clock
from controlplane.nodes import trust
from controlplane.nodes.keys import signing_key
from controlplane.nodes.models import Node, TrustDocument
from controlplane.signer import believed

# A floor that is signed again tells nodes that it is that late already.
RENEW_AFTER = timedelta(hours=1)


def raise_all() -> int:
    """Sign what is missing for the zones that have nodes. Cheap when nothing is. Returns how many were signed.

    Raises:
        NoKeyset, KeyMissing, NoUsableKey.
    """
    epoch, fresh = epochs.current(), clock.now() - RENEW_AFTER
    floors = TrustDocument.objects.filter(kind=trust.FLOOR, version__gte=epoch, updated_at__gt=fresh)
    zones = Node.objects.exclude(zone__in=floors.values("subject")).values_list("zone", flat=True).distinct()
    missing = sorted(zones)
    for zone in missing:
        _sign(believed.of(zone, epoch))
    return len(missing)


def ensure(known: believed.Believed, *, signed_epoch: int) -> None:
    """No permit is signed before the floor that its nodes check it by. `signed_epoch`: of the newest one so far."""
    if signed_epoch < known.epoch:
        _sign(known)


@transaction.atomic
def _sign(known: believed.Believed) -> None:
    key = signing_key(trust.keyset(), trust.deny_list(), zone=known.zone, classifications=())
    floor = Floor(known.zone, known.epoch, known.sha256, issued_at=clock.now())
    trust.floor_sign(key, floor, known.document)
    if known.doubted:
        evidence.append(
            "incident",
            {"incident": "facts-not-signed", "zone": known.zone, "epoch": known.epoch, "facts": list(known.doubted)},
        )
