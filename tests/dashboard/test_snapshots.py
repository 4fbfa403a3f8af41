"""The pages of snapshots, the snapshots of a volume, and volumes from a snapshot."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agents.node.errors import Conflict
from controlplane.compliance.models import Compliance
from controlplane.kernel import clock
from controlplane.operations.models import Operation
from controlplane.storage.models import Snapshot, SnapshotSchedule, Volume
from tests.dashboard import clustered
from tests.dashboard.conftest import SignIn
from tests.dashboard.sample_resources import errors_of, finish_all, make_instance, make_volume, text_of
from tests.workflows import snapshots as sample
from tests.world import Cloud, run, run_next_attempt

NEW = {"volume": "data", "name": "then", "labels": "env=prod"}


volume = clustered.volume


@pytest.fixture
def snapshot(volume: Volume, member: Client, home: str) -> Snapshot:
    return take(member, home)


@pytest.fixture
def page(snapshot: Snapshot, home: str) -> str:
    return f"{home}/snapshots/{snapshot.pk}"


def take(browser: Client, home: str, **changed: str) -> Snapshot:
    answer = browser.post(f"{home}/snapshots/create", {**NEW, **changed})
    assert answer.status_code == 302, text_of(answer)
    finish_all()
    return Snapshot.objects.get(name=changed.get("name", "then"))


def disabled(answer: object, url: str) -> bool:
    """Tell that no link of the page leads there."""
    return f'href="{url}' not in answer.content.decode()  # type: ignore[attr-defined]


def test_empty_list_explains_snapshots_and_names_the_types(cloud: Cloud, member: Client, home: str) -> None:
    assert "Volume types whose volumes can have snapshots: none." in text_of(member.get(f"{home}/snapshots"))
    sample.cluster(cloud)
    text = text_of(member.get(f"{home}/snapshots"))
    assert "A snapshot keeps the content of a volume at one moment." in text
    assert "Volume types whose volumes can have snapshots: rbd." in text


def test_snapshot_is_taken_listed_and_shown(volume: Volume, member: Client, home: str) -> None:
    answer = member.post(f"{home}/snapshots/create", {**NEW, "expires_at": "2099-01-01T12:00"})
    page = answer["Location"]
    assert "being taken" in text_of(member.get(page))
    finish_all()
    text = text_of(member.get(page))
    assert "then available" in text and "Volume data Volume type rbd Zone fr-idf-1 Size 2 GiB" in text
    assert "as after a power cut" in text and "Created by you" in text and "Jan. 1, 2099" in text
    assert "Snapshot fr-idf-1 declared" in text
    listed = text_of(member.get(f"{home}/snapshots?labels=env%3Dprod&volume=data"))
    assert "then env=prod available data 2 GiB" in listed
    assert "No snapshot matches the filters." in text_of(member.get(f"{home}/snapshots?volume=other"))


def test_snapshot_is_taken_while_an_instance_uses_the_volume(volume: Volume, member: Client, home: str) -> None:
    make_instance(member, home, volumes=["data"])
    assert take(member, home).state == "available"


def test_volume_shows_its_snapshots(page: str, snapshot: Snapshot, volume: Volume, member: Client, home: str) -> None:
    answer = member.get(f"{home}/volumes/{volume.pk}/snapshots")
    assert "then env=prod available 2 GiB" in text_of(answer)
    assert not disabled(answer, f"{home}/snapshots/create?volume=data")
    form = member.get(f"{home}/snapshots/create?volume=data").context["form"]
    assert (form["volume"].value(), form["name"].value()) == ("data", "snapshot-1")


def test_volume_without_snapshots_gives_reason_and_types(cloud: Cloud, member: Client, home: str) -> None:
    sample.cluster(cloud)
    local = make_volume(member, home)
    answer = member.get(f"{home}/volumes/{local.pk}/snapshots")
    why = "own disk, where no snapshots can be taken. Volume types that can have snapshots: rbd."
    assert why in text_of(answer) and "This volume cannot have snapshots" in text_of(answer)
    assert disabled(answer, f"{home}/snapshots/create")
    form = member.get(f"{home}/snapshots/create?volume=data")
    assert why in text_of(form) and form.context["form"].fields["volume"].choices == []
    every = text_of(member.get(f"{home}/snapshots/create"))
    assert "No volume of the project can have snapshots. Volume types whose volumes can: rbd." in every


def test_snapshot_names_the_schedule_that_took_it(page: str, snapshot: Snapshot, member: Client, home: str) -> None:
    assert "Snapshot schedule" not in text_of(member.get(page)).partition("Details")[2].partition("Revert")[0]
    new = {"name": "nightly", "volume": "data", "frequency": "daily", "at": "02:30", "timezone": "UTC", "keep": "7"}
    assert member.post(f"{home}/snapshot-schedules/new", new).status_code == 302
    schedule = SnapshotSchedule.objects.get()
    Snapshot.objects.update(schedule=schedule)
    answer = member.get(page)
    assert "Snapshot schedule nightly" in text_of(answer)
    assert f'href="{home}/snapshot-schedules/{schedule.pk}"' in answer.content.decode()
    tab = text_of(member.get(f"{home}/volumes/{snapshot.volume_id}/snapshots"))
    assert "Schedules that select volumes by their labels are not listed here." in tab


def test_errors_of_the_form_are_at_their_fields(snapshot: Snapshot, member: Client, home: str) -> None:
    taken = member.post(f"{home}/snapshots/create", NEW)
    assert errors_of(taken, "name") == "The project already has a snapshot named 'then'."
    past = member.post(f"{home}/snapshots/create", {**NEW, "name": "late", "expires_at": "2020-01-01T12:00"})
    assert "is not in the future" in errors_of(past, "expires_at")
    assert past.context["form"]["expires_at"].value() == "2020-01-01T12:00"


def test_snapshot_is_edited(page: str, snapshot: Snapshot, member: Client) -> None:
    at = clock.now() + timedelta(days=3)
    Snapshot.objects.update(expires_at=at)
    minute = member.get(f"{page}/edit").context["form"]["expires_at"].value()
    same = {"name": "release", "labels": "", "expires_at": f"{minute:%Y-%m-%dT%H:%M}"}
    assert member.post(f"{page}/edit", same)["Location"] == page
    snapshot.refresh_from_db()
    assert (snapshot.name, snapshot.labels, snapshot.expires_at) == ("release", {}, at)
    member.post(f"{page}/edit", {**same, "expires_at": ""})
    snapshot.refresh_from_db()
    assert snapshot.expires_at is None
    assert "Deleted at never" in text_of(member.get(page))


def test_deletion_needs_the_name(page: str, home: str, snapshot: Snapshot, member: Client) -> None:
    assert errors_of(member.post(f"{page}/delete", {"name": "wrong"}), "name") == "The name does not match."
    assert member.post(f"{page}/delete", {"name": "then"})["Location"] == f"{home}/snapshots"
    finish_all()
    snapshot.refresh_from_db()
    assert snapshot.state == "deleted"
    assert member.get(page).status_code == 404


def test_volume_with_snapshots_cannot_be_deleted(snapshot: Snapshot, volume: Volume, member: Client, home: str) -> None:
    page = f"{home}/volumes/{volume.pk}"
    assert "has snapshots; delete them first" in text_of(member.get(page))
    assert "still has 1 snapshots: then" in text_of(member.post(f"{page}/delete", {"name": "data"}))


def test_revert_page_lists_losses_and_what_is_kept(
    cloud: Cloud, page: str, snapshot: Snapshot, volume: Volume, member: Client, home: str
) -> None:
    agent = cloud.world.clusters[0]
    before = agent.contents[volume.pk]
    take(member, home, name="later")
    member.post(f"{home}/volumes/{volume.pk}/grow", {"size_gib": "3"})
    finish_all()
    agent.write(volume.pk)
    text = text_of(member.get(f"{page}/revert"))
    assert "Everything that was written to the volume data after the snapshot was taken:" in text
    assert "The size of the volume: 3 GiB. It was 2 GiB when the snapshot was taken" in text
    assert "Taken later: later" in text and "The volume is not attached to an instance." in text
    assert Operation.objects.filter(kind="volume.revert").count() == 0
    assert errors_of(member.post(f"{page}/revert", {"name": "then"}), "name") == "The name does not match."
    assert member.post(f"{page}/revert", {"name": "data"})["Location"] == f"{home}/volumes/{volume.pk}"
    finish_all()
    assert (agent.contents[volume.pk], agent.volumes[volume.pk]) == (before, 3 * 2**30)


def test_revert_under_a_running_guest_is_not_offered(page: str, volume: Volume, member: Client, home: str) -> None:
    make_instance(member, home, volumes=["data"])
    answer = member.get(page)
    assert disabled(answer, f"{page}/revert") and "stop the instance first" in text_of(answer)
    shown = member.get(f"{page}/revert")
    assert "stop the instance first" in text_of(shown) and "What is lost" not in text_of(shown)
    assert "stop the instance first" in text_of(member.post(f"{page}/revert", {"name": "data"}))
    assert Operation.objects.filter(kind="volume.revert").count() == 0


def test_volume_is_made_from_a_snapshot(page: str, snapshot: Snapshot, member: Client, home: str) -> None:
    create = f"{home}/volumes/create?snapshot=then"
    assert not disabled(member.get(page), create)
    answer = member.get(create)
    form = answer.context["form"]
    assert [form[name].value() for name in ("snapshot", "size_gib", "volume_type")] == ["then", 2, "rbd"]
    assert "--snapshot then" in answer.context["lines"][1][2]
    small = {"name": "copy", "snapshot": "then", "size_gib": "1", "volume_type": "rbd"}
    assert "The snapshot has 2 GiB" in errors_of(member.post(f"{home}/volumes/create", small), "size_gib")
    elsewhere = {**small, "size_gib": "2", "volume_type": "local"}
    assert "Choose a type of that cluster: rbd" in errors_of(
        member.post(f"{home}/volumes/create", elsewhere), "volume_type"
    )
    copy = make_volume(member, home, **{**small, "size_gib": "2"})
    assert f'href="{page}"' in member.get(f"{home}/volumes/{copy.pk}").content.decode()
    member.post(f"{page}/delete", {"name": "then"})
    finish_all()
    assert f"Made from snapshot {snapshot.pk} (deleted)" in text_of(member.get(f"{home}/volumes/{copy.pk}"))


def test_failed_snapshot_shows_its_error_and_offers_nothing(
    cloud: Cloud, volume: Volume, member: Client, home: str
) -> None:
    cloud.world.clusters[0].failure = Conflict("The volume has another size.")
    page = member.post(f"{home}/snapshots/create", NEW)["Location"]
    operation = run(Operation.objects.get(kind="snapshot.create"))
    cloud.world.clusters[0].failure = None
    assert run_next_attempt(operation).state == "failed"
    answer = member.get(page)
    assert "then error" in text_of(answer) and answer.context["snapshot"]["last_error"]["title"] in text_of(answer)
    assert disabled(answer, f"{home}/volumes/create") and disabled(answer, f"{page}/revert")


def test_viewer_changes_nothing(page: str, home: str, signed_in: SignIn, snapshot: Snapshot) -> None:
    viewer = signed_in("viewer")
    before = Operation.objects.count()
    for url in (page, f"{home}/snapshots", f"{page}/revert", f"{page}/edit", f"{page}/delete"):
        assert viewer.get(url).status_code == 200, url
    for address, sent in (
        (f"{home}/snapshots/create", {**NEW, "name": "more"}),
        (f"{page}/edit", {"name": "mine", "labels": ""}),
        (f"{page}/revert", {"name": "data"}),
        (f"{page}/delete", {"name": "then"}),
    ):
        assert "lacks the role member" in text_of(viewer.post(address, sent)), address
    snapshot.refresh_from_db()
    assert (Operation.objects.count(), snapshot.name) == (before, "then")


def test_queries_of_the_list_do_not_grow_with_the_snapshots(
    page: str, volume: Volume, member: Client, home: str
) -> None:
    def queries(url: str) -> int:
        """Now and then one more notes when the session was last used, and some read the maintenance rules anew."""
        counts = []
        for _ in range(3):
            with CaptureQueriesContext(connection) as captured:
                assert member.get(url).status_code == 200
            counts.append(len(captured))
        return min(counts)

    lists = (f"{home}/snapshots", f"{home}/volumes/{volume.pk}/snapshots")
    of_one = [queries(url) for url in lists]
    for number in range(3):
        take(member, home, name=f"more-{number}")
    assert [queries(url) for url in lists] == of_one


def test_drifted_snapshot_is_named_on_the_overview(page: str, home: str, snapshot: Snapshot, member: Client) -> None:
    failing = [{"atom": "france", "code": "ATTR_MISMATCH", "level": "project", "detail": "IE", "policy": ""}]
    facts = {"kind": "snapshot", "project": snapshot.project, "zone": "fr-idf-1", "node": snapshot.volume.node}
    Compliance.objects.filter(resource_id=snapshot.pk).delete()
    Compliance.objects.create(
        resource_id=snapshot.pk, since=clock.now(), checked_at=clock.now(), failing=failing, state="drifted", **facts
    )
    assert f'href="{page}"' in member.get(home).content.decode()


def test_search_finds_a_snapshot(page: str, member: Client) -> None:
    assert page in member.get("/search?q=then").content.decode()
