"""Tunnels over gRPC and the fake node, whose guests echo; some guests here are sockets of the test."""

import queue
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from agents.lab.shell import wait_until
from agents.node.adapters.channel import Channel
from agents.node.adapters.fake_switch import FakeSwitch
from agents.node.adapters.migrations import MigrationPhase
from agents.node.services import tunnels
from agents.node.state_store import Migration
from agents.protocol import agent_pb2 as pb
from agents.protocol.agent_pb2_grpc import AgentStub
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest, refusal
from tests.limits import PATIENCE_S
from tests.pki import issue_controlplane

ADDRESS = "10.10.0.11"


@pytest.fixture
def stub(agent: AgentUnderTest) -> AgentStub:
    return agent.connect(issue_controlplane(agent.ca, agent.ca.folder / "stream", process="stream"))


@pytest.fixture
def header(agent: AgentUnderTest) -> Iterator[pb.TcpHeader]:
    """Return the header for port 22 of a guest that runs. At the end no thread of any tunnel is left."""
    root, port = specs.volume(), specs.port()
    agent.stub.EnsureVolume(root)
    agent.stub.EnsurePort(port)
    guest = specs.instance(root, port)
    agent.stub.EnsureInstance(guest)
    yield pb.TcpHeader(instance_id=guest.subject.id, port_id=port.subject.id, address=ADDRESS, tcp_port=22)
    wait_until(lambda: not threads(), what="the threads of the tunnels to end")


@pytest.fixture
def guest_end(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Return the guest's end of the next tunnel: a real TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _address = server.accept()
    monkeypatch.setattr(FakeSwitch, "connect_tcp", lambda *_args, **_terms: Channel(ours))
    with theirs:
        yield theirs


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name in ("tunnel-input", "fake-tcp")]


class Caller:
    def __init__(self, stub: AgentStub, header: pb.TcpHeader) -> None:
        self._sent: queue.SimpleQueue[pb.TcpInput | None] = queue.SimpleQueue()
        self._sent.put(pb.TcpInput(header=header))
        self.call = stub.OpenTcp(iter(self._sent.get, None), timeout=PATIENCE_S)

    def opened(self) -> "Caller":
        assert next(self.call) == pb.TcpOutput()
        return self

    def send(self, data: bytes) -> None:
        self._sent.put(pb.TcpInput(data=data))

    def message(self, message: pb.TcpInput) -> None:
        self._sent.put(message)

    def end(self) -> None:
        self._sent.put(None)

    def take(self, count: int) -> bytes:
        seen = b""
        while len(seen) < count:
            seen += next(self.call).data
        return seen

    def rest(self) -> tuple[bytes, list[bool]]:
        """Return the remaining bytes, and the value of `is_end` of each message, once the call has ended with OK."""
        messages = list(self.call)
        return b"".join(each.data for each in messages), [each.is_end for each in messages]

    def hang_up(self) -> None:
        self._sent.put(None)
        self.call.cancel()


def test_bytes_pass_both_ways_until_both_directions_end(stub: AgentStub, header: pb.TcpHeader) -> None:
    caller = Caller(stub, header).opened()
    caller.send(b"hello")
    assert caller.take(5) == b"hello"
    caller.send(b"last")
    caller.end()
    data, ends = caller.rest()
    assert (data, ends[-1]) == (b"last", True)
    assert ends.count(True) == 1


def test_caller_may_send_after_the_guest_has_ended_its_direction(
    stub: AgentStub, header: pb.TcpHeader, guest_end: socket.socket
) -> None:
    caller = Caller(stub, header).opened()
    guest_end.shutdown(socket.SHUT_WR)
    assert next(caller.call).is_end
    caller.send(b"late")
    assert guest_end.recv(10) == b"late"
    caller.end()
    assert caller.rest() == (b"", [])
    assert guest_end.recv(10) == b""


def test_connection_to_the_guest_ends_when_the_caller_hangs_up(
    stub: AgentStub, header: pb.TcpHeader, guest_end: socket.socket
) -> None:
    Caller(stub, header).opened().hang_up()
    guest_end.settimeout(PATIENCE_S)
    assert guest_end.recv(10) == b""


def test_aborted_connection_is_not_an_orderly_end(
    stub: AgentStub, header: pb.TcpHeader, guest_end: socket.socket
) -> None:
    caller = Caller(stub, header).opened()
    guest_end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    guest_end.close()
    assert refusal(caller.rest).code == "agent.tcp_reset"


def test_caller_that_reads_nothing_stops_the_guest_and_uses_no_memory(
    stub: AgentStub, header: pb.TcpHeader, guest_end: socket.socket
) -> None:
    caller = Caller(stub, header).opened()
    guest_end.setblocking(False)
    sent, pause = 0, threading.Event()
    for _ in range(20):  # until nothing has been taken for a while
        try:
            while True:
                sent += guest_end.send(bytes(65536))
        except BlockingIOError:
            pause.wait(0.02)
    assert sent < 64 * 2**20
    guest_end.shutdown(socket.SHUT_WR)
    caller.end()
    data, _ends = caller.rest()
    assert len(data) == sent


