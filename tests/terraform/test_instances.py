"""Changes of an instance: in place or as a new one, and their plans."""

import pytest

from scripts.api import Api
from scripts.terraform import Workspace
from tests.terraform.test_resources import DATA, KEYS, LAN, WEB

pytestmark = pytest.mark.slow

KEY = f'resource "andromede_ssh_key" "key" {{\n  name = "key"\n  public_key = "{KEYS[0]}"\n}}\n'
ADDRESS = "andromede_instance.web"


def plain(text: str) -> str:
    """Without the frames and line breaks of a terminal."""
    return " ".join(text.replace("│", " ").split())


def test_flavor_change_needs_permission_to_stop(tf: Workspace, api: Api) -> None:
    tf.write(WEB % "").apply()
    bigger = WEB.replace('"tiny"', '"small"', 1)
    refused = tf.write(bigger % "").refused()
    assert "Another flavor stops the instance" in refused
    assert "From tiny to small" in refused
    assert "main.tf line 3" in refused
    tf.write(bigger % "allow_stop_for_update = true")
    assert "updated in-place" in tf.plan()
    tf.apply()
    kinds = [
        each["kind"] for each in api.get("operations", resource=tf.state()[ADDRESS]["id"], sort="created_at")["items"]
    ]
    assert kinds == ["instance.create", "instance.shutdown", "instance.resize", "instance.start"]
    tf.assert_no_changes()
    tf.destroy()


@pytest.mark.nightly
def test_stopped_instance_is_created_and_started_in_place(tf: Workspace, api: Api) -> None:
    tf.write(WEB % "is_running = false").apply()
    assert api.get("instances/web")["state"] == "stopped"
    tf.assert_no_changes()
    tf.write(WEB % "").assert_no_changes()
    tf.write(WEB % "is_running = true").apply()
    assert api.get("instances/web")["state"] == "active"
    tf.write(WEB.replace('"tiny"', '"small"', 1) % "is_running = false").apply()
    operations = api.get("operations", resource=tf.state()[ADDRESS]["id"], sort="created_at")["items"]
    kinds = [each["kind"] for each in operations]
    assert kinds == ["instance.create", "instance.start", "instance.shutdown", "instance.resize"]
    tf.destroy()


@pytest.mark.nightly
def test_a_flavor_that_is_refused_leaves_the_instance_running(tf: Workspace, api: Api) -> None:
    bigger = WEB.replace('"tiny"', '"small"', 1)
    tf.write(bigger % "").apply()
    assert "compute.flavor_too_small" in tf.write(WEB % "allow_stop_for_update = true").refused()
    assert api.get("instances/web")["state"] == "active"
    assert tf.state()[ADDRESS]["flavor"] == "small"
    tf.write(bigger % "").assert_no_changes()
    tf.destroy()


def test_image_change_replaces_or_rebuilds_the_instance(tf: Workspace) -> None:
    tf.write(WEB % "").apply()
    first = tf.state()[ADDRESS]
    other = WEB.replace('image  = "tiny"', 'image  = "other"')
    planned = tf.write(other % "").plan()
    assert 'image = "tiny" -> "other" # forces replacement' in plain(planned)
    assert "The new one has another id, other addresses and an empty disk." in plain(planned)
    planned = tf.write(other % "rebuild_on_image_change = true").plan()
    assert "updated in-place" in planned
    assert "All that is on its disk is erased." in plain(planned)
    tf.apply()
    second = tf.state()[ADDRESS]
    assert (second["id"], second["image"]) == (first["id"], "other")
    assert second["image_id"] != first["image_id"]
    tf.assert_no_changes()
    tf.destroy()


@pytest.mark.nightly
def test_key_change_plans_a_new_instance(tf: Workspace) -> None:
    tf.write(KEY + WEB % "ssh_keys = [andromede_ssh_key.key.id]").apply()
    tf.write(KEY + WEB % 'ssh_keys = ["key"]').assert_no_changes()
    planned = tf.write(KEY + WEB % "").plan()
    assert "ssh_keys: a new instance" in planned
    assert "must be replaced" in planned
    tf.destroy()


@pytest.mark.nightly
def test_import_replaces_nothing_for_unreadable_attributes(tf: Workspace, api: Api) -> None:
    text = KEY + WEB % "ssh_keys = [andromede_ssh_key.key.name]\nrebuild_on_image_change = true"
    tf.write(text).apply()
    tf.forget()
    tf.run("import", ADDRESS, "web")
    tf.run("import", "andromede_ssh_key.key", "key")
    planned = tf.plan()
    assert "must be replaced" not in planned
    assert "ssh_keys cannot be read" in planned
    tf.apply()
    tf.assert_no_changes()
    operations = api.get("operations", resource=tf.state()[ADDRESS]["id"])["items"]
    assert [each["kind"] for each in operations] == ["instance.create"]
    tf.destroy()


def test_name_and_id_of_one_resource_are_equal(tf: Workspace) -> None:
    tf.write(LAN + WEB % "networks = [andromede_network.lan.id]").apply()
    image = tf.state()[ADDRESS]["image_id"]
    named = WEB.replace('image  = "tiny"', f'image  = "{image}"')
    tf.write(LAN + named % 'networks = ["lan"]').assert_no_changes()
    tf.destroy()


def test_secret_user_data_is_in_no_state(tf: Workspace) -> None:
    secret = 'user_data_wo = "#cloud-config\\n# hush-hush"\nuser_data_wo_version = 1'
    assert "hush-hush" not in tf.write(WEB % secret).apply()
    assert "hush-hush" not in (tf.folder / "terraform.tfstate").read_text()
    assert "A version is needed" in tf.write(WEB % 'user_data_wo = "x"').refused()
    assert "Two user data" in tf.write(WEB % 'user_data_wo = "x"\nuser_data = "y"').refused()
    tf.write(WEB % secret).destroy()


