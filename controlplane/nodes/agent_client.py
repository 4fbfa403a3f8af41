"""Calls to the agents: one function per RPC, over mutual TLS, on the channels of channels.py.

Only the watcher (watcher/streams.py), consoles and tunnels (guest_client.py) have channels of their own.

Calls that give a node data or work take a CallAuthorization with a permit, which workflows/step_permits.py gets from
the signer: there is no other way to a node. Errors of gRPC become NodeUnreachable, NodeFailed (another attempt may
work) or NodeRefused, see translate_error(). Inside ignoring_node(), a node is not called at all; nor by a worker that
has lost its operation lease (operations/lease_guard.py), nor inside a transaction.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

import grpc
from django.conf import settings
from opentelemetry.trace import SpanKind

from agents.protocol import agent_pb2 as pb
from agents.protocol.agent_pb2_grpc import AgentStub
from andromede_core.documents.messages import Message
from controlplane.kernel.db import forbid_transaction
from controlplane.kernel.errors import CloudError
from controlplane.nodes import agent_call_metrics, channels
from controlplane.nodes.errors import (
    ImageFileUnreadable,
    NodeAbandoned,
    NodeFailed,
    NodeOutdated,
    NodeRefused,
    NodeUnreachable,
)
from controlplane.nodes.models import Node
from controlplane.operations import lease_guard
from telemetry.logs import outgoing_metadata
from telemetry.traces import TRACEPARENT, span, traceparent

CHUNK_BYTES = 1024 * 1024
IMAGE_TIMEOUT_S = 1800
# gRPC's text, beside RESOURCE_EXHAUSTED, for a message larger than its receiver accepts.
TOO_LARGE = "larger than max"
IMAGE_LOOK_S = 5
# A node's limit of a freeze is 10 s at most; a thaw waits for a freeze of the guest that is under way.
FREEZE_TIMEOUT_S = 15
THAW_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class CallAuthorization:
    """The node and decision of a resource (placement.services.call_authorization), with the permit for one call.

    It has the permit, a sentinel's signature under it, and the policies that it was issued for. Without a permit a node
    only stops or removes resources.
    """

    node: Node
    decision_id: UUID
    jti: UUID | None = None
    permit: bytes = b""
    sentinel_signature: bytes = b""
    policies: bytes = b""

    def as_message(self) -> pb.Permit:
        return pb.Permit(document=self.permit, cosignature=self.sentinel_signature, policies=self.policies)


_abandoned_node: ContextVar[UUID | None] = ContextVar("given_up", default=None)


@contextmanager
def ignoring_node(node_id: UUID | None) -> Iterator[None]:
    """Fail each call to the node with NodeAbandoned, without a retry. None: call all nodes."""
    token = _abandoned_node.set(node_id)
    try:
        yield
    finally:
        _abandoned_node.reset(token)


def is_abandoned(node: Node | None) -> bool:
    return node is not None and node.pk == _abandoned_node.get()


def require_not_abandoned(node: Node) -> None:
    """Check that the node is not abandoned. Raises NodeAbandoned."""
    if is_abandoned(node):
        raise NodeAbandoned()


def _terms(timeout_s: int | None = None) -> dict[str, Any]:
    """Return the timeout and the metadata of a call, for the agent's log and trace."""
    parent = traceparent()
    metadata = (*outgoing_metadata(), *([(TRACEPARENT, parent)] if parent else []))
    return {"timeout": timeout_s or settings.AGENT_TIMEOUT_S, "metadata": metadata}


P = ParamSpec("P")
R = TypeVar("R")
Target = TypeVar("Target", Node, CallAuthorization)
Part = TypeVar("Part")


def _never(*args: object, **kwargs: object) -> bool:
    return False


def _rpc(
    *, is_transfer: Callable[..., bool] = _never
) -> Callable[[Callable[Concatenate[AgentStub, Target, P], R]], Callable[Concatenate[Target, P], R]]:
    """Decorate a function that makes one call: it gets the stub of its node.

    `is_transfer` tells from the function's arguments if the call moves an image's bytes, which takes long even on a
    healthy node, and has no limit.
    """

    def decorate(call: Callable[Concatenate[AgentStub, Target, P], R]) -> Callable[Concatenate[Target, P], R]:
        name = call.__name__

        @functools.wraps(call)
        def calling(target: Target, /, *args: P.args, **kwargs: P.kwargs) -> R:
            node = target.node if isinstance(target, CallAuthorization) else target
            forbid_transaction()
            require_not_abandoned(node)
            is_limited = not is_transfer(target, *args, **kwargs)
            with _measured(name), channels.calling(node, is_limited=is_limited) as stub:
                lease_guard.require_lease()
                return call(stub, target, *args, **kwargs)

        return calling

    return decorate


