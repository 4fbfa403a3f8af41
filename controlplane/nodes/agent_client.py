"""The calls to the agents: one function per RPC, over mutual TLS. Channels of their own
have only the watcher (watcher/streams.py) and consoles (console_client.py).

What gives a node data or work takes a Grant with a permit, which workflows.leave gets from the signer: there is no
other way to a node.
Errors of gRPC become NodeUnreachable, NodeFailed (another try may work) or NodeRefused. Inside without(), a node is not
called at all; nor by a worker that has lost its operation to another one (operations/fence.py).
"""

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

import grpc
from django.conf import settings
from opentelemetry.trace import SpanKind

from agents.protocol import agent_pb2 as pb
from agents.protocol.agent_pb2_grpc import AgentStub
from controlplane.nodes import meters
from controlplane.nodes.errors import NodeFailed, NodeGivenUp, NodeRefused, NodeUnreachable
from controlplane.nodes.models import Node
from controlplane.nodes.pki import server_name
from controlplane.operations import fence
from observing.logs import passed_on
from observing.traces import TRACEPARENT, span, traceparent

CHUNK_BYTES = 1024 * 1024
IMAGE_TIMEOUT_S = 1800
IMAGE_LOOK_S = 5
CHANNEL_OPTIONS = (
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)


@dataclass(frozen=True, slots=True)
class Grant:
    """Which node holds a resource, by which decision (placement.services.grant), and the leave to do something with it
    there: the permit, a sentinel's signature under it, and the policies that it was made for. Without leave a node only
    stops what it has."""

    node: Node
    decision_id: UUID
    jti: UUID | None = None
    permit: bytes = b""
    cosignature: bytes = b""
    policies: bytes = b""

    def leave(self) -> pb.Permit:
        return pb.Permit(document=self.permit, cosignature=self.cosignature, policies=self.policies)


def channel_credentials(process: str) -> grpc.ChannelCredentials:
    """The certificate of one of our processes ("worker", "watcher")."""
    folder: Path = settings.PKI_DIR
    return grpc.ssl_channel_credentials(
        root_certificates=(folder / "ca.crt").read_bytes(),
        private_key=(folder / f"{process}.key").read_bytes(),
        certificate_chain=(folder / f"{process}.crt").read_bytes(),
    )


def channel_options(node_id: UUID) -> tuple[tuple[str, object], ...]:
    return (*CHANNEL_OPTIONS, ("grpc.ssl_target_name_override", server_name(node_id)))


_given_up: ContextVar[UUID | None] = ContextVar("given_up", default=None)


@contextmanager
def without(node: Node) -> Iterator[None]:
    """Inside, nothing is asked of the node: what needs it fails with NodeGivenUp, at once and for good."""
    token = _given_up.set(node.pk)
    try:
        yield
    finally:
        _given_up.reset(token)


def is_given_up(node: Node | None) -> bool:
    return node is not None and node.pk == _given_up.get()


def need_hope(node: Node) -> None:
    """Raises NodeGivenUp."""
    if is_given_up(node):
        raise NodeGivenUp()


_channels: dict[tuple[UUID, str], tuple[grpc.Channel, AgentStub]] = {}
_lock = threading.Lock()


def _stub(node: Node) -> AgentStub:
    need_hope(node)
    key = (node.pk, node.address)
    with _lock:
        if key not in _channels:
            channel = grpc.secure_channel(
                node.address, channel_credentials(settings.PROCESS), options=channel_options(node.pk)
            )
            _channels[key] = channel, AgentStub(channel)  # type: ignore[no-untyped-call]
        return _channels[key][1]


def _terms(timeout_s: int | None = None) -> dict[str, Any]:
    """Of a call: how long it may take, and what it is about, for the agent's log and trace."""
    parent = traceparent()
    metadata = (*passed_on(), *([(TRACEPARENT, parent)] if parent else []))
    return {"timeout": timeout_s or settings.AGENT_TIMEOUT_S, "metadata": metadata}


def close() -> None:
    """Hang up on all nodes."""
    with _lock:
        while _channels:
            _channels.popitem()[1][0].close()


P = ParamSpec("P")
R = TypeVar("R")


def _translating(call: Callable[P, R]) -> Callable[P, R]:
    name = call.__name__

    @functools.wraps(call)
    def calling(*args: P.args, **kwargs: P.kwargs) -> R:
        code = "ok"
        fence.need_lease()
        with span(name, kind=SpanKind.CLIENT) as current:
            try:
                with meters.SECONDS.labels(name).time():
                    return call(*args, **kwargs)
            except grpc.RpcError as exc:
                error = translated(exc)
                code = error.code
                raise error from exc
            finally:
                meters.CALLS.labels(name, code).inc()
                current.set_attribute("andromede.code", code)

    return calling


def translated(exc: grpc.RpcError) -> NodeUnreachable | NodeFailed | NodeRefused:
    """What a failed call to an agent means."""
    trailers: dict[str, Any] = dict(exc.trailing_metadata() or ())  # type: ignore[arg-type]  # pairs they are
    if "andromede-code" not in trailers:
        return NodeUnreachable(cause=exc.details(), status=exc.code().name)
    error = NodeFailed if trailers.get("andromede-retryable") in ("true", b"true") else NodeRefused
    return error(reason=exc.details(), agent_code=trailers["andromede-code"])


def subject(resource_id: UUID, generation: int) -> pb.Subject:
    return pb.Subject(id=str(resource_id), generation=generation)


@_translating
def describe(node: Node, *resource_ids: UUID) -> pb.NodeDescription:
    """What the node is and holds; of `resource_ids` only, when given."""
    request = pb.DescribeRequest(ids=[str(resource_id) for resource_id in resource_ids])
    reply: pb.NodeDescription = _stub(node).Describe(request, **_terms())
    return reply


