"""An instance is made on one page, which says beforehand what would become of it."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

from controlplane.audit.models import AuditEntry, EvidenceRecord, RequestRecord
from controlplane.catalog.models import Image, VolumeType
from controlplane.compute import user_data
from controlplane.compute.models import Attachment, Instance
from controlplane.dashboard import cookies
from controlplane.nodes.models import Inventory
from controlplane.operations.models import Operation
from controlplane.placement.models import Decision
from controlplane.storage.models import Volume
from tests.dashboard.conftest import SignIn
from tests.dashboard.sample_resources import INSTANCE, VOLUME, errors_of, make_instance, make_volume, text_of
from tests.world import Cloud, make_flavor, make_zone


@pytest.fixture
def page(home: str) -> str:
    return f"{home}/instances/create"


def test_form_has_usual_defaults(cloud: Cloud, member: Client, page: str) -> None:
    make_flavor("large", vcpus=4, memory_mib=4096, disk_gib=40)
    form = member.get(page).context["form"]
    chosen = {name: form[name].value() for name in ("name", "image", "flavor", "networks", "ssh_keys")}
    wanted = {"name": "instance-1", "image": "tiny", "flavor": "tiny", "networks": ["lan"], "ssh_keys": []}
    assert chosen == wanted
    assert [value for value, _ in form.fields["flavor"].choices] == ["tiny", "large"]


def test_default_flavor_fits_the_image(cloud: Cloud, member: Client, page: str) -> None:
    make_flavor("large", vcpus=4, memory_mib=4096, disk_gib=40)
    cloud.image.virtual_size_bytes = 20 * 2**30
    cloud.image.save()
    assert member.get(page).context["form"]["flavor"].value() == "large"


def test_default_name_is_free(cloud: Cloud, member: Client, home: str, page: str) -> None:
    make_instance(member, home, name="instance-1")
    assert member.get(page).context["form"]["name"].value() == "instance-2"


def test_instance_is_created_with_all_fields(cloud: Cloud, member: Client, home: str, page: str) -> None:
    volume = make_volume(member, home)
    more = {"labels": "env=prod\r\ntier=web", "user_data": "#!/bin/sh\r\necho hello\r\n", "zones": ["fr-idf-1"]}
    answer = member.post(page, {**INSTANCE, **more, "volumes": ["data"], "start": "stopped", "idempotency_key": "once"})
    instance = Instance.objects.get(name="web")
    assert Operation.objects.get(kind="instance.create").args["is_started"] is False
    assert answer["Location"] == f"{home}/instances/{instance.pk}"
    assert instance.labels == {"env": "prod", "tier": "web"}
    assert user_data.read(instance) == b"#!/bin/sh\necho hello\n"
    assert Attachment.objects.get(instance=instance).volume_id == volume.pk


def test_instance_boots_from_a_volume(cloud: Cloud, member: Client, home: str, page: str) -> None:
    make_volume(member, home)
    system = make_volume(member, home, name="system", image="tiny")
    offered = member.get(page).context["form"].fields["boot_volume"].choices
    assert [value for value, _ in offered] == ["", "system"]
    checked = member.post(page, {**INSTANCE, "boot_volume": "system", "check": "1"})
    assert "--boot-volume system" in checked.content.decode()
    instance = make_instance(member, home, boot_volume="system")
    assert Attachment.objects.get(instance=instance, is_boot=True).volume_id == system.pk
    of_instance = f"{home}/instances/{instance.pk}"
    assert "/detach" not in member.get(f"{of_instance}/volumes").content.decode()
    assert "The root volume is kept." in text_of(member.get(f"{of_instance}/delete"))
    assert "which is kept, and so not replaced" in text_of(member.get(f"{of_instance}/settings"))


def test_instance_boots_from_a_volume_of_a_project_without_images(
    cloud: Cloud, member: Client, home: str, page: str
) -> None:
    system = make_volume(member, home, name="system", image="tiny")
    Image.objects.update(state="deleted")
    offered = member.get(page)
    assert "No images available" not in text_of(offered)
    assert not offered.context["form"].fields["image"].required
    empty = member.post(page, {**INSTANCE, "image": ""})
    assert "Give image, or boot_volume." in text_of(empty)
    instance = make_instance(member, home, image="", boot_volume="system")
    assert instance.boot_volume_id == system.pk


def test_simulation_counts_the_disk_of_volumes_without_a_place(
    cloud: Cloud, member: Client, home: str, page: str
) -> None:
    """The simulation answers where the rest is wrong, as a name that is taken."""
    VolumeType.objects.create(pk="later", description="anywhere", binding="first_use")
    make_instance(member, home)
    inventory = Inventory.objects.get()
    free_gib = inventory.disk_gib_total - inventory.disk_gib_reserved - inventory.disk_gib_used
    make_volume(member, home, volume_type="later", size_gib=str(free_gib))
    for volumes, is_admitted in ([], True), (["data"], False):
        checked = member.post(page, {**INSTANCE, "volumes": volumes, "check": "1"})
        assert checked.context["preview"].is_admitted == is_admitted


def test_image_is_required_without_a_boot_volume(cloud: Cloud, member: Client, page: str) -> None:
    assert errors_of(member.post(page, {**INSTANCE, "image": ""}), "image") == "This field is required."


def test_root_volume_is_kept_or_not(cloud: Cloud, member: Client, home: str, page: str) -> None:
    checked = member.post(page, {**INSTANCE, "keep_root_volume": "on", "check": "1"})
    assert "--keep-root-volume" in checked.content.decode() and "Volumes 0 → 1 / " in text_of(checked)
    instance = make_instance(member, home, keep_root_volume="on")
    of_instance = f"{home}/instances/{instance.pk}"
    assert f"{home}/volumes/{instance.boot_volume_id}" in member.get(of_instance).content.decode()
    settings = {"name": "web", "labels": "", "restart_policy": "on-failure"}
    assert "keep_root_volume" in member.get(f"{of_instance}/settings").content.decode()
    member.post(f"{of_instance}/settings", settings)
    instance.refresh_from_db()
    assert instance.keep_root_volume is False
    assert "root volume web-root are permanently deleted" in text_of(member.get(f"{of_instance}/delete"))


def test_root_disk_that_is_no_volume_cannot_be_kept(cloud: Cloud, member: Client, home: str) -> None:
    instance = make_instance(member, home)
    assert "keep_root_volume" not in member.get(f"{home}/instances/{instance.pk}/settings").content.decode()


def test_form_sent_twice_creates_one_instance(cloud: Cloud, member: Client, page: str) -> None:
    sent = {**INSTANCE, "idempotency_key": "once"}
    assert member.post(page, sent)["Location"] == member.post(page, sent)["Location"]
    assert Instance.objects.count() == 1


def test_check_previews_the_outcome_without_creating(cloud: Cloud, member: Client, page: str) -> None:
    make_zone("de-rhein-1")
    answer = member.post(page, {**INSTANCE, "check": "1"})
    assert answer.status_code == 200
    assert Instance.objects.count() == 0
    text = text_of(answer)
    assert "can be created" in text
    assert "Instances 0 → 1 / " in text
    zones = {verdict.zone: verdict for verdict in answer.context["preview"].zones}
    assert zones["fr-idf-1"].is_admitted
    assert (zones["fr-idf-1"].fits or 0) > 0
    assert zones["de-rhein-1"].is_empty
    assert "no suitable nodes" in text


def test_unrequested_zone_is_marked(cloud: Cloud, member: Client, page: str) -> None:
    make_zone("de-rhein-1")
    answer = member.post(page, {**INSTANCE, "zones": ["de-rhein-1"], "check": "1"})
    text = text_of(answer)
    assert "no valid node" in text
    assert "not among the requested zones" in text
    assert "Request one of these zones instead: fr-idf-1." in text


def test_exceeded_quota_is_shown(cloud: Cloud, member: Client, page: str) -> None:
    make_flavor("huge", vcpus=30_000, memory_mib=1024, disk_gib=1)
    answer = member.post(page, {**INSTANCE, "flavor": "huge", "check": "1"})
    needs = {need.dimension: need for need in answer.context["preview"].needs}
    assert needs["vcpus"].is_too_much
    assert not needs["instances"].is_too_much
    assert "over the limit" in text_of(answer)
    assert "would be refused" in text_of(answer)


@pytest.mark.parametrize("sent", [{"check": "1"}, {}])
def test_taken_name_has_an_error_and_keeps_the_input(
    sent: dict[str, str], cloud: Cloud, member: Client, home: str, page: str
) -> None:
    make_instance(member, home)
    answer = member.post(page, {**INSTANCE, "labels": "env=prod", "user_data": "#cloud-config", **sent})
    assert answer.status_code == 200
    assert errors_of(answer, "name") == "The project already has an instance named 'web'."
    assert answer.context["form"]["user_data"].value() == "#cloud-config"
    assert answer.context["form"]["labels"].value() == "env=prod"
    assert [zone.zone for zone in answer.context["preview"].zones if zone.is_admitted] == ["fr-idf-1"]


def test_placement_refusal_is_shown_in_full(cloud: Cloud, member: Client, page: str) -> None:
    make_zone("de-rhein-1")
    answer = member.post(page, {**INSTANCE, "zones": ["de-rhein-1"]})
    assert answer.status_code == 200
    assert "Request one of these zones instead: fr-idf-1." in errors_of(answer, "__all__")
    assert Instance.objects.count() == 0


def test_viewer_is_refused_with_the_missing_role(cloud: Cloud, signed_in: SignIn, page: str) -> None:
    viewer = signed_in("viewer")
    assert "lacks the role member" in text_of(viewer.get(page))
    assert "lacks the role member" in text_of(viewer.post(page, INSTANCE))
    assert Operation.objects.count() == 0


def test_shown_commands_never_have_a_token(cloud: Cloud, member: Client, page: str) -> None:
    answer = member.post(page, {**INSTANCE, "check": "1"})
    lines = {name: text for name, _, text in answer.context["lines"]}
    assert 'Authorization: Bearer $TOKEN"' in lines["curl"]
    secret = member.cookies[cookies.SESSION].value
    assert secret not in answer.content.decode()
    assert "alpha" in lines["cli"]


# ---- previews, which nobody presses a button for


CHANGING = re.compile(r"^(?!SAVEPOINT).*(INSERT|UPDATE|DELETE|FOR (NO KEY )?UPDATE|FOR (KEY )?SHARE)", re.DOTALL)


def previewed(member: Client, page: str, **more: object) -> tuple[Any, list[str]]:
    """The answer, and the statements that it took; Django's own record has no text of those that are prepared."""
    statements: list[str] = []

    def note(execute: Callable[..., Any], sql: object, *others: Any) -> Any:
        statements.append(str(sql))
        return execute(sql, *others)

    with connection.execute_wrapper(note):
        answer = member.post(page, {**INSTANCE, **more, "preview": "1"})
    return answer, statements