@contextmanager
def _measured(name: str) -> Iterator[None]:
    """Count and trace a call, and translate its failure."""
    code = "ok"
    with span(name, kind=SpanKind.CLIENT) as current:
        try:
            with agent_call_metrics.SECONDS.labels(name).time():
                yield
        except grpc.RpcError as exc:
            error = translate_error(exc)
            code = error.code
            raise error from exc
        except CloudError as exc:
            code = exc.code
            raise
        finally:
            agent_call_metrics.CALLS.labels(name, code).inc()
            current.set_attribute("andromede.code", code)


UNREACHABLE = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}  # the call, not by us
)
FAILED = frozenset(
    {
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNKNOWN,
    }
)


def translate_error(exc: grpc.RpcError) -> NodeUnreachable | NodeFailed | NodeRefused:
    """Return our error for a failed call to an agent.

    Trailers have the agent's own errors. Without them the status is gRPC's
    (https://grpc.github.io/grpc/core/md_doc_statuscodes.html): the agent is unreachable, failed in a way that may pass,
    or will never accept this call. `cause` and `status` are for logs only.
    """
    trailers: dict[str, Any] = dict(exc.trailing_metadata() or ())  # type: ignore[arg-type]  # pairs they are
    status = exc.code()
    facts: dict[str, Any] = {"cause": exc.details(), "status": status.name}
    if "andromede-code" in trailers:
        error = NodeFailed if trailers.get("andromede-retryable") in ("true", b"true") else NodeRefused
        return error(reason=exc.details(), agent_code=trailers["andromede-code"])
    if status in UNREACHABLE:
        return NodeUnreachable(**facts)
    if status is grpc.StatusCode.UNIMPLEMENTED:
        return NodeOutdated(**facts)
    if status is grpc.StatusCode.RESOURCE_EXHAUSTED and TOO_LARGE in (exc.details() or ""):
        return NodeRefused(reason=Message("the message to it or from it is too large."), **facts)
    if status in FAILED:
        return NodeFailed(reason=Message("its agent had an internal error."), **facts)
    return NodeRefused(reason=Message("its agent does not accept the call."), **facts)


def subject(resource_id: UUID, generation: int) -> pb.Subject:
    return pb.Subject(id=str(resource_id), generation=generation)


@_rpc()
def describe(stub: AgentStub, node: Node, *resource_ids: UUID) -> pb.NodeDescription:
    """Return the node's inventory and resources; only those of `resource_ids`, when given."""
    request = pb.DescribeRequest(ids=[str(resource_id) for resource_id in resource_ids])
    reply: pb.NodeDescription = stub.Describe(request, **_terms())
    return reply


@_rpc()
def ensure_trust(stub: AgentStub, node: Node, request: pb.EnsureTrustRequest) -> pb.TrustState:
    """Send the node trust documents; it checks the signatures itself."""
    reply: pb.TrustState = stub.EnsureTrust(request, **_terms())
    return reply


def _sends(authorization: CallAuthorization, *, file: Path | None, **_: object) -> bool:
    return file is not None


@_rpc(is_transfer=_sends)
def ensure_image(
    stub: AgentStub,
    authorization: CallAuthorization,
    *,
    sha256: str,
    size_bytes: int,
    image_format: str,
    file: Path | None,
) -> pb.ImageState:
    """Send the image unless the node has it. Takes as long as the transfer takes.

    `file` None: only check if the node has it, for IMAGE_LOOK_S at most; a node without it refuses
    (agent.image_refused).

    Raises:
        ImageFileUnreadable: the file cannot be read here, which is no fault of the node.
    """
    header = pb.ImageHeader(
        sha256=sha256,
        size_bytes=size_bytes,
        format=f"IMAGE_FORMAT_{image_format.upper()}",
        permit=authorization.as_message(),
    )
    problems: list[OSError] = []
    terms = _terms(IMAGE_TIMEOUT_S if file is not None else IMAGE_LOOK_S)
    try:
        reply: pb.ImageState = stub.EnsureImage(image_parts(pb.ImagePart, header, file, problems), **terms)
    except grpc.RpcError:
        if problems:
            raise ImageFileUnreadable(sha256=sha256, cause=str(problems[0])) from problems[0]
        raise
    return reply


