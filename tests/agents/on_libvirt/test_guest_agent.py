"""Freezing the file systems of a real guest: its agent works, lies, keeps silent, or is not there."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import grpc
import pytest

from agents.lab import LabNode
from agents.lab.shell import wait_until
from agents.node.adapters.accelerator import Accelerator
from agents.node.adapters.interfaces import Power
from agents.node.adapters.libvirt import LibvirtHypervisor
from agents.node.adapters.storage.keys import VolumeKeys
from agents.node.adapters.volume_secrets import VolumeSecrets
from agents.node.errors import AgentError
from agents.protocol import agent_pb2 as pb
from tests.agents import specs
from tests.agents.conftest import refusal
from tests.agents.on_libvirt.lab import LabAgent
from tests.limits import PATIENCE_S
from tests.nightly import as_nightly
from tests.pki import Issued, TestCA

pytestmark = [pytest.mark.lab, pytest.mark.slow]

SCRIPT = Path(__file__).with_name("guest_agent.sh")
ADDRESS, BOOTED = "10.10.0.11", "TINY: ssh ready"


@pytest.fixture(scope="module")
def agent(lab_node: LabNode, ca: TestCA, worker: Issued) -> Iterator[LabAgent]:
    agent = LabAgent(lab_node, worker)
    agent.enrol(ca)
    yield agent
    agent.kill()


@dataclass
class AgentGuest:
    """A tiny guest. `behave` starts its guest agent anew."""

    agent: LabAgent
    key: Path
    spec: pb.EnsureInstanceRequest

    @property
    def id(self) -> str:
        return self.spec.subject.id

    def set_power(self, power: "pb.Power") -> None:
        self.spec = specs.next_generation(self.spec, power=power)
        assert self.agent.stub.EnsureInstance(self.spec).power == power

    def boot(self) -> None:
        """Boot it unless it runs, and install the guest agent."""
        if self.agent.state(self.id).power != pb.POWER_RUNNING:
            boots = self.agent.console(self.id).count(BOOTED)
            self.set_power(pb.POWER_RUNNING)
            self.agent.wait_for_console(self.id, BOOTED, count=boots + 1)
            self.ssh(f"cat >/run/guest-agent <<'END'\n{SCRIPT.read_text()}END")

    def behave(self, behaviour: str) -> None:
        self.stop_agent()
        self.ssh(f"sh /run/guest-agent {behaviour} </dev/null >/dev/null 2>&1 &")
        self.wait_for_agent(pb.GUEST_AGENT_STATE_CONNECTED)

    def stop_agent(self) -> None:
        self.ssh("[ ! -f /run/guest-agent.pid ] || kill -9 $(cat /run/guest-agent.pid) 2>/dev/null; true")
        self.wait_for_agent(pb.GUEST_AGENT_STATE_DISCONNECTED)

    def wait_for_agent(self, state: "pb.GuestAgentState") -> None:
        wait_until(lambda: self.agent.state(self.id).guest_agent == state, what=f"guest agent {state}")

    def freeze(self, limit_ms: int = 0) -> int:
        request = pb.FreezeInstanceRequest(instance_id=self.id, limit_ms=limit_ms)
        return int(self.agent.stub.FreezeInstance(request, timeout=PATIENCE_S).file_systems)

    def pause(self, limit_ms: int = 0) -> None:
        level = pb.FREEZE_LEVEL_EXECUTION
        request = pb.FreezeInstanceRequest(instance_id=self.id, limit_ms=limit_ms, level=level)
        self.agent.stub.FreezeInstance(request, timeout=PATIENCE_S)

    def power(self) -> "pb.Power":
        return self.agent.state(self.id).power

    def thaw(self) -> tuple[int, bool]:
        answer = self.agent.stub.ThawInstance(pb.ThawInstanceRequest(instance_id=self.id), timeout=PATIENCE_S)
        return answer.file_systems, answer.was_frozen

    def is_thawed(self) -> bool:
        try:
            return self.thaw() == (0, False)
        except grpc.RpcError:
            return False

    def thaws(self) -> int:
        return self.agent.console(self.id).count("AGENT: thawed")

    def ssh(self, command: str) -> str:
        return self.agent.ssh(self.key, ADDRESS, command)


@pytest.fixture(scope="module")
def installed(agent: LabAgent, tiny_image: Path, ssh_key: Path) -> Iterator[AgentGuest]:
    sha256 = agent.cache(tiny_image)
    root, port = specs.volume(size_mib=512, image=sha256), specs.port()
    agent.stub.EnsureVolume(root)
    agent.stub.EnsurePort(port)
    spec = specs.instance(root, port, power=pb.POWER_OFF)
    spec.guest_data.ssh_public_keys[:] = [ssh_key.with_suffix(".pub").read_text().strip()]
    agent.stub.EnsureInstance(spec)
    guest = AgentGuest(agent, ssh_key, spec)
    yield guest
    agent.stub.RemoveInstance(specs.removal(guest.spec.subject))
    agent.stub.RemovePort(specs.removal(port.subject))
    agent.stub.RemoveVolume(specs.removal(root.subject))


@pytest.fixture
def guest(installed: AgentGuest) -> AgentGuest:
    """Return the guest: it runs, its agent works, and nothing is frozen."""
    installed.boot()
    installed.behave("ready")
    wait_until(installed.is_thawed, what="the end of an earlier freeze")
    return installed


def test_guest_is_frozen_and_thawed(guest: AgentGuest) -> None:
    guest.stop_agent()
    assert refusal(guest.freeze).code == "agent.guest_agent_missing"
    guest.behave("ready")
    assert guest.freeze() == guest.freeze() == 1
    assert guest.thaw() == (1, True)
    assert guest.thaw() == (0, False)


def test_node_thaws_when_the_limit_has_passed(guest: AgentGuest) -> None:
    before = guest.thaws()
    assert guest.freeze(limit_ms=2000) == 1
    wait_until(lambda: guest.thaws() > before, what="the thaw by the node")
    assert guest.thaw() == (0, False)


def test_guest_is_paused_and_resumed(guest: AgentGuest) -> None:
    before = guest.ssh("cat /proc/sys/kernel/random/boot_id")
    guest.pause()
    assert guest.power() == pb.POWER_PAUSED
    assert guest.thaw() == (0, True)
    assert guest.power() == pb.POWER_RUNNING
    guest.pause(limit_ms=2000)
    wait_until(lambda: guest.power() == pb.POWER_RUNNING, what="the end of the pause by the node")
    assert guest.thaw() == (0, False)
    assert guest.ssh("cat /proc/sys/kernel/random/boot_id") == before


def test_agent_that_was_killed_thaws_at_its_start(guest: AgentGuest) -> None:
    before = guest.thaws()
    assert guest.freeze() == 1
    guest.agent.restart()
    wait_until(lambda: guest.thaws() > before, what="the thaw at the start")


def test_thaw_is_retried_after_the_guest_agent_was_killed(guest: AgentGuest) -> None:
    before = guest.thaws()
    assert guest.freeze(limit_ms=2000) == 1
    guest.stop_agent()
    refused = refusal(guest.thaw)
    assert (refused.code, refused.is_retryable) == ("agent.guest_agent_missing", False)
    guest.behave("ready")
    wait_until(lambda: guest.thaws() > before, what="the thaw")


@pytest.mark.parametrize("behaviour", ["refusing", as_nightly("wordy")])
def test_text_of_a_lying_agent_is_cut_and_escaped(guest: AgentGuest, behaviour: str) -> None:
    guest.ssh("(printf '\\\\u001b[31m\\\\u0000\\\\ud800é'; head -c 100000 /dev/zero | tr '\\0' y) >/run/refusal")
    guest.behave(behaviour)
    refused = refusal(guest.freeze)
    assert refused.code == "agent.guest_agent_refused"
    assert len(refused.message) < 400 and refused.message.isprintable() and refused.message.isascii()
    guest.behave("ready")
    wait_until(guest.is_thawed, what="the end of the freeze")
    assert guest.freeze() == 1
    assert guest.thaw() == (1, True)


@pytest.mark.nightly
def test_silent_agent_is_reported(guest: AgentGuest) -> None:
    guest.behave("silent")
    assert refusal(guest.freeze).code == "agent.guest_agent_silent"
    assert refusal(guest.thaw).code == "agent.guest_agent_silent"


def test_agent_that_freezes_and_does_not_answer_is_thawed(guest: AgentGuest) -> None:
    guest.behave("late")
    before = guest.thaws()
    assert refusal(lambda: guest.freeze(limit_ms=2000)).code == "agent.guest_agent_silent"
    wait_until(lambda: guest.thaws() > before, what="the thaw")


def test_guest_with_a_hanging_command_is_powered_off(guest: AgentGuest, tmp_path: Path) -> None:
    guest.behave("late")
    accelerator = Accelerator(tmp_path, requested="qemu", boot_id="")
    secrets = VolumeSecrets(VolumeKeys())
    hypervisor = LibvirtHypervisor(guest.agent.node.libvirt_uri, accelerator=accelerator, secrets=secrets)
    errors: list[AgentError] = []

    def freeze() -> None:
        try:
            hypervisor.freeze(UUID(guest.id), answer_s=600)
        except AgentError as exc:
            errors.append(exc)

    command = threading.Thread(target=freeze)
    frozen = guest.agent.console(guest.id).count("AGENT: frozen")
    command.start()
    guest.agent.wait_for_console(guest.id, "AGENT: frozen", count=frozen + 1)
    guest.set_power(pb.POWER_OFF)
    state = hypervisor.state(UUID(guest.id))
    assert state is not None and state.power is Power.OFF
    command.join(PATIENCE_S)
    assert [error.code for error in errors] == ["agent.guest_agent_silent"]
    hypervisor.close()


@pytest.mark.nightly
def test_guest_whose_agent_never_ends_an_answer_is_powered_off(guest: AgentGuest) -> None:
    guest.behave("endless")
    refused = refusal(guest.freeze)
    assert refused.code in ("agent.guest_agent_refused", "agent.guest_agent_silent")
    assert len(refused.message) < 400
    guest.set_power(pb.POWER_OFF)
    wait_until(guest.is_thawed, what="the end of the freeze")