def test_guest_that_reads_nothing_stops_the_caller(
    stub: AgentStub, header: pb.TcpHeader, guest_end: socket.socket
) -> None:
    taken = 0

    def flood() -> Iterator[pb.TcpInput]:
        nonlocal taken
        yield pb.TcpInput(header=header)
        while True:
            taken += 1
            yield pb.TcpInput(data=bytes(65536))

    call = stub.OpenTcp(flood(), timeout=PATIENCE_S)
    assert next(call) == pb.TcpOutput()
    before, pause = -1, threading.Event()
    while taken != before:
        before = taken
        pause.wait(0.3)
    assert taken * 65536 < 64 * 2**20
    call.cancel()


def test_stopped_guest_ends_its_tunnels(
    agent: AgentUnderTest, stub: AgentStub, header: pb.TcpHeader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guest that stops sends no end of its connections."""
    monkeypatch.setattr(tunnels, "CHECK_S", 0.05)
    caller = Caller(stub, header).opened()
    agent.fake.guest_powers_off(UUID(header.instance_id))
    assert refusal(caller.rest).code == "agent.guest_not_running"
    assert refusal(Caller(stub, header).opened).code == "agent.guest_not_running"


def test_migration_ends_the_tunnels(
    agent: AgentUnderTest, stub: AgentStub, header: pb.TcpHeader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnels, "CHECK_S", 0.05)
    caller = Caller(stub, header).opened()
    guest_id = UUID(header.instance_id)
    moving = Migration(1, MigrationPhase.RUNNING, ends_at=2**40)
    agent.server.node.state_store.record_migration(guest_id, moving)
    agent.fake.guest_powers_off(guest_id)
    assert refusal(caller.rest).code == "agent.guest_moving"


def test_stopping_agent_ends_its_tunnels(agent: AgentUnderTest, stub: AgentStub, header: pb.TcpHeader) -> None:
    caller = Caller(stub, header).opened()
    agent.server.stop(grace_s=10)
    assert refusal(caller.rest).code == "agent.stopping"
    agent.restart()
    agent.learn()


def test_idle_tunnel_is_closed(stub: AgentStub, header: pb.TcpHeader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tunnels, "CHECK_S", 0.05)
    monkeypatch.setattr(tunnels, "IDLE_LIMIT_S", 0.1)
    assert refusal(Caller(stub, header).opened().rest).code == "agent.exhausted"


def test_tunnels_of_a_guest_and_of_a_node_are_counted(
    stub: AgentStub, header: pb.TcpHeader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnels, "MAX_OF_GUEST", 2)
    first, second = (Caller(stub, header).opened() for _ in range(2))
    assert "The limit of 2 open tunnels of a guest" in refusal(Caller(stub, header).opened).message
    monkeypatch.setattr(tunnels, "MAX_TUNNELS", 2)
    assert "on this node is reached" in refusal(Caller(stub, header).opened).message
    first.hang_up()
    second.hang_up()


@pytest.mark.parametrize(
    ("failure", "code"), [(ConnectionRefusedError(), "agent.tcp_refused"), (TimeoutError(), "agent.tcp_timeout")]
)
def test_failed_connection_has_its_code(
    agent: AgentUnderTest, stub: AgentStub, header: pb.TcpHeader, failure: Exception, code: str
) -> None:
    agent.fake.fail_next("connect_tcp", failure)
    assert refusal(Caller(stub, header).opened).code == code


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"instance_id": "x"}, "header.instance_id"),
        ({"port_id": ""}, "header.port_id"),
        ({"port_id": str(specs.NODE_ID)}, "header.port_id"),
        ({"address": "web"}, "header.address"),
        ({"address": "127.0.0.1"}, "header.address"),
        ({"address": "10.10.0.1"}, "header.address"),
        ({"tcp_port": 0}, "header.tcp_port"),
        ({"tcp_port": 65536}, "header.tcp_port"),
    ],
)
def test_only_addresses_of_the_guest_are_connected(
    stub: AgentStub, header: pb.TcpHeader, changes: dict[str, Any], field: str
) -> None:
    asked = pb.TcpHeader()
    asked.CopyFrom(header)
    for name, value in changes.items():
        setattr(asked, name, value)
    refused = refusal(Caller(stub, asked).opened)
    assert refused.code == "agent.bad_request"
    assert refused.message.startswith(field)


def test_port_of_another_guest_is_refused(agent: AgentUnderTest, stub: AgentStub, header: pb.TcpHeader) -> None:
    other = specs.port(12)
    agent.stub.EnsurePort(other)
    header.port_id, header.address = other.subject.id, "10.10.0.12"
    assert refusal(Caller(stub, header).opened).message == "header.port_id: is no network card of the guest"


def test_first_message_is_the_header(stub: AgentStub) -> None:
    assert refusal(lambda: list(stub.OpenTcp(iter([pb.TcpInput(data=b"x")])))).code == "agent.bad_request"


@pytest.mark.parametrize("message", [pb.TcpInput(data=bytes(64 * 1024 + 1)), pb.TcpInput(header=pb.TcpHeader())])
def test_malformed_message_ends_the_tunnel(stub: AgentStub, header: pb.TcpHeader, message: pb.TcpInput) -> None:
    caller = Caller(stub, header).opened()
    caller.message(message)
    assert refusal(caller.rest).code == "agent.bad_request"


def test_unknown_guest_has_no_tunnel(stub: AgentStub, header: pb.TcpHeader) -> None:
    header.instance_id = str(specs.NODE_ID)
    assert refusal(Caller(stub, header).opened).code == "agent.not_found"
