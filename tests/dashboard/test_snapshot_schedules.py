"""The pages of snapshot schedules."""

import pytest
from django.test import Client

from controlplane.storage.errors import SnapshotPoolFull
from controlplane.storage.models import SnapshotSchedule, Volume
from tests.dashboard import clustered
from tests.dashboard.conftest import SignIn
from tests.dashboard.sample_resources import errors_of, text_of
from tests.world import Cloud

NEW = {
    "name": "nightly",
    "volume": "data",
    "frequency": "daily",
    "at": "02:30",
    "timezone": "Europe/Paris",
    "weekday": "monday",  # goes with no daily schedule, and is left out
    "keep": "7",
    "labels": "env=prod",
}
WEEKLY = {**NEW, "volume": "", "selector": "env=prod", "frequency": "weekly", "weekday": "sunday", "day": "3"}


volume = clustered.volume


@pytest.fixture
def page(volume: Volume, member: Client, home: str) -> str:
    answer = member.post(f"{home}/snapshot-schedules/new", NEW)
    assert answer.status_code == 302, text_of(answer)
    return str(answer["Location"])


def schedule() -> SnapshotSchedule:
    return SnapshotSchedule.objects.get()


def test_empty_list_explains_schedules(cloud: Cloud, member: Client, home: str) -> None:
    text = text_of(member.get(f"{home}/snapshot-schedules"))
    assert "No snapshot schedules yet" in text and "deletes the oldest ones that it took" in text


def test_schedule_is_created_listed_and_shown(page: str, member: Client, home: str, volume: Volume) -> None:
    times = "each day at 02:30 (Europe/Paris)"
    text = text_of(member.get(page))
    assert f"Volume data Times {times} Snapshots to keep 7 Next" in text and "nightly active" in text
    assert f"nightly env=prod active data {times}" in text_of(
        member.get(f"{home}/snapshot-schedules?labels=env%3Dprod")
    )
    assert f"nightly active {times}" in text_of(member.get(f"{home}/volumes/{volume.pk}/snapshots"))
    form = member.get(f"{home}/snapshot-schedules/new?volume=data").context["form"]
    assert form["volume"].value() == "data"
    assert page in member.get("/search?q=nightly").content.decode()


@pytest.mark.parametrize(
    ("changed", "times"),
    [
        ({"frequency": "hourly", "at": "02:15"}, "each hour at minute 15"),
        ({"frequency": "weekly", "weekday": "sunday", "day": "3"}, "each Sunday at 02:30 (Europe/Paris)"),
        ({"frequency": "monthly", "day": "3"}, "day 3 of each month at 02:30 (Europe/Paris)"),
    ],
)
def test_only_fields_of_the_frequency_are_sent(page: str, member: Client, changed: dict[str, str], times: str) -> None:
    assert member.post(f"{page}/edit", {**NEW, **changed})["Location"] == page
    assert f"Times {times}" in text_of(member.get(page))


def test_errors_are_at_their_fields(page: str, member: Client, home: str) -> None:
    new = f"{home}/snapshot-schedules/new"
    assert "already has a snapshot schedule" in errors_of(member.post(new, NEW), "name")
    nowhere = member.post(new, {**NEW, "name": "other", "timezone": "Mars/Olympus"})
    assert "IANA database" in errors_of(nowhere, "timezone")
    late = member.post(new, {**NEW, "name": "other", "frequency": "monthly", "day": "31"})
    assert errors_of(late, "day")
    both = member.post(new, {**NEW, "name": "other", "selector": "env=prod"})
    assert "either a volume or a selector" in errors_of(both, "volume")


def test_schedule_moves_from_a_volume_to_a_selector_and_back(page: str, member: Client) -> None:
    member.post(f"{page}/edit", WEEKLY)
    changed = schedule()
    assert (changed.volume, changed.selector, changed.frequency, changed.weekday) == (
        None,
        "env=prod",
        "weekly",
        "sunday",
    )
    member.post(f"{page}/edit", {**NEW, "name": "each-night", "labels": ""})
    changed = schedule()
    assert (changed.name, changed.selector, changed.frequency, changed.labels) == ("each-night", "", "daily", {})
    assert changed.volume is not None


def test_schedule_is_paused_and_resumed(page: str, member: Client) -> None:
    assert member.post(f"{page}/pause")["Location"] == page
    text = text_of(member.get(page))
    assert "The schedule is paused." in text and "nightly paused" in text and "Resume" in text
    assert schedule().next_at is None
    member.post(f"{page}/edit", {**NEW, "keep": "3"})
    assert (schedule().keep, schedule().next_at) == (3, None)
    member.post(f"{page}/resume")
    assert schedule().next_at is not None
    assert "nightly active" in text_of(member.get(page))


def test_schedule_is_deleted(page: str, member: Client, home: str) -> None:
    assert "The snapshots that it took stay" in text_of(member.get(f"{page}/delete"))
    assert member.post(f"{page}/delete")["Location"] == f"{home}/snapshot-schedules"
    assert not SnapshotSchedule.objects.exists()


def test_snapshot_that_was_not_taken_is_shown(page: str, member: Client) -> None:
    SnapshotSchedule.objects.update(last_error=SnapshotPoolFull(pool="rbd").as_document())
    text = text_of(member.get(page))
    assert "A snapshot of the last time was not taken. Pool nearly full The pool rbd is nearly full" in text


def test_viewer_changes_nothing(page: str, home: str, signed_in: SignIn) -> None:
    viewer = signed_in("viewer")
    assert viewer.get(page).status_code == 200
    assert "lacks the role member" in text_of(viewer.post(f"{home}/snapshot-schedules/new", {**NEW, "name": "more"}))
    for action, sent in (("edit", {**NEW, "keep": "1"}), ("delete", {})):
        assert "lacks the role member" in text_of(viewer.post(f"{page}/{action}", sent)), action
    viewer.post(f"{page}/pause")
    assert (schedule().keep, schedule().next_at is None) == (7, False)
