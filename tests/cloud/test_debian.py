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

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.nightly]

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
MARK = "----"


@pytest.fixture(scope="module")
def dual(real_tenant: Tenant) -> str:
    """Return the name of a network with both families."""
    body = {"name": "dual", "cidr": "10.22.0.0/24", "ipv6_cidr": "fd22:1:2:3::/64"}
    return str(real_tenant.api.post("networks", body)["name"])


@pytest.mark.parametrize("reboots", [False, True])
def test_debian_guest_follows_its_cloud_init_and_reboots(tenant: Tenant, dual: str, reboots: bool) -> None:
    """A boot takes over a minute of a processor."""
    tenant.cloud.add_image("debian-13")
    more = {"metadata": "open"} if reboots else {}
    created = tenant.create("trixie", flavor="small", image="debian-13", networks=[dual], user_data=USER_DATA, **more)
    assert tenant.api.wait(created["operation"])["state"] == "succeeded"
    wait_for_logins(tenant, 1)
    instance, network = tenant.api.get("instances/trixie"), tenant.api.get(f"networks/{dual}")

    def in_guest(command: str) -> str:
        return tenant.cloud.ssh(instance, network, tenant.key, command, user="debian").strip()

    assert_configured(in_guest)
    assert_addressed(instance, in_guest)
    failed_units, root_mib = answers(in_guest, "systemctl --failed --no-legend --plain", "df -P -m / | awk 'NR == 2'")
    assert failed_units == ""
    assert int(root_mib.split()[1]) / 1024 > 0.85 * instance["disk_gib"], "root fills the disk"
    node = tenant.cloud.node(next(name for name, zone in ZONES.items() if zone == instance["zone"]))
    ping = ["virsh", "qemu-agent-command", guest_name(UUID(instance["id"])), '{"execute": "guest-ping"}']
    assert json.loads(node.exec(ping).stdout) == {"return": {}}

    if reboots:
        reboot(tenant, in_guest)
        assert_configured(in_guest)
        assert METADATA_URL in in_guest("cloud-init query subplatform")
    stopped = tenant.api.wait(tenant.api.post("instances/trixie/actions/shutdown")["operation"])
    assert stopped["state"] == "succeeded"


def answers(in_guest: Callable[[str], str], *commands: str) -> list[str]:
    """Return what each command prints, all by one login: each takes seconds of a processor."""
    return [each.strip() for each in in_guest(f" && echo {MARK} && ".join(commands)).split(MARK)]


def assert_configured(in_guest: Callable[[str], str]) -> None:
    """Check what cloud-init has done, once it has ended."""
    commands = ("cloud-init status --wait", "hostname", "cat /etc/andromede-test")
    assert answers(in_guest, *commands) == ["status: done", "trixie", "written by cloud-init"]


def assert_addressed(instance: dict[str, Any], in_guest: Callable[[str], str]) -> None:
    """Check the addresses of both families, and the router that advertisements have announced."""
    ipv4, ipv6 = (each["ip"] for each in instance["addresses"])
    commands = ("ip -4 addr show", "ip -6 addr show scope global", "ip -6 route show")
    shown_ipv4, shown_ipv6, routes = answers(in_guest, *commands)
    assert f"{ipv4}/24" in shown_ipv4
    assert f"{ipv6}/64" in shown_ipv6
    assert re.search("^default .*via fe80::1 dev eth0 proto ra", routes, re.MULTILINE)


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
