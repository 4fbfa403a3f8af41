"""The pages of volumes."""

import pytest
from django.test import Client

from controlplane.audit.models import AuditEntry
from controlplane.operations.models import Operation
from controlplane.storage.models import Volume
from tests.dashboard.conftest import SignIn
from tests.dashboard.sample_resources import VOLUME, errors_of, finish_all, make_instance, make_volume, text_of
from tests.world import Cloud, make_zone

TABS = ("", "/placement", "/activity", "/settings", "/grow", "/delete")


@pytest.fixture
def volume(cloud: Cloud, member: Client, home: str) -> Volume:
    return make_volume(member, home, labels="env=prod")


@pytest.fixture
def page(volume: Volume, home: str) -> str:
    return f"{home}/volumes/{volume.pk}"


def test_an_empty_list_says_what_a_volume_is(cloud: Cloud, member: Client, home: str) -> None:
    answer = member.get(f"{home}/volumes")
    assert "A volume is a disk that is independent of instances" in text_of(answer)
    assert f'href="{home}/volumes/create"' in answer.content.decode()


def test_the_list_says_where_each_is_and_who_has_it(member: Client, home: str, volume: Volume) -> None:
    make_instance(member, home, volumes=["data"])
    told = text_of(member.get(f"{home}/volumes?state=in-use&zone=fr-idf-1&labels=env%3Dprod"))
    assert "data env=prod in use 2 GiB fr-idf-1 web" in told
    assert "No volume matches the filters." in text_of(member.get(f"{home}/volumes?state=available"))


@pytest.mark.parametrize("tab", TABS)
def test_each_tab_is_there_for_whoever_may(tab: str, page: str, member: Client, signed_in: SignIn) -> None:
    for browser in (member, signed_in("viewer")):
        answer = browser.get(f"{page}{tab}")
        assert answer.status_code == 200
        assert "data" in text_of(answer)


def test_before_it_is_made_the_page_says_where_it_may_be(cloud: Cloud, member: Client, home: str) -> None:
    make_zone("de-rhein-1")
    answer = member.post(f"{home}/volumes/create", {**VOLUME, "check": "1"})
    zones = {verdict.zone: verdict.is_admitted for verdict in answer.context["outlook"].zones}
    assert zones == {"fr-idf-1": True, "de-rhein-1": False}
    assert "Storage 0 GiB → 2 GiB" in text_of(answer)
    assert Volume.objects.count() == 0
    assert "andromede --project alpha volume create data" in answer.context["lines"][1][2]


def test_a_name_that_is_taken_is_said_beside_it(member: Client, home: str, volume: Volume) -> None:
    answer = member.post(f"{home}/volumes/create", {**VOLUME, "size_gib": "3"})
    assert errors_of(answer, "name") == "The project already has a volume named 'data'."
    assert answer.context["form"]["size_gib"].value() == "3"


def test_its_place_is_told(page: str, member: Client) -> None:
    told = text_of(member.get(f"{page}/placement"))
    assert "The request can be placed in: fr-idf-1." in told
    assert "Disk fr-idf-1" in told


def test_it_grows_and_never_shrinks(page: str, member: Client, volume: Volume) -> None:
    answer = member.post(f"{page}/grow", {"size_gib": "1"})
    assert "cannot shrink" in text_of(answer)
    assert member.post(f"{page}/grow", {"size_gib": "5"})["Location"] == page
    finish_all()
    volume.refresh_from_db()
    assert volume.size_gib == 5


def test_name_and_labels_are_changed(page: str, member: Client, volume: Volume) -> None:
    member.post(f"{page}/settings", {"name": "archive", "labels": "tier=cold"})
    volume.refresh_from_db()
    assert (volume.name, volume.labels) == ("archive", {"tier": "cold"})


def test_what_is_saved_as_it_was_is_no_change(page: str, member: Client, volume: Volume) -> None:
    for _ in range(2):
        assert (
            member.post(f"{page}/settings", {"name": "data", "labels": "tier=cold"})["Location"] == f"{page}/settings"
        )
    assert AuditEntry.objects.filter(verb="volume.update").count() == 1


def test_it_is_deleted_only_by_its_name(page: str, home: str, member: Client, volume: Volume) -> None:
    answer = member.post(f"{page}/delete", {"name": "wrong"})
    assert errors_of(answer, "name") == "The name does not match."
    assert Operation.objects.filter(kind="volume.delete").count() == 0
    assert member.post(f"{page}/delete", {"name": "data"})["Location"] == f"{home}/volumes"
    finish_all()
    volume.refresh_from_db()
    assert volume.state == "deleted"


def test_one_that_is_attached_cannot_be_deleted_and_says_why(
    page: str, home: str, member: Client, volume: Volume
) -> None:
    make_instance(member, home, volumes=["data"])
    told = member.get(page)
    assert "attached; detach it first" in text_of(told)
    assert "Detach it first." in text_of(member.post(f"{page}/delete", {"name": "data"}))


def test_whoever_may_only_read_changes_nothing(page: str, home: str, signed_in: SignIn, volume: Volume) -> None:
    viewer = signed_in("viewer")
    before = Operation.objects.count()
    for address, sent in (
        (f"{home}/volumes/create", {**VOLUME, "name": "more"}),
        (f"{page}/grow", {"size_gib": "9"}),
        (f"{page}/settings", {"name": "mine", "labels": ""}),
        (f"{page}/delete", {"name": "data"}),
    ):
        assert "lacks the role member" in text_of(viewer.post(address, sent)), address
    volume.refresh_from_db()
    assert (Operation.objects.count(), volume.name) == (before, "data")
