"""The example application, built by real Terraform out of real guests: its whole life, and nothing left at its end."""

from pathlib import Path

import pytest

from clients.terraform.docs import EXAMPLES
from scripts.api import Api
from scripts.terraform import Installation, Workspace
from scripts.waiting import wait_until
from tests.cloud.conftest import ZONES, Tenant

pytestmark = [pytest.mark.lab, pytest.mark.slow]

WEB = "andromede_instance.web"
REBOOT = 'action "andromede_instance_reboot" "web" {\n  config {\n    instance = andromede_instance.web[0].id\n  }\n}\n'


def test_the_application_with_real_guests(tenant: Tenant, tmp_path: Path) -> None:
    stack = tenant.cloud.stack
    token, _ = tenant.cloud.make_project("terraform")
    api = Api(stack.url, token, project="terraform")
    tf = workspace(tmp_path, stack.url, token, tenant)
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
    wait_until(lambda: api.text("instances/web-0/console-log").count("ssh ready") == 2, limit_s=120)

    import_all(tf)
    assert "The policy stays in force" in tf.destroy()
    for kind in ("instances", "volumes", "networks", "affinity-groups", "ssh-keys"):
        assert api.get(kind)["items"] == []
    wait_until(lambda: not any(tenant.leftovers().values()), limit_s=60, or_else=lambda: str(tenant.leftovers()))
    api.close()


def workspace(folder: Path, url: str, token: str, tenant: Tenant) -> Workspace:
    installation = Installation(folder / "installation", "andromede", "clients.terraform.main").make()
    (folder / "tf").mkdir()
    variables = {
        "ANDROMEDE_URL": url,
        "ANDROMEDE_TOKEN": token,
        "TF_VAR_image": "tiny",
        "TF_VAR_flavor": "tiny",
        "TF_VAR_public_key": tenant.key.with_suffix(".pub").read_text().strip(),
    }
    return Workspace(folder / "tf", installation, variables)


def seen(tenant: Tenant, api: Api, name: str, device: str) -> None:
    """The guest runs, lets our key in, and has the device."""
    wait_until(lambda: api.text(f"instances/{name}/console-log").count("ssh ready") > 0, limit_s=120)
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
