"""Objects and their state in the runtime, through real Terraform."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.control_plane import ROOT
from scripts.terraform import CHANGES, LIMIT_S, Workspace, interrupt
from tests.processes import line_with
from tests.terraform.test_runtime_plans import thing

pytestmark = pytest.mark.slow


@pytest.mark.nightly
def test_an_interrupt_loses_no_object(toy: Workspace, cloud: Path) -> None:
    """All of the creates are in the middle when Ctrl-C comes; what they made reaches the state."""
    toy.is_debugged = False
    toy.write('resource "toy_thing" "slow" {\n  count = 3\n  name  = "slow-${count.index}"\n}\n')
    process = toy.start("apply", "-auto-approve")
    line_with("Creating...", process.stdout)
    while len(list(cloud.glob("begun-*"))) < 3:
        assert process.poll() is None
    interrupt(process)
    line_with("Interrupt received", process.stdout)
    (cloud / "go").touch()
    process.communicate(timeout=LIMIT_S)
    assert {values["id"] for values in toy.state().values()} == {f"id-slow-{number}" for number in range(3)}
    toy.assert_no_changes()


@pytest.mark.nightly
def test_create_that_fails_before_the_object_leaves_no_state(toy: Workspace) -> None:
    toy.write('resource "toy_thing" "a" {\n  name = "refused"\n}\n')
    assert "The cloud refuses" in (refused := toy.refused())
    assert "main.tf line 2" in refused
    assert toy.state() == {}


def test_create_that_fails_after_the_object_taints_it(toy: Workspace) -> None:
    toy.write('resource "toy_thing" "a" {\n  name = "half"\n}\n')
    assert "RuntimeError: in the middle" in toy.refused()
    assert toy.state()["toy_thing.a"]["id"] == "id-half"
    assert toy.is_tainted("toy_thing.a")


@pytest.mark.nightly
def test_failed_update_keeps_its_partial_result(toy: Workspace) -> None:
    toy.write(thing("size = 1")).apply()
    toy.write(thing('size = 2\ncolor = "black"'))
    assert "No black" in toy.refused()
    state = toy.state()["toy_thing.a"]
    assert (state["size"], state["color"]) == (2, "grey")
    assert not toy.is_tainted("toy_thing.a")


@pytest.mark.nightly
def test_object_is_imported_by_id_into_an_empty_state(toy: Workspace) -> None:
    toy.write(thing("size = 4")).apply()
    toy.forget()
    toy.run("import", "toy_thing.a", "a")
    toy.assert_no_changes()


@pytest.mark.nightly
def test_object_is_imported_by_identity(toy: Workspace) -> None:
    toy.write(thing("size = 4")).apply()
    toy.forget()
    toy.write('import {\n  to       = toy_thing.a\n  identity = { name = "a" }\n}\n', name="import.tf")
    assert "1 imported, 0 added, 0 changed, 0 destroyed" in toy.apply()
    (toy.folder / "import.tf").unlink()
    toy.assert_no_changes()


def test_a_state_of_an_older_version_is_upgraded(toy: Workspace) -> None:
    toy.write(thing('color = "red"')).apply()
    path = toy.folder / "terraform.tfstate"
    state = json.loads(path.read_text())
    instance = state["resources"][0]["instances"][0]
    instance["schema_version"] = 1
    instance["attributes"]["colour"] = instance["attributes"].pop("color")
    del instance["attributes"]["steps"]
    path.write_text(json.dumps(state))
    toy.assert_no_changes()
    toy.write(thing('color = "red"\nsize = 2')).apply()
    assert toy.state()["toy_thing.a"]["color"] == "red"


@pytest.mark.nightly
def test_an_object_moves_to_another_type(toy: Workspace) -> None:
    toy.write('resource "toy_relic" "old" {\n  title = "a"\n}\n').apply()
    toy.write(thing("") + "moved {\n  from = toy_relic.old\n  to   = toy_thing.a\n}\n")
    assert "has moved to toy_thing.a" in toy.run("plan", "-detailed-exitcode", ok=(0, CHANGES))
    toy.apply()
    assert list(toy.state()) == ["toy_thing.a"]


def test_destroy_accepts_a_missing_object(toy: Workspace, cloud: Path) -> None:
    toy.write(thing("")).apply()
    (cloud / "a.json").unlink()
    toy.destroy()
    assert toy.state() == {}


@pytest.mark.nightly
def test_data_source_reads_an_object(toy: Workspace) -> None:
    toy.write(
        thing("") + 'data "toy_count" "all" {\n  depends_on = [toy_thing.a]\n}\n'
        'output "things" {\n  value = data.toy_count.all.things\n}\n'
    ).apply()
    assert toy.outputs() == {"things": 1}


@pytest.mark.nightly
def test_function_is_called_and_its_error_reported(toy: Workspace) -> None:
    toy.write('output "joined" {\n  value = provider::toy::join("a", "b")\n}\n').apply()
    assert toy.outputs() == {"joined": "a-b"}
    toy.write('output "joined" {\n  value = provider::toy::join("", "b")\n}\n')
    assert "Nothing to join" in toy.refused()


def test_an_action_shows_its_progress(toy: Workspace) -> None:
    toy.write(thing("") + 'action "toy_poke" "it" {\n  config {\n    name = "a"\n  }\n}\n').apply()
    printed = toy.apply("-invoke=action.toy_poke.it")
    assert "poking a" in printed
    assert "it moved" in printed


@pytest.mark.nightly
def test_failed_action_is_reported(toy: Workspace) -> None:
    toy.write('action "toy_poke" "it" {\n  config {\n    name = "nobody"\n  }\n}\n')
    assert "Nobody there" in toy.refused("-invoke=action.toy_poke.it")


def test_an_ephemeral_resource_lives_for_one_run_and_is_in_no_state(toy: Workspace, cloud: Path) -> None:
    secret = "secret = ephemeral.toy_ticket.it.code\nsecret_version = 1"
    toy.write(thing(secret) + 'ephemeral "toy_ticket" "it" {}\n').apply()
    assert (cloud / "secret-of-a").read_text() == "ephemeral-code"
    assert "ephemeral-code" not in (toy.folder / "terraform.tfstate").read_text()
    assert not (cloud / "ticket").exists()


@pytest.mark.nightly
def test_a_query_lists_objects_and_their_configuration(toy: Workspace) -> None:
    toy.write(thing("")).apply()
    toy.write(
        'list "toy_thing" "all" {\n  provider = toy\n  config {\n    prefix = "a"\n  }\n}\n', name="all.tfquery.hcl"
    )
    assert "name=a" in toy.run("query")
    toy.run("query", "-generate-config-out=generated.tf")
    generated = " ".join((toy.folder / "generated.tf").read_text().split())
    assert 'resource "toy_thing" "all_0"' in generated
    assert 'name = "a"' in generated


def test_plugin_refuses_a_start_by_hand() -> None:
    command = [sys.executable, "-m", "tests.terraform.toy.provider"]
    ended = subprocess.run(command, cwd=ROOT, env={"TOY_DIR": "/"}, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "This is a plugin" in ended.stderr
