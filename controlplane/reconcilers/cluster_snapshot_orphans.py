"""Snapshots in storage clusters that no row expects, and missing ones, by the lists that cluster_orphans.py reads.

A snapshot is compared if its volume is expected, since an orphaned volume goes with its snapshots; and not while an
operation has its volume. A node can take snapshots of a volume that it has open: their number is bounded by that of a
list.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet

from controlplane.compute import expected_resources
from controlplane.compute.errors import DataMissing
from controlplane.kernel import clock
from controlplane.kernel.names import as_uuid
from controlplane.nodes.models import Orphan, Pool
from controlplane.nodes.orphan_states import ORPHAN_LIVE
from controlplane.nodes.pools import lists_snapshots
from controlplane.operations.models import ResourceLock
from controlplane.reconcilers.missing_resources import unchanged_since
from controlplane.reconcilers.orphan_detection import OrphanCandidate
from controlplane.reconcilers.orphan_records import apply, cancel_discard, record_discarded, record_found, record_gone
from controlplane.storage.models import Snapshot
from controlplane.storage_clusters import volume_calls
from controlplane.storage_clusters.services import MISSING_SNAPSHOT, record_missing
from controlplane.storage_clusters.volume_calls import ListedVolume

KIND = "snapshot"
# Each has 200 snapshots; those of a volume that follow are not compared.
PAGES_OF_A_VOLUME = 5


@dataclass(frozen=True, slots=True)
class Listed:
    """The snapshots of a volume, in the order of their ids. `until`: the last compared name; empty: all are."""

    volume_id: UUID
    snapshots: Sequence[str]
    until: str = ""

    def has_compared(self, name: str) -> bool:
        return not self.until or name <= self.until


@dataclass(frozen=True, slots=True)
class Comparison:
    """The compared volumes with their snapshots, and the names of the page's volumes that are not there any more."""

    pool: Pool
    volumes: dict[UUID, Listed]
    is_gone: Callable[[str], bool]

    def has_compared(self, name: str) -> bool:
        """Return whether a VOLUME@SNAPSHOT would have been found if it were there."""
        volume, _, snapshot = name.partition("@")
        of_volume = self.volumes.get(UUID(volume))
        return of_volume.has_compared(snapshot) if of_volume is not None else self.is_gone(volume)


def compare(
    pool: Pool, page: Sequence[ListedVolume], expected: Collection[UUID], *, contains: Callable[[str], bool]
) -> int:
    """Compare the snapshots of a page of volumes with the rows. Return how many orphans changed, and are missing.

    `expected`: the volumes that rows expect. `contains`: whether the page would have an image of this name.
    """
    if not lists_snapshots(pool):
        return 0
    names = {each.name for each in page}
    listed = [_all_of(pool, each, pk) for each in page if (pk := as_uuid(each.name)) is not None and pk in expected]
    busy = expected_resources.held([each.volume_id for each in listed])
    volumes = {each.volume_id: each for each in listed if each.volume_id not in busy}
    comparison = Comparison(pool, volumes, lambda name: contains(name) and name not in names)
    return _record_detected(comparison) + _record_missing(comparison)


def discard(pool: Pool, row: Orphan) -> bool:
    """Remove the snapshot from the cluster, unless a row expects it by now. Clones of it stay whole.

    While an operation has the volume, the decision waits.
    """
    volume_id = UUID(row.facts["volume"])
    assert row.resource_id is not None, "others are not recorded"
    if expected_resources.snapshots([row.resource_id]):
        return cancel_discard(row)
    if expected_resources.held([volume_id]):
        return False
    was_present = volume_calls.remove_snapshot(pool, row.resource_id, volume_id=volume_id)
    return record_discarded(row, {"was_present": was_present, "volume": str(volume_id)})


def _all_of(pool: Pool, volume: ListedVolume, volume_id: UUID) -> Listed:
    names, has_more = list(volume.snapshots), volume.has_more_snapshots
    for _ in range(PAGES_OF_A_VOLUME):
        if not has_more:
            return Listed(volume_id, names)
        page = volume_calls.list_snapshots(pool, volume_id, after=names[-1])
        names += page
        has_more = bool(page)
    return Listed(volume_id, names, until=names[-1])


def _record_detected(comparison: Comparison) -> int:
    there = {UUID(name): each.volume_id for each in comparison.volumes.values() for name in each.snapshots}
    expected = expected_resources.snapshots(there) if there else set()
    detected = {f"{volume_id}@{pk}": _candidate(volume_id, pk) for pk, volume_id in there.items() if pk not in expected}
    live = [row for row in _live(comparison.pool) if comparison.has_compared(row.name)]
    Orphan.objects.filter(pk__in=[row.pk for row in live if row.name in detected]).update(observed_at=clock.now())
    known = {row.name for row in live}
    new = sum(record_found(each, pool=comparison.pool) for name, each in detected.items() if name not in known)
    return new + sum(apply(row, record_gone) for row in live if row.name not in detected)


def _candidate(volume_id: UUID, snapshot_id: UUID) -> OrphanCandidate:
    return OrphanCandidate(KIND, f"{volume_id}@{snapshot_id}", snapshot_id, facts={"volume": str(volume_id)})


def _live(pool: Pool) -> QuerySet[Orphan]:
    return Orphan.objects.filter(pool=pool, kind=KIND, state__in=ORPHAN_LIVE)


def _record_missing(comparison: Comparison) -> int:
    pool, listed = comparison.pool, comparison.volumes
    before = clock.now() - expected_resources.IN_TRANSIT
    busy = Q(volume_id__in=ResourceLock.objects.values("resource_id"))
    rows = Snapshot.objects.filter(
        unchanged_since(before), ~busy, pool=pool, volume_id__in=listed, state="available", is_deleting=False
    )
    compared = [row for row in rows if listed[row.volume_id].has_compared(str(row.pk))]
    missing = [row for row in compared if str(row.pk) not in listed[row.volume_id].snapshots]
    names = {f"{row.volume_id}@{row.pk}" for row in missing}
    record_missing(pool, MISSING_SNAPSHOT, names, is_compared=comparison.has_compared)
    found = {row.pk for row in compared} - {row.pk for row in missing}
    _record_errors(found, {row.pk for row in missing})
    return len(missing)


def _record_errors(found: Iterable[UUID], missing: Iterable[UUID]) -> None:
    """Record and clear the error of missing data. Other last errors stay; and the record is no change of a snapshot."""
    nothing_else = Q(last_error__isnull=True) | Q(last_error__code=DataMissing.code)
    Snapshot.objects.filter(nothing_else, pk__in=missing).update(last_error=DataMissing().as_document())
    Snapshot.objects.filter(pk__in=found, last_error__code=DataMissing.code).update(last_error=None)
