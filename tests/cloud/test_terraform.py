"""Real Terraform with real guests: the example application, and an own image. Nothing is left at their ends."""

from pathlib import Path

import pytest

from clients.terraform.docs import EXAMPLES
from scripts.api import Api
from scripts.cloud import BUILT_IMAGES
from scripts.polling import wait_until
from scripts.terraform import Installation, Workspace
from tests.cloud.conftest import SSH_RULE, ZONES, Tenant
from tests.limits import PATIENCE_S

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.nightly]

WEB = "andromede_instance.web"
OWN = """
variable "image" {}
variable "flavor" {}
variable "public_key" {}
variable "file" {}

resource "andromede_ssh_key" "own" {
  name       = "own"
  public_key = var.public_key
}

resource "andromede_network" "own" {
  name = "application"
  cidr = "10.40.0.0/24"
}

resource "andromede_image" "own" {
  name        = "own"
  format      = "qcow2"
  source_file = var.file
}

resource "andromede_instance" "own" {
  name     = "own-0"
  flavor   = var.flavor
  image    = andromede_image.own.id
  networks = [andromede_network.own.id]
  ssh_keys = [andromede_ssh_key.own.id]
}

resource "andromede_volume" "own" {
  name          = "own"
  size_gib      = 1
  near_instance = andromede_instance.own.id
}

resource "andromede_volume_attachment" "own" {
  instance = andromede_instance.own.id
  volume   = andromede_volume.own.id
}
"""
REBOOT = 'action "andromede_instance_reboot" "web" {\n  config {\n    instance = andromede_instance.web[0].id\n  }\n}\n'


def test_example_application_runs_with_real_guests(tenant: Tenant, tmp_path: Path) -> None:
    token, _ = tenant.cloud.make_project("terraform")
    api = Api(tenant.cloud.stack.url, token, project="terraform")
    api.post("security-groups/default/rules", SSH_RULE)
    tf = workspace(tmp_path, token, tenant)
    main = (EXAMPLES / "application" / "main.tf").read_text()

    tf.write(main).apply()
    tf.assert_no_changes()
    assert sorted(tf.outputs()["zones"]) == sorted(ZONES.values())
    for number in range(2):
        seen(tenant, api, f"web-{number}", "vdb")

    grown = main.replace("size_gib      = 1", "size_gib      = 2").replace('"example"', '"sample"')
    tf.write(grown)
    assert "0 to add, 4 to change, 0 to destroy" in tf.plan()
    tf.apply()
    tf.assert_no_changes()
    assert in_guest(tenant, api, "web-0", "cat /sys/block/vdb/size").strip() == str(2 * 2**21)

    known = tf.state()
    before = known[f"{WEB}[0]"]["id"]
    tf.apply(f"-replace={WEB}[0]")
    tf.assert_no_changes()
    assert tf.state()[f"{WEB}[0]"]["id"] != before
    seen(tenant, api, "web-0", "vdb")

    tf.write(grown + REBOOT).apply("-invoke=action.andromede_instance_reboot.web")
    wait_until(lambda: api.text("instances/web-0/console-log").count("ssh ready") == 2, limit_s=PATIENCE_S)

    import_all(tf)
    assert "The policy stays in force" in tf.destroy()
    assert_nothing_left(api, tenant)


def test_own_image_and_attached_volume_work(tenant: Tenant, tmp_path: Path) -> None:
    token, _ = tenant.cloud.make_project("terraform-own")
    api = Api(tenant.cloud.stack.url, token, project="terraform-own")
    tf = workspace(tmp_path, token, tenant, TF_VAR_file=str(BUILT_IMAGES / "tiny.qcow2"))

    tf.write(OWN).apply()
    tf.assert_no_changes()
    seen(tenant, api, "own-0", "vdb")

    tf.apply("-replace=andromede_volume_attachment.own")
    tf.assert_no_changes()
    assert "vdb" in in_guest(tenant, api, "own-0", "cat /proc/partitions")

    import_all(tf)
    tf.destroy()
    assert_nothing_left(api, tenant)


def assert_nothing_left(api: Api, tenant: Tenant) -> None:
    for kind in ("instances", "volumes", "networks", "affinity-groups", "ssh-keys"):
        assert api.get(kind)["items"] == []
    assert "own" not in [image["name"] for image in api.get("images")["items"]]
    wait_until(
        lambda: not any(tenant.leftovers().values()), limit_s=PATIENCE_S, or_else=lambda: str(tenant.leftovers())
    )
    api.close()


def workspace(folder: Path, token: str, tenant: Tenant, **more: str) -> Workspace:
    installation = Installation(folder / "installation", "andromede", "clients.terraform.main").make()
    (folder / "tf").mkdir()
    variables = {
        "ANDROMEDE_URL": tenant.cloud.stack.url,
        "ANDROMEDE_TOKEN": token,
        "TF_VAR_image": "tiny",
        "TF_VAR_flavor": "tiny",
        "TF_VAR_public_key": tenant.key.with_suffix(".pub").read_text().strip(),
        **more,
    }
    return Workspace(folder / "tf", installation, variables)


def seen(tenant: Tenant, api: Api, name: str, device: str) -> None:
    """The guest runs, lets our key in, and has the device."""
    wait_until(lambda: api.text(f"instances/{name}/console-log").count("ssh ready") > 0, limit_s=PATIENCE_S)
    assert device in in_guest(tenant, api, name, "cat /proc/partitions")


def in_guest(tenant: Tenant, api: Api, name: str, command: str) -> str:
    return tenant.cloud.ssh(api.get(f"instances/{name}"), api.get("networks/application"), tenant.key, command)


def import_all(tf: Workspace) -> None:
    """Into an empty state. What the API does not answer is recorded by one more apply, which changes no guest."""
    known = tf.state()
    tf.forget()
    for address, values in known.items():
        ids = [values["project"], *([values["instance"]] if "attachment" in address else []), values.get("id")]
        tf.run("import", address, "/".join(part for part in ids if part))
    printed = tf.apply()
    assert "0 added" in printed
    assert "0 destroyed" in printed
    tf.assert_no_changes()
    assert {address: values.get("id") for address, values in tf.state().items()} == {
        address: values.get("id") for address, values in known.items()
    }
