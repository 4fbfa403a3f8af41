"""Snapshots that have expired are deleted."""

import logging
from itertools import islice

from django.db import transaction

from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError
from controlplane.storage.models import Snapshot
from controlplane.storage.snapshot_sources import snapshot_lock
from controlplane.storage.snapshots import snapshot_delete

DELETIONS_MAX = 100  # in a run; the next one follows a minute later

log = logging.getLogger(__name__)


def reconcile() -> int:
    """Request the deletion of expired snapshots, DELETIONS_MAX at most. Returns how many."""
    expired = Snapshot.objects.filter(expires_at__lte=clock.now(), is_deleting=False).exclude(state="deleted")
    requested = (
        snapshot for snapshot in expired.order_by("expires_at", "pk").iterator() if _request_deletion(snapshot)
    )
    return sum(1 for _ in islice(requested, DELETIONS_MAX))


def _request_deletion(snapshot: Snapshot) -> bool:
    """Request the deletion. False: it is refused now, as while a volume is made from it, or it expires later by now."""
    try:
        with transaction.atomic():
            snapshot_lock(snapshot)
            if snapshot.expires_at is None or snapshot.expires_at > clock.now():
                return False
            snapshot_delete(SYSTEM, snapshot)
    except CloudError as exc:
        log.info("snapshot %s has expired, and is deleted later: %s", snapshot.pk, exc)
        return False
    return True
