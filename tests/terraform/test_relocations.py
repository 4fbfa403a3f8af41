"""Zones of an instance and of a volume, in configuration and plan, after their relocation by a member."""

import pytest

from scripts.api import Api
from scripts.terraform import Workspace
from tests.terraform.test_resources import DATA, WEB

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

OLD, NEW = "fr-idf-1", "fr-idf-2"
RELOCATIONS = "instances/web", "volumes/data"


def configuration(zone: str) -> str:
    zones = f'zones = ["{zone}"]'
    return DATA % zones + WEB % f"{zones}\nis_running = false"


def test_zones_follow_a_relocation_without_a_new_resource(tf: Workspace, api: Api) -> None:
    tf.write(configuration(OLD)).apply()
    ids = {name: api.get(name)["id"] for name in RELOCATIONS}
    for name in RELOCATIONS:
        ended = api.wait(api.post(f"{name}/actions/relocate", {"zone": NEW})["operation"])
        assert ended["state"] == "succeeded"
    tf.assert_no_changes()
    tf.write(configuration(NEW)).assert_no_changes()
    assert {name: api.get(name)["id"] for name in RELOCATIONS} == ids
    assert [api.get(name)["zone"] for name in RELOCATIONS] == [NEW, NEW]
    tf.destroy()
