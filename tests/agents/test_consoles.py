"""Consoles over gRPC and the fake node: shared, bounded, and ended by whatever ends."""

import threading
from collections.abc import Iterator
from uuid import UUID

import grpc
import pytest

from agents.lab.shell import wait_until
from agents.node.services import consoles
from agents.node.services.consoles import SerialViewer
from agents.protocol import agent_pb2 as pb
from agents.protocol.agent_pb2_grpc import AgentStub
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest, refusal
from tests.agents.viewers import AgentViewer, picture, shake_hands
from tests.pki import issue_controlplane

BOOTED = b"The fake guest has booted.\n"
ENDS = [pb.CONSOLE_KIND_SERIAL, pb.CONSOLE_KIND_VNC]


@pytest.fixture
def stub(agent: AgentUnderTest) -> AgentStub:
    return agent.connect(issue_controlplane(agent.ca, agent.ca.folder / "stream", process="stream"))


@pytest.fixture
def guest(agent: AgentUnderTest) -> Iterator[str]:
    """The id of one that runs. At the end nothing of any viewer is left."""
    root, port = specs.volume(), specs.port()
    agent.stub.EnsureVolume(root)
    agent.stub.EnsurePort(port)
    spec = specs.instance(root, port)
    agent.stub.EnsureInstance(spec)
    yield spec.subject.id
    agent.stub.RemoveInstance(specs.removal(spec.subject))
    wait_until(lambda: not lines(), what="the lines to end")


def lines() -> list[threading.Thread]:
    names = ("serial-line", "console-input", "fake-serial", "fake-vnc")
    return [thread for thread in threading.enumerate() if thread.name in names]


def test_viewer_input_reaches_the_guest_and_output_the_viewer(stub: AgentStub, guest: str) -> None:
    viewer = AgentViewer(stub, guest, scrollback=1000).opened()
    assert viewer.seen == BOOTED
    viewer.type(b"hello\r")
    viewer.wait_for(b"hello\r\nhello\r\nfake# ")
    viewer.hang_up()


def test_all_viewers_see_the_same_and_may_type(stub: AgentStub, guest: str) -> None:
    ada, bob = (AgentViewer(stub, guest).opened() for _ in range(2))
    ada.type(b"from ada\r")
    for viewer in (ada, bob):
        viewer.wait_for(b"from ada\r\nfrom ada\r\nfake# ")
    bob.type(b"from bob\r")
    for viewer in (ada, bob):
        viewer.wait_for(b"from bob\r\nfrom bob\r\nfake# ")
    assert ada.seen == bob.seen
    bob.hang_up()
    ada.type(b"alone\r")
    ada.wait_for(b"alone\r\nalone\r\n")
    ada.hang_up()


def test_late_viewer_receives_the_scrollback(stub: AgentStub, guest: str) -> None:
    ada = AgentViewer(stub, guest).opened()
    ada.type(b"early\r")
    ada.wait_for(b"early\r\nfake# ")
    bob = AgentViewer(stub, guest, scrollback=2**31).opened()
    assert bob.seen == BOOTED + ada.seen
    carol = AgentViewer(stub, guest, scrollback=6).opened()
    assert carol.seen == b"fake# "
    for viewer in (ada, bob, carol):
        viewer.hang_up()


def test_next_viewer_gets_a_session_after_the_last_one_left(stub: AgentStub, guest: str) -> None:
    for _ in range(3):
        viewer = AgentViewer(stub, guest).opened()
        viewer.type(b"x")
        viewer.wait_for(b"x")
        viewer.hang_up()
        wait_until(lambda: not lines(), what="the line to end")


def test_every_viewer_receives_the_screen(stub: AgentStub, guest: str) -> None:
    viewers = [AgentViewer(stub, guest, pb.CONSOLE_KIND_VNC).opened() for _ in range(2)]
    for viewer in viewers:
        width, height, name = shake_hands(viewer)
        assert (width, height, name) == (64, 48, "A fake guest")
        assert any(picture(viewer, width, height))
    for viewer in viewers:
        viewer.hang_up()


@pytest.mark.parametrize("kind", ENDS)
def test_a_guest_that_stops_ends_its_consoles(agent: AgentUnderTest, stub: AgentStub, guest: str, kind: int) -> None:
    viewer = AgentViewer(stub, guest, kind).opened()
    agent.fake.guest_powers_off(UUID(guest))
    assert viewer.end() is grpc.StatusCode.OK
    late_viewer = AgentViewer(stub, guest, kind)
    assert refusal(late_viewer.opened).code == "agent.guest_not_running"


