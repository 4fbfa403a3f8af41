"""Every workflow against a real agent: each call that gives the node data or work needs a permit.

The signer makes permits after a decision of its own; the agent refuses calls without one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import grpc
import pytest

from agents.protocol import agent_pb2 as pb
from agents.protocol.agent_pb2_grpc import AgentStub
from andromede_core.documents import signed
from andromede_core.documents.canonical import dumps
from andromede_core.permits import permit as core
from andromede_core.policy.roles import (
    ALSO_PART_OF,
    CHECKED_WHEN_UNDONE,
    OPERATIONS,
    PART_OF,
    ROLES_OF,
    TAKING_NOTHING,
)
from controlplane.compute.attachments import volume_detach
from controlplane.compute.models import Attachment
from controlplane.kernel import clock, wakeups
from controlplane.nodes import agent_client, channels, trust_documents
from controlplane.nodes.errors import NodeRefused
from controlplane.nodes.models import Node
from controlplane.operations.models import Operation
from controlplane.operations.services import operation_cancel
from controlplane.placement import permits
from controlplane.placement.models import Permit
from controlplane.signer import permits as signer
from controlplane.workflows import step_permits
from controlplane.workflows.registry import WORKFLOWS
from tests.nightly import as_nightly
from tests.workflows.helpers import altered, ask_volume, make_attached, then
from tests.workflows.test_every_step import CASES, FROM_VOLUME, WITH_ROOT_VOLUME, Case
from tests.world import Cloud, Signer, follow, run, run_next_attempt

METHODS = pb.DESCRIPTOR.services_by_name["Agent"].methods
# What may be called without a permit: it gives the node nothing, or (EnsureTrust, EnsureNetwork) checks signatures of
# its own. A console is that of a guest that a permit has started, and the stream process evaluates the policy first.
FREE = {
    "Describe",
    "Watch",
    "EnsureTrust",
    "EnsureNetwork",
    "EnsurePortRules",
    "EnsureMetadata",
    "RenewLease",
    "FreezeInstance",
    "ThawInstance",
    "EnsureQuarantine",
    "RemoveQuarantine",
    "ForgetVolume",
    "ReadConsole",
    "OpenConsole",
    "OpenTcp",
    "RemoveImage",
    "RemoveVolume",
    "RemoveVolumeCopy",
    "PivotVolumeCopy",
    "RemovePort",
    "RemoveInstance",
    "RemoveAttachment",
    "RemoveArrival",
    "RemoveDeparture",
}
# A volume's generation changes while it moves: the copy has another one than the volume that it becomes. A permit is
# for one generation, so what opens the volume in its new place has one of its own.
TWO_GENERATIONS = {"volume.move", "volume.relocate"}
BETWEEN_ZONES = ("instance.relocate", "volume.relocate")
# Operations whose calls go to the storage agent alone, as the permits for a node do then.
OF_CLUSTERS = {"image.create", "snapshot.create", "instance.snapshot", "volume.revert"}
STOPS = (pb.POWER_OFF, pb.POWER_SHUTDOWN)
Call = tuple[str, Any]


def guarded_methods() -> set[str]:
    """The calls whose message, or the header of it, has a permit."""
    result = set()
    for method in METHODS:
        header = method.input_type.fields_by_name.get("header")
        message = header.message_type if header is not None else method.input_type
        if message is pb.EnsureArrivalRequest.DESCRIPTOR:
            message = message.fields_by_name["instance"].message_type
        if "permit" in message.fields_by_name:
            result.add(method.name)
    return result


def permitted(message: Any) -> Any:
    """Return the message that has the permit."""
    return message.instance if isinstance(message, pb.EnsureArrivalRequest) else message


def is_stop(message: Any) -> bool:
    return isinstance(message, pb.EnsureInstanceRequest) and message.power in STOPS and not message.HasField("permit")


def is_taken_for_a_stop(message: Any) -> bool:
    """Without a permit, a spec with the power off only stops an existing guest."""
    return isinstance(message, pb.EnsureInstanceRequest) and message.power in STOPS and message.subject.generation > 1


def is_adoption(message: Any) -> bool:
    """Without a permit, a guest that has arrived is adopted as it came: see test_adoption_without_permit.py."""
    return isinstance(message, pb.EnsureInstanceRequest) and message.has_left_source


@dataclass
class Doubter:
    """Between the workflows and the agent: tries each call without its permit first, which the agent must refuse."""

    stub: AgentStub
    calls: list[Call] = field(default_factory=list)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        real = getattr(self.stub, name)
        if name not in guarded_methods():
            return real  # type: ignore[no-any-return]

        def call(request: Any, **terms: Any) -> Any:
            if name != "EnsureImage":
                self._doubt(name, request)
                return real(request, **terms)
            parts = list(request)
            self._doubt(name, parts[0].header)
            return real(iter(parts), **terms)

        return call

    def _doubt(self, name: str, message: Any) -> None:
        is_known = name == "EnsureDeparture" and any(before == name for before, _ in self.calls)
        self.calls.append((name, message))
        if is_stop(message) or is_taken_for_a_stop(message) or is_adoption(message) or is_known:
            return  # who asks how far a move is gives nothing
        bare = type(message)()
        bare.CopyFrom(message)
        permitted(bare).ClearField("permit")
        assert refusal(self.stub, name, bare) == "agent.permit.missing"


def refusal(stub: AgentStub, name: str, message: Any) -> str:
    """The code with which the agent refuses the message."""
    argument = iter([pb.ImagePart(header=message)]) if name == "EnsureImage" else message
    with pytest.raises(grpc.RpcError) as caught:
        getattr(stub, name)(argument, timeout=10)
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    return str(dict(caught.value.trailing_metadata())["andromede-code"])


@pytest.fixture
def doubted(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """The guarded calls of the workflows."""
    calls: list[Call] = []
    calling = channels.calling

    @contextmanager
    def doubting(node: Node, **how: Any) -> Iterator[Doubter]:
        with calling(node, **how) as stub:
            yield Doubter(stub, calls)

    monkeypatch.setattr(channels, "calling", doubting)
    return calls


def stub_of(node: Node) -> AgentStub:
    """The agent's, behind the doubter."""
    with channels.calling(node) as doubter:
        stub: AgentStub = doubter.stub  # type: ignore[attr-defined]
        return stub