def image_parts(part: Callable[..., Part], header: Any, file: Path | None, problems: list[OSError]) -> Iterator[Part]:
    """Yield the messages of a transfer, of the class `part`: agents of nodes and storage agents have one each.

    gRPC reports an error in this generator as a failure of the call: the original one is added to `problems`.
    """
    yield part(header=header)
    if file is None:
        return
    try:
        with file.open("rb") as source:
            while chunk := source.read(CHUNK_BYTES):
                yield part(data=chunk)
    except OSError as exc:
        problems.append(exc)
        raise


@_rpc()
def remove_image(stub: AgentStub, node: Node, *, sha256: str) -> None:
    stub.RemoveImage(pb.RemoveImageRequest(sha256=sha256), **_terms())


def _copies_image(authorization: CallAuthorization, request: pb.EnsureVolumeRequest) -> bool:
    """Tell if the disk is a whole copy of its image, as in a pool."""
    return bool(request.pool and request.image_sha256)


@_rpc(is_transfer=_copies_image)
def ensure_volume(stub: AgentStub, authorization: CallAuthorization, request: pb.EnsureVolumeRequest) -> pb.VolumeState:
    request.permit.CopyFrom(authorization.as_message())
    timeout_s = IMAGE_TIMEOUT_S if _copies_image(authorization, request) else None
    reply: pb.VolumeState = stub.EnsureVolume(request, **_terms(timeout_s))
    return reply


@_rpc()
def ensure_volume_copy(
    stub: AgentStub, authorization: CallAuthorization, request: pb.EnsureVolumeCopyRequest
) -> pb.VolumeCopyState:
    """Begin the copy of a volume, which goes on after the answer."""
    request.permit.CopyFrom(authorization.as_message())
    reply: pb.VolumeCopyState = stub.EnsureVolumeCopy(request, **_terms())
    return reply


@_rpc()
def pivot_volume_copy(stub: AgentStub, node: Node, volume_id: UUID, *, generation: int) -> pb.VolumeCopyState:
    """Let the running guest have the copy that was begun under this generation."""
    request = pb.PivotVolumeCopyRequest(subject=subject(volume_id, generation))
    reply: pb.VolumeCopyState = stub.PivotVolumeCopy(request, **_terms())
    return reply


@_rpc()
def ensure_port(stub: AgentStub, authorization: CallAuthorization, request: pb.EnsurePortRequest) -> pb.PortState:
    request.permit.CopyFrom(authorization.as_message())
    reply: pb.PortState = stub.EnsurePort(request, **_terms())
    return reply


@_rpc()
def ensure_network(stub: AgentStub, node: Node, segment: bytes) -> pb.NetworkState:
    """Send the node the segment of a network; it checks the signature itself."""
    reply: pb.NetworkState = stub.EnsureNetwork(pb.EnsureNetworkRequest(segment=segment), **_terms())
    return reply


@_rpc()
def ensure_port_rules(stub: AgentStub, node: Node, request: pb.EnsurePortRulesRequest) -> pb.PortRulesState:
    """Send the node lists of ports and security groups; it checks the signatures itself."""
    reply: pb.PortRulesState = stub.EnsurePortRules(request, **_terms())
    return reply


@_rpc()
def ensure_metadata(stub: AgentStub, node: Node, documents: Sequence[bytes]) -> pb.MetadataState:
    """Send the node signed metadata of instances; it checks the signatures itself."""
    reply: pb.MetadataState = stub.EnsureMetadata(pb.EnsureMetadataRequest(documents=documents), **_terms())
    return reply


@_rpc()
def ensure_instance(
    stub: AgentStub, authorization: CallAuthorization, request: pb.EnsureInstanceRequest
) -> pb.InstanceState:
    if authorization.permit:
        request.permit.CopyFrom(authorization.as_message())
    reply: pb.InstanceState = stub.EnsureInstance(request, **_terms())
    return reply


@_rpc()
def ensure_arrival(
    stub: AgentStub, authorization: CallAuthorization, request: pb.EnsureArrivalRequest
) -> pb.ArrivalState:
    request.instance.permit.CopyFrom(authorization.as_message())
    reply: pb.ArrivalState = stub.EnsureArrival(request, **_terms())
    return reply


