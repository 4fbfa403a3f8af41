"""Two nodes of a lab with agents, between which a guest migrates."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from cryptography import x509

from agents.lab import Lab
from agents.lab.shell import wait_until
from agents.node.adapters.interfaces import guest_name
from agents.node.adapters.migration_tunnel.peer_auth import fingerprint
from agents.protocol import agent_pb2 as pb
from tests.agents import specs
from tests.agents.on_libvirt.lab import LabAgent
from tests.limits import PATIENCE_S

IDS = (specs.NODE_ID, UUID("01980000-0000-7000-8000-00000000a002"))
ROOT_MIB, DATA_MIB = 512, 64
BOOTED = "web-1 login:"
ADDRESS = "10.10.0.11"
ENDED = (pb.MOVE_PHASE_COMPLETED, pb.MOVE_PHASE_FAILED, pb.MOVE_PHASE_CANCELLED)


@dataclass
class Trip:
    """A guest on `source`, at some generation, which may migrate to `destination` and back."""

    source: LabAgent
    destination: LabAgent
    image: str
    spec: pb.EnsureInstanceRequest
    port: pb.EnsurePortRequest
    attachment: pb.EnsureAttachmentRequest
    generation: int = 1

    @property
    def id(self) -> str:
        return str(self.spec.subject.id)

    @property
    def name(self) -> str:
        return guest_name(UUID(self.id))

    def volumes(self, generation: int) -> list[pb.EnsureVolumeRequest]:
        """Return its root disk and its attached disk."""
        root, data = self.spec.root_volume_id, self.attachment.volume_id
        return [
            specs.volume(root, generation=generation, size_mib=ROOT_MIB, image=self.image),
            specs.volume(data, generation=generation, size_mib=DATA_MIB),
        ]

    def arrival(self) -> pb.EnsureArrivalRequest:
        generation = self.generation + 1
        request = pb.EnsureArrivalRequest(source=peer(self.source), instance=self.spec)
        request.instance.subject.generation = generation
        plugged = request.plugged.add(volume_id=self.attachment.volume_id)
        plugged.subject.CopyFrom(specs.subject(self.attachment.subject.id, generation))
        return request

    def make_ready(self) -> str:
        """Prepare the migration and return the destination's address."""
        self.prepare()
        return str(self.destination.stub.EnsureArrival(self.arrival()).uri)

    def prepare(self) -> None:
        stub, generation = self.destination.stub, self.generation + 1
        for volume in self.volumes(generation):
            stub.EnsureVolume(volume)
        port = pb.EnsurePortRequest()
        port.CopyFrom(self.port)
        port.subject.generation = generation
        stub.EnsurePort(port)

    def departure(self, uri: str, *, deadline_s: int = PATIENCE_S) -> pb.EnsureDepartureRequest:
        return pb.EnsureDepartureRequest(
            subject=specs.subject(self.id, self.generation),
            destination=peer(self.destination),
            uri=uri,
            deadline_s=deadline_s,
        )

    def end_of(self, request: pb.EnsureDepartureRequest, *, within_s: float = PATIENCE_S) -> pb.DepartureState:
        return end_of(self.source, request, within_s=within_s)

    def go(self) -> pb.DepartureState:
        return self.end_of(self.departure(self.make_ready()))

    def running(self, generation: int) -> pb.EnsureInstanceRequest:
        spec = pb.EnsureInstanceRequest()
        spec.CopyFrom(self.spec)
        spec.subject.generation = generation
        return spec

    def standing(self, generation: int) -> pb.EnsureInstanceRequest:
        """Return the spec of the stopped guest."""
        spec = self.running(generation)
        spec.power = pb.POWER_OFF
        return spec

    def arrived(self) -> "Trip":
        """Adopt the guest at the destination and remove it at the source, for the way back."""
        assert self.destination.stub.EnsureInstance(self.running(self.generation + 1)).power == pb.POWER_RUNNING
        self.forget(self.source, self.generation)
        return replace(self, source=self.destination, destination=self.source, generation=self.generation + 1)

    def stayed(self) -> "Trip":
        """Remove the preparation at the destination, for the next attempt."""
        subject = specs.subject(self.id, self.generation + 1)
        self.destination.stub.RemoveArrival(pb.RemoveRequest(subject=subject))
        self.forget(self.destination, self.generation + 1)
        return replace(self, generation=self.generation + 1)

    def forget(self, agent: LabAgent, generation: int) -> None:
        for resource_id, remove in (
            (self.id, agent.stub.RemoveInstance),
            (self.attachment.subject.id, agent.stub.RemoveAttachment),
            (self.attachment.volume_id, agent.stub.RemoveVolume),
            (self.spec.root_volume_id, agent.stub.RemoveVolume),
            (self.port.subject.id, agent.stub.RemovePort),
        ):
            remove(pb.RemoveRequest(subject=specs.subject(resource_id, generation)))

    def domains(self) -> dict[str, str]:
        """Map each node to libvirt's state of the guest there."""
        result = {}
        for agent in (self.source, self.destination):
            done = agent.node.exec(["virsh", "domstate", self.name], check=False)
            if done.returncode == 0:
                result[agent.node.name] = done.stdout.strip()
        return result

    def runs_only_at(self, agent: LabAgent) -> bool:
        running = [each for each in (self.source, self.destination) if each.node.guest_pids()]
        return running == [agent] and self.domains().get(agent.node.name) == "running"

    def user_at(self, agent: LabAgent) -> int:
        """Return the user of the only QEMU there."""
        (pid,) = agent.node.guest_pids()
        return os.stat(f"/proc/{pid}").st_uid

    def ssh(self, key: Path, agent: LabAgent, command: str) -> str:
        return agent.ssh(key, ADDRESS, command).strip()