def rows() -> list[int]:
    kinds = (RequestRecord, AuditEntry, EvidenceRecord, Decision, Instance, Operation)
    return [kind.objects.count() for kind in kinds]


@pytest.mark.parametrize("sent", [{}, {"flavor": "huge"}, {"zones": ["de-rhein-1"]}, {"name": "taken"}])
def test_preview_locks_and_writes_nothing(
    sent: dict[str, object], cloud: Cloud, member: Client, home: str, page: str
) -> None:
    make_zone("de-rhein-1")
    make_flavor("huge", vcpus=30_000, memory_mib=1024, disk_gib=1)
    make_instance(member, home, name="taken")
    before = rows()
    answer, statements = previewed(member, page, **sent)
    assert answer.context["preview"].zones
    assert rows() == before
    assert [text for text in statements if CHANGING.search(text)] == []


def test_volume_preview_locks_and_writes_nothing(cloud: Cloud, member: Client, home: str) -> None:
    before = rows()
    answer, statements = previewed(member, f"{home}/volumes/create", **VOLUME)
    assert answer.context["preview"].is_admitted
    assert (rows(), Volume.objects.count()) == (before, 0)
    assert [text for text in statements if CHANGING.search(text)] == []


def test_previews_count_as_reads(cloud: Cloud, member: Client, page: str, settings: Settings) -> None:
    settings.RATE_READS_PER_MIN, settings.RATE_WRITES_PER_MIN = 1000, 1
    problems = [previewed(member, page)[0].context["preview"].problem for _ in range(3)]
    assert problems == [None] * 3
    asked = [member.post(page, {**INSTANCE, "check": "1"}).context["preview"].problem for _ in range(2)]
    assert asked[0] is None and asked[1]["code"] == "too_many_requests"


