"""Agent on a real node: guests boot, see their disks, and survive the end of programs."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from uuid import UUID

import grpc
import pytest

from agents.lab import LabNode
from agents.lab.shell import wait_until
from agents.node.adapters.network_specs import bridge_name, tap_name
from agents.protocol import agent_pb2 as pb
from tests.agents import specs
from tests.agents.conftest import refusal
from tests.agents.on_libvirt.lab import LabAgent
from tests.agents.viewers import AgentViewer, picture, shake_hands
from tests.limits import PATIENCE_S
from tests.nightly import thinned
from tests.pki import Issued, TestCA

pytestmark = [pytest.mark.lab, pytest.mark.slow]

MIB = specs.MIB
BOOTED = "web-1 login:"  # also the ACPI daemon is up by then


@pytest.fixture(scope="module")
def agent(lab_node: LabNode, ca: TestCA, worker: Issued) -> Iterator[LabAgent]:
    agent = LabAgent(lab_node, worker)
    agent.enrol(ca)
    yield agent
    agent.kill()


@pytest.fixture
def clean(agent: LabAgent) -> Iterator[None]:
    """Removes what the test made, and proves that the node then holds nothing of it."""
    yield
    held = agent.stub.Describe(pb.DescribeRequest())
    for state, remove in (
        *((s, agent.stub.RemoveInstance) for s in held.instances),
        *((s, agent.stub.RemoveAttachment) for s in held.attachments),
        *((s, agent.stub.RemovePort) for s in held.ports),
        *((s, agent.stub.RemoveVolume) for s in held.volumes),
    ):
        remove(specs.removal(state.subject))
    held = agent.stub.Describe(pb.DescribeRequest())
    assert not (held.instances or held.attachments or held.ports or held.volumes or held.unknown_domains)
    assert not list((agent.node.agent_folder / "volumes").iterdir())
    assert not list((agent.node.agent_folder / "instances").iterdir())
    assert not list((agent.node.agent_folder / "consoles").iterdir())
    assert "br0" not in agent.node.exec(["ip", "-br", "link", "show", "type", "bridge"]).stdout


@pytest.fixture
def guest(agent: LabAgent, clean: None, tiny_image: Path, ssh_key: Path) -> pb.EnsureInstanceRequest:
    """The spec of a tiny guest that has booted."""
    sha256 = agent.cache(tiny_image)
    root, port = specs.volume(size_mib=512, image=sha256), specs.port()
    agent.stub.EnsureVolume(root)
    agent.stub.EnsurePort(port)
    spec = specs.instance(root, port)
    spec.guest_data.ssh_public_keys[:] = [ssh_key.with_suffix(".pub").read_text().strip()]
    assert agent.stub.EnsureInstance(spec).power == pb.POWER_RUNNING
    agent.wait_for_console(spec.subject.id, BOOTED)
    return spec


def test_self_test_passes_on_a_working_node_and_leaves_nothing(agent: LabAgent, clean: None) -> None:
    def reported() -> pb.SelfTest:
        stream = agent.stub.Watch(pb.WatchRequest(heartbeat_interval_ms=60_000))
        beat = next(event.heartbeat for event in stream if event.HasField("heartbeat"))
        stream.cancel()
        return beat.self_test

    wait_until(lambda: reported().has_passed, what="the self-test to pass")
    assert "self-test" not in agent.node.exec(["ip", "-all", "netns", "exec", "ip", "-br", "link"]).stdout
    assert agent.node.exec(["ip", "netns", "list"]).stdout.split() == []


def qemu_pid(agent: LabAgent) -> int:
    (pid,) = agent.node.guest_pids()
    return pid


@pytest.mark.nightly
def test_usage_of_a_busy_guest_agrees_with_the_guest(
    agent: LabAgent, guest: pb.EnsureInstanceRequest, ssh_key: Path
) -> None:
    def ssh(command: str) -> str:
        return agent.ssh(ssh_key, "10.10.0.11", command).strip()

    ssh("(while :; do :; done) >/dev/null 2>&1 & echo busy")
    readings = agent.readings(usage_interval_ms=1000)
    (was,) = next(readings).guests
    ssh("dd if=/dev/zero of=/file bs=1024 count=512; sync; cat /file")

    def is_busy(now: pb.GuestUsage) -> bool:
        """The loop uses the CPU, and what the guest sends is out."""
        return now.cpu_ns - was.cpu_ns > 2e9 and now.ports[0].out_bytes - was.ports[0].out_bytes >= 512 * 1024

    now = next(reading.guests[0] for reading in readings if is_busy(reading.guests[0]))
    assert now.ports[0].in_bytes - was.ports[0].in_bytes < 256 * 1024
    assert (now.id, now.vcpus) == (guest.subject.id, 1)
    assert 0 < now.memory_used_mib < guest.memory_mib
    assert now.memory_resident_mib > 0
    assert [disk.volume_id for disk in now.disks] == [guest.root_volume_id]
    assert now.disks[0].written_bytes - was.disks[0].written_bytes >= 512 * 1024
    assert [port.port_id for port in now.ports] == list(guest.port_ids)


@pytest.mark.nightly
def test_guest_boots_and_sees_disks_plugged_grown_and_unplugged(
    agent: LabAgent, guest: pb.EnsureInstanceRequest, ssh_key: Path
) -> None:
    def ssh(command: str) -> str:
        return agent.ssh(ssh_key, "10.10.0.11", command).strip()

    assert ssh("hostname") == "web-1"
    data = specs.volume(size_mib=64)
    agent.stub.EnsureVolume(data)
    plugged = specs.attachment(guest, data)
    serial = agent.stub.EnsureAttachment(plugged).serial
    assert agent.stub.EnsureAttachment(plugged).serial == serial
    wait_until(lambda: serial in ssh("cat /sys/block/vd*/serial"), what="the disk in the guest")
    sizes = "cat /sys/block/vdb/size"
    assert int(ssh(sizes)) * 512 == 64 * MIB
    agent.stub.EnsureVolume(specs.volume(data.subject.id, generation=2, size_mib=96))
    wait_until(lambda: int(ssh(sizes)) * 512 == 96 * MIB, what="the grown disk in the guest")
    assert agent.stub.RemoveAttachment(specs.removal(plugged.subject)).was_present
    assert ssh("ls /sys/block | grep -c vd") == "1"


@pytest.mark.nightly
def test_guest_gets_and_loses_a_network_card(agent: LabAgent, guest: pb.EnsureInstanceRequest, ssh_key: Path) -> None:
    def cards() -> list[str]:
        return agent.ssh(ssh_key, "10.10.0.11", "cat /sys/class/net/eth*/address").split()

    second = specs.port(12)
    agent.stub.EnsurePort(second)
    plugged, unplugged = specs.next_generation(guest, port_ids=[second.subject.id]), specs.next_generation(guest)
    for _ in range(2):
        agent.stub.EnsureInstance(plugged)
    wait_until(lambda: second.mac in cards(), what="the card in the guest")
    tap = tap_name(UUID(second.subject.id))
    assert bridge_name(UUID(specs.NETWORK_ID)) in agent.node.exec(["ip", "-o", "link", "show", tap]).stdout
    unplugged.subject.generation += 1
    agent.stub.EnsureInstance(unplugged)
    assert second.mac not in cards()
    assert agent.stub.RemovePort(specs.removal(second.subject)).was_present
    assert agent.state(guest.subject.id).power == pb.POWER_RUNNING


def test_card_that_the_guest_holds_keeps_its_port_until_the_guest_is_off(agent: LabAgent, clean: None) -> None:
    """A guest without an operating system answers no unplug request."""
    root, port = specs.volume(size_mib=64), specs.port()
    agent.stub.EnsureVolume(root)
    agent.stub.EnsurePort(port)
    spec = specs.instance(root, port)
    agent.stub.EnsureInstance(spec)
    unplugged = specs.next_generation(spec)
    unplugged.port_ids[:] = []
    pending = refusal(lambda: agent.stub.EnsureInstance(unplugged))
    assert (pending.code, pending.is_retryable) == ("agent.detach_pending", True)
    assert refusal(lambda: agent.stub.RemovePort(specs.removal(port.subject))).code == "agent.port_in_use"
    agent.stub.EnsureInstance(specs.next_generation(unplugged, power=pb.POWER_OFF))
    assert agent.stub.RemovePort(specs.removal(port.subject)).was_present


@pytest.mark.nightly
def test_power_follows_the_spec(agent: LabAgent, guest: pb.EnsureInstanceRequest) -> None:
    instance_id = guest.subject.id
    restarted = specs.next_generation(guest, restart=pb.Restart(count=1, kind=pb.RESTART_KIND_RESET))
    assert agent.stub.EnsureInstance(restarted).restart_count == 1
    agent.wait_for_console(instance_id, BOOTED, count=2)
    rebooted = specs.next_generation(restarted, restart=pb.Restart(count=2, kind=pb.RESTART_KIND_REBOOT))
    agent.stub.EnsureInstance(rebooted)
    agent.wait_for_console(instance_id, BOOTED, count=3)
    shut_down = specs.next_generation(rebooted, power=pb.POWER_SHUTDOWN, memory_mib=160)
    agent.stub.EnsureInstance(shut_down)
    agent.wait_for_power(instance_id, pb.POWER_OFF)
    assert agent.state(instance_id).reason == ""
    started = specs.next_generation(shut_down, power=pb.POWER_RUNNING)
    assert agent.stub.EnsureInstance(started).power == pb.POWER_RUNNING
    agent.wait_for_console(instance_id, BOOTED, count=4)
    assert agent.stub.EnsureInstance(specs.next_generation(started, power=pb.POWER_OFF)).power == pb.POWER_OFF


def test_guests_survive_the_death_of_agent_and_libvirtd(
    agent: LabAgent, guest: pb.EnsureInstanceRequest, ssh_key: Path
) -> None:
    pid = qemu_pid(agent)
    agent.restart()
    assert agent.state(guest.subject.id).power == pb.POWER_RUNNING
    assert agent.stub.EnsureInstance(guest).power == pb.POWER_RUNNING

    agent.node.kill_libvirtd()
    silent = refusal(lambda: agent.stub.EnsureInstance(specs.next_generation(guest)))
    assert (silent.status, silent.code) == (grpc.StatusCode.UNAVAILABLE, "agent.hypervisor_unavailable")
    agent.node.start_libvirtd()
    wait_until(
        lambda: succeeds(lambda: agent.stub.Describe(pb.DescribeRequest())),
        what="the agent to find libvirtd again",
    )
    assert agent.stub.EnsureInstance(specs.next_generation(guest)).power == pb.POWER_RUNNING
    assert qemu_pid(agent) == pid
    assert agent.ssh(ssh_key, "10.10.0.11", "hostname").strip() == "web-1"


def succeeds(call: Callable[[], object]) -> bool:
    try:
        call()
    except grpc.RpcError:
        return False
    return True


@pytest.mark.nightly
def test_events_are_received_after_a_libvirtd_restart(agent: LabAgent, guest: pb.EnsureInstanceRequest) -> None:
    agent.restart_libvirtd()
    wait_until(
        lambda: succeeds(lambda: agent.stub.Describe(pb.DescribeRequest())),
        what="the agent to find libvirtd again",
    )
    stream = agent.stub.Watch(pb.WatchRequest(heartbeat_interval_ms=3_600_000), timeout=PATIENCE_S)
    assert next(stream).WhichOneof("event") == "heartbeat"
    os.kill(qemu_pid(agent), signal.SIGKILL)
    event = next(event for event in stream if event.WhichOneof("event") == "instance")
    assert (event.instance.subject.id, event.instance.power) == (guest.subject.id, pb.POWER_CRASHED)
    stream.cancel()
    assert agent.stub.EnsureInstance(guest).power == pb.POWER_RUNNING


@pytest.mark.nightly
def test_guest_that_ends_during_a_libvirtd_restart_is_reported(
    agent: LabAgent, guest: pb.EnsureInstanceRequest
) -> None:
    """libvirt has no event for it. One of the guest's start may still arrive."""
    stream = agent.stub.Watch(pb.WatchRequest(heartbeat_interval_ms=3_600_000), timeout=PATIENCE_S)
    events = [next(stream).WhichOneof("event") for _ in range(2)]
    assert events == ["heartbeat", "signed_inventory"], "from here on nothing is read of libvirtd without cause"
    pid = qemu_pid(agent)
    os.kill(pid, signal.SIGSTOP)  # libvirtd waits for its answer
    agent.restart_libvirtd()
    assert refusal(lambda: agent.stub.EnsureInstance(guest)).code == "agent.hypervisor_unavailable"
    os.kill(pid, signal.SIGKILL)
    reports = (event.instance for event in stream if event.WhichOneof("event") == "instance")
    crash = next(report for report in reports if report.power != pb.POWER_RUNNING)
    assert (crash.subject.id, crash.power) == (guest.subject.id, pb.POWER_CRASHED)
    stream.cancel()
    assert agent.stub.EnsureInstance(guest).power == pb.POWER_RUNNING


