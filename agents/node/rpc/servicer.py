"""The service of agent.proto: parse, admit by the permit, call one service function, write the receipt, answer."""

from collections.abc import Iterator
from uuid import UUID

import grpc

from agents.node.adapters.base import Power
from agents.node.context import Node
from agents.node.errors import BadRequest
from agents.node.rpc import answers, parse
from agents.node.rpc.console import conversation
from agents.node.rpc.stream import Stream
from agents.node.services import (
    arrivals,
    attachments,
    closings,
    events,
    images,
    instances,
    inventory,
    networks,
    ports,
    quarantine,
    usage,
    volumes,
)
from agents.node.services.consoles import Consoles
from agents.node.services.departures import Departures
from agents.node.services.instances import InstanceStatus
from agents.node.services.inventory import PortStatus
from agents.node.trust import deeds, uses
from agents.node.trust.deeds import Deed
from agents.node.trust.receipts import Opening
from agents.node.wishes import InstanceWish, Subject
from agents.protocol import agent_pb2 as pb
from agents.protocol import agent_pb2_grpc
from andromede_core.permits.permit import Permit

DEFAULT_HEARTBEAT_MS = 3000
MIN_HEARTBEAT_MS = 100
MIN_USAGE_MS = 100
MAX_CONSOLE_BYTES = 2**20


# What gives the node data or work.
Giving = (
    pb.ImageHeader
    | pb.EnsureVolumeRequest
    | pb.EnsurePortRequest
    | pb.EnsureInstanceRequest
    | pb.EnsureAttachmentRequest
    | pb.EnsureDepartureRequest
)


