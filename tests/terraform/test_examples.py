"""Every example of the documents is run."""

from pathlib import Path

import pytest

from clients.terraform.docs import EXAMPLES, PAGES, documents
from scripts.api import Api
from scripts.terraform import Workspace
from tests.nightly import thinned
from tests.terraform.conftest import InProject
from tests.terraform.fake_cloud import LIMITED, make_image

SINGLE = sorted([*EXAMPLES.glob("*/*.tf")])
APPLICATION, DATABASE, SHOP = (EXAMPLES / name / "main.tf" for name in ("application", "database", "shop"))
ALONE = (APPLICATION, DATABASE, SHOP, EXAMPLES / "resources" / "policy.tf")


RULE = "andromede_security_group_rule.http"


@pytest.mark.slow
@pytest.mark.parametrize(
    "example",
    thinned([path for path in SINGLE if path not in ALONE], keep_every=9),
    ids=lambda path: str(path.relative_to(EXAMPLES)),
)
def test_an_example_is_applied_and_changes_nothing_afterwards(wide: Workspace, example: Path, tmp_path: Path) -> None:
    tf = wide
    tf.is_debugged = "alias" not in (text := example.read_text())
    tf.variables["TF_VAR_file"] = str(make_image(tmp_path / "mine.qcow2"))
    tf.write(text).apply()
    tf.assert_no_changes()
    tf.destroy()


@pytest.mark.slow
@pytest.mark.nightly
def test_policy_example_is_applied(in_project: InProject) -> None:
    tf, api = in_project("example")
    tf.write((EXAMPLES / "resources" / "policy.tf").read_text()).apply()
    tf.assert_no_changes()
    assert {clause["id"] for clause in api.get("policy")["atoms"]} == {"home", "land"}


@pytest.mark.slow
def test_application_example_is_applied_and_destroyed(in_project: InProject) -> None:
    tf, api = in_project("application")
    tf.write(APPLICATION.read_text()).apply()
    tf.assert_no_changes()
    assert sorted(tf.outputs()["zones"]) == ["fr-idf-1", "fr-idf-2"]
    assert [volume["instance"]["name"] for volume in api.get("volumes", sort="name")["items"]] == ["web-0", "web-1"]
    assert "The policy stays in force" in tf.destroy()
    for kind in ("instances", "volumes", "networks", "affinity-groups", "ssh-keys"):
        assert api.get(kind)["items"] == []
    tf.apply()
    tf.assert_no_changes()
    tf.destroy()


@pytest.mark.slow
@pytest.mark.nightly
def test_network_example_is_applied_changed_destroyed_and_recreated(tf: Workspace, api: Api) -> None:
    text = SHOP.read_text()
    tf.write(text).apply()
    tf.assert_no_changes()
    before, www = tf.state(), api.get("public-addresses/www")
    assert (www["ip"], www["instance"]["name"]) == (tf.outputs()["address"], "shop-web")
    port = 'addresses       = ["10.30.0.10"]'
    assert port in text
    for old, new in (
        (port, 'addresses       = ["10.30.0.10", "fd4a:30::10"]'),
        ('cidr        = "10.30.0.0/24"', 'cidr        = "10.30.0.0/24"\n  ipv6_cidr   = "fd4a:30::/64"'),
        ("first_port     = 80", "first_port     = 443"),
    ):
        text = text.replace(old, new)
    tf.variables["TF_VAR_dns_servers"] = '["9.9.9.9"]'
    printed = tf.write(text).apply()
    assert "1 added, 3 changed, 1 destroyed" in printed, "all but the rule is changed in place"
    tf.assert_no_changes()
    assert {name: each["id"] for name, each in tf.state().items() if "id" in each and name != RULE} == {
        name: each["id"] for name, each in before.items() if "id" in each and name != RULE
    }
    for name in ("default", "backend"):
        assert api.get(f"networks/shop/subnets/{name}")["dns_servers"] == ["9.9.9.9"]
    tf.destroy()
    for kind in ("instances", "ports", "public-addresses", "networks"):
        assert api.get(kind)["items"] == []
    tf.apply()
    tf.assert_no_changes()
    tf.destroy()


@pytest.mark.slow
@pytest.mark.nightly
def test_database_example_is_applied_changed_destroyed_and_recreated(tf: Workspace, api: Api) -> None:
    tf.write(DATABASE.read_text()).apply()
    tf.assert_no_changes()
    before = ids_of(tf)
    disks = {each["volume"]["name"]: each["is_boot"] for each in api.get("instances/database")["attachments"]}
    assert disks == {"database-system": True, "database-data": False}
    assert api.get("volumes/database-trial")["snapshot"] == before["andromede_volume_snapshot.before_upgrade"]
    assert api.get("images/database")["source"]["id"] == before["andromede_volume_snapshot.system"]
    tf.variables |= {
        "TF_VAR_data_gib": "20",
        "TF_VAR_labels": '{ application = "database", env = "prod" }',
        "TF_VAR_snapshots_at": "03:15",
        "TF_VAR_trial_type": "local",
        "TF_VAR_volume_type": LIMITED["id"],
    }
    assert "0 added, 5 changed, 0 destroyed" in tf.apply()
    tf.assert_no_changes()
    assert ids_of(tf) == before
    data, trial = api.get("volumes/database-data"), api.get("volumes/database-trial")
    assert (data["size_gib"], data["limits"]["iops"]) == (20, LIMITED["iops"])
    assert data["labels"] == {"application": "database", "env": "prod", "snapshots": "nightly"}
    assert (trial["size_gib"], trial["volume_type"]) == (10, "local")
    assert "volume.move" in [each["kind"] for each in api.get("operations", resource=trial["id"])["items"]]
    assert api.get("snapshot-schedules/database-nightly")["at"] == "03:15"
    tf.destroy()
    assert_nothing_left(api)
    refused = tf.refused()
    assert "storage.snapshot.elsewhere" in refused and LIMITED["id"] in refused
    del tf.variables["TF_VAR_trial_type"]
    assert "1 added, 0 changed, 0 destroyed" in tf.apply()
    tf.assert_no_changes()
    tf.destroy()
    assert_nothing_left(api)


def ids_of(tf: Workspace) -> dict[str, str]:
    return {address: values["id"] for address, values in tf.state().items()}


def assert_nothing_left(api: Api) -> None:
    for kind in ("instances", "volumes", "snapshots", "snapshot-schedules"):
        assert api.get(kind)["items"] == []
    assert [image["name"] for image in api.get("images")["items"] if not image["is_public"]] == []


def test_generated_pages_are_current() -> None:
    for path, text in documents():
        assert (PAGES / path).read_text() == text, "run make terraform-docs"
