"""Orphans in storage clusters: the images of their pools minus those that rows expect; and missing images.

cluster_snapshot_orphans.py compares their snapshots, of which the same lists tell.

A run compares some pages of each pool, and the next run goes on after the last one. Each page is compared by itself:
the agent lists it first and its rows are read afterwards, within IN_TRANSIT of compute/expected_resources.py. A cluster
that does not answer, or another one than before, proves nothing.

An orphan stays as it is until an operator decides: no node gets a key of an image without a row, and what has it open
may be an expected guest.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db.models import CharField, Q, QuerySet, Value
from django.db.models.functions import Cast, Collate
from django.db.models.lookups import GreaterThan, LessThanOrEqual

from agents.protocol import storage_pb2
from controlplane.compute import expected_resources
from controlplane.compute.models import Instance
from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError
from controlplane.kernel.names import as_uuid
from controlplane.nodes.models import Orphan, Pool
from controlplane.nodes.orphan_states import ORPHAN_LIVE
from controlplane.nodes.orphans import PLACES
from controlplane.nodes.service_agents import CallFailed
from controlplane.reconcilers import cluster_snapshot_orphans
from controlplane.reconcilers.missing_resources import unchanged_since
from controlplane.reconcilers.orphan_detection import OrphanCandidate
from controlplane.reconcilers.orphan_records import (
    apply,
    cancel_discard,
    record_discarded,
    record_found,
    record_gone,
    record_problem,
    record_released,
)
from controlplane.storage.models import Volume
from controlplane.storage_clusters import volume_calls
from controlplane.storage_clusters.errors import StorageClusterRefused
from controlplane.storage_clusters.models import StorageCluster
from controlplane.storage_clusters.services import DEGRADED, ERROR, MISSING_VOLUME, record_missing
from controlplane.storage_clusters.storage_client import describe
from controlplane.storage_clusters.volume_calls import ListedVolume

log = logging.getLogger(__name__)

# Each page has some 200 images, which the agent opens for their sizes: 1000 images of a pool take it seconds.
PAGES_PER_RUN = 5
DECISIONS_PER_RUN = 100
# A cluster with one of these problems answers, and is the one of its row.
BEARABLE = ("", DEGRADED, ERROR, "nearly-full", "pool-missing", "pool-conflict", "pool-shrunk")
# The agent's code for a volume that a client has open (agents/node/errors.py).
IN_USE = "agent.volume_in_use"
OPEN = "A client has the image open. End the guest or program that uses it; the deletion is tried again every minute."


@dataclass(frozen=True, slots=True)
class NameRange:
    """The names of a page: those after one name, until another one; None: all that come."""

    after: str
    until: str | None

    def contain(self, name: str) -> bool:
        return self.after < name and (self.until is None or name <= self.until)

    def condition(self, column: str) -> Q:
        """Return the condition for rows with such an id in the column; the agent compares names by code points."""
        name = Collate(Cast(column, CharField()), "C")
        after = Q(GreaterThan(name, Value(self.after)))
        return after if self.until is None else after & Q(LessThanOrEqual(name, Value(self.until)))


def reconcile() -> int:
    """Return how many orphans have changed, and how many volumes are missing."""
    clusters = StorageCluster.objects.exclude(certificate_sha256="").filter(problem__in=BEARABLE)
    return sum(_reconcile_cluster(cluster) for cluster in clusters.order_by("name"))


def _reconcile_cluster(cluster: StorageCluster) -> int:
    changed = 0
    try:
        if cluster.fsid is None or describe(cluster, storage_pb2.EnsureTrustRequest()).fsid != cluster.fsid:
            return 0
    except CallFailed as exc:
        log.warning("storage cluster %s: orphan detection failed and is retried: %s", cluster.name, exc)
        return 0
    for pool in Pool.objects.filter(cluster=cluster).select_related("cluster").order_by("name"):
        try:
            changed += _reconcile_pool(pool)
        except CloudError as exc:
            log.warning("pool %s: orphan detection failed and is retried: %s", pool.name, exc)
    return changed


def _reconcile_pool(pool: Pool) -> int:
    changed, after = _decided(pool), pool.compared_until
    for _ in range(PAGES_PER_RUN):
        try:
            page = volume_calls.list_volumes(pool, after=after)
        except StorageClusterRefused as exc:  # as of a pool that its agent does not serve any more
            log.warning("pool %s: its images are not listed: %s", pool.name, exc)
            _next_begins_after(pool, "")
            break
        until = page[-1].name if page else None
        changed += _compare(pool, page, NameRange(after, until))
        after = until or ""
        _next_begins_after(pool, after)
        if until is None:
            break
    return changed


def _next_begins_after(pool: Pool, name: str) -> None:
    Pool.objects.filter(pk=pool.pk).update(compared_until=name)


# ---- one page


def _compare(pool: Pool, page: Sequence[ListedVolume], names: NameRange) -> int:
    """Compare a page of images with the rows of these names."""
    listed = {each.name: _candidate(each) for each in page}
    ids = {each.resource_id for each in listed.values() if each.resource_id is not None}
    expected = expected_resources.in_pool(pool, ids) if ids else set()
    detected = {name: each for name, each in listed.items() if each.resource_id not in expected}
    changed = _record_detected(pool, detected, names)
    missing = _expected_in(pool, clock.now() - expected_resources.IN_TRANSIT, names) - ids
    record_missing(pool, MISSING_VOLUME, {str(each) for each in missing}, is_compared=names.contain)
    return changed + len(missing) + cluster_snapshot_orphans.compare(pool, page, expected, contains=names.contain)


def _candidate(listed: ListedVolume) -> OrphanCandidate:
    volume_id = as_uuid(listed.name)
    is_ours = str(volume_id) == listed.name
    return OrphanCandidate("volume", listed.name, volume_id if is_ours else None, listed.size_bytes)


def _record_detected(pool: Pool, detected: dict[str, OrphanCandidate], names: NameRange) -> int:
    live = [row for row in _live(pool).filter(kind="volume") if names.contain(row.name)]
    confirmed = [row.pk for row in live if row.name in detected]
    Orphan.objects.filter(pk__in=confirmed).update(observed_at=clock.now())
    known = {row.name for row in live}
    new = sum(record_found(each, pool=pool) for name, each in detected.items() if name not in known)
    return new + sum(apply(row, record_gone) for row in live if row.name not in detected)


def _expected_in(pool: Pool, before: datetime, names: NameRange) -> set[UUID]:
    """Return the volumes and root disks of these names that were in the pool before, and are to be there."""
    volumes = Volume.objects.filter(
        unchanged_since(before), pool=pool, state__in=("available", "in-use"), is_deleting=False
    )
    instances = Instance.objects.filter(unchanged_since(before), root_pool=pool, state__in=("active", "stopped"))
    roots = instances.filter(is_deleting=False, boot_volume=None)
    return {
        *volumes.filter(names.condition("pk")).values_list("pk", flat=True),
        *roots.filter(names.condition("root_volume_id")).values_list("root_volume_id", flat=True),
    }


# ---- decisions


def _live(pool: Pool) -> QuerySet[Orphan]:
    return Orphan.objects.filter(pool=pool, state__in=ORPHAN_LIVE).select_related(*PLACES)


def _decided(pool: Pool) -> int:
    """Carry out the decisions of operators, wherever in the pool the comparison is."""
    rows = _live(pool).exclude(requested_action="").order_by("updated_at")[:DECISIONS_PER_RUN]
    discard = partial(_discard, pool)
    return sum(apply(row, discard if row.requested_action == "discard" else record_released) for row in rows)


def _discard(pool: Pool, row: Orphan) -> bool:
    """Move the image to the trash of the cluster, unless a row expects it by now, or a client has it open.

    What a row expects after the check is not made before the decision is carried out or dropped: see
    _require_no_discard in workflows/cluster_disks.py.
    """
    if row.kind == cluster_snapshot_orphans.KIND:
        return cluster_snapshot_orphans.discard(pool, row)
    assert row.resource_id is not None, "nodes/orphans.py refuses the decision for other names"
    if expected_resources.in_pool(pool, [row.resource_id]):
        return cancel_discard(row)
    try:
        was_present = volume_calls.remove_volume(pool, row.resource_id, generation=0)
    except StorageClusterRefused as exc:
        if exc.facts.get("agent_code") != IN_USE:
            raise
        record_problem(row, OPEN)
        return False
    return record_discarded(row, {"was_present": was_present, "size_bytes": row.size_bytes})
