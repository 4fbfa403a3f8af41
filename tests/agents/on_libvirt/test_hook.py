"""Starts behind the agent's back are refused by the hook, with real libvirtd and QEMU."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from agents.lab import Lab, LabNode
from agents.lab.shell import wait_until
from agents.node.adapters.interfaces import guest_name
from agents.protocol import agent_pb2 as pb
from tests.agents import specs
from tests.agents.on_libvirt.lab import LabAgent
from tests.pki import Issued, TestCA

pytestmark = pytest.mark.lab

STRANGER = """
<domain type='qemu'>
  <name>stranger</name>
  <memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
</domain>
"""
ONLY_RECONNECT = '#!/bin/sh\n[ "$2" = reconnect ]\n'
NEVER = "#!/bin/sh\nexit 1\n"


@pytest.fixture(scope="module")
def agent(lab_node: LabNode, ca: TestCA, worker: Issued) -> Iterator[LabAgent]:
    agent = LabAgent(lab_node, worker)
    agent.enrol(ca)
    yield agent
    agent.kill()


@pytest.fixture
def guest(agent: LabAgent) -> Iterator[pb.EnsureInstanceRequest]:
    """The spec of a guest that runs, from an empty disk."""
    root = specs.volume()
    agent.stub.EnsureVolume(root)
    spec = specs.instance(root)
    assert agent.stub.EnsureInstance(spec).power == pb.POWER_RUNNING
    yield spec
    wait_for_libvirt(agent)
    agent.stub.RemoveInstance(specs.removal(spec.subject, generation=99))
    agent.stub.RemoveVolume(specs.removal(root.subject))


@pytest.fixture
def stranger(agent: LabAgent) -> Iterator[str]:
    """A guest that somebody defined by hand."""
    agent.node.exec(["virsh", "define", "/dev/stdin"], stdin=STRANGER)
    yield "stranger"
    agent.node.exec(["virsh", "destroy", "stranger"], check=False)
    agent.node.exec(["virsh", "undefine", "stranger"])


@pytest.fixture
def changed_hook(agent: LabAgent) -> Iterator[Path]:
    """The hook, for a test that harms it; mended and honoured again at the end."""
    yield agent.node.hook
    agent.node.hook.unlink(missing_ok=True)
    hook_command(agent.node, "install")
    agent.restart_libvirtd()
    wait_for_libvirt(agent)
    assert hook_command(agent.node, "check")["is_active"]


def name_of(spec: pb.EnsureInstanceRequest) -> str:
    return guest_name(spec.subject.id)  # type: ignore[arg-type]


def refusal_of(node: LabNode, *arguments: str) -> str:
    """Return the error output of a virsh command that must fail."""
    done = node.exec(["virsh", *arguments], check=False)
    assert done.returncode != 0, done.stdout
    return done.stderr


def hook_command(node: LabNode, command: str) -> dict[str, object]:
    socket = str(node.state_dir / "hook.sock")
    done = node.exec([sys.executable, "-m", "agents.node.hook", command, "--socket", socket], check=False)
    answer = json.loads(done.stdout) if command == "check" else {}
    assert done.returncode == (0 if answer.get("is_active", True) else 1), done.stderr
    return dict(answer)


def wait_for_libvirt(agent: LabAgent) -> None:
    """Until the agent has found it again."""

    def answers() -> bool:
        try:
            agent.stub.Describe(pb.DescribeRequest())
        except grpc.RpcError:
            return False
        return True

    wait_until(answers, what="the agent to find libvirtd")


def qemu_pid(agent: LabAgent) -> int:
    (pid,) = agent.node.guest_pids()
    return pid


def restart_libvirtd_and_look(agent: LabAgent, spec: pb.EnsureInstanceRequest) -> str:
    """The guest's state once libvirtd has found its QEMU again, or has not."""
    agent.restart_libvirtd()
    return agent.node.exec(["virsh", "domstate", name_of(spec)]).stdout.strip()


def test_unmanaged_guest_does_not_start(agent: LabAgent, stranger: str) -> None:
    assert "andromede: The agent of this node was never told of" in refusal_of(agent.node, "start", stranger)
    create = ["virsh", "create", "/dev/stdin"]
    transient = agent.node.exec(create, stdin=STRANGER.replace(">stranger<", ">other<"), check=False)
    assert transient.returncode != 0
    assert "was never told of" in transient.stderr
    assert agent.node.guest_pids() == []


def test_stopped_guest_is_not_started_by_hand(agent: LabAgent, guest: pb.EnsureInstanceRequest) -> None:
    agent.stub.EnsureInstance(specs.next_generation(guest, power=pb.POWER_OFF))
    assert "is not wanted running on this node" in refusal_of(agent.node, "start", name_of(guest))
    restarted = specs.next_generation(specs.next_generation(guest))
    assert agent.stub.EnsureInstance(restarted).power == pb.POWER_RUNNING


