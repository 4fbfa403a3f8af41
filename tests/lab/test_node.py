"""Node of the lab: processes, network, power, and a libvirt of its own."""

import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from agents.lab import LabError, LabNode
from agents.lab.node_init import BOOT_ID
from agents.lab.shell import run, wait_until
from tests.lab.guests import Guest, ensure_bridge

pytestmark = pytest.mark.lab


def libvirt(node: LabNode, *arguments: str) -> str:
    return run(["virsh", "--quiet", "--connect", node.libvirt_uri, *arguments])


def test_node_has_its_own_name_address_and_processes(hv1: LabNode, hv2: LabNode) -> None:
    assert hv1.exec(["hostname"]).stdout == "hv1\n"
    # libvirt asks for it while a guest that migrates is paused: no name server may be needed.
    assert "hv1" in hv1.exec(["getent", "--service=files", "hosts", "hv1"]).stdout
    assert "tini" in hv1.exec(["cat", "/proc/1/comm"]).stdout
    addresses = hv1.exec(["ip", "-brief", "-4", "address", "show", "underlay0"]).stdout
    assert f"{hv1.address}/24" in addresses
    assert hv1.exec(["cat", "/proc/self/cgroup"]).stdout != Path("/proc/self/cgroup").read_text()
    assert not set(hv1.pids()) & set(hv2.pids())


def test_node_runs_commands_in_the_folder_of_the_caller(hv1: LabNode) -> None:
    assert hv1.exec(["pwd"]).stdout.strip() == str(Path.cwd())
    assert hv1.exec(["cat"], stdin="passed on").stdout == "passed on"
    assert hv1.exec(["sh", "-c", "echo $GIVEN"], env={"GIVEN": "a value"}).stdout == "a value\n"
    with pytest.raises(LabError, match="ended with 3: words"):
        hv1.exec(["sh", "-c", "echo words >&2; exit 3"])


def test_a_timeout_leaves_no_process_behind(hv1: LabNode) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        hv1.exec(["tail", "-f", "/dev/null"], timeout_s=0.2)
    wait_until(lambda: not hv1.pids("tail"), what="the command to end")


def test_spawned_processes_can_be_signalled_and_die_with_the_node(hv1: LabNode, tmp_path: Path) -> None:
    script = "trap 'echo ended; exit 5' TERM; echo begun; while :; do sleep 0.05; done"
    gentle = hv1.spawn(["sh", "-c", script], log=tmp_path / "gentle.log")
    wait_until(lambda: "begun" in (tmp_path / "gentle.log").read_text(), what="the script")
    assert gentle.pid in hv1.pids()
    assert gentle.stop() == 5
    assert (tmp_path / "gentle.log").read_text() == "begun\nended\n"

    killed = hv1.spawn(["sleep", "infinity"], log=tmp_path / "log")
    killed.signal(signal.SIGKILL)
    assert killed.wait(60) != 0

    left = hv1.spawn(["sleep", "infinity"], log=tmp_path / "log")
    hv1.power_off()
    assert left.wait(60) != 0
    assert hv1.pids() == []


