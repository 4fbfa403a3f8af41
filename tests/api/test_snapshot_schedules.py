"""Snapshot schedules: what they accept, when they take snapshots, what they keep, and what they miss."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db.models import F

from controlplane.events.models import Event
from controlplane.kernel import clock
from controlplane.operations.models import Operation
from controlplane.quotas.models import Quota, QuotaUse
from controlplane.reconcilers import quota_drift
from controlplane.storage import schedule_runs
from controlplane.storage.models import Snapshot, SnapshotSchedule, Volume
from controlplane.storage.schedule_runs import take_due
from tests.api.client import Caller
from tests.api.snapshots import make_snapshot
from tests.cases import in_one_cloud
from tests.workflows.helpers import make_volume
from tests.workflows.shared_pool import Shared
from tests.world import run

NIGHTLY = {"name": "nightly", "volume": "data", "frequency": "daily", "at": "02:30", "timezone": "Europe/Paris"}
HOUR = timedelta(hours=1)


def create(api: Caller, **more: Any) -> SnapshotSchedule:
    body = {name: value for name, value in (NIGHTLY | more).items() if value is not None}
    created = api.post("snapshot-schedules", body)
    assert created.status == 201, created.text
    return SnapshotSchedule.objects.get(pk=created.body["id"])


def hourly(api: Caller, *, late: timedelta = timedelta(0), **more: Any) -> SnapshotSchedule:
    """Make an hourly schedule whose last time was a minute ago, and has been due since; `late`: longer."""
    now = clock.now()
    at = f"00:{(now - timedelta(minutes=1)).minute:02}"
    schedule = create(api, frequency="hourly", at=at, timezone="UTC", **more)
    make_due(schedule, since=now - timedelta(minutes=2) - late)
    return schedule


def make_due(schedule: SnapshotSchedule, *, since: datetime) -> datetime:
    planned_at = schedule.times.next_after(since)
    SnapshotSchedule.objects.filter(pk=schedule.pk).update(next_at=planned_at)
    return planned_at


def take() -> int:
    """Let the job run, and then a worker."""
    begun = take_due()
    for operation in Operation.objects.filter(state="pending").order_by("created_at"):
        assert run(operation).state == "succeeded"
    return begun


def a_minute_passes() -> None:
    """Let the schedules that wait be tried again."""
    SnapshotSchedule.objects.update(tried_at=F("tried_at") - schedule_runs.RETRY_AFTER)


def names(**which: Any) -> list[str]:
    return list(
        Snapshot.objects.filter(**which).exclude(state="deleted").order_by("planned_at").values_list("name", flat=True)
    )


def missed() -> list[dict[str, Any]]:
    return list(Event.objects.filter(kind="snapshot_schedule.missed").order_by("pk").values_list("data", flat=True))


# ---- requests


def test_schedule_is_shown_changed_paused_and_deleted(api: Caller, data: Volume) -> None:
    answer = api.post("snapshot-schedules", NIGHTLY | {"labels": {"env": "prod"}})
    assert answer.status == 201, answer.text
    assert {name: answer.body[name] for name in ("state", "at", "timezone", "keep", "weekday", "day", "last_at")} == {
        "state": "active",
        "at": "02:30",
        "timezone": "Europe/Paris",
        "keep": 7,
        "weekday": None,
        "day": None,
        "last_at": None,
    }
    assert answer.body["volume"] == {"id": str(data.pk), "name": "data"}
    assert QuotaUse.objects.get(dimension="snapshot_schedules").amount == 1
    assert quota_drift.reconcile() == []
    assert api.get("snapshot-schedules?volume=data").body["items"] == [answer.body]

    paused = api.patch("snapshot-schedules/nightly", {"is_paused": True, "keep": 3}).body
    assert (paused["state"], paused["next_at"], paused["keep"]) == ("paused", None, 3)
    assert take_due() == 0
    weekly = api.patch(
        "snapshot-schedules/nightly", {"is_paused": False, "frequency": "weekly", "weekday": "monday"}
    ).body
    assert (weekly["state"], weekly["weekday"]) == ("active", "monday")
    labelled = api.patch("snapshot-schedules/nightly", {"selector": "env=prod"}).body
    assert (labelled["volume"], labelled["selector"]) == (None, "env=prod")

    assert api.delete("snapshot-schedules/nightly").status == 204
    assert not QuotaUse.objects.filter(dimension="snapshot_schedules").exists()


def test_change_of_the_name_leaves_a_due_time_due(api: Caller, data: Volume) -> None:
    schedule = hourly(api)
    due = SnapshotSchedule.objects.get(pk=schedule.pk).next_at
    api.patch("snapshot-schedules/nightly", {"name": "hourly"})
    assert SnapshotSchedule.objects.get(pk=schedule.pk).next_at == due


@in_one_cloud(
    ("changes", "at"),
    [
        ({"volume": None, "selector": ""}, "/volume"),
        ({"selector": "env=prod"}, "/volume"),
        ({"volume": None, "selector": "env~prod"}, "/selector"),
        ({"timezone": "Europe/Paname"}, "/timezone"),
        ({"timezone": "../../etc/passwd"}, "/timezone"),
        ({"frequency": "hourly"}, "/at"),
        ({"frequency": "weekly"}, "/weekday"),
        ({"frequency": "monthly"}, "/day"),
        ({"day": 3}, "/day"),
        ({"weekday": "monday"}, "/weekday"),
    ],
)
def test_schedule_that_makes_no_sense_is_refused(api: Caller, data: Volume, changes: dict[str, Any], at: str) -> None:
    body = {name: value for name, value in (NIGHTLY | changes).items() if value is not None}
    assert api.post("snapshot-schedules", body).problem == (400, "storage.snapshot_schedule.invalid", at)


@in_one_cloud("at", ["2:30", "24:00", "02:30:00", "02:60", "", 230])
def test_time_is_hours_and_minutes(api: Caller, data: Volume, at: object) -> None:
    refused = api.post("snapshot-schedules", NIGHTLY | {"at": at})
    assert (refused.status, refused.body["errors"][0]["pointer"]) == (400, "/at")


def test_volume_without_snapshots_has_no_schedule(api: Caller, volume: Volume) -> None:
    assert api.post("snapshot-schedules", NIGHTLY).problem[:2] == (409, "storage.volume.snapshots_unsupported")


# ---- runs


def test_due_snapshots_are_taken_once(api: Caller, data: Volume) -> None:
    schedule = hourly(api)
    planned_at = SnapshotSchedule.objects.get(pk=schedule.pk).next_at
    assert planned_at is not None
    assert take() == 1
    [snapshot] = Snapshot.objects.all()
    assert (snapshot.state, snapshot.schedule, snapshot.planned_at) == ("available", schedule, planned_at)
    assert snapshot.name == f"nightly-data-{planned_at:%Y%m%d-%H%M}"
    schedule.refresh_from_db()
    assert (schedule.last_at, schedule.next_at, schedule.last_error) == (planned_at, planned_at + HOUR, None)
    assert take() == 0
    make_due(schedule, since=planned_at - timedelta(seconds=1))  # a process died after the snapshot
    assert take() == 0
    assert missed() == []


def test_selector_takes_those_that_have_the_labels_then(api: Caller, shared: Shared, data: Volume) -> None:
    make_volume(shared.cloud, "local", labels={"env": "prod"})
    shared.volume("logs", labels={"env": "prod"})
    shared.volume("x" * 40, labels={"env": "prod"})
    schedule = hourly(api, volume=None, selector="env=prod")
    assert take() == 2
    taken = names(schedule=schedule)
    assert len(taken) == 2 and all(len(name) <= 63 for name in taken)
    assert taken[0].startswith("nightly-logs-") and taken[1].startswith(f"nightly-{'x' * 15}-")


def test_run_that_is_full_is_continued(api: Caller, shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule_runs, "SNAPSHOTS_MAX", 1)
    for number in range(2):
        shared.volume(f"logs-{number}", labels={"env": "prod"})
    hourly(api, volume=None, selector="env=prod")
    for begun in (1, 0):
        assert take() == begun, "the next run is not at once"
    for begun in (1, 0):
        a_minute_passes()
        assert take() == begun
    schedule = SnapshotSchedule.objects.get()
    assert schedule.next_at is not None and schedule.next_at > clock.now()
    assert missed() == []


def make_taken(schedule: SnapshotSchedule, volume: Volume, *hours: int) -> list[Snapshot]:
    """Make the rows of snapshots that the schedule took so many hours ago."""
    return [
        Snapshot.objects.create(
            project=volume.project,
            name=f"old-{each}",
            state="available",
            volume=volume,
            pool=volume.pool,
            size_gib=volume.size_gib,
            schedule=schedule,
            planned_at=clock.now() - each * HOUR,
            taken_at=clock.now(),
        )
        for each in hours
    ]


def test_surplus_snapshots_are_deleted_oldest_first(api: Caller, data: Volume) -> None:
    schedule = create(api, keep=2)
    make_snapshot(data, name="by-hand")
    make_taken(schedule, data, 5, 4, 3, 2)
    assert take() == 2
    assert names(schedule=schedule) == ["old-3", "old-2"]
    assert names(schedule=None) == ["by-hand"]


def test_times_without_a_process_are_missed_but_for_the_last(api: Caller, data: Volume) -> None:
    schedule = hourly(api, late=3 * HOUR)
    first = SnapshotSchedule.objects.get(pk=schedule.pk).next_at
    assert first is not None
    assert take() == 1
    assert missed() == [{"planned_at": first.isoformat(), "times": 3, "error": None}]


def test_snapshot_of_a_busy_volume_is_retried(api: Caller, shared: Shared, data: Volume) -> None:
    schedule = hourly(api)
    growth = api.post("volumes/data/actions/grow", {"size_gib": 3})
    assert take_due() == 0
    schedule.refresh_from_db()
    assert schedule.last_error is not None and schedule.last_error["code"] == "resource_busy"
    assert (api.get("snapshot-schedules/nightly").body["last_error"]["code"], missed()) == ("resource_busy", [])
    assert run(Operation.objects.get(pk=growth.operation["id"])).state == "succeeded"
    assert take() == 0
    a_minute_passes()
    assert take() == 1
    schedule.refresh_from_db()
    assert schedule.last_error is None


def test_busy_volume_is_missed_after_an_hour(api: Caller, data: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    hourly(api)
    api.post("volumes/data/actions/grow", {"size_gib": 3})
    monkeypatch.setattr(schedule_runs, "RETRY_UNTIL", timedelta(0))
    assert take_due() == 0
    assert [event["error"]["code"] for event in missed()] == ["resource_busy"]


def test_schedule_that_waits_is_tried_after_the_others(
    api: Caller, data: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    hourly(api)
    growth = api.post("volumes/data/actions/grow", {"size_gib": 3})
    assert take_due() == 0
    assert run(Operation.objects.get(pk=growth.operation["id"])).state == "succeeded"
    hourly(api, name="other")
    a_minute_passes()
    monkeypatch.setattr(schedule_runs, "RUNS_MAX", 1)
    assert take() == 1
    assert names()[0].startswith("other-")


def test_schedules_with_long_names_take_snapshots_with_different_names(api: Caller, data: Volume) -> None:
    for name in ("backup-of-production-databases-a", "backup-of-production-databases-b"):
        hourly(api, name=name)
    assert take() == 1
    a_minute_passes()
    assert take() == 1


def test_snapshot_that_the_schedule_keeps_by_now_is_not_deleted(api: Caller, data: Volume) -> None:
    schedule = create(api, keep=1)
    surplus, _ = make_taken(schedule, data, 3, 2)
    SnapshotSchedule.objects.update(keep=2)
    assert not schedule_runs._delete(surplus)
    SnapshotSchedule.objects.update(keep=1)
    assert schedule_runs._delete(surplus)


def test_refused_snapshot_is_an_event_and_is_not_retried(api: Caller, data: Volume) -> None:
    schedule = hourly(api)
    Quota.objects.create(project=data.project, dimension="snapshots", limit=0)
    assert (take_due(), take_due()) == (0, 0)
    [event] = missed()
    assert (event["volume"], event["times"], event["error"]["code"]) == ("data", 1, "quota_exceeded")
    schedule.refresh_from_db()
    assert schedule.next_at is not None and schedule.next_at > clock.now()


def test_schedule_ends_with_its_volume(api: Caller, data: Volume) -> None:
    hourly(api)
    deleted = api.delete("volumes/data")
    assert run(Operation.objects.get(pk=deleted.operation["id"])).state == "succeeded"
    assert take_due() == 0
    assert not SnapshotSchedule.objects.exists()
    assert not QuotaUse.objects.filter(dimension="snapshot_schedules").exists()
