"""The service of agent.proto: parse, admit by the permit, call one service function, write the receipt, answer."""

from collections.abc import Iterator
from uuid import UUID

import grpc

from agents.node.adapters.interfaces import Power
from agents.node.context import Node
from agents.node.errors import BadRequest
from agents.node.rpc import decoding, encoding, volume_copy_messages
from agents.node.rpc.console import conversation
from agents.node.rpc.stream import Stream
from agents.node.rpc.tunnel import carry
from agents.node.services import (
    attachments,
    events,
    images,
    incoming,
    instances,
    inventory,
    metadata,
    networks,
    ports,
    quarantine,
    security_groups,
    stop_receipts,
    usage,
    volumes,
)
from agents.node.services.consoles import Consoles
from agents.node.services.freezes import Freezes
from agents.node.services.incoming import Arrived
from agents.node.services.instances import InstanceStatus
from agents.node.services.inventory import PortStatus
from agents.node.services.outgoing import OutgoingMigrations
from agents.node.services.tunnels import Tunnels
from agents.node.services.volume_copies import VolumeCopies
from agents.node.specs import InstanceSpec, Subject, VolumeCopySpec
from agents.node.trust import permit_actions, replay_guard
from agents.node.trust.permit_actions import PermitAction
from agents.node.trust.receipts import Opening
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
    | pb.EnsureVolumeCopyRequest
    | pb.EnsurePortRequest
    | pb.EnsureInstanceRequest
    | pb.EnsureAttachmentRequest
    | pb.EnsureDepartureRequest
)