@pytest.mark.nightly
def test_power_cut_is_reported_as_a_crash_and_the_guest_restarts(
    agent: LabAgent, guest: pb.EnsureInstanceRequest
) -> None:
    agent.cut_power_and_return()
    wait_until(
        lambda: succeeds(lambda: agent.stub.Describe(pb.DescribeRequest())),
        what="the agent to find libvirtd again",
    )
    assert agent.state(guest.subject.id).power == pb.POWER_CRASHED
    assert agent.stub.EnsureInstance(guest).power == pb.POWER_RUNNING
    agent.wait_for_console(guest.subject.id, BOOTED, count=2)


def test_a_guest_with_uefi_firmware_starts_and_leaves_no_variables_behind(agent: LabAgent, clean: None) -> None:
    root = specs.volume(size_mib=64)
    agent.stub.EnsureVolume(root)
    spec = specs.instance(root, memory_mib=256)
    spec.firmware = pb.FIRMWARE_UEFI
    assert agent.stub.EnsureInstance(spec).power == pb.POWER_RUNNING
    variables = agent.node.folder / "lib/qemu/nvram"
    assert list(variables.iterdir())
    agent.stub.RemoveInstance(specs.removal(spec.subject))
    assert not list(variables.iterdir())


def test_disk_that_the_guest_holds_stays_pending_until_its_release(agent: LabAgent, clean: None) -> None:
    """A guest without an operating system answers no unplug request; a reset completes it."""
    root, data = specs.volume(size_mib=64), specs.volume(size_mib=64)
    agent.stub.EnsureVolume(root)
    agent.stub.EnsureVolume(data)
    spec = specs.instance(root)
    agent.stub.EnsureInstance(spec)
    plugged = specs.attachment(spec, data)
    agent.stub.EnsureAttachment(plugged)
    for _ in range(2):
        pending = refusal(lambda: agent.stub.RemoveAttachment(specs.removal(plugged.subject)))
        assert (pending.code, pending.is_retryable) == ("agent.detach_pending", True)
    assert refusal(lambda: agent.stub.RemoveVolume(specs.removal(data.subject))).code == "agent.volume_in_use"
    agent.stub.EnsureInstance(specs.next_generation(spec, power=pb.POWER_OFF))
    assert agent.stub.RemoveAttachment(specs.removal(plugged.subject)).was_present
    assert agent.stub.RemoveVolume(specs.removal(data.subject)).was_present


