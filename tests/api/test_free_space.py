"""Large uploads are refused while a disk is nearly full, and nothing of them is stored."""

import json
from pathlib import Path

import pytest
from pytest_django import Settings

from controlplane.catalog.models import Image
from controlplane.kernel import free_space
from controlplane.kernel.errors import InsufficientStorage
from controlplane.terraform.models import TerraformState
from tests.api.client import Caller
from tests.world import Cloud

STATE = json.dumps({"version": 4, "serial": 1}).encode()
MORE_THAN_THERE_IS_MIB = 2**40


@pytest.fixture
def full(settings: Settings) -> Settings:
    settings.FREE_SPACE_MIN_MIB = MORE_THAN_THERE_IS_MIB
    return settings


def test_state_is_refused_on_a_full_disk(api: Caller, full: Settings) -> None:
    answer = api.send("POST", "terraform-states/prod", STATE, content_type="application/json")
    assert answer.problem[:2] == (507, "insufficient_storage")
    assert answer.headers["Retry-After"]
    assert not TerraformState.objects.exists()
    full.FREE_SPACE_MIN_MIB = 0
    assert api.send("POST", "terraform-states/prod", STATE, content_type="application/json").status == 200
    full.FREE_SPACE_MIN_MIB = MORE_THAN_THERE_IS_MIB
    assert api.get("terraform-states/prod").body["serial"] == 1
    assert api.delete("terraform-states/prod").status == 204


def test_image_file_is_refused_on_a_full_disk(api: Caller, full: Settings, cloud: Cloud) -> None:
    before = {each for each in Path(full.IMAGES_DIR).rglob("*") if each.is_file()}
    assert api.post("images", {"name": "mine", "format": "raw", "firmware": "bios"}).status == 201
    assert api.upload("images/mine/file", b"x" * 4096).problem[:2] == (507, "catalog.image.store_full")
    assert Image.objects.get(name="mine").state == "awaiting-upload"
    assert {each for each in Path(full.IMAGES_DIR).rglob("*") if each.is_file()} == before


def test_missing_folder_is_measured_by_its_parent(full: Settings, tmp_path: Path) -> None:
    assert free_space.free_bytes(tmp_path / "a" / "b") > 0
    with pytest.raises(InsufficientStorage):
        free_space.require_free_space(tmp_path / "a" / "b")
