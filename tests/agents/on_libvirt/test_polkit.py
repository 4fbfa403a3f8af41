"""Calls that no hook sees are refused by polkit to all but the agent: real polkitd, bus, libvirtd and QEMU."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.lab import LabNode
from agents.lab.shell import wait_until
from agents.node import hook
from agents.node.adapters.interfaces import guest_name
from agents.protocol import agent_pb2 as pb
from tests.agents import specs
from tests.agents.on_libvirt.lab import LabAgent
from tests.pki import Issued, TestCA

pytestmark = pytest.mark.lab

RULES = Path(hook.__file__).parent / "polkit/00-andromede.rules"
STRANGER, OTHER_AGENT = "mail", "daemon"  # two users that every Debian has
# A rule of the node's owner that is too generous, and comes after ours.
GENEROUS = """
polkit.addRule(function (action, subject) {
    return action.id.indexOf("org.libvirt.") === 0 ? polkit.Result.YES : polkit.Result.NOT_HANDLED;
});
"""
SETTINGS = """
access_drivers = ["polkit"]
unix_sock_rw_perms = "0777"
"""


@pytest.fixture(scope="module")
def reserved_node(lab_node: LabNode) -> Iterator[LabNode]:
    """A node with polkitd on a bus of its own, whose libvirtd lets all users connect and asks about each call."""
    settings = lab_node.folder / "etc/libvirtd.conf"
    before = settings.read_text()
    others = [line for line in before.splitlines() if not line.startswith("unix_sock_rw_perms")]
    rules = lab_node.folder / "rules"
    write_rules(rules, agent_user="root")
    lab_node.exec(["mount", "--bind", str(rules), "/etc/polkit-1/rules.d"])
    lab_node.exec(["mkdir", "-p", "/run/dbus"])
    log = lab_node.folder / "polkit.log"
    bus = lab_node.spawn(["dbus-daemon", "--system", "--nofork", "--nopidfile"], log=log)
    wait_until((lab_node.folder / "run/dbus/system_bus_socket").exists, what="the bus")
    as_polkitd = ["setpriv", "--reuid=polkitd", "--regid=polkitd", "--init-groups"]
    polkitd = lab_node.spawn([*as_polkitd, "/usr/lib/polkit-1/polkitd", "--no-debug"], log=log)
    wait_until(lambda: is_owned(lab_node, "org.freedesktop.PolicyKit1"), what="polkitd")
    settings.write_text("\n".join(others) + SETTINGS)
    restart_libvirtd(lab_node)
    yield lab_node
    polkitd.stop()
    bus.stop()
    lab_node.exec(["umount", "/etc/polkit-1/rules.d"])
    settings.write_text(before)
    restart_libvirtd(lab_node)


@pytest.fixture(scope="module")
def agent(reserved_node: LabNode, ca: TestCA, worker: Issued) -> Iterator[LabAgent]:
    agent = LabAgent(reserved_node, worker)
    agent.enrol(ca)
    yield agent
    agent.kill()


@pytest.fixture(scope="module")
def guest(agent: LabAgent) -> Iterator[str]:
    """The name of a guest that the agent started, as root and past polkit."""
    root, data = specs.volume(), specs.volume()
    agent.stub.EnsureVolume(root)
    agent.stub.EnsureVolume(data)
    spec = specs.instance(root)
    assert agent.stub.EnsureInstance(spec).power == pb.POWER_RUNNING
    plugged = specs.attachment(spec, data)
    assert agent.stub.EnsureAttachment(plugged).serial
    yield guest_name(spec.subject.id)  # type: ignore[arg-type]
    agent.stub.RemoveInstance(specs.removal(spec.subject))
    agent.stub.RemoveAttachment(specs.removal(plugged.subject))
    for volume in (root, data):
        agent.stub.RemoveVolume(specs.removal(volume.subject))


def write_rules(folder: Path, *, agent_user: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "50-generous.rules").write_text(GENEROUS)
    rules = RULES.read_text()
    assert 'AGENT_USER = "root"' in rules
    (folder / RULES.name).write_text(rules.replace('AGENT_USER = "root"', f'AGENT_USER = "{agent_user}"'))


def is_owned(node: LabNode, name: str) -> bool:
    ask = ["dbus-send", "--system", "--print-reply", "--dest=org.freedesktop.DBus", "/"]
    return "true" in node.exec([*ask, "org.freedesktop.DBus.NameHasOwner", f"string:{name}"]).stdout


def restart_libvirtd(node: LabNode) -> None:
    node.kill_libvirtd()
    node.start_libvirtd()


def virsh(node: LabNode, user: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["virsh", "--connect", "qemu:///system", *arguments]
    return node.exec(["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", *command], check=False)


@pytest.mark.parametrize(
    "command",
    [
        ["attach-disk", "GUEST", "/etc/hostname", "vdz", "--live"],
        ["attach-device", "GUEST", "/dev/stdin"],
        ["detach-disk", "GUEST", "vdb"],
        ["save", "GUEST", "/tmp/saved"],
        ["managedsave", "GUEST"],
        ["dump", "GUEST", "/tmp/dumped", "--memory-only"],
        ["blockcopy", "GUEST", "vda", "/tmp/copied", "--transient-job"],
        ["snapshot-create-as", "GUEST", "now"],
        ["backup-begin", "GUEST"],
        ["screenshot", "GUEST"],
        ["qemu-monitor-command", "GUEST", '{"execute": "query-status"}'],
        ["destroy", "GUEST"],
        ["undefine", "GUEST"],
        ["migrate", "--live", "--p2p", "GUEST", "qemu+tls://10.0.0.1/system"],
        ["dumpxml", "--security-info", "GUEST"],
    ],
    ids=lambda command: command[0],
)
def test_other_users_than_the_agent_are_refused(agent: LabAgent, guest: str, command: list[str]) -> None:
    done = virsh(agent.node, STRANGER, *[guest if word == "GUEST" else word for word in command])
    assert done.returncode != 0
    assert "access denied" in done.stderr


def test_remote_user_is_refused(agent: LabAgent, guest: str) -> None:
    """Certificates say who may connect; polkit knows local users only."""
    remote = f"qemu+tls://{agent.node.address}/system?pkipath=/etc/libvirt/pki"
    done = agent.node.exec(["virsh", "--connect", remote, "suspend", guest], check=False)
    assert done.returncode != 0
    assert "access denied" in done.stderr


def test_other_users_may_read(agent: LabAgent, guest: str) -> None:
    assert guest in virsh(agent.node, STRANGER, "list", "--name").stdout
    assert virsh(agent.node, STRANGER, "domstate", guest).stdout.strip() == "running"


def test_agent_user_may_act_when_it_is_not_root(agent: LabAgent, guest: str) -> None:
    assert "access denied" in virsh(agent.node, OTHER_AGENT, "suspend", guest).stderr
    write_rules(agent.node.folder / "rules", agent_user=OTHER_AGENT)
    try:
        wait_until(lambda: virsh(agent.node, OTHER_AGENT, "suspend", guest).returncode == 0, what="polkitd to read it")
        assert virsh(agent.node, OTHER_AGENT, "resume", guest).returncode == 0
        assert "access denied" in virsh(agent.node, STRANGER, "suspend", guest).stderr
    finally:
        write_rules(agent.node.folder / "rules", agent_user="root")
