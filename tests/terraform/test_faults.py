"""Faults during Terraform runs, and the state and cloud afterwards."""

import pytest

from scripts.api import Api
from scripts.cloud import Cloud
from scripts.polling import wait_until
from scripts.terraform import LIMIT_S, Workspace, interrupt
from tests.processes import line_with
from tests.terraform.test_instances import plain
from tests.terraform.test_resources import DATA, LAN, SHARED, TAKEN, WEB, block

pytestmark = pytest.mark.slow

MANY = 'resource "andromede_volume" "many" {\n  count    = 5\n  name     = "many-${count.index}"\n  size_gib = 1\n}\n'


@pytest.fixture(autouse=True)
def started_by_terraform(tf: Workspace) -> None:
    tf.is_debugged = False


def ids(api: Api, kind: str) -> set[str]:
    return {item["id"] for item in api.get(kind, limit="200")["items"]}


def test_interrupt_during_creates_loses_no_resource(tf: Workspace, api: Api, whole: Cloud) -> None:
    """No worker runs, so that none of the creates can end before the interrupt."""
    tf.write(MANY)
    whole.stack.kill("worker")
    process = tf.start("apply", "-auto-approve")
    wait_until(lambda: len(ids(api, "volumes")) == 5)
    interrupt(process)
    line_with("Interrupt received", process.stdout)
    whole.stack.start_process("worker")
    process.communicate(timeout=LIMIT_S)
    assert {values["id"] for values in tf.state().values()} == ids(api, "volumes")
    tf.assert_no_changes()
    tf.destroy()


@pytest.mark.nightly
def test_apply_continues_over_an_api_restart(tf: Workspace, api: Api, whole: Cloud) -> None:
    """The API is down while operations run, and when the plan begins."""
    tf.write(MANY)
    whole.stack.kill("worker")
    process = tf.start("apply", "-auto-approve")
    wait_until(lambda: len(ids(api, "volumes")) == 5)
    whole.stack.kill("web")
    whole.stack.start()
    printed, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, printed
    whole.stack.kill("web")
    process = tf.start("destroy", "-auto-approve")
    line_with("Refreshing state...", process.stdout)
    whole.stack.start()
    printed, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, printed
    assert ids(api, "volumes") == set()


def test_taken_name_fails_one_resource_and_loses_none(tf: Workspace, api: Api) -> None:
    taken = api.post("volumes", {"name": "many-3", "size_gib": 1})
    refused = tf.write(MANY).refused()
    assert "already has a volume named 'many-3'" in refused
    assert "main.tf line 3" in refused
    assert {values["name"] for values in tf.state().values()} == {f"many-{number}" for number in (0, 1, 2, 4)}
    api.delete_if_there(f"volumes/{taken['id']}")
    assert "1 added" in tf.apply()
    tf.destroy()


@pytest.mark.nightly
def test_busy_resource_is_awaited(tf: Workspace, api: Api, whole: Cloud) -> None:
    tf.write(DATA % "").apply()
    volume = tf.state()["andromede_volume.data"]["id"]
    whole.stack.kill("worker")
    api.post(f"volumes/{volume}/actions/grow", {"size_gib": 2})
    process = tf.write(DATA.replace("= 1", "= 3") % "").start("apply", "-auto-approve")
    line_with("Modifying...", process.stdout)
    whole.stack.start_process("worker")
    printed, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, printed
    assert api.get(f"volumes/{volume}")["size_gib"] == 3
    tf.destroy()


@pytest.mark.nightly
def test_timeout_keeps_the_id_of_a_created_resource(tf: Workspace, api: Api, whole: Cloud) -> None:
    """The created resource is tainted: the next run replaces it."""
    whole.stack.kill("worker")
    refused = tf.write(DATA % 'timeouts = { create = "1s" }').refused()
    assert "The time is over" in refused
    assert {tf.state()["andromede_volume.data"]["id"]} == ids(api, "volumes")
    assert tf.is_tainted("andromede_volume.data")
    whole.stack.start_process("worker")
    assert "1 added, 0 changed, 1 destroyed" in tf.write(DATA % "").apply()
    tf.destroy()
    assert ids(api, "volumes") == set()


@pytest.mark.nightly
def test_drift_is_shown_and_repaired(tf: Workspace, api: Api) -> None:
    tf.write(LAN).apply()
    network = tf.state()["andromede_network.lan"]["id"]
    path = f"networks/{network}"
    api.client.networks.update(network, name="drifted", labels={"who": "somebody"})
    planned = plain(tf.plan())
    assert 'name = "drifted" -> "lan"' in planned
    assert '- "who" = "somebody"' in planned
    tf.apply()
    assert (api.get(path)["name"], api.get(path)["labels"]) == ("lan", {})
    tf.assert_no_changes()
    tf.destroy()