def op_of(operation: Operation, message: Any) -> str:
    """Return the action of the permit with which the message was sent."""
    if isinstance(message, pb.EnsureDepartureRequest):
        return "instance.migrate-out"
    if isinstance(message, pb.EnsureVolumeCopyRequest) and message.HasField("sent_to"):
        return "volume.relocate-out"
    is_plug = isinstance(message, pb.EnsureAttachmentRequest)
    if operation.args.get("is_first_use") and not is_plug:
        return "volume.create"
    if operation.kind == "instance.relocate":
        return "instance.migrate"
    is_volume = isinstance(message, pb.EnsureVolumeRequest) and UUID(message.subject.id) in made_with(operation)
    return "volume.create" if is_volume else operation.kind


def made_with(operation: Operation) -> set[UUID]:
    """Return the volumes that the creation of an instance makes."""
    first_uses = Attachment.objects.filter(pk__in=operation.args.get("first_uses", ()))
    return set(first_uses.values_list("volume_id", flat=True))


def assert_permitted(operation: Operation, message: Any) -> None:
    """The signer signed it for this operation, after a decision that admits the zone."""
    permit = core.parse(signed.read(permitted(message).permit.document).payload)
    row = Permit.objects.select_related("decision").get(pk=permit.jti)
    assert (row.operation_id, row.state) == (operation.pk, "signed")
    if not (isinstance(message, pb.ImageHeader) and made_with(operation)):  # of the root disk, or of such a volume
        assert permit.op == op_of(operation, message)
    assert row.decision is not None
    assert row.decision.is_admitted
    is_sent_away = permit.op in PART_OF and operation.kind in BETWEEN_ZONES
    zone = operation.args["zone"] if is_sent_away else permit.zone
    assert zone in row.decision.admitted_zones
    is_between_nodes = operation.kind in ("instance.migrate", "instance.relocate")
    if operation.kind == "volume.relocate":
        is_between_nodes = isinstance(message, pb.EnsureVolumeCopyRequest)
    assert (permit.peer is not None) == is_between_nodes
    assert permit.decision == str(row.decision_id)
    assert row.decision.created_at >= operation.created_at, "of its own"


