"""The pages of volumes."""

import pytest
from django.test import Client

from controlplane.audit.models import AuditEntry
from controlplane.catalog.models import VolumeType, Zone
from controlplane.nodes.models import Node
from controlplane.operations.models import Operation
from controlplane.storage.models import Volume
from tests.dashboard.conftest import SignIn
from tests.dashboard.sample_resources import VOLUME, errors_of, finish_all, make_instance, make_volume, text_of
from tests.workflows import snapshots
from tests.world import Cloud, follow, make_zone

TABS = ("", "/placement", "/activity", "/settings", "/grow", "/retype", "/relocate", "/delete")


@pytest.fixture
def volume(cloud: Cloud, member: Client, home: str) -> Volume:
    return make_volume(member, home, labels="env=prod")


@pytest.fixture
def page(volume: Volume, home: str) -> str:
    return f"{home}/volumes/{volume.pk}"


def test_empty_list_explains_volumes(cloud: Cloud, member: Client, home: str) -> None:
    answer = member.get(f"{home}/volumes")
    assert "A volume is a disk that is independent of instances" in text_of(answer)
    assert f'href="{home}/volumes/create"' in answer.content.decode()


def test_list_shows_zone_and_instance_of_each_volume(member: Client, home: str, volume: Volume) -> None:
    make_instance(member, home, volumes=["data"])
    text = text_of(member.get(f"{home}/volumes?state=in-use&zone=fr-idf-1&labels=env%3Dprod"))
    assert "Volume creation started." in text
    assert "data env=prod in use 2 GiB fr-idf-1 web" in text
    assert "No volume matches the filters." in text_of(member.get(f"{home}/volumes?state=available"))


@pytest.mark.parametrize("tab", TABS)
def test_each_tab_is_visible_to_its_roles(tab: str, page: str, member: Client, signed_in: SignIn) -> None:
    for browser in (member, signed_in("viewer")):
        answer = browser.get(f"{page}{tab}")
        assert answer.status_code == 200
        assert "data" in text_of(answer)


def test_check_previews_the_zones_of_a_volume(cloud: Cloud, member: Client, home: str) -> None:
    make_zone("de-rhein-1")
    answer = member.post(f"{home}/volumes/create", {**VOLUME, "check": "1"})
    zones = {verdict.zone: verdict.is_admitted for verdict in answer.context["preview"].zones}
    assert zones == {"fr-idf-1": True, "de-rhein-1": False}
    assert "Storage 0 GiB → 2 GiB" in text_of(answer)
    assert Volume.objects.count() == 0
    assert "andromede --project alpha volume create data" in answer.context["lines"][1][2]


def test_taken_name_has_an_error(member: Client, home: str, volume: Volume) -> None:
    answer = member.post(f"{home}/volumes/create", {**VOLUME, "size_gib": "3"})
    assert errors_of(answer, "name") == "The project already has a volume named 'data'."
    assert answer.context["form"]["size_gib"].value() == "3"


def test_placement_is_shown(page: str, member: Client) -> None:
    text = text_of(member.get(f"{page}/placement"))
    assert "The request can be placed in: fr-idf-1." in text
    assert "Disk fr-idf-1" in text


def test_volume_grows_and_never_shrinks(page: str, member: Client, volume: Volume) -> None:
    answer = member.post(f"{page}/grow", {"size_gib": "1"})
    assert "cannot shrink" in text_of(answer)
    assert member.post(f"{page}/grow", {"size_gib": "5"})["Location"] == page
    finish_all()
    volume.refresh_from_db()
    assert volume.size_gib == 5