class Servicer(agent_pb2_grpc.AgentServicer):
    def __init__(self, node: Node, hub: events.Hub, consoles: Consoles, departures: Departures) -> None:
        self._node = node
        self._permits = node.permits
        self._hub = hub
        self._meter = usage.Meter(node)
        self._consoles = consoles
        self._departures = departures

    def close(self) -> None:
        """End the calls that would last, and leave the moves."""
        self._hub.close()
        self._consoles.close()
        self._departures.close()

    def Describe(self, request: pb.DescribeRequest, context: grpc.ServicerContext) -> pb.NodeDescription:
        return answers.description(inventory.describe(self._node, request.ids))

    def Watch(self, request: pb.WatchRequest, context: grpc.ServicerContext) -> Iterator[pb.NodeEvent]:
        interval_ms = max(request.heartbeat_interval_ms or DEFAULT_HEARTBEAT_MS, MIN_HEARTBEAT_MS)
        usage_ms = request.usage_interval_ms and max(request.usage_interval_ms, MIN_USAGE_MS)
        with self._hub.watch() as watch, usage.told(self._meter, watch, usage_ms):
            if not context.add_callback(watch.close):
                return  # the caller has hung up already
            self._permits.receipts.acknowledge(request.receipts_after)
            stream = Stream(self._node, interval_s=interval_ms / 1000, receipts_after=request.receipts_after)
            yield from stream.events(watch)

    def EnsureTrust(self, request: pb.EnsureTrustRequest, context: grpc.ServicerContext) -> pb.TrustState:
        held = self._permits.store.ensure({field.name: value for field, value in request.ListFields()})
        self._permits.admission.learned()
        return answers.trust(held, is_clock_kept=self._permits.clock.is_kept())

    def RenewLease(self, request: pb.RenewLeaseRequest, context: grpc.ServicerContext) -> pb.LeaseState:
        lease = self._node.lease
        lease.renew(boot_id=request.boot_id, heard_at_ms=request.heard_at_ms, duration_s=request.duration_s)
        return answers.lease(lease.status())

    def EnsureImage(self, request_iterator: Iterator[pb.ImagePart], context: grpc.ServicerContext) -> pb.ImageState:
        first = next(request_iterator, None)
        if first is None or first.WhichOneof("part") != "header":
            raise BadRequest("header", "the first message carries the header")
        wish = parse.image(first.header)
        deed = deeds.image(wish)
        permit = self._admit(deed, first.header)
        status = images.ensure(self._node, wish, parse.image_parts(request_iterator))
        self._opened(permit, deed, size_bytes=status.size_bytes)
        return answers.image(status)

    def RemoveImage(self, request: pb.RemoveImageRequest, context: grpc.ServicerContext) -> pb.Removed:
        sha256 = parse.digest("sha256", request.sha256)
        return self._removed("image", sha256, images.remove(self._node, sha256))

    def EnsureVolume(self, request: pb.EnsureVolumeRequest, context: grpc.ServicerContext) -> pb.VolumeState:
        subject, wish = parse.subject(request.subject), parse.volume(request)
        deed = deeds.volume(subject, wish)
        permit = self._admit(deed, request)
        status = volumes.ensure(self._node, subject, wish)
        self._opened(permit, deed, size_bytes=status.size_bytes, image=wish.image_sha256)
        return answers.volume(status)

    def RemoveVolume(self, request: pb.RemoveRequest, context: grpc.ServicerContext) -> pb.Removed:
        subject = self._bounded(request.subject)
        return self._removed("volume", subject.id, volumes.remove(self._node, subject, parse.pool(request.pool)))

    def ForgetVolume(self, request: pb.RemoveRequest, context: grpc.ServicerContext) -> pb.Removed:
        subject = self._bounded(request.subject)
        return self._removed("volume", subject.id, volumes.forget(self._node, subject))

    def EnsurePort(self, request: pb.EnsurePortRequest, context: grpc.ServicerContext) -> pb.PortState:
        subject, port = parse.subject(request.subject), parse.port(request)
        deed = deeds.port(subject, port)
        permit = self._admit(deed, request)
        document = request.network.segment
        told = networks.check(self._node, document, network_id=port.network.id) if document else None
        ports.ensure(self._node, subject, port, told)
        self._opened(permit, deed, network=str(port.network.id))
        return answers.port(PortStatus(subject.generation, port))

    def RemovePort(self, request: pb.RemoveRequest, context: grpc.ServicerContext) -> pb.Removed:
        subject = self._bounded(request.subject)
        return self._removed("port", subject.id, ports.remove(self._node, subject))

    def EnsureNetwork(self, request: pb.EnsureNetworkRequest, context: grpc.ServicerContext) -> pb.NetworkState:
        told = networks.check(self._node, request.segment)
        return answers.network(networks.ensure(self._node, told))

    def EnsureInstance(self, request: pb.EnsureInstanceRequest, context: grpc.ServicerContext) -> pb.InstanceState:
        subject, wish = parse.subject(request.subject), parse.instance(request)
        if not request.HasField("permit"):
            stop = instances.stopped(self._node, subject.id, wish)
            if stop is not None:
                return answers.instance(self._stop(self._bounded(request.subject), stop))
        deed = deeds.instance(subject, wish, attached=instances.attached(self._node, subject.id))
        permit = self._admit(deed, request)
        if wish.power is not Power.RUNNING:
            return answers.instance(self._stop(subject, wish, has_left=request.has_left_source))
        status = instances.ensure(self._node, subject, wish, leave=permit.exp, has_left=request.has_left_source)
        self._opened(permit, deed, **_measured(wish, deed, status))
        return answers.instance(status)

    def _stop(self, subject: Subject, wish: InstanceWish, *, has_left: bool = False) -> InstanceStatus:
        status = instances.ensure(self._node, subject, wish, has_left=has_left)
        closings.close_if_stopped(self._node, subject.id)
        return status

    def RemoveInstance(self, request: pb.RemoveRequest, context: grpc.ServicerContext) -> pb.Removed:
        subject = self._bounded(request.subject)
        return self._removed("instance", subject.id, instances.remove(self._node, subject))

    def EnsureAttachment(
        self, request: pb.EnsureAttachmentRequest, context: grpc.ServicerContext
    ) -> pb.AttachmentState:
        subject, wish = parse.subject(request.subject), parse.attachment(request)
        deed = deeds.attachment(subject, wish)
        permit = self._admit(deed, request)
        status = attachments.ensure(self._node, subject, wish)
        self._opened(permit, deed, instance=str(wish.instance_id), volume=str(wish.volume_id))
        return answers.attachment(status)

    def RemoveAttachment(self, request: pb.RemoveRequest, context: grpc.ServicerContext) -> pb.Removed:
        subject = self._bounded(request.subject)
        return self._removed("attachment", subject.id, attachments.remove(self._node, subject))

    def EnsureArrival(self, request: pb.EnsureArrivalRequest, context: grpc.ServicerContext) -> pb.ArrivalState:
        subject, wish = parse.subject(request.instance.subject), parse.arrival(request)
        deed = deeds.arrival(subject, wish)
        permit = self._admit(deed, request.instance)
        status = arrivals.ensure(self._node, subject, wish, leave=permit.exp)
        self._opened(permit, deed, source=str(wish.source.node_id), volumes=list(deed.names["volumes"]))
        return answers.arrival(status)

    def RemoveArrival(self, request: pb.RemoveRequest, context: grpc.ServicerContext) -> pb.Removed:
        subject = self._bounded(request.subject)
        return self._removed("arrival", subject.id, arrivals.remove(self._node, subject))

    def EnsureDeparture(self, request: pb.EnsureDepartureRequest, context: grpc.ServicerContext) -> pb.DepartureState:
        subject, wish = parse.subject(request.subject), parse.departure(request)
        deed = deeds.departure(subject, wish)
        if self._departures.is_known(subject):
            if self._departures.is_renewed(subject, request.permit.document):
                self._admit(deed, request)
            return answers.departure(self._departures.accept(subject, wish, deadline_s=0))
        permit = self._admit(deed, request)
        status = self._departures.accept(subject, wish, deadline_s=parse.deadline_s(request))
        self._opened(permit, deed, destination=str(wish.destination.node_id))
        self._departures.begin(subject.id)
        return answers.departure(status)

    def RemoveDeparture(self, request: pb.RemoveRequest, context: grpc.ServicerContext) -> pb.Removed:
        subject = self._bounded(request.subject)
        return self._removed("departure", subject.id, self._departures.remove(subject))

    def EnsureQuarantine(
        self, request: pb.EnsureQuarantineRequest, context: grpc.ServicerContext
    ) -> pb.QuarantineState:
        subject, wish = self._bounded(request.subject), parse.quarantine(request)
        return answers.quarantine(quarantine.ensure(self._node, subject, wish))

    def RemoveQuarantine(self, request: pb.RemoveRequest, context: grpc.ServicerContext) -> pb.QuarantineState:
        return answers.quarantine(quarantine.remove(self._node, self._bounded(request.subject)))

    def ReadConsole(self, request: pb.ReadConsoleRequest, context: grpc.ServicerContext) -> pb.ConsoleChunk:
        instance_id = parse.identifier("instance_id", request.instance_id)
        max_bytes = min(request.max_bytes or MAX_CONSOLE_BYTES, MAX_CONSOLE_BYTES)
        part = instances.read_console(self._node, instance_id, offset=request.offset, max_bytes=max_bytes)
        return answers.console(part)

    def OpenConsole(
        self, request_iterator: Iterator[pb.ConsoleInput], context: grpc.ServicerContext
    ) -> Iterator[pb.ConsoleOutput]:
        wish = parse.console(next(request_iterator, None))
        with self._consoles.open(wish.instance_id, wish.kind, scrollback_bytes=wish.scrollback_bytes) as viewer:
            if context.add_callback(viewer.close):  # else the caller has hung up already
                yield from conversation(viewer, parse.console_input(request_iterator))

    def _bounded(self, message: pb.Subject) -> Subject:
        """Of a call that needs no permit."""
        return uses.bounded(self._node.ledger, parse.subject(message))

    def _admit(self, deed: Deed, request: Giving) -> Permit:
        """
        Raises:
            PermitRefused: nothing permits this here and now.
            LeaseLapsed
        """
        self._node.lease.check()
        if not request.HasField("permit"):
            raise self._permits.admission.without_permit(deed)
        shown = request.permit
        return self._permits.admission.admit(
            deed, document=shown.document, policies=shown.policies, cosignature=shown.cosignature
        )

    def _opened(self, permit: Permit, deed: Deed, **measured: object) -> None:
        self._permits.receipts.opened(Opening(deed.kind, deed.id, permit.jti, deed.generation), measured)

    def _removed(self, kind: str, resource_id: UUID | str, was_present: bool) -> pb.Removed:
        self._permits.receipts.settle(kind, resource_id, is_there=was_present)
        self._permits.receipts.closed(kind, resource_id)
        return pb.Removed(was_present=was_present)


def _measured(wish: InstanceWish, deed: Deed, status: InstanceStatus) -> dict[str, object]:
    return {
        "domain": deed.id,
        "vcpus": wish.vcpus,
        "memory_mib": wish.memory_mib,
        "virt_type": status.virt_type,
        "volumes": list(deed.names["volumes"]),
        "nics": list(deed.names["nics"]),
    }