@pytest.mark.nightly
def test_resource_deleted_outside_is_recreated(tf: Workspace, api: Api) -> None:
    tf.write(WEB % "" + LAN).apply()
    for kind in ("instances", "networks"):
        for item in ids(api, kind):
            api.delete_if_there(f"{kind}/{item}")
    assert "2 to add, 0 to change, 0 to destroy" in tf.plan()
    tf.destroy()


@pytest.mark.nightly
def test_destroying_works_in_any_order(tf: Workspace, api: Api) -> None:
    """Nothing says to Terraform that one needs the other, so it deletes all at once."""
    group = block("affinity_group", 'name = "apart"', 'rule = "anti-affinity"')
    tf.write(LAN + group + DATA % "").apply()
    named = WEB % 'networks = ["lan"]\naffinity_group = "apart"\nvolumes = ["data"]'
    tf.write(LAN + group + DATA % "" + named).apply()
    tf.destroy()
    for kind in ("instances", "networks", "affinity-groups", "volumes"):
        assert ids(api, kind) == set()


@pytest.mark.nightly
def test_destroying_an_instance_and_a_volume_waits_for_their_snapshots(tf: Workspace, api: Api) -> None:
    """Nothing says to Terraform that one needs the other, so it deletes all at once."""
    made = SHARED % ("data", "data", "") + WEB % 'root_volume_type = "rbd"'
    tf.write(made).apply()
    named = 'resource "andromede_volume_snapshot" "of_%s" {\n  name = "of-%s"\n  volume = "%s"\n}\n'
    tf.write(made + "".join(named % (name, name, name) for name in ("data", "web-root"))).apply()
    tf.destroy()
    for kind in ("instances", "snapshots", "volumes"):
        assert ids(api, kind) == set()


@pytest.mark.nightly
@pytest.mark.parametrize("source", ["volume", "snapshot"])
def test_source_of_an_image_is_destroyed_after_the_image_is_made(
    tf: Workspace, api: Api, whole: Cloud, source: str
) -> None:
    """No worker runs, so that the image cannot be made before Terraform has been refused."""
    configuration = SHARED % ("data", "data", "") + (TAKEN % ("then", "then") if source == "snapshot" else "")
    tf.write(configuration).apply()
    whole.stack.kill("worker")
    whole.stack.kill("transfer")
    api.post("images", {"name": "golden", "format": "qcow2", source: {"volume": "data", "snapshot": "then"}[source]})
    process = tf.start("destroy", "-auto-approve")
    line_with("Still destroying...", process.stdout)
    whole.stack.start()
    printed, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, printed
    assert ids(api, "volumes") == ids(api, "snapshots") == set()
    assert api.get("images/golden")["state"] == "available"


def test_missing_token_names_the_setting(tf: Workspace) -> None:
    del tf.variables["ANDROMEDE_TOKEN"]
    refused = tf.write(LAN).refused()
    assert "The provider has no token" in refused
    assert "ANDROMEDE_TOKEN" in refused


def test_wrong_token_is_refused_and_the_state_kept(tf: Workspace) -> None:
    tf.write(LAN).apply()
    right, tf.variables["ANDROMEDE_TOKEN"] = tf.variables["ANDROMEDE_TOKEN"], "wrong"
    assert "unauthenticated" in plain(tf.run("plan", ok=(1,)))
    tf.variables["ANDROMEDE_TOKEN"] = right
    tf.variables["ANDROMEDE_PROJECT"] = "another"
    assert "There is no project" in tf.write(LAN + DATA % "").refused()
    tf.variables["ANDROMEDE_PROJECT"] = "test"
    tf.write(LAN).assert_no_changes()
    tf.destroy()


@pytest.mark.nightly
def test_a_provider_that_is_configured_later_waits(tf: Workspace) -> None:
    """Its token comes from a resource of the same run."""
    token = block("token", 'name = "later"')
    text = 'provider "andromede" {\n  alias = "later"\n  token = andromede_token.it.secret\n}\n'
    network = LAN.replace("{\n", "{\n  provider = andromede.later\n", 1)
    tf.write(token + text + network).apply()
    tf.assert_no_changes()
    tf.run("destroy", "-auto-approve", "-target", "andromede_network.lan")
    tf.write(token).destroy()