def test_type_of_a_volume_changes(page: str, member: Client, volume: Volume) -> None:
    VolumeType.objects.create(pk="fast", description="quick", iops=500, mb_per_s_per_gib=10)
    VolumeType.objects.create(pk="shared", description="elsewhere", pool="nfs")
    assert "Limits no limit" in text_of(member.get(page))
    form = member.get(f"{page}/retype").context["form"]
    assert form.fields["volume_type"].choices == [
        ("fast", "fast: quick (on the node's own disk, 500 IOPS, 10 MB/s per GiB)"),
        ("local", "local: a file on one node (on the node's own disk, no limit)"),
        ("shared", "shared: elsewhere (shared storage, no limit). Moves 2 GiB there"),
    ]
    assert member.post(f"{page}/retype", {"volume_type": "fast"})["Location"] == page
    finish_all()
    assert f"Limits 500 IOPS, {10 * volume.size_gib} MB/s" in text_of(member.get(page))


def test_relocation_offers_only_zones_that_admit_it(page: str, member: Client, volume: Volume, cloud: Cloud) -> None:
    there = cloud.world.add_machine("de-fra-1").row
    make_zone("us-va-1")
    assert f"{page}/relocate" in member.get(f"{page}/settings").content.decode()
    answer = member.get(f"{page}/relocate")
    assert [value for value, _ in answer.context["form"].fields["zone"].choices] == ["de-fra-1"]
    shown = text_of(answer)
    assert "There are no nodes in us-va-1" in shown and "are copied to the other zone" in shown
    assert "is not one of the available choices" in errors_of(
        member.post(f"{page}/relocate", {"zone": "us-va-1"}), "zone"
    )
    assert member.post(f"{page}/relocate", {"zone": "de-fra-1", "max_mb_per_s": "40"})["Location"] == page
    operation = Operation.objects.get(kind="volume.relocate")
    assert operation.args["max_mb_per_s"] == 40
    assert follow(operation).state == "succeeded"
    volume.refresh_from_db()
    assert volume.node == there
    Zone.objects.exclude(pk="de-fra-1").update(status="draining")
    shown = text_of(member.get(f"{page}/relocate"))
    assert "No other zone admits the volume now." in shown and "us-va-1" in shown


def test_volume_that_cannot_be_relocated_has_no_button(page: str, member: Client, volume: Volume) -> None:
    member.post(f"{page}/relocate", {})
    Node.objects.update(traits=[])
    settings = member.get(f"{page}/settings")
    assert "its node sends no volumes" in text_of(settings)
    assert f"{page}/relocate" not in settings.content.decode()
    form = member.get(f"{page}/relocate")
    assert "its node sends no volumes" in text_of(form)
    assert "<button>Relocate</button>" not in form.content.decode()


def test_check_tells_the_effect_of_a_type_in_the_same_place(
    page: str, home: str, member: Client, volume: Volume
) -> None:
    VolumeType.objects.create(pk="fast", description="quick", iops=500)
    make_instance(member, home, volumes=["data"])
    before = Operation.objects.count()
    text = text_of(member.post(f"{page}/retype", {"volume_type": "fast", "check": "1"}))
    assert "From local to fast The data stays where it is, and the limits of the type fast hold at once." in text
    assert "The instance web is not interrupted." in text
    assert Operation.objects.count() == before


def test_check_tells_what_a_move_copies_and_why_it_is_refused(
    page: str, home: str, cloud: Cloud, member: Client, volume: Volume
) -> None:
    snapshots.cluster(cloud)
    moved = {"volume_type": snapshots.POOL, "check": "1"}
    text = text_of(member.post(f"{page}/retype", moved))
    assert f"2 GiB are copied to where volumes of the type {snapshots.POOL} are" in text and "The instance" not in text
    instance = make_instance(member, home, volumes=["data"])
    assert "The instance web runs on, and is paused for an instant at the end." in text_of(
        member.post(f"{page}/retype", moved)
    )
    member.post(f"{home}/instances/{instance.pk}/actions/power-off", {"next": page})
    finish_all()
    assert "The instance web cannot be started before the end." in text_of(member.post(f"{page}/retype", moved))
    VolumeType.objects.create(pk="shared", description="elsewhere", pool="nfs")
    refused = member.post(f"{page}/retype", {"volume_type": "shared", "check": "1"})
    assert refused.context["form"].errors and refused.context["plan"] is None
    assert member.post(f"{page}/retype", {"volume_type": "", "check": "1"}).context["plan"] is None


