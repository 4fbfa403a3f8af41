"""Making labs, repeating it, and removing every trace of them."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from agents.lab import Lab, LabError, LabNode, network
from agents.lab.cgroups import Hierarchy, hierarchies
from agents.lab.shell import run

pytestmark = pytest.mark.lab

A_LAB = re.compile(r"\blab-[0-9a-f]{6}\b")


@pytest.fixture
def other_lab(lab: Lab) -> Iterator[Lab]:
    """A lab beside that of the session, not yet up. tmp_path is too long for its sockets."""
    with TemporaryDirectory(prefix="lab-") as folder:
        other = Lab(Path(folder) / "lab")
        yield other
        other.remove()


def mounts_and_links(own: Lab) -> list[str]:
    """Return mounts and links but those of other labs: tests that run beside these switch nodes off and on."""
    lines = [*Path("/proc/mounts").read_text().splitlines(), *run(["ip", "-brief", "link"]).splitlines()]
    return sorted(line for line in lines if own.id in line or A_LAB.search(line) is None)


def daemons(node: LabNode) -> list[int]:
    return [pid for name in ("tini", "virtlogd", "libvirtd") for pid in node.pids(name)]


def test_up_is_idempotent_and_down_leaves_no_trace(other_lab: Lab) -> None:
    before = mounts_and_links(other_lab)
    [node] = other_lab.up(["hv1"])
    pids = daemons(node)

    [same] = other_lab.up(["hv1"])
    assert daemons(same) == pids
    other_lab.down()
    other_lab.down()

    assert other_lab.traces() == []
    assert mounts_and_links(other_lab) == before
    assert not [pid for pid in pids if Path("/proc", str(pid), "exe").exists()]


def test_down_keeps_the_disks_of_the_nodes(other_lab: Lab) -> None:
    [node] = other_lab.up(["hv1"])
    node.exec(["touch", "/var/lib/libvirt/kept", "/run/lost"])
    address = node.address
    other_lab.down()

    [node] = other_lab.up(["hv1"])

    assert node.address == address
    assert node.exec(["ls", "/var/lib/libvirt/kept"]).returncode == 0
    assert node.exec(["ls", "/run/lost"], check=False).returncode != 0


def test_two_labs_are_separate(lab: Lab, other_lab: Lab) -> None:
    [node] = other_lab.up(["hv1"])

    assert node.address != lab.node("hv1").address
    assert not set(node.pids()) & set(lab.node("hv1").pids())
    other_lab.down()
    assert lab.node("hv1").is_on


def test_down_removes_a_lab_whose_folder_was_moved(other_lab: Lab) -> None:
    other_lab.up(["hv1"])
    other_lab.folder.rename(other_lab.folder.with_name("elsewhere"))
    assert other_lab.traces()

    other_lab.down()

    assert other_lab.traces() == []


def test_incomplete_lab_can_be_finished_or_removed(other_lab: Lab) -> None:
    other_lab.up(["hv1"])
    other_lab.node("hv1").power_off()
    run(["ip", "link", "delete", other_lab.switch_netns])
    run(["ip", "netns", "add", other_lab.node("hv1").netns])

    [node] = other_lab.up(["hv1"])
    run(["ping", "-c", "1", "-W", "5", node.address])

    run(["ip", "link", "delete", other_lab.switch_netns])
    run(["ip", "netns", "delete", node.netns])
    other_lab.down()
    assert other_lab.traces() == []


def test_used_subnet_is_not_reused(other_lab: Lab) -> None:
    wanted = network.free_subnet(other_lab.id)
    other_lab.up([])

    assert network.free_subnet(other_lab.id) != wanted


@pytest.mark.parametrize("name", ["", "HV", "1hv", "a/b", "../x", "shared", "pki", "name-too-long-1"])
def test_invalid_names_are_refused(other_lab: Lab, name: str) -> None:
    with pytest.raises(LabError):
        other_lab.up([name])
    assert other_lab.traces() == []


def test_lab_commands(tmp_path: Path) -> None:
    """The name is short: pytest's folder has it, and libvirt's sockets have room for a short path."""

    def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "agents.lab", *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    where = ["--dir", str(tmp_path / "lab")]
    try:
        assert cli("up", "--nodes", "1", *where).returncode == 0
        assert cli("exec", "hv1", *where, "--", "sh", "-c", "hostname; exit 3").returncode == 3
        assert cli("power-off", "hv1", *where).returncode == 0
        assert " off " in cli("status", *where).stdout
        refused = cli("exec", "hv1", *where, "--", "true")
        assert (refused.returncode, refused.stderr) == (1, "lab: Node hv1 is off.\n")
    finally:
        assert cli("down", "--remove-files", *where).returncode == 0
    assert not (tmp_path / "lab").exists()


def test_control_groups_of_both_versions_are_recognised() -> None:
    v1 = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n"
    named = "cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0\n"
    v2 = "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"
    hybrid = v1 + named + "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"

    only_v1 = [Hierarchy(Path("/sys/fs/cgroup/cpu,cpuacct"), ("cpu", "cpuacct"))]
    assert hierarchies(hybrid) == only_v1
    assert hierarchies(v2) == [Hierarchy(Path("/sys/fs/cgroup"))]
