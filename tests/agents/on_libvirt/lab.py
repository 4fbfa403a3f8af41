"""The agent as its own process on a node of a lab, over real libvirt, QEMU and network."""

import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import grpc

from agents.lab import LabNode
from agents.lab.process import NodeProcess
from agents.lab.shell import run, wait_until
from agents.node.adapters.network import namespace_name
from agents.protocol import agent_pb2 as pb
from agents.protocol.agent_pb2_grpc import AgentStub
from tests.agents import specs
from tests.agents.conftest import image_stream
from tests.limits import PATIENCE_S
from tests.permits import Authority, PermittedStub
from tests.pki import Issued, TestCA, issue_controlplane, issue_node, node_dns_name

PORT, ARRIVALS_PORT = 7440, 7441
ROOT = Path(__file__).parents[3]


@dataclass
class LabAgent:
    """An agent in a lab.

    `stub` calls as the control plane's worker, under permits of `authority`, which `enrol` makes the agent trust;
    `viewer_stub` as its process `stream`.
    """

    node: LabNode
    caller: Issued
    options: tuple[str, ...] = ()
    node_id: UUID = specs.NODE_ID
    authority: Authority = field(default_factory=Authority)
    process: NodeProcess | None = None
    watcher: Issued = field(init=False)
    viewer: Issued = field(init=False)
    _channels: list[grpc.Channel] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return self.node.agent_folder / "agent.log"

    def enrol(self, ca: TestCA) -> None:
        """Enrol the node and start its agent."""
        self.node.agent_folder.mkdir(exist_ok=True)
        root = self.authority.root.public_pem
        issue_node(ca, self.node.agent_folder, node_id=self.node_id, zone=specs.ZONE, root=root)
        self.watcher = issue_controlplane(ca, ca.folder, process="watcher")
        self.viewer = issue_controlplane(ca, ca.folder, process="stream")
        self.node.exec(["chmod", "0750", "/var/lib/libvirt/qemu"])  # as Debian's package has it
        self.start()
        self.stub.EnsureTrust(self.authority.trust(self.node_id, specs.ZONE))

    def start(self) -> None:
        assert not self._is_reached(), f"an agent of another test listens at {self.node.address}"
        listen = f"{self.node.address}:{PORT}"
        command = [sys.executable, "-m", "agents.node.main", "--state-dir", str(self.node.state_dir)]
        command += ["--arrivals", f"{self.node.address}:{ARRIVALS_PORT}"]
        command += ["--listen", listen, "--clock", "kept-elsewhere", "--confinement", "optional", *self.options]
        self.process = self.node.spawn(command, log=self.log, env={"PYTHONPATH": str(ROOT)})
        wait_until(self._listens, what="the agent to listen")
        self.stub = self._connect()
        self.viewer_stub = self._stub(self.viewer)

    def kill(self) -> None:
        """Kill the agent with SIGKILL, as the kernel or an operator would."""
        assert self.process is not None
        self.process.signal(signal.SIGKILL)
        self.process.wait()
        for channel in self._channels:
            channel.close()
        self._channels.clear()

    def restart_libvirtd(self) -> None:
        """Kill libvirtd and start it as on a real node, with the recovery before the start."""
        self.node.kill_libvirtd()
        self.node.exec([sys.executable, "-m", "agents.node.libvirtd_recovery"], env={"PYTHONPATH": str(ROOT)})
        self.node.start_libvirtd()

    def answers(self) -> bool:
        """Return whether the agent and its libvirtd answer."""
        try:
            self.stub.Describe(pb.DescribeRequest())
        except grpc.RpcError:
            return False
        return True

    def cut_power_and_return(self) -> None:
        """Cut the power of the whole node and start it: its guests die, and its network devices get other addresses."""
        self.node.power_off()
        self.kill()
        self.node.start()
        run(["ip", "neigh", "flush", "to", self.node.address])
        self.start()

    def readings(self, usage_interval_ms: int) -> Iterator[pb.Usage]:
        """Yield the usage of guests until the caller stops."""
        stream = self.stub.Watch(pb.WatchRequest(usage_interval_ms=usage_interval_ms), timeout=PATIENCE_S)
        return (event.usage for event in stream if event.WhichOneof("event") == "usage")

    def restart(self) -> None:
        self.kill()
        self.start()

    def cache(self, image: Path) -> str:
        content = image.read_bytes()
        header = specs.image_header(content, format=pb.IMAGE_FORMAT_QCOW2)
        self.stub.EnsureImage(image_stream(header, content, part_bytes=2**20))
        return header.sha256

    def state(self, instance_id: str) -> pb.InstanceState:
        state: pb.InstanceState
        (state,) = self.stub.Describe(pb.DescribeRequest(ids=[instance_id])).instances
        return state

    def console(self, instance_id: str) -> str:
        chunk: pb.ConsoleChunk = self.stub.ReadConsole(pb.ReadConsoleRequest(instance_id=instance_id, offset=-(2**16)))
        return chunk.data.decode(errors="replace")

    def wait_for_console(self, instance_id: str, marker: str, *, count: int = 1, within_s: float = PATIENCE_S) -> None:
        def is_there() -> bool:
            return self.console(instance_id).count(marker) >= count

        wait_until(is_there, what=f"{marker!r} on the console", within_s=within_s)

    def wait_for_power(self, instance_id: str, power: "pb.Power", *, within_s: float = PATIENCE_S) -> None:
        wait_until(lambda: self.state(instance_id).power == power, what=f"power {power}", within_s=within_s)

    def ssh(self, key: Path, address: str, command: str, *, network: str = specs.NETWORK_ID) -> str:
        """Run ssh from the router of the tenant's network."""
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        options += ["-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "-i", str(key)]
        router = ["ip", "netns", "exec", namespace_name(UUID(network))]
        return self.node.exec([*router, "ssh", *options, f"root@{address}", command]).stdout

    def _connect(self) -> PermittedStub:
        return PermittedStub(
            self._stub(self.caller),
            self.authority,
            node=self.node_id,
            zone=specs.ZONE,
            watcher=self._stub(self.watcher),
        )

    def _stub(self, caller: Issued) -> AgentStub:
        channel = grpc.secure_channel(
            f"{self.node.address}:{PORT}",
            grpc.ssl_channel_credentials(caller.ca, caller.key, caller.certificate),
            options=[("grpc.ssl_target_name_override", node_dns_name(self.node_id))],
        )
        self._channels.append(channel)
        return AgentStub(channel)  # type: ignore[no-untyped-call]

    def _listens(self) -> bool:
        assert self.process is not None and self.process.poll() is None, self.log.read_text()[-2000:]
        return self._is_reached()

    def _is_reached(self) -> bool:
        with socket.socket() as client:
            client.settimeout(1)
            return client.connect_ex((self.node.address, PORT)) == 0