def test_node_carries_tenant_networks_in_namespaces(hv1: LabNode) -> None:
    hv1.exec(["ip", "netns", "add", "tenant"])
    hv1.exec(["ip", "link", "add", "outer", "type", "veth", "peer", "name", "inner", "netns", "tenant"])
    hv1.exec(["ip", "address", "add", "10.9.0.1/24", "dev", "outer"])
    hv1.exec(["ip", "link", "set", "outer", "up"])
    hv1.exec(["ip", "-n", "tenant", "address", "add", "10.9.0.2/24", "dev", "inner"])
    hv1.exec(["ip", "-n", "tenant", "link", "set", "inner", "up"])
    hv1.exec(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"])
    hv1.exec(["ip", "netns", "exec", "tenant", "nft", "add table inet rules"])
    hv1.exec(["ip", "netns", "exec", "tenant", "dnsmasq", "--conf-file=/dev/null", "--test"])

    hv1.exec(["ping", "-c", "1", "-W", "5", "10.9.0.2"])
    assert "rules" in hv1.exec(["ip", "netns", "exec", "tenant", "nft", "list", "tables"]).stdout
    assert "tenant" not in run(["ip", "netns", "list"]), "the machine does not see it"
    hv1.power_off()
    hv1.start()
    assert hv1.exec(["ip", "netns", "list"]).stdout == ""
    assert "outer" not in hv1.exec(["ip", "link"]).stdout, "a power cut ends the network's configuration too"


def test_node_is_reachable_unless_unplugged(hv1: LabNode, hv2: LabNode, tmp_path: Path) -> None:
    server = hv1.spawn(["socat", "TCP-LISTEN:7000,fork,reuseaddr", "SYSTEM:hostname"], log=tmp_path / "log")

    def answers() -> bool:
        try:
            with socket.create_connection((hv1.address, 7000), timeout=1) as client:
                return client.recv(100) == b"hv1\n"
        except OSError:
            return False

    try:
        wait_until(answers, what="the server")
        hv1.unplug()
        assert not answers()
        assert libvirt(hv1, "list") is not None, "the daemon's socket needs no cable"
        hv1.plug()
        wait_until(answers, what="the cable")
        hv2.exec(["ping", "-c", "1", "-W", "5", hv1.address])
    finally:
        hv1.plug()
        server.stop()


def test_libvirt_knows_the_node_and_its_controllers(hv1: LabNode, hv2: LabNode) -> None:
    assert libvirt(hv1, "hostname").strip() == "hv1"
    uuids = {libvirt(node, "capabilities").split("<uuid>")[1][:36] for node in (hv1, hv2)}
    assert len(uuids) == 2
    assert hv1.libvirt_socket.stat().st_mode & 0o077 == 0, "whoever may connect is root"
    tls = f"qemu+tls://{hv2.address}/system?pkipath=/etc/libvirt/pki"
    assert hv1.exec(["virsh", "--connect", tls, "hostname"]).stdout.strip() == "hv2"


@pytest.mark.nightly
def test_guests_outlive_libvirtd(hv1: LabNode, tiny_image: Path, make_guest: Callable[..., Guest]) -> None:
    guest = make_guest(hv1, tiny_image)
    guest.virsh("schedinfo", guest.name, "--live", "--set", "vcpu_quota=50000")
    guest.wait_for("TINY: ssh ready")

    hv1.kill_libvirtd()
    assert guest.ssh("echo alive") == "alive"
    hv1.start_libvirtd()

    wait_until(lambda: guest.virsh("domcontrol", guest.name) == "ok", what="libvirtd to take the guest over")
    assert guest.state == "running"
    assert "50000" in guest.virsh("schedinfo", guest.name)


def test_a_power_cut_ends_guests_and_frees_their_disks(
    hv1: LabNode, hv2: LabNode, tiny_image: Path, make_guest: Callable[..., Guest]
) -> None:
    guest = make_guest(hv1, tiny_image)
    guest.wait_for("TINY: up")
    boot = hv1.exec(["cat", BOOT_ID]).stdout
    assert boot not in (hv2.exec(["cat", BOOT_ID]).stdout, Path(BOOT_ID).read_text())

    hv1.power_off()
    assert hv1.pids() == []
    run(["qemu-img", "check", "-q", str(guest.folder / "root.qcow2")])  # needs the lock that QEMU held
    hv1.start()

    assert guest.state == "shut off"
    assert hv1.exec(["cat", BOOT_ID]).stdout != boot


@pytest.mark.nightly
def test_guests_move_between_nodes(
    hv1: LabNode, hv2: LabNode, tiny_image: Path, make_guest: Callable[..., Guest]
) -> None:
    ensure_bridge(hv2)
    guest = make_guest(hv1, tiny_image)
    guest.wait_for("TINY: ssh ready")
    target = f"qemu+tls://{hv2.address}/system?pkipath=/etc/libvirt/pki"

    options = ["--live", "--p2p", "--tls", "--persistent", "--undefinesource"]
    guest.virsh("migrate", *options, guest.name, target)

    guest.node = hv2
    assert guest.state == "running"
    assert guest.ssh("hostname") == guest.name