def test_volumes_of_an_instance_change_in_place_and_outlive_it(tf: Workspace, api: Api) -> None:
    one = WEB % "volumes = [andromede_volume.data.id]"
    tf.write(DATA % "" + one).apply()
    volume = tf.state()["andromede_volume.data"]["id"]
    assert api.get(f"volumes/{volume}")["instance"]["name"] == "web"
    other = one.replace('image  = "tiny"', 'image  = "other"')
    tf.write(DATA % "" + other).apply()
    assert api.get(f"volumes/{volume}")["instance"]["id"] == tf.state()[ADDRESS]["id"]
    tf.write(DATA % "" + other.replace("[andromede_volume.data.id]", "[]"))
    assert "updated in-place" in tf.plan()
    tf.apply()
    assert api.get(f"volumes/{volume}")["instance"] is None
    tf.assert_no_changes()
    tf.destroy()


@pytest.mark.nightly
def test_a_volume_of_an_instance_is_replaced(tf: Workspace, api: Api) -> None:
    web = WEB % "volumes = [andromede_volume.data.id]"
    zone = 'zones = ["fr-idf-1"]'
    tf.write(DATA % zone + web).apply()
    first = tf.state()["andromede_volume.data"]["id"]
    tf.write(DATA % f'{zone}\nimage = "tiny"' + web)
    assert "must be replaced" in tf.plan()
    tf.apply()
    second = tf.state()["andromede_volume.data"]["id"]
    assert second != first
    assert [each["volume"]["id"] for each in api.get("instances/web")["attachments"]] == [second]
    assert [each["id"] for each in api.get("volumes")["items"]] == [second]
    tf.assert_no_changes()
    tf.destroy()


@pytest.mark.nightly
def test_a_volume_without_a_place_gets_it_with_its_attachment(tf: Workspace, api: Api) -> None:
    """The plan of a change does not promise that the zone stays null."""
    data = DATA % 'volume_type = "late"'
    tf.write(data).apply()
    assert tf.state()["andromede_volume.data"]["zone"] is None
    tf.assert_no_changes()
    attached = 'resource "andromede_volume_attachment" "it" {\n  instance = andromede_instance.web.id\n'
    attached += "  volume = andromede_volume.data.id\n}\n"
    tf.write(data.replace("= 1", "= 2") + WEB % "" + attached)
    assert (
        "(known after apply)" in tf.plan().partition("andromede_volume.data")[2].partition("zone")[2].partition("\n")[0]
    )
    tf.apply()
    assert api.get("volumes/data")["zone"] == api.get("instances/web")["zone"]
    tf.apply()
    tf.assert_no_changes()
    tf.destroy()


@pytest.mark.nightly
def test_a_volume_changes_type_and_grows_in_place_and_never_shrinks(tf: Workspace, api: Api) -> None:
    tf.write(DATA % "").apply()
    grown = DATA.replace("= 1", "= 2") % 'volume_type = "fast"'
    assert "updated in-place" in tf.write(grown).plan()
    tf.apply()
    volume = api.get("volumes/data")
    assert (volume["volume_type"], volume["limits"]["iops"], volume["size_gib"]) == ("fast", 100, 2)
    tf.assert_no_changes()
    refused = tf.write(DATA % "").refused()
    assert "A volume cannot shrink" in refused
    assert "main.tf line 3" in refused
    tf.write(grown).destroy()


def test_invalid_field_is_named_with_its_line(tf: Workspace) -> None:
    refused = tf.write(WEB % 'networks = [\n    "missing",\n  ]').refused()
    assert "network.not_found" in refused
    assert "main.tf line 6" in refused


def test_plan_warns_when_no_node_is_available(tf: Workspace) -> None:
    planned = tf.write(WEB % 'zones = ["de-rhein-1"]').plan()
    assert "As things stand, there is no place for it" in planned


@pytest.mark.nightly
def test_root_volume_is_kept_or_destroyed_with_the_instance(tf: Workspace, api: Api) -> None:
    tf.write(WEB % "keep_root_volume = true").apply()
    (attachment,) = api.get("instances/web")["attachments"]
    assert attachment["is_boot"] and api.get("instances/web")["keep_root_volume"]
    tf.assert_no_changes()
    tf.write(WEB % "keep_root_volume = false").apply()
    assert not api.get("instances/web")["keep_root_volume"]
    assert [each["id"] for each in api.get("instances/web")["attachments"]] == [attachment["id"]], "the same instance"
    tf.assert_no_changes()
    tf.destroy()
    assert api.get("volumes")["items"] == []


@pytest.mark.nightly
def test_boot_volume_has_a_type_of_its_own_and_outlives_the_instance(tf: Workspace, api: Api) -> None:
    system = DATA.replace("data", "system") % 'image = "tiny"\nvolume_type = "fast"'
    booted = WEB.replace('image  = "tiny"', "boot_volume = andromede_volume.system.id")
    tf.write(system + booted % "").apply()
    shown = api.get("instances/web")
    assert ([each["is_boot"] for each in shown["attachments"]], shown["root_volume_type"]) == ([True], "fast")
    tf.assert_no_changes()
    tf.write(system).apply()
    assert api.get("volumes/system")["state"] == "available"
    assert "image or boot_volume" in plain(tf.write(system + booted % 'image = "tiny"').refused())
    tf.write(system).destroy()
