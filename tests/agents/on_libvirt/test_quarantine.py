"""A real stranger with a disk in the agent's folder, a file that somebody left there, and a tap: found, kept from doing
harm, put back and destroyed."""

from collections.abc import Iterator

import pytest

from agents.lab import LabNode
from agents.protocol import agent_pb2 as pb
from tests.agents import specs
from tests.agents.conftest import refusal
from tests.agents.on_libvirt.lab import LabAgent
from tests.pki import Issued, TestCA

pytestmark = pytest.mark.lab

LETS_ALL_START = b"#!/bin/sh\nexit 0\n"
TAP = "tap0123456789a"
STRANGER = """
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices>{devices}</devices>
</domain>
"""
DISK = "<disk type='file'><driver type='qcow2'/><source file='{file}'/><target dev='vda' bus='virtio'/></disk>"


@pytest.fixture(scope="module")
def agent(lab_node: LabNode, ca: TestCA, worker: Issued) -> Iterator[LabAgent]:
    agent = LabAgent(lab_node, worker)
    agent.enrol(ca)
    yield agent
    agent.kill()


@pytest.fixture
def strangers(agent: LabAgent) -> Iterator[None]:
    """Two guests that root started past the hook: one of them from a disk in the agent's folder; and a tap."""
    file = agent.node.state_dir / "volumes" / "theirs.qcow2"
    agent.node.exec(["qemu-img", "create", "-q", "-f", "qcow2", str(file), "1M"])
    agent.node.exec(["ip", "tuntap", "add", TAP, "mode", "tap"])
    agent.node.exec(["ip", "link", "set", TAP, "up"])
    hook = agent.node.hook.read_bytes()
    agent.node.hook.write_bytes(LETS_ALL_START)
    try:
        for name, devices in (("thief", DISK.format(file=file)), ("harmless", "")):
            text = STRANGER.format(name=name, devices=devices)
            agent.node.exec(["virsh", "define", "/dev/stdin"], stdin=text)
            agent.node.exec(["virsh", "start", name])
    finally:
        agent.node.hook.write_bytes(hook)
    yield
    for name in ("thief", "harmless"):
        agent.node.exec(["virsh", "destroy", name], check=False)
        agent.node.exec(["virsh", "undefine", name], check=False)
    agent.node.exec(["ip", "link", "del", TAP], check=False)


def state(agent: LabAgent, name: str) -> str:
    return agent.node.exec(["virsh", "domstate", name]).stdout.strip()


def quarantine_request(kind: pb.StrayKind, name: str) -> pb.EnsureQuarantineRequest:
    return pb.EnsureQuarantineRequest(subject=specs.subject(), kind=kind, name=name)


@pytest.mark.usefixtures("strangers")
def test_unmanaged_resources_are_quarantined_released_and_discarded(agent: LabAgent) -> None:
    found = {each.name: each for each in agent.stub.Describe(pb.DescribeRequest()).strays}
    assert set(found) == {"thief", "harmless", "volumes/theirs.qcow2", TAP}
    assert (found["thief"].is_harmless, found["harmless"].is_harmless) == (False, True)
    assert found["thief"].size_bytes == 64 * 2**20
    thief, harmless = (quarantine_request(pb.STRAY_KIND_DOMAIN, name) for name in ("thief", "harmless"))
    file, tap = (
        quarantine_request(pb.STRAY_KIND_FILE, "volumes/theirs.qcow2"),
        quarantine_request(pb.STRAY_KIND_PORT, TAP),
    )

    assert refusal(lambda: agent.stub.EnsureQuarantine(file)).code == "agent.volume_in_use"
    for each in (thief, harmless, file, tap):
        assert agent.stub.EnsureQuarantine(each).is_present
    assert (state(agent, "thief"), state(agent, "harmless")) == ("paused", "running")
    folder = agent.node.state_dir
    assert agent.node.exec(["ls", str(folder / "volumes")]).stdout == ""
    kept = agent.node.exec(["cat", str(folder / "quarantine" / f"{thief.subject.id}.xml")]).stdout
    assert "theirs.qcow2" in kept
    assert "state DOWN" in agent.node.exec(["ip", "link", "show", TAP]).stdout

    for each in (file, thief):
        each.subject.generation, each.is_released = 2, True
        assert agent.stub.EnsureQuarantine(each).is_present
    assert state(agent, "thief") == "running"
    assert agent.node.exec(["ls", str(folder / "volumes")]).stdout.split() == ["theirs.qcow2"]

    for each in (thief, file, tap):
        each.subject.generation, each.is_released = 3, False
        agent.stub.EnsureQuarantine(each)
        assert agent.stub.RemoveQuarantine(specs.removal(each.subject)).is_present
    left = [each.name for each in agent.stub.Describe(pb.DescribeRequest()).strays]
    assert left == ["harmless"]
    names = agent.node.exec(["virsh", "list", "--all", "--name"]).stdout.split()
    assert names == ["harmless"]
    assert agent.node.exec(["ls", str(folder / "quarantine")]).stdout.split() == [
        f"{each.subject.id}.xml" for each in sorted((thief, harmless), key=lambda each: each.subject.id)
    ]