def test_guest_of_the_agent_is_not_started_by_hand(agent: LabAgent, guest: pb.EnsureInstanceRequest) -> None:
    """Its permit was for the start that the agent made."""
    agent.node.exec(["virsh", "destroy", name_of(guest)])
    assert "no permit is in force for it" in refusal_of(agent.node, "start", name_of(guest))
    assert agent.stub.EnsureInstance(guest).power == pb.POWER_RUNNING


def test_refused_permit_starts_no_guest(agent: LabAgent, guest: pb.EnsureInstanceRequest) -> None:
    agent.node.exec(["virsh", "destroy", name_of(guest)])
    later = specs.next_generation(guest)
    for changes in ({"zone": "us-va-1"}, {"node": specs.new_id()}, {"op": "instance.resize"}):
        later.permit.CopyFrom(agent.stub.permit_for(later, **changes))
        with pytest.raises(grpc.RpcError):
            agent.stub.bare.EnsureInstance(later)
    assert agent.node.guest_pids() == []


def test_no_guest_starts_while_the_agent_is_down(agent: LabAgent, guest: pb.EnsureInstanceRequest) -> None:
    agent.node.exec(["virsh", "destroy", name_of(guest)])
    agent.kill()
    try:
        assert "andromede: the agent does not answer at" in refusal_of(agent.node, "start", name_of(guest))
    finally:
        agent.start()
    assert "no permit is in force for it" in refusal_of(agent.node, "start", name_of(guest))


def test_saved_memory_is_not_restored_by_hand(agent: LabAgent, guest: pb.EnsureInstanceRequest) -> None:
    image = str(agent.node.folder / "lib/saved")
    agent.node.exec(["virsh", "save", name_of(guest), image])
    agent.stub.EnsureInstance(specs.next_generation(guest, power=pb.POWER_OFF))
    assert "is not wanted running on this node" in refusal_of(agent.node, "restore", image)
    assert '"operation": "restore"' in agent.log.read_text()


def test_guest_does_not_move_to_a_node_whose_agent_is_silent(agent: LabAgent, guest: pb.EnsureInstanceRequest) -> None:
    pid = qemu_pid(agent)
    (other,) = Lab(agent.node.folder.parent).up(["hv2"])
    target = f"qemu+tls://{other.address}/system?pkipath=/etc/libvirt/pki"
    try:
        words = refusal_of(agent.node, "migrate", "--live", "--p2p", "--tls", "--unsafe", name_of(guest), target)
    finally:
        other.power_off()
    assert f"andromede: the agent does not answer at {other.state_dir}" in words
    assert qemu_pid(agent) == pid


@pytest.mark.parametrize("agent_is", ["up", "away"])
def test_libvirtd_restart_keeps_the_guest(agent: LabAgent, guest: pb.EnsureInstanceRequest, agent_is: str) -> None:
    pid = qemu_pid(agent)
    if agent_is == "away":
        agent.kill()
    try:
        assert restart_libvirtd_and_look(agent, guest) == "running"
        assert qemu_pid(agent) == pid
    finally:
        if agent_is == "away":
            agent.start()
    if agent_is == "up":
        wait_until(lambda: '"operation": "reconnect"' in agent.log.read_text(), what="libvirt's report")


@pytest.mark.nightly
def test_restart_loses_no_guest_when_only_the_reconnection_passes(
    agent: LabAgent, guest: pb.EnsureInstanceRequest, changed_hook: Path
) -> None:
    pid = qemu_pid(agent)
    changed_hook.write_text(ONLY_RECONNECT)
    assert restart_libvirtd_and_look(agent, guest) == "running"
    assert qemu_pid(agent) == pid


@pytest.mark.nightly
def test_hook_that_fails_a_reconnection_ends_the_guest(
    agent: LabAgent, guest: pb.EnsureInstanceRequest, changed_hook: Path
) -> None:
    """The trap that the hook avoids. If libvirt ever changes this, the tests above prove less than they seem to."""
    changed_hook.write_text(NEVER)
    agent.restart_libvirtd()
    wait_until(lambda: agent.node.guest_pids() == [], what="libvirt to end the guest")


def test_missing_or_changed_hook_is_reported(agent: LabAgent, changed_hook: Path, stranger: str) -> None:
    sound = hook_command(agent.node, "check")
    assert (sound["is_active"], sound["problem"]) == (True, "")

    changed_hook.write_text("#!/bin/sh\nexit 0\n")
    altered = hook_command(agent.node, "check")
    assert "not the hook of this agent" in str(altered["problem"])
    assert altered["sha256"] != sound["sha256"]

    changed_hook.unlink()
    gone = hook_command(agent.node, "check")
    assert (gone["sha256"], gone["is_active"]) == ("", False)
    agent.node.exec(["virsh", "start", stranger])  # what the report is about: nobody is asked any more

    hook_command(agent.node, "install")
    late = hook_command(agent.node, "check")
    assert late["sha256"] == sound["sha256"]
    assert "libvirtd has run since before" in str(late["problem"])
