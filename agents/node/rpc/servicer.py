"""The service of agent.proto: parse, check the warrant, call one service function, answer."""

import logging
import time
from collections.abc import Iterator
from uuid import UUID

import grpc

from agents.node.context import Node
from agents.node.errors import BadRequest
from agents.node.rpc import answers, authority, parse
from agents.node.services import attachments, events, images, instances, inventory, ports, volumes
from agents.node.services.inventory import PortStatus
from agents.protocol import agent_pb2 as pb
from agents.protocol import agent_pb2_grpc

log = logging.getLogger(__name__)

DEFAULT_HEARTBEAT_MS = 3000
MIN_HEARTBEAT_MS = 100
MAX_CONSOLE_BYTES = 2**20


class Servicer(agent_pb2_grpc.AgentServicer):
    def __init__(self, node: Node, hub: events.Hub) -> None:
        self._node = node
        self._hub = hub

    def Describe(self, request: pb.DescribeRequest, context: grpc.ServicerContext) -> pb.NodeDescription:
        return answers.description(inventory.describe(self._node, request.ids))

    def Watch(self, request: pb.WatchRequest, context: grpc.ServicerContext) -> Iterator[pb.NodeEvent]:
        interval_ms = max(request.heartbeat_interval_ms or DEFAULT_HEARTBEAT_MS, MIN_HEARTBEAT_MS)
        with self._hub.watch() as watch:
            if not context.add_callback(watch.close):
                return  # the caller has hung up already
            yield from self._events(watch, interval_ms / 1000)

    def EnsureImage(self, request_iterator: Iterator[pb.ImagePart], context: grpc.ServicerContext) -> pb.ImageState:
        first = next(request_iterator, None)
        if first is None or first.WhichOneof("part") != "header":
            raise BadRequest("header", "the first message carries the header")
        self._admit("image", first.header.sha256, first.header.warrant)
        parts = parse.image_parts(request_iterator)
        return answers.image(images.ensure(self._node, parse.image(first.header), parts))

    def RemoveImage(self, request: pb.RemoveImageRequest, context: grpc.ServicerContext) -> pb.Removed:
        sha256 = parse.digest("sha256", request.sha256)
        return pb.Removed(was_present=images.remove(self._node, sha256))

    def EnsureVolume(self, request: pb.EnsureVolumeRequest, context: grpc.ServicerContext) -> pb.VolumeState:
        self._admit("volume", request.subject.id, request.warrant)
        subject = parse.subject(request.subject)
        return answers.volume(volumes.ensure(self._node, subject, parse.volume(request)))

    def RemoveVolume(self, request: pb.RemoveRequest, context: grpc.ServicerContext) -> pb.Removed:
        return pb.Removed(was_present=volumes.remove(self._node, parse.subject(request.subject)))

    def EnsurePort(self, request: pb.EnsurePortRequest, context: grpc.ServicerContext) -> pb.PortState:
        self._admit("port", request.subject.id, request.warrant)
        subject, port = parse.subject(request.subject), parse.port(request)
        ports.ensure(self._node, subject, port)
        return answers.port(PortStatus(subject.generation, port))

    def RemovePort(self, request: pb.RemoveRequest, context: grpc.ServicerContext) -> pb.Removed:
        return pb.Removed(was_present=ports.remove(self._node, parse.subject(request.subject)))

    def EnsureInstance(self, request: pb.EnsureInstanceRequest, context: grpc.ServicerContext) -> pb.InstanceState:
        self._admit("instance", request.subject.id, request.warrant)
        subject = parse.subject(request.subject)
        return answers.instance(instances.ensure(self._node, subject, parse.instance(request)))

    def RemoveInstance(self, request: pb.RemoveRequest, context: grpc.ServicerContext) -> pb.Removed:
        return pb.Removed(was_present=instances.remove(self._node, parse.subject(request.subject)))

    def EnsureAttachment(
        self, request: pb.EnsureAttachmentRequest, context: grpc.ServicerContext
    ) -> pb.AttachmentState:
        self._admit("attachment", request.subject.id, request.warrant)
        subject = parse.subject(request.subject)
        return answers.attachment(attachments.ensure(self._node, subject, parse.attachment(request)))

    def RemoveAttachment(self, request: pb.RemoveRequest, context: grpc.ServicerContext) -> pb.Removed:
        return pb.Removed(was_present=attachments.remove(self._node, parse.subject(request.subject)))

    def ReadConsole(self, request: pb.ReadConsoleRequest, context: grpc.ServicerContext) -> pb.ConsoleChunk:
        instance_id = parse.identifier("instance_id", request.instance_id)
        max_bytes = min(request.max_bytes or MAX_CONSOLE_BYTES, MAX_CONSOLE_BYTES)
        part = instances.read_console(self._node, instance_id, offset=request.offset, max_bytes=max_bytes)
        return answers.console(part)

    def _admit(self, kind: str, resource_id: str, message: pb.Warrant) -> None:
        warrant = parse.warrant(message)
        authority.check_warrant(self._node.identity, warrant)
        facts = {"kind": kind, "id": resource_id, "decision_id": str(warrant.decision_id)}
        log.info("admitted", extra={"facts": facts | {"allocation_id": str(warrant.allocation_id)}})

    def _events(self, watch: events.Watch, interval_s: float) -> Iterator[pb.NodeEvent]:
        next_heartbeat = time.monotonic()
        while not watch.is_closed:
            if time.monotonic() >= next_heartbeat:
                next_heartbeat = time.monotonic() + interval_s
                yield self._heartbeat()
            guest_id = watch.next(next_heartbeat - time.monotonic())
            if guest_id is not None:
                yield from self._change(guest_id)

    def _heartbeat(self) -> pb.NodeEvent:
        found = answers.inventory(inventory.inventory(self._node))
        states = [answers.instance(status) for status in inventory.instance_statuses(self._node)]
        return pb.NodeEvent(at_unix_ms=_now_ms(), heartbeat=pb.Heartbeat(inventory=found, instances=states))

    def _change(self, guest_id: UUID) -> Iterator[pb.NodeEvent]:
        status = inventory.instance_status(self._node, guest_id)
        if status is not None:
            yield pb.NodeEvent(at_unix_ms=_now_ms(), instance=answers.instance(status))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