def test_every_call_is_guarded_or_transfers_nothing() -> None:
    assert guarded_methods() == {method.name for method in METHODS} - FREE


def test_every_operation_with_data_roles_has_a_case() -> None:
    on_nodes = WORKFLOWS.keys() - {"image.import", "image.verify", "node.fence"}
    assert {case.kind for case in CASES} == on_nodes
    assert set(ROLES_OF) - {"console.read", "public-address.attach"} <= on_nodes | set(PART_OF)


def test_evaluate_command_has_every_operation() -> None:
    of_data = {kind for kind in WORKFLOWS if not kind.startswith("node.")}
    assert of_data <= {*OPERATIONS, *TAKING_NOTHING}
    assert {kind for kind in TAKING_NOTHING if ROLES_OF.get(kind)} == CHECKED_WHEN_UNDONE
    assert set(PART_OF.values()) <= set(WORKFLOWS)


@pytest.mark.parametrize(
    "case",
    [*CASES, *map(as_nightly, FROM_VOLUME), *WITH_ROOT_VOLUME],
    ids=lambda case: f"{case.kind}-{case.prepare.__name__}",
)
def test_every_guarded_call_of_a_workflow_has_a_permit(cloud: Cloud, case: Case, doubted: list[Call]) -> None:
    ask = case.prepare(cloud)
    doubted.clear()
    operation = follow(ask())
    assert operation.state == "succeeded", operation.error
    given = [message for _, message in doubted if not is_stop(message)]
    for message in given:
        assert_permitted(operation, message)
    is_given = case.kind in ROLES_OF and case.kind != "volume.detach"
    assert bool(given) == (is_given and case.kind not in OF_CLUSTERS)
    parts = (part for part, whole in PART_OF.items() if whole == operation.kind)
    first_uses = 1 if operation.args.get("is_first_use") else len(operation.args.get("first_uses", ()))
    made = [op for op, wholes in ALSO_PART_OF.items() if operation.kind in wholes]
    own = [operation.kind, *made * first_uses] if operation.kind != "instance.relocate" else made
    wanted = [*own, *parts, *TWO_GENERATIONS & {operation.kind}] if is_given else []
    ops = sorted(Permit.objects.filter(operation_id=operation.pk).values_list("op", flat=True))
    assert ops == sorted(wanted), "one for all its calls on a node with one generation"


def test_undo_that_reattaches_a_disk_has_a_permit(cloud: Cloud, doubted: list[Call]) -> None:
    attachment = make_attached(cloud)
    cloud.fake.ignore_detach = True
    operation = run(volume_detach(cloud.tenant.actor, attachment))
    doubted.clear()
    operation_cancel(cloud.tenant.actor, operation)
    assert run(operation).state == "cancelled"
    (call,) = doubted
    assert_permitted(operation, call[1])


@pytest.fixture
def given(cloud: Cloud, doubted: list[Call]) -> Iterator[dict[str, Any]]:
    """The messages of one creation, by call; what they asked for is gone again."""
    operation = run(next(case for case in CASES if case.kind == "instance.create").prepare(cloud)())
    assert operation.state == "succeeded"
    yield {name: message for name, message in doubted if not is_stop(message)}


@pytest.fixture
def stub(cloud: Cloud, given: dict[str, Any]) -> AgentStub:
    return stub_of(cloud.machine.row)