def test_name_and_labels_are_changed(page: str, member: Client, volume: Volume) -> None:
    member.post(f"{page}/settings", {"name": "archive", "labels": "tier=cold"})
    volume.refresh_from_db()
    assert (volume.name, volume.labels) == ("archive", {"tier": "cold"})


def test_unchanged_settings_are_not_recorded(page: str, member: Client, volume: Volume) -> None:
    for _ in range(2):
        assert (
            member.post(f"{page}/settings", {"name": "data", "labels": "tier=cold"})["Location"] == f"{page}/settings"
        )
    assert AuditEntry.objects.filter(verb="volume.update").count() == 1


def test_volume_deletion_needs_its_name(page: str, home: str, member: Client, volume: Volume) -> None:
    answer = member.post(f"{page}/delete", {"name": "wrong"})
    assert errors_of(answer, "name") == "The name does not match."
    assert Operation.objects.filter(kind="volume.delete").count() == 0
    assert member.post(f"{page}/delete", {"name": "data"})["Location"] == f"{home}/volumes"
    finish_all()
    volume.refresh_from_db()
    assert volume.state == "deleted"


def test_attached_volume_cannot_be_deleted(page: str, home: str, member: Client, volume: Volume) -> None:
    make_instance(member, home, volumes=["data"])
    shown = member.get(page)
    assert "attached; detach it first" in text_of(shown)
    assert "Detach it first." in text_of(member.post(f"{page}/delete", {"name": "data"}))


def test_viewer_changes_nothing(page: str, home: str, signed_in: SignIn, volume: Volume) -> None:
    viewer = signed_in("viewer")
    before = Operation.objects.count()
    for address, sent in (
        (f"{home}/volumes/create", {**VOLUME, "name": "more"}),
        (f"{page}/grow", {"size_gib": "9"}),
        (f"{page}/retype", {"volume_type": "local", "check": "1"}),
        (f"{page}/settings", {"name": "mine", "labels": ""}),
        (f"{page}/delete", {"name": "data"}),
    ):
        assert "lacks the role member" in text_of(viewer.post(address, sent)), address
    volume.refresh_from_db()
    assert (Operation.objects.count(), volume.name) == (before, "data")


def test_volume_without_a_place_says_when_it_gets_one(cloud: Cloud, member: Client, home: str) -> None:
    VolumeType.objects.create(pk="later", description="anywhere", binding="first_use")
    assert "own disk, gets its place when it is first attached, no limit)" in text_of(
        member.get(f"{home}/volumes/create")
    )
    volume = make_volume(member, home, volume_type="later", image="tiny")
    page, waiting = f"{home}/volumes/{volume.pk}", "No place yet: it gets one when it is first attached"
    assert f"Zone {waiting}" in text_of(member.get(page)) and waiting in text_of(member.get(f"{home}/volumes"))
    for tab in ("placement", "snapshots", "retype"):
        assert member.get(f"{page}/{tab}").status_code == 200
    checked = text_of(member.post(f"{page}/retype", {"volume_type": "local", "check": "1"}))
    assert "The volume has no place and no data yet." in checked
    offers = member.get(f"{home}/instances/create").context["form"].fields
    for name in ("volumes", "boot_volume"):
        assert ("data", "data, 2 GiB, no place yet") in offers[name].choices
    instance = make_instance(member, home)
    attach = f"{home}/instances/{instance.pk}/volumes"
    assert member.post(attach, {"volume": str(volume.pk)})["Location"] == attach
    finish_all()
    assert waiting not in text_of(member.get(page)) and "Zone fr-idf-1" in text_of(member.get(page))