@pytest.mark.parametrize("kind", ENDS)
def test_an_agent_that_stops_ends_its_consoles(agent: AgentUnderTest, guest: str, kind: int) -> None:
    stub = agent.connect(issue_controlplane(agent.ca, agent.ca.folder / "stream", process="stream"))
    viewer = AgentViewer(stub, guest, kind).opened()
    agent.server.stop(grace_s=10)
    assert refusal(lambda: list(viewer.rest())).code == "agent.stopping"
    agent.restart()
    agent.learn()


def test_viewer_that_reads_nothing_is_cut_off_and_uses_no_memory() -> None:
    viewer = SerialViewer(channel=None, scrollback=b"")  # type: ignore[arg-type]  # nothing is typed
    viewer.push(b"x" * consoles.MAX_PENDING_BYTES)
    assert viewer.read() == b"x" * consoles.MAX_OUTPUT_BYTES
    for _ in range(3):
        viewer.push(b"x" * consoles.MAX_PENDING_BYTES)
    assert len(viewer._pending) == 0  # nor does it fill the node's memory
    with pytest.raises(consoles.Exhausted):
        viewer.read()


def test_slow_viewer_is_cut_off_and_others_continue(
    stub: AgentStub, guest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consoles, "MAX_PENDING_BYTES", 10_000)
    slow, quick = AgentViewer(stub, guest).opened(), AgentViewer(stub, guest).opened()
    for _ in range(1000):  # more than gRPC and the sockets take in by themselves
        quick.type(b"y" * 8000)
        quick.take(8000)
    assert refusal(lambda: list(slow.rest())).code == "agent.exhausted"
    quick.type(b"still here\r")
    quick.wait_for(b"still here")
    quick.hang_up()


def test_viewers_of_a_guest_and_of_a_node_are_counted(
    stub: AgentStub, guest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consoles, "MAX_VIEWERS", 2)
    first, second = AgentViewer(stub, guest).opened(), AgentViewer(stub, guest, pb.CONSOLE_KIND_VNC).opened()
    assert "The limit of 2" in refusal(AgentViewer(stub, guest).opened).message
    monkeypatch.setattr(consoles, "MAX_CONSOLES", 2)
    assert "on this node is reached" in refusal(AgentViewer(stub, guest).opened).message
    first.hang_up()
    second.hang_up()


def test_viewers_of_an_idle_guest_are_disconnected(
    stub: AgentStub, guest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consoles, "IDLE_LIMIT_S", 0.1)
    for kind in ENDS:
        viewer = AgentViewer(stub, guest, kind).opened()
        assert viewer.end() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    ("first", "problem"),
    [
        (pb.ConsoleInput(data=b"x"), "header"),
        (pb.ConsoleInput(header=pb.ConsoleHeader(instance_id="x", kind=pb.CONSOLE_KIND_SERIAL)), "header.instance_id"),
        (pb.ConsoleInput(header=pb.ConsoleHeader(instance_id=str(specs.NODE_ID))), "header.kind"),
    ],
)
def test_malformed_header_is_refused(stub: AgentStub, first: pb.ConsoleInput, problem: str) -> None:
    refused = refusal(lambda: list(stub.OpenConsole(iter([first]))))
    assert refused.code == "agent.bad_request"
    assert refused.message.startswith(problem)


@pytest.mark.parametrize(
    "message", [pb.ConsoleInput(data=bytes(64 * 1024 + 1)), pb.ConsoleInput(header=pb.ConsoleHeader())]
)
def test_malformed_message_ends_the_call(stub: AgentStub, guest: str, message: pb.ConsoleInput) -> None:
    viewer = AgentViewer(stub, guest).opened()
    viewer.message(message)
    assert refusal(lambda: list(viewer.rest())).code == "agent.bad_request"


@pytest.mark.parametrize("kind", ENDS)
def test_guest_started_without_consoles_is_reported(
    agent: AgentUnderTest, stub: AgentStub, guest: str, kind: int
) -> None:
    agent.fake.guests[UUID(guest)].consoles = None
    refused = refusal(AgentViewer(stub, guest, kind).opened)
    assert refused.code == "agent.no_console"
    assert "Stop and start it" in refused.message


def test_unknown_guest_has_no_console(stub: AgentStub) -> None:
    assert refusal(AgentViewer(stub, str(specs.NODE_ID)).opened).code == "agent.not_found"
