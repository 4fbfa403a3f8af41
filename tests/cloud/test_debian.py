"""A Debian guest with its own cloud-init and guest agent, made through the API."""

import pytest

from scripts.waiting import wait_until
from tests.cloud.conftest import Tenant

pytestmark = [pytest.mark.lab, pytest.mark.slow]

USER_DATA = """#cloud-config
write_files:
  - path: /etc/andromede-test
    content: written by cloud-init
"""
BOOT_LIMIT_S = 900


def test_cloud_init_gives_a_debian_guest_its_name_key_address_and_files(tenant: Tenant) -> None:
    tenant.cloud.add_image("debian-13")
    made = tenant.create("trixie", flavor="small", image="debian-13", user_data=USER_DATA)
    assert tenant.api.wait(made["operation"])["state"] == "succeeded"
    wait_until(lambda: "trixie login:" in tenant.api.text("instances/trixie/console-log"), limit_s=BOOT_LIMIT_S)
    instance, network = tenant.api.get("instances/trixie"), tenant.api.get("networks/lan")

    def in_guest(command: str) -> str:
        return tenant.cloud.ssh(instance, network, tenant.key, command, user="debian")

    assert in_guest("cloud-init status --wait").strip() == "status: done"
    assert in_guest("hostname").strip() == "trixie"
    assert in_guest("cat /etc/andromede-test").strip() == "written by cloud-init"
    assert f"{instance['addresses'][0]['ip']}/24" in in_guest("ip -4 addr show")
    assert in_guest("systemctl is-active qemu-guest-agent").strip() == "active"
    stopped = tenant.api.wait(tenant.api.post("instances/trixie/actions/shutdown")["operation"])
    assert stopped["state"] == "succeeded"
