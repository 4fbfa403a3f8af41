"""Each error that an agent can send becomes the control plane's error of its class."""

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import grpc
import pytest

from agents.node import errors as agent
from agents.node.errors import AgentError
from agents.node.rpc.interceptor import status_of
from controlplane.api.session_ends import OF_AGENTS, End, end_of
from controlplane.kernel.errors import CloudError
from controlplane.nodes import agent_client
from controlplane.nodes.errors import NodeFailed, NodeRefused
from tests.world import Cloud

pytestmark = pytest.mark.django_db

Code = grpc.StatusCode
ROOT = Path(__file__).resolve().parents[3]
GUEST = UUID(int=1)
BUSY, FOR_GOOD = (NodeFailed, True), (NodeRefused, False)
# One of each class, its status, and what the control plane makes of it: whether the same call may succeed later.
SENT: list[tuple[AgentError, grpc.StatusCode, tuple[type[CloudError], bool]]] = [
    (AgentError("A bug."), Code.INTERNAL, FOR_GOOD),
    (agent.BadRequest("pool", "is no name"), Code.INVALID_ARGUMENT, FOR_GOOD),
    (agent.Forbidden("No."), Code.PERMISSION_DENIED, FOR_GOOD),
    (agent.UnknownPeer("No."), Code.PERMISSION_DENIED, FOR_GOOD),
    (agent.PermitRefused("EXPIRED", "it is over"), Code.PERMISSION_DENIED, BUSY),
    (agent.PermitRefused("WRONG_NODE", "it is another's"), Code.PERMISSION_DENIED, FOR_GOOD),
    (agent.TrustRefused("No."), Code.PERMISSION_DENIED, FOR_GOOD),
    (agent.PortNotListed(GUEST, "it is not listed for this node"), Code.PERMISSION_DENIED, FOR_GOOD),
    (agent.NotFound("guest", GUEST), Code.NOT_FOUND, FOR_GOOD),
    (agent.Conflict("It differs."), Code.FAILED_PRECONDITION, FOR_GOOD),
    (agent.StaleGeneration("guest", GUEST, given=1, seen=2), Code.FAILED_PRECONDITION, FOR_GOOD),
    (agent.GenerationReused("guest", GUEST, generation=1), Code.FAILED_PRECONDITION, FOR_GOOD),
    (agent.VolumeWouldShrink("It would."), Code.FAILED_PRECONDITION, FOR_GOOD),
    (agent.VolumeInUse("It is."), Code.FAILED_PRECONDITION, FOR_GOOD),
    (agent.VolumeNotOpen(GUEST), Code.FAILED_PRECONDITION, FOR_GOOD),
    (agent.VolumeCopyHeld(GUEST), Code.FAILED_PRECONDITION, BUSY),
    (agent.PortInUse("It is."), Code.FAILED_PRECONDITION, FOR_GOOD),
    (agent.ImageInUse("It is."), Code.FAILED_PRECONDITION, FOR_GOOD),
    (agent.ImageRefused("Other bytes."), Code.FAILED_PRECONDITION, FOR_GOOD),
    (agent.TrustOlder("keyset"), Code.FAILED_PRECONDITION, FOR_GOOD),
    (agent.DetachPending("Not yet."), Code.FAILED_PRECONDITION, BUSY),
    (agent.GuestNotRunning(GUEST), Code.FAILED_PRECONDITION, FOR_GOOD),
    (agent.NoConsole(GUEST, "vnc"), Code.FAILED_PRECONDITION, FOR_GOOD),
    (agent.TcpRefused(GUEST, 22), Code.FAILED_PRECONDITION, FOR_GOOD),
    (agent.TcpTimedOut(GUEST, 22), Code.FAILED_PRECONDITION, FOR_GOOD),
    (agent.TcpReset(GUEST), Code.FAILED_PRECONDITION, FOR_GOOD),
    (agent.NotQuarantined(GUEST), Code.FAILED_PRECONDITION, FOR_GOOD),
    (agent.GuestMigrating(GUEST), Code.FAILED_PRECONDITION, BUSY),
    (agent.GuestMigrated(GUEST), Code.FAILED_PRECONDITION, FOR_GOOD),
    (agent.GuestNotArrived(GUEST), Code.FAILED_PRECONDITION, FOR_GOOD),
    (agent.GuestArrived(GUEST), Code.FAILED_PRECONDITION, FOR_GOOD),
    (agent.GuestForeign(GUEST, "its CPU"), Code.FAILED_PRECONDITION, FOR_GOOD),
    (agent.NoFreeSlot(GUEST), Code.FAILED_PRECONDITION, FOR_GOOD),
    (agent.GuestAgentMissing(GUEST), Code.FAILED_PRECONDITION, FOR_GOOD),
    (agent.GuestAgentSilent(GUEST), Code.FAILED_PRECONDITION, FOR_GOOD),
    (agent.GuestAgentRefused(GUEST, "no"), Code.FAILED_PRECONDITION, FOR_GOOD),
    (agent.GuestPivoting(GUEST), Code.FAILED_PRECONDITION, BUSY),
    (agent.GuestFrozen(GUEST), Code.FAILED_PRECONDITION, BUSY),
    (agent.NotMigratable("It is not."), Code.FAILED_PRECONDITION, FOR_GOOD),
    (agent.Exhausted("Too many."), Code.RESOURCE_EXHAUSTED, BUSY),
    (agent.AdapterError("For now.", retryable=True), Code.UNAVAILABLE, BUSY),
    (agent.AdapterError("For good.", retryable=False), Code.INTERNAL, FOR_GOOD),
    (agent.MigrationCancelled(), Code.INTERNAL, FOR_GOOD),
    (agent.DiskLocked(GUEST, "a lock"), Code.UNAVAILABLE, BUSY),
    (agent.VolumeKeyMissing(GUEST), Code.UNAVAILABLE, BUSY),
    (agent.LeaseExpired(), Code.UNAVAILABLE, BUSY),
    (agent.AgentStopping(), Code.UNAVAILABLE, BUSY),
    (agent.HypervisorUnavailable("It hangs."), Code.UNAVAILABLE, BUSY),
]
CODES = {error.code for error, _, _ in SENT if not isinstance(error, agent.PermitRefused)} | {agent.PermitRefused.code}


