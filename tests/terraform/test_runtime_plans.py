"""Plans of the runtime, through real Terraform."""

import json
from pathlib import Path

import pytest

from scripts.terraform import Workspace

pytestmark = pytest.mark.slow

THING = 'resource "toy_thing" "a" {\n  name = "a"\n%s\n}\n'


def thing(text: str) -> str:
    return THING % text


def test_omitted_attribute_is_default_computed_or_null(toy: Workspace) -> None:
    toy.write(thing("")).apply()
    state = toy.state()["toy_thing.a"]
    assert (state["size"], state["color"], state["id"], state["tags"]) == (1, "grey", "id-a", None)
    toy.assert_no_changes()


def test_a_default_returns_when_the_line_is_removed(toy: Workspace) -> None:
    toy.write(thing("size = 1")).apply()
    toy.write(thing("size = 5"))
    assert "1 -> 5" in toy.plan()
    toy.apply()
    assert "It will be slow." in toy.write(thing("size = 7")).plan()


def test_an_error_of_a_plan_names_its_line(toy: Workspace) -> None:
    toy.write(thing("size = 5")).apply()
    toy.write(thing("size = 2"))
    assert "Things only grow" in (refused := toy.refused())
    assert "main.tf line 3" in refused


def test_computed_value_survives_another_change(toy: Workspace) -> None:
    toy.write(thing('color = "red"')).apply()
    toy.write(thing('labels = { env = "prod" }')).apply()
    state = toy.state()["toy_thing.a"]
    assert (state["color"], state["revision"], state["labels"]) == ("red", 2, {"env": "prod"})
    toy.assert_no_changes()


@pytest.mark.nightly
def test_derived_value_is_unknown_only_in_plans_with_a_change(toy: Workspace) -> None:
    toy.write(thing("")).apply()
    toy.write(thing("steps = [1, 2.5]"))
    assert "revision = 1 -> (known after apply)" in toy.plan().replace("  ", " ")
    toy.apply()
    toy.assert_no_changes()


def test_a_change_of_the_name_makes_a_new_object(toy: Workspace, cloud: Path) -> None:
    toy.write(thing("")).apply()
    toy.write('resource "toy_thing" "a" {\n  name = "b"\n}\n')
    assert "# forces replacement" in toy.plan()
    toy.apply()
    assert sorted(path.name for path in cloud.glob("*.json")) == ["b.json"]


@pytest.mark.nightly
def test_a_function_of_both_values_decides_about_replacement(toy: Workspace) -> None:
    toy.write(thing('zone = "north"')).apply()
    assert "# forces replacement" not in toy.write(thing('zone = "moved"')).plan()
    assert "# forces replacement" in toy.write(thing('zone = "south"')).plan()


@pytest.mark.nightly
def test_the_order_of_a_set_is_no_change(toy: Workspace) -> None:
    toy.write(thing('tags = ["x", "y"]')).apply()
    toy.write(thing('tags = ["y", "x"]')).assert_no_changes()


@pytest.mark.nightly
def test_nested_computed_values_are_kept(toy: Workspace) -> None:
    toy.write(thing('nics = [{ net = "lan" }]\nrule { net = "wan" }')).apply()
    toy.assert_no_changes()
    toy.write(thing('nics = [{ net = "lan" }, { net = "dmz" }]\nrule { net = "wan" }')).apply()
    state = toy.state()["toy_thing.a"]
    assert [nic["mac"] for nic in state["nics"]] == ["02:0", "02:1"]
    assert state["rule"] == [{"net": "wan", "mac": "02:0"}]


@pytest.mark.nightly
def test_a_check_names_the_attribute_within(toy: Workspace) -> None:
    toy.write(thing('nics = [{ net = "lan" }, {\n  net = "LOUD"\n}]'))
    assert "Do not shout." in (refused := toy.refused())
    assert "main.tf line 4" in refused


@pytest.mark.nightly
def test_resource_wide_check_is_applied(toy: Workspace) -> None:
    assert "Unlucky" in toy.write(thing("size = 13")).refused()


def test_values_known_only_later_pass_every_check(toy: Workspace) -> None:
    text = 'resource "toy_thing" "b" {\n  name = "b-${toy_thing.a.id}"\n  size = toy_thing.a.revision + 1\n}\n'
    toy.write(thing("") + text).apply()
    assert toy.state()["toy_thing.b"]["name"] == "b-id-a"
    assert toy.state()["toy_thing.b"]["size"] == 2
    toy.assert_no_changes()


@pytest.mark.nightly
def test_an_equivalent_value_is_no_change(toy: Workspace) -> None:
    toy.write(thing('labels = { case = "upper" }')).apply()
    toy.write(thing('labels = { case = "UPPER" }')).assert_no_changes()


def test_a_write_only_secret_is_sent_and_never_kept(toy: Workspace, cloud: Path) -> None:
    toy.write(thing('secret = "hush-hush"\nsecret_version = 1')).apply()
    assert (cloud / "secret-of-a").read_text() == "hush-hush"
    assert "hush-hush" not in (toy.folder / "terraform.tfstate").read_text()
    toy.write(thing('secret = "other"\nsecret_version = 1')).assert_no_changes()
    toy.write(thing('secret = "other"\nsecret_version = 2')).apply()
    assert (cloud / "secret-of-a").read_text() == "other"


@pytest.mark.nightly
def test_timeouts_are_checked_and_change_nothing(toy: Workspace) -> None:
    assert "such as 90s" in toy.write(thing('timeouts = { create = "soon" }')).refused()
    toy.write(thing('timeouts = { create = "1h30m" }')).apply()
    toy.assert_no_changes()
    toy.write(thing('timeouts = { create = "5s" }')).apply()
    assert toy.state()["toy_thing.a"]["timeouts"]["create"] == "5s"


def test_drift_is_shown_and_repaired(toy: Workspace, cloud: Path) -> None:
    toy.write(thing("size = 5")).apply()
    changed = json.loads((cloud / "a.json").read_text())
    (cloud / "a.json").write_text(json.dumps({**changed, "size": 3}))
    assert "3 -> 5" in toy.plan()
    toy.apply()
    assert json.loads((cloud / "a.json").read_text())["size"] == 5


def test_object_deleted_outside_is_recreated(toy: Workspace, cloud: Path) -> None:
    toy.write(thing("")).apply()
    (cloud / "a.json").unlink()
    assert "will be created" in toy.plan()
    toy.apply()
    assert (cloud / "a.json").exists()
