"""A network on two nodes of a lab: guests that boot there, over real libvirt, QEMU and VXLAN."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from agents.lab import Lab, LabNode
from agents.lab.shell import wait_until
from agents.protocol import agent_pb2 as pb
from tests.agents import specs
from tests.agents.on_libvirt.lab import LabAgent
from tests.limits import PATIENCE_S
from tests.pki import Issued, TestCA

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.nightly]

SECOND_ID = UUID("01980000-0000-7000-8000-00000000a002")
# The node keeps signed lists that other tests have made for their network.
NETWORK_ID = "01980000-0000-7000-8000-00000000b00f"
SEGMENT = "vxl-" + NETWORK_ID.replace("-", "")[-11:]


@pytest.fixture(scope="module")
def agents(lab_node: LabNode, ca: TestCA, worker: Issued) -> Iterator[list[LabAgent]]:
    """Start the agents of two nodes, which trust the same authority."""
    (second,) = Lab(lab_node.folder.parent).up(["hv2"])
    first = LabAgent(lab_node, worker)
    both = [first, LabAgent(second, worker, authority=first.authority, node_id=SECOND_ID)]
    for agent in both:
        agent.enrol(ca)
    yield both
    for agent in both:
        _clear(agent)
        agent.kill()
    second.power_off()


def _clear(agent: LabAgent) -> None:
    held = agent.stub.Describe(pb.DescribeRequest())
    for state, remove in (
        *((s, agent.stub.RemoveInstance) for s in held.instances),
        *((s, agent.stub.RemovePort) for s in held.ports),
        *((s, agent.stub.RemoveVolume) for s in held.volumes),
    ):
        remove(specs.removal(state.subject))
    assert SEGMENT not in agent.node.exec(["ip", "-br", "link", "show"]).stdout


def start(agent: LabAgent, number: int, segment: bytes, image: Path, key: Path) -> str:
    root, port = specs.volume(size_mib=512, image=agent.cache(image)), specs.port(number)
    port.network.id, port.network.segment = NETWORK_ID, segment
    agent.stub.EnsureVolume(root)
    agent.stub.EnsurePort(port)
    spec = specs.instance(root, port)
    spec.guest_data.ssh_public_keys[:] = [key.with_suffix(".pub").read_text().strip()]
    assert agent.stub.EnsureInstance(spec).power == pb.POWER_RUNNING
    return spec.subject.id


def test_guests_on_two_nodes_reach_each_other(agents: list[LabAgent], tiny_image: Path, ssh_key: Path) -> None:
    first, second = agents
    members = {agent.node_id: agent.node.address for agent in agents}
    segment = first.authority.segment(specs.ZONE, NETWORK_ID, members)
    guests = [start(agent, 11 + n, segment, tiny_image, ssh_key) for n, agent in enumerate(agents)]
    for agent, guest in zip(agents, guests, strict=True):
        agent.wait_for_console(guest, "web-1 login:", within_s=PATIENCE_S)
    assert first.stub.EnsureNetwork(pb.EnsureNetworkRequest(segment=segment)).problem == ""

    def ssh(command: str) -> str:
        return first.ssh(ssh_key, "10.10.0.11", command, network=NETWORK_ID)

    assert "2 packets received" in ssh("ping -c 2 -W 5 10.10.0.12")
    assert "1 packets received" in ssh("ping -c 1 -W 5 -s 1400 10.10.0.12")
    assert ssh("nc -w 5 10.10.0.12 22 </dev/null | head -n 1").startswith("SSH-2.0")

    for agent in agents:
        agent.restart()
    assert "2 packets received" in ssh("ping -c 2 -W 5 10.10.0.12")

    alone = first.authority.segment(specs.ZONE, NETWORK_ID, dict([*members.items()][:1]), version=2)
    first.stub.EnsureNetwork(pb.EnsureNetworkRequest(segment=alone))
    assert "0 packets received" in ssh("ping -c 2 -W 2 10.10.0.12 || true")
    renewed = first.authority.segment(specs.ZONE, NETWORK_ID, members, version=3)
    first.stub.EnsureNetwork(pb.EnsureNetworkRequest(segment=renewed))

    second.node.power_off()
    second.kill()
    second.node.start()
    second.start()
    assert SEGMENT in second.node.exec(["ip", "-br", "link", "show"]).stdout
    assert second.stub.Describe(pb.DescribeRequest()).ports
    wait_until(lambda: "1 packets received" in ssh("ping -c 1 -W 2 10.10.0.1"), what="the gateway to answer")