def test_opening_the_page_writes_nothing(cloud: Cloud, member: Client, page: str) -> None:
    before = rows()
    assert member.get(page).status_code == 200
    assert rows() == before


def test_preview_queries_do_not_grow_with_the_zones(cloud: Cloud, member: Client, page: str) -> None:
    def queries() -> int:
        """Now and then one more notes when the session was last used."""
        return min(len(previewed(member, page)[1]) for _ in range(3))

    of_one = queries()
    for number in range(2, 6):
        cloud.world.add_machine(f"fr-idf-{number}")
    zones = [each for each in previewed(member, page)[0].context["preview"].zones if each.is_admitted]
    assert [bool(verdict.fits) for verdict in zones] == [True] * 5
    assert queries() == of_one


def test_preview_reports_taken_names(cloud: Cloud, member: Client, home: str, page: str) -> None:
    make_instance(member, home, name="taken")
    answer, _ = previewed(member, page, name="taken")
    assert "The project already has an instance named &#x27;taken&#x27;." in answer.content.decode()
    answer, _ = previewed(member, page, name="other")
    assert "can be created" in text_of(answer)


def test_check_by_button_is_recorded(cloud: Cloud, member: Client, page: str) -> None:
    member.post(page, {**INSTANCE, "check": "1"})
    record = RequestRecord.objects.get(verb="instance_create")
    assert record.is_dry_run