def classes(of: type[AgentError] = AgentError) -> Iterator[type[AgentError]]:
    yield of
    for kind in of.__subclasses__():
        yield from classes(kind)


def test_every_class_of_error_is_in_the_table() -> None:
    """Classes with their own code; others are sent as their base class."""
    own = {kind for kind in classes() if kind.__module__.startswith("agents.node.") and "code" in vars(kind)}
    assert {type(error) for error, _, _ in SENT} == own


def test_each_error_code_belongs_to_one_class() -> None:
    codes = [kind.code for kind in {type(error) for error, _, _ in SENT}]
    assert len(codes) == len(set(codes))


def test_each_error_of_an_agent_maps_to_the_error_of_its_class(cloud: Cloud) -> None:
    for error, status, (kind, is_retryable) in SENT:
        assert status_of(error) is status
        cloud.fake.fail_next("states", error)
        with pytest.raises(CloudError) as caught:
            agent_client.describe(cloud.machine.row)
        assert (type(caught.value), caught.value.retryable) == (kind, is_retryable), error.code
        assert caught.value.facts["agent_code"] == error.code
        assert caught.value.facts["reason"] == error.message
        assert isinstance(end_of(caught.value), End)


def test_the_reference_lists_each_code_with_its_status() -> None:
    text = (ROOT / "docs" / "reference" / "agent.md").read_text()
    listed = dict(re.findall(r"^\| `(agent\.[a-z_]+)` \| ([A-Z_]+(?: or [A-Z_]+)?) \|", text, re.MULTILINE))
    assert listed.keys() == CODES
    for error, status, _ in SENT:
        code = agent.PermitRefused.code if isinstance(error, agent.PermitRefused) else error.code
        assert status.name in listed[code].split(" or "), code


def test_the_control_plane_names_no_code_that_no_agent_sends() -> None:
    named = set(OF_AGENTS)
    for file in (ROOT / "controlplane").rglob("*.py"):
        named |= set(re.findall(r'"(agent\.[a-z_]+)\.?"', file.read_text()))
    assert {"agent.stopping", "agent.image_refused", "agent.permit"} <= named, "the search finds what there is"
    assert named <= CODES


# ---- without the agent's word


class Answer(grpc.RpcError):
    """A failed call whose status is gRPC's own."""

    def __init__(self, status: grpc.StatusCode) -> None:
        self._status = status

    def code(self) -> grpc.StatusCode:
        return self._status

    def details(self) -> str:
        return "inner words"

    def trailing_metadata(self) -> tuple[()]:
        return ()


@pytest.mark.parametrize("status", [code for code in Code if code is not Code.OK], ids=lambda status: status.name)
def test_a_console_ends_with_a_reason_whatever_the_status(status: grpc.StatusCode) -> None:
    end = end_of(agent_client.translate_error(Answer(status)))
    assert end.code in range(1000, 5000)
    assert end.reason
    assert "inner words" not in end.reason
