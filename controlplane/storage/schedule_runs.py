"""Take the snapshots of schedules when they are due, and delete those that a schedule does not keep.

A time that passed while no process ran is made up for once; the times before it are missed, which is an event.
"""

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, Window
from django.db.models.functions import RowNumber

from controlplane.audit.services import record
from controlplane.events.services import publish_event
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError
from controlplane.quotas import services as quotas
from controlplane.storage.models import Snapshot, SnapshotSchedule, Volume
from controlplane.storage.snapshot_schedules import selected_volumes
from controlplane.storage.snapshots import NewSnapshot, snapshot_create, snapshot_delete

log = logging.getLogger(__name__)

RUNS_MAX = 50  # schedules, and deletions, of one run
SNAPSHOTS_MAX = 100  # of one run
RETRY_AFTER, RETRY_UNTIL = timedelta(minutes=1), timedelta(hours=1)  # after the last run; after the planned time
PART_MAX = 24  # letters of the names of schedule and volume in the name of a snapshot


def take_due() -> int:
    """Request the snapshots of due schedules, and the deletion of surplus ones; returns how many of both."""
    now = clock.now()
    is_new = Q(tried_at__isnull=True) | Q(tried_at__lt=F("next_at"))
    due = SnapshotSchedule.objects.filter(is_new | Q(tried_at__lte=now - RETRY_AFTER), next_at__lte=now)
    taken = 0
    for schedule in due.select_related("project", "volume").order_by(F("tried_at").asc(nulls_first=True))[:RUNS_MAX]:
        if taken >= SNAPSHOTS_MAX:
            break
        taken += _run(schedule, at_most=SNAPSHOTS_MAX - taken)
    return taken + _delete_surplus()


def _run(schedule: SnapshotSchedule, *, at_most: int) -> int:
    """Take the snapshots of the last due time; returns how many. The rest, and what is locked, is for a later run."""
    assert schedule.next_at is not None, "it is due"
    if schedule.volume is not None and schedule.volume.state == "deleted":
        _end(schedule)
        return 0
    planned_at, missed = schedule.times.latest_until(clock.now(), since=schedule.next_at)
    taken, failures = 0, list[tuple[Volume, CloudError]]()
    has_it = Snapshot.objects.filter(volume=OuterRef("pk"), schedule=schedule, planned_at=planned_at)
    volumes = selected_volumes(schedule).exclude(Exists(has_it))
    for volume in volumes.select_related("project", "pool", "node", "volume_type"):
        if taken == at_most:
            break
        try:
            _take(schedule, volume, planned_at)
        except CloudError as exc:
            failures.append((volume, exc))
        else:
            taken += 1
    is_late = clock.now() >= planned_at + RETRY_UNTIL
    is_waiting = taken == at_most or (not is_late and any(exc.retryable for _, exc in failures))
    _record_run(schedule, planned_at, missed, failures=failures, is_waiting=is_waiting)
    return taken


def _take(schedule: SnapshotSchedule, volume: Volume, planned_at: datetime) -> None:
    new = NewSnapshot(name=_name(schedule, volume, planned_at), schedule=schedule, planned_at=planned_at)
    snapshot_create(SYSTEM, volume, new)


def _name(schedule: SnapshotSchedule, volume: Volume, planned_at: datetime) -> str:
    """Return the name of the snapshot. Long names in it are cut, and told apart by the end of the id."""

    def part(row: SnapshotSchedule | Volume) -> str:
        return row.name if len(row.name) <= PART_MAX else f"{row.name[:15].rstrip('-')}-{row.pk.hex[-8:]}"

    return f"{part(schedule)}-{part(volume)}-{planned_at:%Y%m%d-%H%M}"


@transaction.atomic
def _record_run(
    schedule: SnapshotSchedule,
    planned_at: datetime,
    missed: int,
    *,
    failures: list[tuple[Volume, CloudError]],
    is_waiting: bool,
) -> None:
    """Record the run, unless the schedule was changed meanwhile."""
    last_error = failures[0][1].as_document() if failures else None
    fields: dict[str, object] = {"last_at": planned_at, "last_error": last_error, "tried_at": clock.now()}
    fields["next_at"] = planned_at if is_waiting else schedule.times.next_after(planned_at)
    unchanged = SnapshotSchedule.objects.filter(pk=schedule.pk, next_at=schedule.next_at)
    if not unchanged.update(**fields):
        return
    if missed:
        _publish_missed(schedule, planned_at=schedule.next_at, times=missed, error=schedule.last_error)
    if not is_waiting:
        for volume, exc in failures:
            error = exc.as_document()
            _publish_missed(schedule, planned_at=planned_at, times=1, volume=volume.name, error=error)


def _publish_missed(schedule: SnapshotSchedule, *, planned_at: datetime | None, times: int, **facts: object) -> None:
    assert planned_at is not None, "the schedule was due"
    log.warning("schedule %s missed %d times from %s on: %s", schedule.pk, times, planned_at, facts)
    publish_event(
        SYSTEM,
        "snapshot_schedule.missed",
        schedule.pk,
        project_id=schedule.project_id,
        name=schedule.name,
        planned_at=planned_at.isoformat(),
        times=times,
        **facts,
    )


@transaction.atomic
def _end(schedule: SnapshotSchedule) -> None:
    """Delete the schedule: its only volume is deleted."""
    quotas.release(schedule.pk)
    record(SYSTEM, "snapshot_schedule.delete", schedule.pk, project_id=schedule.project_id, name=schedule.name)
    schedule.delete()


def _delete_surplus() -> int:
    """Request the deletion of the oldest snapshots of each schedule and volume, beyond those that it keeps."""
    newest_first = Window(RowNumber(), partition_by=["schedule", "volume"], order_by=F("planned_at").desc())
    taken = Snapshot.objects.filter(schedule__isnull=False, state="available", is_deleting=False)
    surplus = taken.annotate(position=newest_first).filter(position__gt=F("schedule__keep"))
    return sum(_delete(snapshot) for snapshot in surplus.order_by("planned_at")[:RUNS_MAX])


@transaction.atomic
def _delete(snapshot: Snapshot) -> bool:
    """Request the deletion, unless the schedule keeps more by now; False: not now."""
    schedule = SnapshotSchedule.objects.select_for_update(no_key=True).filter(snapshots=snapshot).first()
    newer = Snapshot.objects.filter(schedule=snapshot.schedule_id, volume=snapshot.volume_id, state="available")
    if schedule is None or newer.filter(planned_at__gt=snapshot.planned_at).count() < schedule.keep:
        return False
    try:
        with transaction.atomic():
            snapshot_delete(SYSTEM, snapshot)
    except CloudError as exc:
        log.info("snapshot %s stays until the next run: %s", snapshot.pk, exc)
        return False
    return True