def peer(agent: LabAgent) -> pb.Peer:
    certificate = x509.load_pem_x509_certificate((agent.node.agent_folder / "pki/node.crt").read_bytes())
    return pb.Peer(node_id=str(agent.node_id), certificate_sha256=fingerprint(certificate))


def end_of(source: LabAgent, request: pb.EnsureDepartureRequest, *, within_s: float = PATIENCE_S) -> pb.DepartureState:
    def state() -> pb.DepartureState:
        return source.stub.EnsureDeparture(request)

    wait_until(lambda: state().phase in ENDED, what="the move to end", within_s=within_s)
    return state()


def two_agents(
    lab: Lab, ca: object, worker: object, *options: str, options_of: Callable[[str], Sequence[str]] = lambda name: ()
) -> tuple[LabAgent, LabAgent]:
    """Start the agents of two nodes, with these options; `options_of`: those of one node alone, by its name."""
    first, second = lab.up(["hv1", "hv2"])
    mine, others = ((*options, *options_of(node.name)) for node in (first, second))
    one = LabAgent(first, worker, mine, node_id=IDS[0])  # type: ignore[arg-type]
    other = LabAgent(second, worker, others, authority=one.authority, node_id=IDS[1])  # type: ignore[arg-type]
    begun = []
    try:
        for agent in (one, other):
            begun.append(agent)
            agent.enrol(ca)  # type: ignore[arg-type]
    except BaseException:
        for agent in begun:
            if agent.process is not None:
                agent.kill()
        raise
    return one, other


def shared_network(agents: tuple[LabAgent, LabAgent]) -> bytes:
    """Connect both nodes by one segment, so that their guests reach each other."""
    members: dict[UUID | str, str] = {agent.node_id: agent.node.address for agent in agents}
    return agents[0].authority.segment(specs.ZONE, specs.NETWORK_ID, members)


def start_guest(
    source: LabAgent, destination: LabAgent, image: Path, public_key: str, *, segment: bytes = b"", number: int = 11
) -> Trip:
    """Start a tiny guest with a second disk, and wait for its boot.

    `segment`: of a network that both nodes have; `number`: of its address there.
    """
    sha256 = source.cache(image)
    destination.cache(image)
    root, data, port = (
        specs.volume(size_mib=ROOT_MIB, image=sha256),
        specs.volume(size_mib=DATA_MIB),
        specs.port(number),
    )
    port.network.segment = segment
    source.stub.EnsureVolume(root)
    source.stub.EnsureVolume(data)
    source.stub.EnsurePort(port)
    spec = specs.instance(root, port)
    spec.guest_data.ssh_public_keys[:] = [public_key]
    source.stub.EnsureInstance(spec)
    source.wait_for_console(spec.subject.id, BOOTED, within_s=PATIENCE_S)
    attachment = specs.attachment(spec, data)
    source.stub.EnsureAttachment(attachment)
    return Trip(source, destination, sha256, spec, port, attachment)
