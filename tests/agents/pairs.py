"""Two agents over fake nodes, between which a guest migrates."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import grpc

from agents.lab.shell import wait_until
from agents.node.adapters.fake import FakeNode
from agents.node.adapters.interfaces import Power
from agents.protocol import agent_pb2 as pb
from andromede_core.documents import signed
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest, Refusal, refusal
from tests.limits import PATIENCE_S
from tests.pki import Issued, TestCA
from tests.power import lose_power

OTHER_ID = UUID("01980000-0000-7000-8000-00000000a002")
SHOWN = {specs.NODE_ID: "aa" * 32, OTHER_ID: "bb" * 32}  # certificates
ENDED = (pb.MOVE_PHASE_COMPLETED, pb.MOVE_PHASE_FAILED, pb.MOVE_PHASE_CANCELLED)


@dataclass
class Pair:
    """Two agents: `source` runs the guest of `spec`, with a second volume and a port; `destination`."""

    source: AgentUnderTest
    destination: AgentUnderTest
    spec: pb.EnsureInstanceRequest
    data: pb.EnsureVolumeRequest
    port: pb.EnsurePortRequest
    attachment: pb.EnsureAttachmentRequest

    @property
    def guest_id(self) -> UUID:
        return UUID(self.spec.subject.id)

    def arrival(self, generation: int = 2) -> pb.EnsureArrivalRequest:
        request = pb.EnsureArrivalRequest(source=peer(self.source), instance=self.spec)
        request.instance.subject.generation = generation
        plugged = request.plugged.add(volume_id=self.data.subject.id)
        plugged.subject.CopyFrom(specs.subject(self.attachment.subject.id, generation))
        return request

    def departure(self, uri: str, generation: int = 1, *, deadline_s: int = PATIENCE_S) -> pb.EnsureDepartureRequest:
        return pb.EnsureDepartureRequest(
            subject=specs.subject(self.spec.subject.id, generation),
            destination=peer(self.destination),
            uri=uri,
            deadline_s=deadline_s,
        )

    def make_ready(self, generation: int = 2) -> pb.ArrivalState:
        stub = self.destination.stub
        for volume_id, size in ((self.spec.root_volume_id, 64), (self.data.subject.id, 32)):
            stub.EnsureVolume(specs.volume(volume_id, generation=generation, size_mib=size))
        stub.EnsurePort(specs.port(resource_id=self.port.subject.id, generation=generation))
        return stub.EnsureArrival(self.arrival(generation))

    def begin(self, **options: int) -> pb.EnsureDepartureRequest:
        """Prepare the destination, and begin at the source."""
        request = self.departure(self.make_ready().uri, **options)
        self.source.stub.EnsureDeparture(request)
        return request

    def end_of(self, request: pb.EnsureDepartureRequest) -> pb.DepartureState:
        def state() -> pb.DepartureState:
            return self.source.stub.EnsureDeparture(request)

        wait_until(lambda: state().phase in ENDED, what="the move to end")
        return state()

    def adopt(self, generation: int = 2, *, has_left: bool = False) -> pb.InstanceState:
        spec = pb.EnsureInstanceRequest()
        spec.CopyFrom(self.spec)
        spec.subject.generation = generation
        spec.has_left_source = has_left
        return self.destination.stub.EnsureInstance(spec)

    def lose_power_of_destination(self) -> None:
        lose_power(self.destination.fake)
        self.destination.restart()

    def power(self, agent: AgentUnderTest) -> Power | None:
        guest = agent.fake.guests.get(self.guest_id)
        return guest.power if guest is not None else None

    def is_where_it_was(self) -> bool:
        """Return whether the guest runs at its source, unchanged."""
        assert self.destination.stub.RemoveArrival(specs.removal(self.arrival().instance.subject)).was_present
        (state,) = self.source.stub.Describe(pb.DescribeRequest()).instances
        return (
            (self.power(self.source), state.power) == (Power.RUNNING, pb.POWER_RUNNING)
            and self.source.fake.guests[self.guest_id].starts == 1
            and self.guest_id not in self.destination.fake.guests
        )


def peer(agent: AgentUnderTest) -> pb.Peer:
    return pb.Peer(node_id=str(agent.node_id), certificate_sha256=SHOWN[agent.node_id])


def second_agent(folder: Path, ca: TestCA, worker: Issued, first: AgentUnderTest) -> Iterator[AgentUnderTest]:
    """Start an agent that trusts the same authority as the first one."""
    other = AgentUnderTest(folder, FakeNode(), ca, worker, first.authority, node_id=OTHER_ID)
    other.enrol()
    other.start()
    other.learn()
    yield other
    other.stop()


def make_pair(agent: AgentUnderTest, other: AgentUnderTest, power: "pb.Power" = pb.POWER_RUNNING) -> Pair:
    root, data, port = specs.volume(), specs.volume(size_mib=32), specs.port()
    agent.stub.EnsureVolume(root)
    agent.stub.EnsureVolume(data)
    agent.stub.EnsurePort(port)
    spec = specs.instance(root, port)
    spec.power = power
    agent.stub.EnsureInstance(spec)
    attachment = specs.attachment(spec, data)
    agent.stub.EnsureAttachment(attachment)
    return Pair(agent, other, spec, data, port, attachment)


def receipt_events(pair: Pair, agent: AgentUnderTest) -> list[tuple[object, object]]:
    """Return the events of the guest's receipts."""
    payloads = [signed.read(document).payload for _, document in agent.server.node.permits.receipts.after(0, limit=99)]
    return [(each["kind"], each["event"]) for each in payloads if each["resource"] == pair.spec.subject.id]


def conflict(call: Callable[[], object]) -> Refusal:
    error = refusal(call)
    assert error.status is grpc.StatusCode.FAILED_PRECONDITION
    return error
