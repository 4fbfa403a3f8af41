"""Floors: the first facts epoch whose permits count in a zone, and the facts of that epoch, for the zone's nodes."""

from datetime import timedelta

from django.db import transaction

from andromede_core.permits.trust_documents import Floor
from controlplane.audit import evidence_log
from controlplane.catalog import epochs
from controlplane.kernel import clock
from controlplane.nodes import trust_documents
from controlplane.nodes.models import Node, TrustDocument
from controlplane.nodes.signing_keys import signing_key
from controlplane.signer import trusted_facts

# A floor that is signed again gives nodes a later lower bound of the time.
RENEW_AFTER = timedelta(hours=1)


def sign_missing_floors() -> int:
    """Sign the missing floors of zones that have nodes. Cheap when none is missing. Returns how many were signed.

    Raises:
        NoKeyset, KeyMissing, NoUsableKey.
    """
    epoch, fresh = epochs.current(), clock.now() - RENEW_AFTER
    floors = TrustDocument.objects.filter(kind=trust_documents.FLOOR, version__gte=epoch, updated_at__gt=fresh)
    zones = Node.objects.exclude(zone__in=floors.values("subject")).values_list("zone", flat=True).distinct()
    missing = sorted(zones)
    for zone in missing:
        _sign(trusted_facts.load(zone, epoch))
    return len(missing)


def ensure_floor(facts: trusted_facts.TrustedFacts, *, signed_epoch: int) -> None:
    """Sign the floor that nodes check a permit by, before the permit. `signed_epoch`: of the newest floor so far."""
    if signed_epoch < facts.epoch:
        _sign(facts)


@transaction.atomic
def _sign(facts: trusted_facts.TrustedFacts) -> None:
    key = signing_key(trust_documents.keyset(), trust_documents.deny_list(), zone=facts.zone, classifications=())
    floor = Floor(facts.zone, facts.epoch, facts.sha256, issued_at=clock.now())
    trust_documents.floor_sign(key, floor, facts.document)
    if facts.unverified:
        evidence_log.append(
            "incident",
            {"incident": "facts-not-signed", "zone": facts.zone, "epoch": facts.epoch, "facts": list(facts.unverified)},
        )
