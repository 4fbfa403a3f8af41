"""A Debian guest with its own boot loader, cloud-init and guest agent, made through the API. It takes minutes to boot
where there is no KVM, so there is one for all that is to be seen of it."""

import json
import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from agents.node.adapters.interfaces import guest_name
from scripts.polling import wait_until
from tests.cloud.conftest import ZONES, Tenant

pytestmark = [pytest.mark.lab, pytest.mark.slow]

USER_DATA = """#cloud-config
write_files:
  - path: /etc/andromede-test
    content: written by cloud-init
"""
# cloud-init asks the address alone, and does not look for the seed disc.
METADATA_URL = "http://169.254.169.254/nocloud/"
BY_HTTP = f"""datasource_list: [NoCloud]
datasource:
  NoCloud:
    seedfrom: {METADATA_URL}
    fs_label: null
"""
BOOT_LIMIT_S = 900
LOGIN = "trixie login:"


@pytest.fixture(scope="module")
def dual(real_tenant: Tenant) -> str:
    """Return the name of a network with both families."""
    body = {"name": "dual", "cidr": "10.22.0.0/24", "ipv6_cidr": "fd22:1:2:3::/64"}
    return str(real_tenant.api.post("networks", body)["name"])


@pytest.mark.parametrize("reboots", [False, pytest.param(True, marks=pytest.mark.nightly)])
def test_debian_guest_follows_its_cloud_init_and_reboots(tenant: Tenant, dual: str, reboots: bool) -> None:
    """A boot takes over a minute of a processor: the gate has one."""
    tenant.cloud.add_image("debian-13")
    more = {"metadata": "open"} if reboots else {}
    created = tenant.create("trixie", flavor="small", image="debian-13", networks=[dual], user_data=USER_DATA, **more)
    assert tenant.api.wait(created["operation"])["state"] == "succeeded"
    wait_for_logins(tenant, 1)
    instance, network = tenant.api.get("instances/trixie"), tenant.api.get(f"networks/{dual}")

    def in_guest(command: str) -> str:
        return tenant.cloud.ssh(instance, network, tenant.key, command, user="debian").strip()

    assert in_guest("cloud-init status --wait") == "status: done"
    assert in_guest("hostname") == "trixie"
    assert in_guest("cat /etc/andromede-test") == "written by cloud-init"
    assert_addressed(instance, in_guest)
    assert in_guest("systemctl --failed --no-legend --plain") == ""
    root_gib = int(in_guest("df -P -m / | awk 'NR == 2 { print $2 }'")) / 1024
    assert root_gib > 0.85 * instance["disk_gib"], "root fills the disk"
    node = tenant.cloud.node(next(name for name, zone in ZONES.items() if zone == instance["zone"]))
    ping = ["virsh", "qemu-agent-command", guest_name(UUID(instance["id"])), '{"execute": "guest-ping"}']
    assert json.loads(node.exec(ping).stdout) == {"return": {}}

    if reboots:
        reboot(tenant, in_guest)
        assert in_guest("cloud-init status --wait") == "status: done"
        assert METADATA_URL in in_guest("cloud-init query subplatform")
        assert in_guest("hostname") == "trixie"
        assert in_guest("cat /etc/andromede-test") == "written by cloud-init"
    stopped = tenant.api.wait(tenant.api.post("instances/trixie/actions/shutdown")["operation"])
    assert stopped["state"] == "succeeded"


def assert_addressed(instance: dict[str, Any], in_guest: Callable[[str], str]) -> None:
    """Check the addresses of both families, and the router that advertisements have announced."""
    ipv4, ipv6 = (each["ip"] for each in instance["addresses"])
    assert f"{ipv4}/24" in in_guest("ip -4 addr show")
    assert f"{ipv6}/64" in in_guest("ip -6 addr show scope global")
    assert re.search("^default .*via fe80::1 dev eth0 proto ra", in_guest("ip -6 route show"), re.MULTILINE)


def reboot(tenant: Tenant, in_guest: Callable[[str], str]) -> None:
    """Reboot into a first boot, for which cloud-init reads the metadata service and not the seed disc."""
    in_guest(f"echo '{BY_HTTP}' | sudo tee /etc/cloud/cloud.cfg.d/99-http.cfg")
    in_guest("sudo rm /etc/andromede-test && sudo cloud-init clean --logs")
    in_guest("sudo update-grub")  # as a new kernel's package does; the next boot is by its menu
    rebooted = tenant.api.wait(tenant.api.post("instances/trixie/actions/reboot")["operation"])
    assert rebooted["state"] == "succeeded"
    wait_for_logins(tenant, 2)


def wait_for_logins(tenant: Tenant, times: int) -> None:
    wait_until(
        lambda: tenant.api.text("instances/trixie/console-log").count(LOGIN) >= times,
        limit_s=BOOT_LIMIT_S,
        every_s=3,
    )
