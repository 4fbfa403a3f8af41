"""The main job, with real parts: a request becomes a running guest with its volume; then all it can go through."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.control_plane import ROOT
from scripts.polling import wait_until
from tests.cloud.conftest import Tenant
from tests.limits import PATIENCE_S

pytestmark = pytest.mark.lab


def do(tenant: Tenant, method: str, path: str, body: dict[str, object] | None = None) -> dict[str, object]:
    """A change, to its end; returns the operation."""
    answer = tenant.api.post(path, body) if method == "POST" else tenant.api.delete(path)
    ended = tenant.api.wait(answer["operation"])
    assert ended["state"] == "succeeded", ended["error"]
    return ended


def wait_for_ssh(tenant: Tenant, name: str, *, starts: int = 1) -> None:
    """Wait until the guest has started so many times, and answers."""
    ready = "ssh ready"
    wait_until(lambda: tenant.api.text(f"instances/{name}/console-log").count(ready) >= starts, limit_s=PATIENCE_S)


def in_guest(tenant: Tenant, name: str, command: str) -> str:
    instance = tenant.api.get(f"instances/{name}")
    return tenant.cloud.ssh(instance, tenant.api.get("networks/lan"), tenant.key, command)


def in_background(script: str) -> str:
    """Return a command that starts the script and returns; the script goes on after the end of the session.

    The script contains no single quotes. Busybox of Debian has no nohup.
    """
    return f"setsid sh -c '{script}' >/dev/null 2>&1 </dev/null &"


def by_tunnel(tenant: Tenant, name: str, command: str, home: Path, *options: str) -> str:
    """Run a command in the guest by the command line of a user, on a machine that does not reach the network.

    `options`: of `instance ssh`.
    """
    line = [sys.executable, "-P", "-m", "andromede_cli", "instance", "ssh", name, *options]
    line += ["-u", "root", "-i", str(tenant.key)]
    variables = {
        "ANDROMEDE_URL": tenant.api.url,
        "ANDROMEDE_TOKEN": tenant.api.token,
        "ANDROMEDE_PROJECT": str(tenant.api.client.project),
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "PYTHONPATH": os.pathsep.join(str(ROOT / "clients" / each) for each in ("sdk", "cli")),
    }
    done = subprocess.run(
        [*line, "--", command],
        env=os.environ | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_created_guest_has_its_name_key_address_and_volume(tenant: Tenant, tmp_path: Path) -> None:
    do(tenant, "POST", "volumes", {"name": "data", "size_gib": 1})
    tenant.api.wait(tenant.create("first", volumes=["data"])["operation"])
    instance, volume = tenant.api.get("instances/first"), tenant.api.get("volumes/data")
    wait_for_ssh(tenant, "first")
    seen = in_guest(tenant, "first", "hostname; cat /sys/block/vdb/serial; echo; ip -4 addr show eth0")
    name, serial, *addresses = seen.split()
    assert (name, serial) == ("first", volume["id"].replace("-", "")[:20])
    assert f"{instance['addresses'][0]['ip']}/24" in addresses
    assert (instance["state"], volume["state"]) == ("active", "in-use")
    assert by_tunnel(tenant, "first", "hostname; true", tmp_path).split() == ["first"]

    do(tenant, "POST", "volumes/data/actions/grow", {"size_gib": 2})
    assert in_guest(tenant, "first", "cat /sys/block/vdb/size").strip() == str(2 * 2**21)
    do(tenant, "DELETE", "instances/first/attachments/data")
    assert "vdb" not in in_guest(tenant, "first", "cat /proc/partitions")
    do(tenant, "POST", "instances/first/attachments", {"volume": "data"})
    assert "vdb" in in_guest(tenant, "first", "cat /proc/partitions")


def test_guest_is_stopped_started_rebooted_resized_and_deleted(tenant: Tenant) -> None:
    tenant.api.wait(tenant.create("cycle")["operation"])
    wait_for_ssh(tenant, "cycle")
    do(tenant, "POST", "instances/cycle/actions/reboot")
    wait_for_ssh(tenant, "cycle", starts=2)
    do(tenant, "POST", "instances/cycle/actions/reset")
    wait_for_ssh(tenant, "cycle", starts=3)
    do(tenant, "POST", "instances/cycle/actions/shutdown")
    assert tenant.api.get("instances/cycle")["state"] == "stopped"
    do(tenant, "POST", "instances/cycle/actions/resize", {"flavor": "small"})
    do(tenant, "POST", "instances/cycle/actions/start")
    wait_for_ssh(tenant, "cycle", starts=4)
    memory, size = in_guest(
        tenant, "cycle", "awk '/MemTotal/ {print $2}' /proc/meminfo; cat /sys/block/vda/size"
    ).split()
    assert int(memory) > 400 * 1024
    assert int(size) == tenant.api.get("instances/cycle")["disk_gib"] * 2**21
    do(tenant, "POST", "instances/cycle/actions/power-off")
    do(tenant, "DELETE", "instances/cycle")
    tenant.assert_clean_slate()


@pytest.mark.nightly
def test_guest_that_powers_itself_off_becomes_stopped(tenant: Tenant) -> None:
    tenant.api.wait(tenant.create("tired")["operation"])
    wait_for_ssh(tenant, "tired")
    in_guest(tenant, "tired", "poweroff")
    wait_until(lambda: tenant.api.get("instances/tired")["state"] == "stopped", limit_s=PATIENCE_S)


@pytest.mark.nightly
def test_guests_of_a_network_connect_and_forged_addresses_are_dropped(tenant: Tenant) -> None:
    zone = ["fr-idf-1"]
    for name in ("one", "two"):
        tenant.api.wait(tenant.create(name, zones=zone)["operation"])
        wait_for_ssh(tenant, name)
    other = tenant.api.get("instances/two")["addresses"][0]["ip"]
    assert "1 packets received" in in_guest(tenant, "one", f"ping -c 1 -W 5 {other}")
    forged = in_guest(
        tenant, "one", f"ip addr add 10.20.0.200/24 dev eth0; ping -c 1 -W 2 -I 10.20.0.200 {other} || echo refused"
    )
    assert "refused" in forged


@pytest.mark.nightly
def test_guest_boots_from_the_volume_that_another_one_wrote(tenant: Tenant) -> None:
    """A volume boots one guest, which writes to it, and then another one, which reads that."""
    do(tenant, "POST", "volumes", {"name": "system", "size_gib": 1, "image": "tiny"})
    at = 2**30 // 512 - 8  # in blocks: behind all that the image has
    write = f"echo kept | dd of=/dev/vda bs=512 seek={at} conv=notrunc 2>/dev/null; sync; echo written"
    read = f"dd if=/dev/vda bs=512 skip={at} count=1 2>/dev/null | head -c 4"
    for name, command, seen in (("writer", write, "written"), ("reader", read, "kept")):
        body = {"name": name, "flavor": "tiny", "boot_volume": "system", "networks": ["lan"], "ssh_keys": ["key"]}
        do(tenant, "POST", "instances", body)
        wait_for_ssh(tenant, name)
        assert in_guest(tenant, name, command).strip() == seen
        assert [each["is_boot"] for each in tenant.api.get(f"instances/{name}")["attachments"]] == [True]
        do(tenant, "DELETE", f"instances/{name}")
        assert tenant.api.get("volumes/system")["state"] == "available"
    do(tenant, "DELETE", "volumes/system")
    tenant.assert_clean_slate()