class Servicer(agent_pb2_grpc.AgentServicer):
    def __init__(
        self, node: Node, hub: events.Hub, departures: OutgoingMigrations, freezes: Freezes, copies: VolumeCopies
    ) -> None:
        self._node = node
        self._permits = node.permits
        self._hub = hub
        self._meter = usage.UsageSampler(node)
        self._consoles = Consoles(node)
        self._tunnels = Tunnels(node)
        self._departures = departures
        self._freezes = freezes
        self._copies = copies

    def close(self) -> None:
        """End the lasting calls and the copies of volumes, and stop following migrations."""
        self._hub.close()
        self._consoles.close()
        self._tunnels.close()
        self._departures.close()
        self._copies.close()

    def Describe(self, request: pb.DescribeRequest, context: grpc.ServicerContext) -> pb.NodeDescription:
        return encoding.description(inventory.describe(self._node, request.ids, copies=self._copies))

    def Watch(self, request: pb.WatchRequest, context: grpc.ServicerContext) -> Iterator[pb.NodeEvent]:
        interval_ms = max(request.heartbeat_interval_ms or DEFAULT_HEARTBEAT_MS, MIN_HEARTBEAT_MS)
        usage_ms = request.usage_interval_ms and max(request.usage_interval_ms, MIN_USAGE_MS)
        with self._hub.watch() as watch, usage.offer_samples(self._meter, watch, usage_ms):
            if not context.add_callback(watch.close):
                return  # the caller has hung up already
            self._permits.receipts.acknowledge(request.receipts_after)
            stream = Stream(self._node, interval_s=interval_ms / 1000, receipts_after=request.receipts_after)
            yield from stream.events(watch)

    def EnsureTrust(self, request: pb.EnsureTrustRequest, context: grpc.ServicerContext) -> pb.TrustState:
        snapshot = self._permits.store.ensure({field.name: value for field, value in request.ListFields()})
        self._permits.admission.learned()
        return encoding.trust(snapshot, is_clock_kept=self._permits.clock.is_kept())

    def RenewLease(self, request: pb.RenewLeaseRequest, context: grpc.ServicerContext) -> pb.LeaseState:
        lease = self._node.lease
        lease.renew(boot_id=request.boot_id, heard_at_ms=request.heard_at_ms, duration_s=request.duration_s)
        return encoding.lease(lease.status())

    def EnsureImage(self, request_iterator: Iterator[pb.ImagePart], context: grpc.ServicerContext) -> pb.ImageState:
        first = next(request_iterator, None)
        if first is None or first.WhichOneof("part") != "header":
            raise BadRequest("header", "the first message carries the header")
        spec = decoding.image(first.header)
        action = permit_actions.image(spec)
        permit = self._admit(action, first.header)
        status = images.ensure(self._node, spec, decoding.image_parts(request_iterator))
        self._opened(permit, action, size_bytes=status.size_bytes)
        return encoding.image(status)

    def RemoveImage(self, request: pb.RemoveImageRequest, context: grpc.ServicerContext) -> pb.Removed:
        sha256 = decoding.digest("sha256", request.sha256)
        return self._removed("image", sha256, images.remove(self._node, sha256))

    def EnsureVolume(self, request: pb.EnsureVolumeRequest, context: grpc.ServicerContext) -> pb.VolumeState:
        subject, spec = decoding.subject(request.subject), decoding.volume(request)
        key = decoding.volume_key(request)
        action = permit_actions.volume(subject, spec)
        permit = self._admit(action, request)
        status = volumes.ensure(self._node, subject, spec, key=key)
        self._opened(permit, action, size_bytes=status.size_bytes, image=spec.image_sha256)
        return encoding.volume(status)

    def RemoveVolume(self, request: pb.RemoveRequest, context: grpc.ServicerContext) -> pb.Removed:
        subject = self._bounded(request.subject)
        return self._removed("volume", subject.id, volumes.remove(self._node, subject, decoding.pool(request.pool)))

    def ForgetVolume(self, request: pb.RemoveRequest, context: grpc.ServicerContext) -> pb.Removed:
        subject = self._bounded(request.subject)
        return self._removed("volume", subject.id, volumes.forget(self._node, subject))

    def EnsureVolumeCopy(
        self, request: pb.EnsureVolumeCopyRequest, context: grpc.ServicerContext
    ) -> pb.VolumeCopyState:
        subject, spec = decoding.subject(request.subject), volume_copy_messages.spec(request)
        action = permit_actions.volume_copy(subject, spec)
        permit = self._admit(action, request)
        keys, uri = volume_copy_messages.keys(request), volume_copy_messages.uri(request)
        status = self._copies.ensure(subject, spec, keys=keys, uri=uri)
        self._opened(permit, action, **_copy_facts(spec))
        return volume_copy_messages.state(status)

    def PivotVolumeCopy(self, request: pb.PivotVolumeCopyRequest, context: grpc.ServicerContext) -> pb.VolumeCopyState:
        return volume_copy_messages.state(
            self._copies.pivot(self._bounded(request.subject), is_awaited=context.is_active)
        )

    def RemoveVolumeCopy(self, request: pb.RemoveRequest, context: grpc.ServicerContext) -> pb.Removed:
        subject = self._bounded(request.subject)
        kind = self._copies.kind(subject.id)
        removed = self._copies.remove(subject, volume_copy_messages.erased_place(request.pool))
        return self._removed(kind, subject.id, removed)

    def EnsurePort(self, request: pb.EnsurePortRequest, context: grpc.ServicerContext) -> pb.PortState:
        subject, port = decoding.subject(request.subject), decoding.port(request)
        action = permit_actions.port(subject, port)
        permit = self._admit(action, request)
        document = request.network.segment
        segment = networks.verify_segment(self._node, document, network_id=port.network.id) if document else None
        lists = [request.ports] if request.ports else []
        rules = security_groups.verify(self._node, lists, request.security_groups)
        security_groups.check_listed(self._node, port, rules)
        ports.ensure(self._node, subject, port, segment, rules)
        self._opened(permit, action, network=str(port.network.id))
        return encoding.port(PortStatus(subject.generation, port))

    def RemovePort(self, request: pb.RemoveRequest, context: grpc.ServicerContext) -> pb.Removed:
        subject = self._bounded(request.subject)
        return self._removed("port", subject.id, ports.remove(self._node, subject))

    def EnsureNetwork(self, request: pb.EnsureNetworkRequest, context: grpc.ServicerContext) -> pb.NetworkState:
        segment = networks.verify_segment(self._node, request.segment)
        return encoding.network(networks.ensure(self._node, segment))

    def EnsurePortRules(self, request: pb.EnsurePortRulesRequest, context: grpc.ServicerContext) -> pb.PortRulesState:
        rules = security_groups.verify(self._node, request.ports, request.security_groups)
        return encoding.port_rules(ports.ensure_rules(self._node, rules))

    def EnsureMetadata(self, request: pb.EnsureMetadataRequest, context: grpc.ServicerContext) -> pb.MetadataState:
        verified = metadata.verify(self._node, request.documents)
        return encoding.metadata(metadata.ensure(self._node, verified), verified.refused)

    def EnsureInstance(self, request: pb.EnsureInstanceRequest, context: grpc.ServicerContext) -> pb.InstanceState:
        subject, spec = decoding.subject(request.subject), decoding.instance(request)
        if not request.HasField("permit"):
            stop = instances.stopped(self._node, subject.id, spec)
            if stop is not None:
                return encoding.instance(self._stop(self._bounded(request.subject), stop))
            arrived = incoming.arrived(self._node, subject)
            if arrived is not None:
                return encoding.instance(self._adopt(self._bounded(request.subject), arrived))
        action = permit_actions.instance(subject, spec, attached=instances.attached(self._node, subject.id))
        permit = self._admit(action, request)
        if spec.power is not Power.RUNNING:
            return encoding.instance(self._stop(subject, spec, has_left=request.has_left_source))
        status = instances.ensure(
            self._node, subject, spec, permitted_until=permit.exp, has_left=request.has_left_source
        )
        self._opened(permit, action, **_measured(spec, action, status))
        return encoding.instance(status)

    def _adopt(self, subject: Subject, arrived: Arrived) -> InstanceStatus:
        """Adopt a guest as it has arrived, under the permit of its arrival."""
        self._node.lease.check()
        if arrived.spec.power is not Power.RUNNING:
            return self._stop(subject, arrived.spec, has_left=True)
        attached = instances.attached(self._node, subject.id)
        action = permit_actions.instance(subject, arrived.spec, attached=attached)
        opening = Opening(action.kind, action.id, arrived.jti, action.generation)
        self._permits.receipts.begin(opening)
        status = instances.ensure(self._node, subject, arrived.spec, has_left=True)
        self._permits.receipts.opened(opening, _measured(arrived.spec, action, status))
        return status

    def _stop(self, subject: Subject, spec: InstanceSpec, *, has_left: bool = False) -> InstanceStatus:
        status = instances.ensure(self._node, subject, spec, has_left=has_left)
        stop_receipts.close_if_stopped(self._node, subject.id)
        return status

    def RemoveInstance(self, request: pb.RemoveRequest, context: grpc.ServicerContext) -> pb.Removed:
        subject = self._bounded(request.subject)
        return self._removed("instance", subject.id, instances.remove(self._node, subject))

    def EnsureAttachment(
        self, request: pb.EnsureAttachmentRequest, context: grpc.ServicerContext
    ) -> pb.AttachmentState:
        subject, spec = decoding.subject(request.subject), decoding.attachment(request)
        action = permit_actions.attachment(subject, spec)
        permit = self._admit(action, request)
        status = attachments.ensure(self._node, subject, spec)
        self._opened(permit, action, instance=str(spec.instance_id), volume=str(spec.volume_id))
        return encoding.attachment(status)

    def RemoveAttachment(self, request: pb.RemoveRequest, context: grpc.ServicerContext) -> pb.Removed:
        subject = self._bounded(request.subject)
        return self._removed("attachment", subject.id, attachments.remove(self._node, subject))

    def EnsureArrival(self, request: pb.EnsureArrivalRequest, context: grpc.ServicerContext) -> pb.ArrivalState:
        subject, spec = decoding.subject(request.instance.subject), decoding.arrival(request)
        action = permit_actions.arrival(subject, spec)
        permit = self._admit(action, request.instance)
        status = incoming.ensure(self._node, subject, spec, permitted_until=permit.exp)
        self._opened(permit, action, source=str(spec.source.node_id), volumes=list(action.names["volumes"]))
        return encoding.arrival(status)

    def RemoveArrival(self, request: pb.RemoveRequest, context: grpc.ServicerContext) -> pb.Removed:
        subject = self._bounded(request.subject)
        return self._removed("arrival", subject.id, incoming.remove(self._node, subject))

    def EnsureDeparture(self, request: pb.EnsureDepartureRequest, context: grpc.ServicerContext) -> pb.DepartureState:
        subject, spec = decoding.subject(request.subject), decoding.departure(request)
        action = permit_actions.departure(subject, spec)
        if self._departures.is_known(subject):
            if self._departures.is_renewed(subject, request.permit.document):
                self._admit(action, request)
            return encoding.departure(self._departures.accept(subject, spec, deadline_s=0))
        permit = self._admit(action, request)
        status = self._departures.accept(subject, spec, deadline_s=decoding.deadline_s(request))
        self._opened(permit, action, destination=str(spec.destination.node_id))
        self._departures.begin(subject.id)
        return encoding.departure(status)

    def RemoveDeparture(self, request: pb.RemoveRequest, context: grpc.ServicerContext) -> pb.Removed:
        subject = self._bounded(request.subject)
        return self._removed("departure", subject.id, self._departures.remove(subject))

    def EnsureQuarantine(
        self, request: pb.EnsureQuarantineRequest, context: grpc.ServicerContext
    ) -> pb.QuarantineState:
        subject, spec = self._bounded(request.subject), decoding.quarantine(request)
        return encoding.quarantine(quarantine.ensure(self._node, subject, spec))

    def RemoveQuarantine(self, request: pb.RemoveRequest, context: grpc.ServicerContext) -> pb.QuarantineState:
        return encoding.quarantine(quarantine.remove(self._node, self._bounded(request.subject)))

    def FreezeInstance(self, request: pb.FreezeInstanceRequest, context: grpc.ServicerContext) -> pb.FrozenState:
        instance_id = decoding.identifier("instance_id", request.instance_id)
        limit_ms, level = decoding.freeze_limit_ms(request), decoding.freeze_level(request)
        return pb.FrozenState(file_systems=self._freezes.freeze(instance_id, limit_ms=limit_ms, level=level))

    def ThawInstance(self, request: pb.ThawInstanceRequest, context: grpc.ServicerContext) -> pb.ThawedState:
        return encoding.thawed(self._freezes.thaw(decoding.identifier("instance_id", request.instance_id)))

    def ReadConsole(self, request: pb.ReadConsoleRequest, context: grpc.ServicerContext) -> pb.ConsoleChunk:
        instance_id = decoding.identifier("instance_id", request.instance_id)
        max_bytes = min(request.max_bytes or MAX_CONSOLE_BYTES, MAX_CONSOLE_BYTES)
        part = instances.read_console(self._node, instance_id, offset=request.offset, max_bytes=max_bytes)
        return encoding.console(part)

    def OpenConsole(
        self, request_iterator: Iterator[pb.ConsoleInput], context: grpc.ServicerContext
    ) -> Iterator[pb.ConsoleOutput]:
        spec = decoding.console(next(request_iterator, None))
        with self._consoles.open(spec.instance_id, spec.kind, scrollback_bytes=spec.scrollback_bytes) as viewer:
            if context.add_callback(viewer.close):  # else the caller has hung up already
                yield from conversation(viewer, decoding.guest_input(request_iterator))

    def OpenTcp(self, request_iterator: Iterator[pb.TcpInput], context: grpc.ServicerContext) -> Iterator[pb.TcpOutput]:
        spec = decoding.tunnel(next(request_iterator, None))
        with self._tunnels.open(spec) as tunnel:
            if context.add_callback(tunnel.close):  # else the caller has hung up already
                yield from carry(tunnel, decoding.guest_input(request_iterator))

    def _bounded(self, message: pb.Subject) -> Subject:
        """Limit the generation of a call that needs no permit."""
        return replay_guard.limit_generation(self._node.state_store, decoding.subject(message))

    def _admit(self, action: PermitAction, request: Giving) -> Permit:
        """Admit the call by its permit.

        Raises:
            PermitRefused: nothing permits this here and now.
            LeaseExpired
        """
        self._node.lease.check()
        if not request.HasField("permit"):
            raise self._permits.admission.without_permit(action)
        shown = request.permit
        return self._permits.admission.admit(
            action, document=shown.document, policies=shown.policies, cosignature=shown.cosignature
        )

    def _opened(self, permit: Permit, action: PermitAction, **measured: object) -> None:
        self._permits.receipts.opened(Opening(action.kind, action.id, permit.jti, action.generation), measured)

    def _removed(self, kind: str, resource_id: UUID | str, was_present: bool) -> pb.Removed:
        self._permits.receipts.resolve_intent(kind, resource_id, is_there=was_present)
        self._permits.receipts.closed(kind, resource_id)
        return pb.Removed(was_present=was_present)


def _copy_facts(spec: VolumeCopySpec) -> dict[str, object]:
    if spec.sent_to is not None:
        return {"destination": str(spec.sent_to.node_id)}
    if spec.received_from is not None:
        return {"source": str(spec.received_from.node_id)}
    return {"source": spec.source.pool, "destination": spec.destination.pool}


def _measured(spec: InstanceSpec, action: PermitAction, status: InstanceStatus) -> dict[str, object]:
    return {
        "domain": action.id,
        "vcpus": spec.vcpus,
        "memory_mib": spec.memory_mib,
        "virt_type": status.virt_type,
        "volumes": list(action.names["volumes"]),
        "nics": list(action.names["nics"]),
    }
