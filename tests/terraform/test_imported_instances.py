"""Root disks of imported instances: whether one was made with its instance or given to it."""

from typing import Any, cast

import pytest

from clients.terraform.cloud import Cloud
from clients.terraform.resources.instance import InstanceResource

PATH = "projects/team/volumes/v"


class OneVolume:
    def __init__(self, created_at: str) -> None:
        self.volume = {"id": "v", "name": "root", "created_at": created_at}

    @property
    def api(self) -> "OneVolume":
        return self

    def get(self, path: str) -> Any:
        return {PATH: self.volume}[path]


def document(*attachments: Any) -> Any:
    named = ("name", "flavor", "state", "root_volume_type", "restart_policy", "metadata", "id", "zone")
    numbers = {"vcpus": 1, "memory_mib": 512, "disk_gib": 1}
    image, created_at = {"id": "i", "name": "tiny"}, "2026-05-05T10:00:00.5Z"
    more = {
        "image": image,
        "created_at": created_at,
        "addresses": [],
        "affinity_group": None,
        "labels": {},
        "classifications": [],
    }
    return {**dict.fromkeys(named, "x"), **numbers, **more, "keep_root_volume": True, "attachments": attachments}


@pytest.mark.parametrize(
    ("created_at", "image", "boot_volume"),
    [
        ("2026-05-05T10:00:00.5Z", "tiny", None),
        ("2026-05-06T10:00:00Z", "tiny", None),  # after a rebuild
        ("2026-05-05T10:00:00.499Z", None, "v"),
    ],
)
def test_volume_older_than_the_instance_was_given_to_it(created_at: str, image: str, boot_volume: str) -> None:
    resource = InstanceResource(cast(Cloud, OneVolume(created_at)))
    attached = document({"id": "a", "is_boot": True, "volume": {"id": "v", "name": "root"}})
    values = resource.values(attached, {"project": "team"})
    assert (values["image"], values["boot_volume"], values["root_volume_id"]) == (image, boot_volume, "v")


def test_instance_without_root_volume_was_made_from_its_image() -> None:
    values = InstanceResource(cast(Cloud, OneVolume(""))).values(document(), {"project": "team"})
    assert (values["image"], values["boot_volume"], values["root_volume_id"]) == ("tiny", None, None)
