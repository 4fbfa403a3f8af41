"""A node agent over the fake adapter, served on loopback with mutual TLS, and callers of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import pytest

from agents.node.adapters.fake import FakeNode
from agents.node.lease import LeasePolicy
from agents.node.main import Config, Server, serve
from agents.node.trust.clock import Clock, utc_now
from agents.protocol import agent_pb2 as pb
from agents.protocol.agent_pb2_grpc import AgentStub
from tests.agents.specs import NODE_ID, ZONE
from tests.permits import Authority, PermittedStub
from tests.pki import Issued, TestCA, issue_controlplane, issue_node, make_ca, node_dns_name


@dataclass
class AgentUnderTest:
    """An agent under test.

    `stub` calls as the control plane's worker, under permits of `authority`, which the agent trusts from its first
    start on. `restart` stops the agent and starts it again on the same files. `now` is its clock.
    """

    state_dir: Path
    fake: FakeNode
    ca: TestCA
    caller: Issued
    authority: Authority = field(default_factory=Authority)
    inventory_interval_s: float = 300
    now: Callable[[], datetime] = utc_now
    is_clock_kept: bool = True
    node_id: UUID = NODE_ID
    lease: LeasePolicy = field(default_factory=LeasePolicy)
    dog: Path | None = None
    server: Server = field(init=False)
    _channels: list[grpc.Channel] = field(default_factory=list)

    def enrol(self) -> None:
        root = self.authority.root.public_pem
        issue_node(self.ca, self.state_dir, node_id=self.node_id, zone=ZONE, root=root)

    def start(self) -> None:
        config = Config(
            self.state_dir,
            "127.0.0.1:0",
            clock=Clock(lambda: self.now(), lambda: self.is_clock_kept),
            inventory_interval_s=self.inventory_interval_s,
            lease=self.lease,
            watchdog=self.dog,
        )
        self.server = serve(config, self.fake.adapters())
        self.stub = PermittedStub(
            self.connect(self.caller),
            self.authority,
            node=self.node_id,
            zone=ZONE,
            watcher=self.connect(issue_controlplane(self.ca, self.ca.folder, process="watcher")),
        )

    def learn(self) -> None:
        """Send the current trust documents to the agent."""
        self.stub.EnsureTrust(self.authority.trust(self.node_id, ZONE))

    def connect(self, caller: Issued) -> AgentStub:
        channel = grpc.secure_channel(
            f"127.0.0.1:{self.server.port}",
            grpc.ssl_channel_credentials(caller.ca, caller.key, caller.certificate),
            options=[("grpc.ssl_target_name_override", node_dns_name(self.node_id))],
        )
        self._channels.append(channel)
        return AgentStub(channel)  # type: ignore[no-untyped-call]

    def restart(self) -> None:
        self.stop()
        self.start()

    def stop(self) -> None:
        for channel in self._channels:
            channel.close()
        self._channels.clear()
        self.server.stop(grace_s=0)


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> TestCA:
    return make_ca(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def worker(ca: TestCA) -> Issued:
    return issue_controlplane(ca, ca.folder, process="worker")


@pytest.fixture(scope="session")
def watcher(ca: TestCA) -> Issued:
    return issue_controlplane(ca, ca.folder, process="watcher")


@pytest.fixture
def fresh(tmp_path: Path, ca: TestCA, worker: Issued) -> Iterator[AgentUnderTest]:
    """Return an agent that trusts only its root."""
    under_test = AgentUnderTest(tmp_path, FakeNode(), ca, worker)
    under_test.enrol()
    under_test.start()
    yield under_test
    under_test.stop()


@pytest.fixture
def agent(fresh: AgentUnderTest) -> AgentUnderTest:
    fresh.learn()
    return fresh


@dataclass(frozen=True)
class Refusal:
    status: grpc.StatusCode
    code: str
    is_retryable: bool
    message: str


def refusal(call: Callable[[], object]) -> Refusal:
    """Return the error of the failing call."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error: Any = caught.value  # a grpc.Call, too
    metadata = dict(error.trailing_metadata() or ())
    return Refusal(
        status=error.code(),
        code=str(metadata.get("andromede-code", "")),
        is_retryable=metadata.get("andromede-retryable") == "true",
        message=error.details() or "",
    )


def image_stream(header: pb.ImageHeader, content: bytes, part_bytes: int = 2**16) -> Iterator[pb.ImagePart]:
    yield pb.ImagePart(header=header)
    for start in range(0, len(content), part_bytes):
        yield pb.ImagePart(data=content[start : start + part_bytes])