@pytest.mark.parametrize(
    ("victim", "after_s"), thinned(product(["agent", "libvirtd"], [0.02, 0.03, 0.15, 0.4]), keep_every=5)
)
def test_creation_interrupted_by_a_kill_succeeds_when_repeated(
    agent: LabAgent, clean: None, tiny_image: Path, victim: str, after_s: float
) -> None:
    sha256 = agent.cache(tiny_image)
    root, port = specs.volume(size_mib=512, image=sha256), specs.port()
    agent.stub.EnsureVolume(root)
    agent.stub.EnsurePort(port)
    spec = specs.instance(root, port)
    call = agent.stub.bare.EnsureInstance.future(agent.stub.permitted(spec))
    threading.Event().wait(after_s)  # where in the work the kill strikes, not how long anything may take
    if victim == "agent":
        agent.restart()
    else:
        agent.restart_libvirtd()
    call.exception()
    wait_until(lambda: succeeds(lambda: agent.stub.EnsureInstance(spec)), what="the creation")
    assert agent.state(spec.subject.id).power == pb.POWER_RUNNING
    assert len(agent.node.guest_pids()) == 1


def test_guest_serves_serial_and_screen_consoles(agent: LabAgent, guest: pb.EnsureInstanceRequest) -> None:
    guest_id = guest.subject.id
    ada, bob = (AgentViewer(agent.viewer_stub, guest_id, scrollback=2**16).opened() for _ in range(2))
    for viewer in (ada, bob):
        assert BOOTED.encode() in viewer.seen
    ada.type(b"root\r")
    ada.wait_for(b"~ #")
    bob.type(b"echo hi-$((6*7))\r")
    for viewer in (ada, bob):
        viewer.wait_for(b"hi-42")

    screens = [AgentViewer(agent.viewer_stub, guest_id, pb.CONSOLE_KIND_VNC).opened() for _ in range(2)]
    for screen in screens:
        width, height, name = shake_hands(screen)
        assert guest_id in name
        assert len(set(picture(screen, width, height))) > 1  # it shows something

    sockets = agent.node.agent_folder / "consoles"
    assert (sockets.stat().st_mode & 0o777, [each.name for each in sockets.iterdir()]) == (0o700, [guest_id])
    assert "socket,id=charserial0,fd=" in Path(f"/proc/{qemu_pid(agent)}/cmdline").read_text()  # libvirt made it
    agent.restart()
    reopened = AgentViewer(agent.viewer_stub, guest_id, scrollback=2**16).opened()
    assert b"hi-42" in reopened.seen
    reopened.type(b"echo still-$((6*7))\r")
    reopened.wait_for(b"still-42")
    reopened.type(b"poweroff\r")
    assert reopened.end() is grpc.StatusCode.OK
    agent.wait_for_power(guest_id, pb.POWER_OFF)