@_translating
def ensure_trust(node: Node, request: pb.EnsureTrustRequest) -> pb.TrustState:
    """Tell the node what to trust; it checks the signatures itself."""
    reply: pb.TrustState = _stub(node).EnsureTrust(request, **_terms())
    return reply


@_translating
def ensure_image(grant: Grant, *, sha256: str, size_bytes: int, image_format: str, file: Path | None) -> pb.ImageState:
    """Send the image unless the node has it. Takes as long as the transfer takes. `file` None: only ask whether the
    node has it, for IMAGE_LOOK_S at most; a node that has not refuses (agent.image_refused)."""
    header = pb.ImageHeader(
        sha256=sha256,
        size_bytes=size_bytes,
        format=f"IMAGE_FORMAT_{image_format.upper()}",
        permit=grant.leave(),
    )
    terms = _terms(IMAGE_TIMEOUT_S if file is not None else IMAGE_LOOK_S)
    reply: pb.ImageState = _stub(grant.node).EnsureImage(_parts(header, file), **terms)
    return reply


def _parts(header: pb.ImageHeader, file: Path | None) -> Iterator[pb.ImagePart]:
    yield pb.ImagePart(header=header)
    if file is None:
        return
    with file.open("rb") as source:
        while chunk := source.read(CHUNK_BYTES):
            yield pb.ImagePart(data=chunk)


@_translating
def remove_image(node: Node, *, sha256: str) -> None:
    _stub(node).RemoveImage(pb.RemoveImageRequest(sha256=sha256), **_terms())


@_translating
def ensure_volume(grant: Grant, request: pb.EnsureVolumeRequest) -> pb.VolumeState:
    request.permit.CopyFrom(grant.leave())
    timeout_s = IMAGE_TIMEOUT_S if request.pool and request.image_sha256 else None  # the image is copied
    reply: pb.VolumeState = _stub(grant.node).EnsureVolume(request, **_terms(timeout_s))
    return reply


@_translating
def ensure_port(grant: Grant, request: pb.EnsurePortRequest) -> pb.PortState:
    request.permit.CopyFrom(grant.leave())
    reply: pb.PortState = _stub(grant.node).EnsurePort(request, **_terms())
    return reply


@_translating
def ensure_network(node: Node, segment: bytes) -> pb.NetworkState:
    """Tell the node with which others it carries a network; it checks the signature itself."""
    reply: pb.NetworkState = _stub(node).EnsureNetwork(pb.EnsureNetworkRequest(segment=segment), **_terms())
    return reply


@_translating
def ensure_instance(grant: Grant, request: pb.EnsureInstanceRequest) -> pb.InstanceState:
    if grant.permit:
        request.permit.CopyFrom(grant.leave())
    reply: pb.InstanceState = _stub(grant.node).EnsureInstance(request, **_terms())
    return reply


@_translating
def ensure_arrival(grant: Grant, request: pb.EnsureArrivalRequest) -> pb.ArrivalState:
    request.instance.permit.CopyFrom(grant.leave())
    reply: pb.ArrivalState = _stub(grant.node).EnsureArrival(request, **_terms())
    return reply


@_translating
def ensure_departure(grant: Grant, request: pb.EnsureDepartureRequest) -> pb.DepartureState:
    """Begin the move, or hear how far it is."""
    request.permit.CopyFrom(grant.leave())
    reply: pb.DepartureState = _stub(grant.node).EnsureDeparture(request, **_terms())
    return reply


@_translating
def ensure_attachment(grant: Grant, request: pb.EnsureAttachmentRequest) -> pb.AttachmentState:
    request.permit.CopyFrom(grant.leave())
    reply: pb.AttachmentState = _stub(grant.node).EnsureAttachment(request, **_terms())
    return reply


@_translating
def remove(node: Node, *, kind: str, resource_id: UUID, generation: int, pool: str = "") -> None:
    """Remove an instance, volume, port or attachment, or what was begun of a move (arrival, departure); "already gone"
    is success. Removing needs no grant. A "shared-volume" is only forgotten by the node. `pool`: where the file of a
    volume is."""
    stub = _stub(node)
    calls = {
        "instance": stub.RemoveInstance,
        "volume": stub.RemoveVolume,
        "shared-volume": stub.ForgetVolume,
        "port": stub.RemovePort,
        "attachment": stub.RemoveAttachment,
        "arrival": stub.RemoveArrival,
        "departure": stub.RemoveDeparture,
    }
    request = pb.RemoveRequest(subject=subject(resource_id, generation), pool=pool)
    calls[kind](request, **_terms())


@_translating
def ensure_quarantine(node: Node, request: pb.EnsureQuarantineRequest) -> pb.QuarantineState:
    """Keep something from doing harm that nobody means, or put it back; that takes no permit."""
    reply: pb.QuarantineState = _stub(node).EnsureQuarantine(request, **_terms())
    return reply


@_translating
def remove_quarantine(node: Node, *, orphan_id: UUID, generation: int) -> pb.QuarantineState:
    """Destroy what is in quarantine, for good."""
    request = pb.RemoveRequest(subject=subject(orphan_id, generation))
    reply: pb.QuarantineState = _stub(node).RemoveQuarantine(request, **_terms())
    return reply


@_translating
def read_console(node: Node, *, instance_id: UUID, offset: int, max_bytes: int) -> pb.ConsoleChunk:
    request = pb.ReadConsoleRequest(instance_id=str(instance_id), offset=offset, max_bytes=max_bytes)
    reply: pb.ConsoleChunk = _stub(node).ReadConsole(request, **_terms())
    return reply
