"""Instances that boot from a volume, by the API."""

from typing import Any

import pytest

from controlplane.audit.models import AuditEntry
from controlplane.catalog.models import Flavor
from controlplane.compute.models import Instance
from controlplane.storage.models import Volume
from tests.api.client import Caller
from tests.api.conftest import finish
from tests.world import Cloud

WEB: dict[str, Any] = {"name": "web", "flavor": "tiny", "boot_volume": "system"}


@pytest.fixture
def system(api: Caller, cloud: Cloud) -> str:
    """Make a volume with a system; returns its id."""
    body = finish(api.post("volumes", {"name": "system", "size_gib": 1, "image": "tiny"}))
    return str(body["id"])


def test_instance_boots_from_a_volume_that_outlives_it(api: Caller, system: str) -> None:
    created = finish(api.post("instances", WEB))
    shown = api.get("instances/web").body
    assert (shown["image"]["name"], shown["root_volume_type"], shown["disk_gib"]) == ("tiny", "local", 1)
    (attachment,) = shown["attachments"]
    assert (attachment["volume"]["id"], attachment["is_boot"], attachment["is_plugged"]) == (system, True, True)
    assert api.get("instances/web/attachments").body["items"] == [attachment]
    volume = api.get("volumes/system").body
    assert (volume["state"], volume["instance"]["id"]) == ("in-use", created["id"])
    entry = AuditEntry.objects.get(verb="instance.create")
    assert entry.facts["boot_volume"] == system
    finish(api.delete("instances/web"))
    assert api.get("volumes/system").body["state"] == "available"


def test_boot_volume_is_kept_from_detachment_deletion_and_rebuild(api: Caller, system: str) -> None:
    finish(api.post("instances", WEB))
    assert api.delete("instances/web/attachments/system").problem == (409, "compute.attachment.is_boot", None)
    assert api.delete("volumes/system").problem == (409, "storage.volume.in_use", None)
    rebuilt = api.post("instances/web/actions/rebuild", {"image": "tiny"})
    assert rebuilt.problem == (409, "compute.instance.boots_from_volume", None)


@pytest.fixture
def diskless(cloud: Cloud) -> str:
    """Make a flavor without a root disk; returns its name."""
    return Flavor.objects.create(pk="diskless", vcpus=1, memory_mib=128, disk_gib=0).pk


def test_flavor_without_a_disk_needs_a_boot_volume(api: Caller, system: str, diskless: str) -> None:
    of_image = {"name": "web", "flavor": diskless, "image": "tiny"}
    for more in ({}, {"keep_root_volume": True}):
        for query in ("", "?dry_run=true"):
            refused = api.post(f"instances{query}", of_image | more)
            assert refused.problem == (422, "compute.flavor_without_disk", "/flavor")
    finish(api.post("instances", WEB | {"flavor": diskless}))
    shown = api.get("instances/web").body
    assert (shown["flavor"], shown["disk_gib"], shown["state"]) == (diskless, 1, "active")


def test_resize_to_a_flavor_without_a_disk_needs_a_root_volume(api: Caller, system: str, diskless: str) -> None:
    finish(api.post("instances", WEB | {"start": False}))
    finish(api.post("instances", {"name": "plain", "flavor": "tiny", "image": "tiny", "start": False}))
    refused = api.post("instances/plain/actions/resize", {"flavor": diskless})
    assert refused.problem == (422, "compute.flavor_without_disk", "/flavor")
    finish(api.post("instances/web/actions/resize", {"flavor": diskless}))
    assert api.get("instances/web").body["disk_gib"] == 1
    finish(api.post("instances/web/actions/resize", {"flavor": "tiny"}))
    assert api.get("volumes/system").body["size_gib"] == 1


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"image": "tiny"}, "Give image or boot_volume, not both."),
        ({"boot_volume": None}, "Give image, or boot_volume."),
        ({"root_volume_type": "shared"}, "Leave root_volume_type out."),
    ],
)
def test_instance_has_one_root_disk(api: Caller, system: str, change: dict[str, object], error: str) -> None:
    body = {name: value for name, value in {**WEB, **change}.items() if value is not None}
    answer = api.post("instances", body)
    assert answer.status == 400
    assert error in str(answer.body)
    assert not Instance.objects.exists()


def test_empty_volume_is_no_boot_volume(api: Caller, volume: Volume) -> None:
    answer = api.post("instances", WEB | {"boot_volume": "data"})
    assert answer.problem == (422, "compute.instance.boot_volume_empty", "/boot_volume")


def test_volume_of_another_instance_is_no_boot_volume(api: Caller, system: str) -> None:
    finish(api.post("instances", WEB))
    assert api.post("instances", WEB | {"name": "other"}).problem == (409, "storage.volume.wrong_state", None)
    assert api.post("instances", WEB | {"name": "other", "boot_volume": "none"}).problem == (
        422,
        "storage.volume.not_found",
        "/boot_volume",
    )


def test_dry_run_leaves_the_volume_free(api: Caller, system: str) -> None:
    assert api.post("instances?dry_run=true", WEB).body["is_admitted"]
    assert api.get("volumes/system").body["instance"] is None
    assert not Instance.objects.exists()