@_rpc()
def ensure_departure(
    stub: AgentStub, authorization: CallAuthorization, request: pb.EnsureDepartureRequest
) -> pb.DepartureState:
    """Begin the outgoing migration, or return its progress."""
    request.permit.CopyFrom(authorization.as_message())
    reply: pb.DepartureState = stub.EnsureDeparture(request, **_terms())
    return reply


@_rpc()
def ensure_attachment(
    stub: AgentStub, authorization: CallAuthorization, request: pb.EnsureAttachmentRequest
) -> pb.AttachmentState:
    request.permit.CopyFrom(authorization.as_message())
    reply: pb.AttachmentState = stub.EnsureAttachment(request, **_terms())
    return reply


@_rpc()
def remove(stub: AgentStub, node: Node, *, kind: str, resource_id: UUID, generation: int, pool: str = "") -> None:
    """Remove an instance, volume, port or attachment, or one end of a migration (arrival, departure).

    A missing resource is a success. A removal needs no permit. A "shared-volume" is only forgotten by the node. `pool`:
    where the file of a volume is; of the copy of a volume ("volume-copy") the place that is erased.
    """
    calls = {
        "instance": stub.RemoveInstance,
        "volume": stub.RemoveVolume,
        "shared-volume": stub.ForgetVolume,
        "port": stub.RemovePort,
        "attachment": stub.RemoveAttachment,
        "arrival": stub.RemoveArrival,
        "departure": stub.RemoveDeparture,
        "volume-copy": stub.RemoveVolumeCopy,
    }
    request = pb.RemoveRequest(subject=subject(resource_id, generation), pool=pool)
    calls[kind](request, **_terms())


@_rpc()
def ensure_quarantine(stub: AgentStub, node: Node, request: pb.EnsureQuarantineRequest) -> pb.QuarantineState:
    """Quarantine an orphan, or release it; that takes no permit."""
    reply: pb.QuarantineState = stub.EnsureQuarantine(request, **_terms())
    return reply


@_rpc()
def remove_quarantine(stub: AgentStub, node: Node, *, orphan_id: UUID, generation: int) -> pb.QuarantineState:
    """Delete a quarantined orphan for good."""
    request = pb.RemoveRequest(subject=subject(orphan_id, generation))
    reply: pb.QuarantineState = stub.RemoveQuarantine(request, **_terms())
    return reply


@_rpc()
def freeze_instance(
    stub: AgentStub, node: Node, *, instance_id: UUID, limit_ms: int = 0, is_pause: bool = False
) -> int:
    """Let the guest's agent freeze its file systems; return their number, as the guest says. It needs no permit.

    `is_pause`: pause the guest instead, whose agent is not asked, and return 0; for nodes with the trait guest-pause.

    The node thaws it by itself when `limit_ms` have passed since it got the call. 0: after 10 s, the longest.

    Raises:
        NodeOutdated: the node's agent is too old.
        NodeRefused: `agent_code` is agent.guest_agent_missing, .guest_agent_silent or .guest_agent_refused, or
            agent.guest_not_running. But for the first and the last the guest may be frozen, until the node thaws it.
        NodeFailed: the guest is frozen or in migration, or too many guests of the node are frozen.
    """
    level = pb.FREEZE_LEVEL_EXECUTION if is_pause else pb.FREEZE_LEVEL_FILE_SYSTEMS
    request = pb.FreezeInstanceRequest(instance_id=str(instance_id), limit_ms=limit_ms, level=level)
    reply: pb.FrozenState = stub.FreezeInstance(request, **_terms(FREEZE_TIMEOUT_S))
    return reply.file_systems


@_rpc()
def thaw_instance(stub: AgentStub, node: Node, *, instance_id: UUID) -> pb.ThawedState:
    """Thaw the guest; `was_frozen` of the reply tells if it was frozen up to now.

    Raises:
        NodeRefused: as of `freeze_instance`. The node tries again by itself.
    """
    request = pb.ThawInstanceRequest(instance_id=str(instance_id))
    reply: pb.ThawedState = stub.ThawInstance(request, **_terms(THAW_TIMEOUT_S))
    return reply


@_rpc()
def read_console(stub: AgentStub, node: Node, *, instance_id: UUID, offset: int, max_bytes: int) -> pb.ConsoleChunk:
    request = pb.ReadConsoleRequest(instance_id=str(instance_id), offset=offset, max_bytes=max_bytes)
    reply: pb.ConsoleChunk = stub.ReadConsole(request, **_terms())
    return reply