def test_permit_is_valid_only_for_its_resources(cloud: Cloud, given: dict[str, Any], stub: AgentStub) -> None:
    """A volume's permit lets nobody make another volume, or anything else than volumes."""
    _, other = ask_volume(cloud, "other")
    assert run(other).state == "succeeded"
    document = bytes(Permit.objects.get(operation_id=other.pk).document or b"")
    for name, message in given.items():
        message.permit.document = document
        is_allowed = name in ("EnsureImage", "EnsureVolume")
        assert refusal(stub, name, message) == f"agent.permit.wrong_{'resource' if is_allowed else 'operation'}"


def test_altered_permit_is_refused(given: dict[str, Any], stub: AgentStub) -> None:
    for name, message in given.items():
        document = signed.read(message.permit.document)
        message.permit.document = dumps(document.envelope() | {"p": {**document.payload, "aud": "another"}})
        assert refusal(stub, name, message) == "agent.permit.bad_signature"


def test_permit_of_another_node_is_refused(cloud: Cloud, given: dict[str, Any]) -> None:
    other = cloud.world.add_machine("de-rhein-1")
    there = stub_of(other.row)
    for name, message in given.items():
        assert refusal(there, name, message) == "agent.permit.wrong_node"


def test_operation_gets_a_new_permit_after_expiry(cloud: Cloud) -> None:
    case = next(case for case in CASES if case.kind == "instance.create")

    def end(operation: Operation) -> None:
        Permit.objects.filter(operation_id=operation.pk).update(expires_at=clock.now())

    operation = case.prepare(cloud)()
    assert run(operation, altered(WORKFLOWS[case.kind], "root-disk", then(end))).state == "succeeded"
    assert Permit.objects.filter(operation_id=operation.pk, state="signed").count() == 2


def test_node_that_refuses_a_permit_gets_trust_documents_and_a_new_permit(
    cloud: Cloud,
) -> None:
    """The node's disk was replaced: it has no trust documents, and the database does not know."""
    case = next(case for case in CASES if case.kind == "volume.create")
    operation = case.prepare(cloud)()
    cloud.machine.replace_disk()
    assert run(operation).state == "running"
    first = Permit.objects.get(operation_id=operation.pk)
    assert first.expires_at is not None
    assert first.expires_at <= clock.now()
    assert operation.steps[-1]["message"].startswith("The node does not have the documents")
    assert run_next_attempt(operation).state == "succeeded"


def test_lost_wakeups_only_delay_the_permit(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wakeups, "current_app", Signer(permits.SIGN, permits.COSIGN))
    monkeypatch.setattr(permits, "PATIENCE_S", 0)
    operation = next(case for case in CASES if case.kind == "volume.create").prepare(cloud)()
    for _ in range(2):
        assert run_next_attempt(operation).state == "running"
        step = operation.steps[-1]
        assert (step["name"], step["state"], step["attempts"]) == ("image", "waiting", 1)
        assert step["message"] == "waits for the signer"
    assert not cloud.fake.volumes
    assert not cloud.fake.images
    assert Permit.objects.filter(operation_id=operation.pk).count() == 1, "asked once"
    assert signer.sign_all() == 1
    assert run_next_attempt(operation).state == "succeeded"


@pytest.mark.parametrize(("code", "is_refused"), [("agent.trust_older", False), ("agent.trust_refused", True)])
def test_node_to_which_another_worker_sent_newer_documents_needs_none(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, code: str, is_refused: bool
) -> None:
    """Two workers that send a node its trust documents at once: the slower one's are older than what the node has."""

    def refuse(node: Node, request: object) -> None:
        raise NodeRefused(reason="This node already trusts a newer floor.", agent_code=code)

    monkeypatch.setattr(trust_documents, "pending_update", lambda node: object())
    monkeypatch.setattr(agent_client, "ensure_trust", refuse)
    with pytest.raises(NodeRefused) if is_refused else nullcontext():
        step_permits.send_trust(cloud.machine.row)
