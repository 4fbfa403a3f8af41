"""Convert statuses to messages."""

import math
from collections.abc import Mapping
from uuid import UUID

from agents.node import VERSION
from agents.node.adapters.interfaces import ConsolePart, GuestAgent, GuestUsage, NetworkProblems, Power
from agents.node.adapters.migrations import MigrationPhase
from agents.node.adapters.network_specs import tap_name
from agents.node.adapters.port_filters import PortCounters
from agents.node.context import Verdict
from agents.node.hook.state import HookState
from agents.node.lease import LeaseStatus
from agents.node.rpc import volume_copy_messages
from agents.node.services.attachments import AttachmentStatus
from agents.node.services.freezes import ThawStatus
from agents.node.services.images import ImageStatus
from agents.node.services.incoming import IncomingStatus
from agents.node.services.instances import InstanceStatus
from agents.node.services.inventory import Description, Inventory, PortStatus
from agents.node.services.networks import NetworkStatus
from agents.node.services.outgoing import OutgoingStatus
from agents.node.services.quarantine import QuarantineStatus, UnmanagedResource
from agents.node.services.security_groups import RulesStatus
from agents.node.services.usage import UsageSample
from agents.node.services.volumes import VolumeStatus
from agents.node.specs import UnmanagedKind
from agents.node.trust.store import TrustSnapshot
from agents.protocol import agent_pb2 as pb

POWERS = {
    Power.RUNNING: pb.POWER_RUNNING,
    Power.OFF: pb.POWER_OFF,
    Power.PAUSED: pb.POWER_PAUSED,
    Power.CRASHED: pb.POWER_CRASHED,
}
GUEST_AGENTS = {
    GuestAgent.UNKNOWN: pb.GUEST_AGENT_STATE_UNSPECIFIED,
    GuestAgent.CONNECTED: pb.GUEST_AGENT_STATE_CONNECTED,
    GuestAgent.DISCONNECTED: pb.GUEST_AGENT_STATE_DISCONNECTED,
}
PHASES = {
    MigrationPhase.RUNNING: pb.MOVE_PHASE_RUNNING,
    MigrationPhase.COMPLETED: pb.MOVE_PHASE_COMPLETED,
    MigrationPhase.FAILED: pb.MOVE_PHASE_FAILED,
    MigrationPhase.CANCELLED: pb.MOVE_PHASE_CANCELLED,
}

UNMANAGED_KINDS = {
    UnmanagedKind.DOMAIN: pb.STRAY_KIND_DOMAIN,
    UnmanagedKind.FILE: pb.STRAY_KIND_FILE,
    UnmanagedKind.PORT: pb.STRAY_KIND_PORT,
    UnmanagedKind.ATTACHMENT: pb.STRAY_KIND_ATTACHMENT,
}


def image(status: ImageStatus) -> pb.ImageState:
    return pb.ImageState(sha256=status.sha256, size_bytes=status.size_bytes, was_cached=status.was_cached)


def volume(status: VolumeStatus) -> pb.VolumeState:
    return pb.VolumeState(
        subject=pb.Subject(id=str(status.id), generation=status.generation),
        size_bytes=status.size_bytes,
        attached_to=str(status.attached_to) if status.attached_to else "",
        pool=status.pool,
    )


def port(status: PortStatus) -> pb.PortState:
    return pb.PortState(
        subject=pb.Subject(id=str(status.port.id), generation=status.generation),
        device=tap_name(status.port.id),
        mac=status.port.mac,
        ip=str(status.port.ip or ""),
    )


def instance(status: InstanceStatus) -> pb.InstanceState:
    return pb.InstanceState(
        subject=pb.Subject(id=str(status.id), generation=status.generation),
        power=POWERS[status.power],
        virt_type=status.virt_type,
        restart_count=status.restart_count,
        reason=status.reason,
        guest_agent=GUEST_AGENTS[status.guest_agent],
    )


def thawed(status: ThawStatus) -> pb.ThawedState:
    return pb.ThawedState(file_systems=status.file_systems, was_frozen=status.was_frozen)


def attachment(status: AttachmentStatus) -> pb.AttachmentState:
    return pb.AttachmentState(
        subject=pb.Subject(id=str(status.id), generation=status.generation),
        instance_id=str(status.instance_id),
        volume_id=str(status.volume_id),
        serial=status.serial,
    )


def arrival(status: IncomingStatus) -> pb.ArrivalState:
    return pb.ArrivalState(
        subject=pb.Subject(id=str(status.id), generation=status.generation),
        uri=status.uri,
        cpu_model=status.cpu_model,
    )


def departure(status: OutgoingStatus) -> pb.DepartureState:
    move = status.migration
    return pb.DepartureState(
        subject=pb.Subject(id=str(status.id), generation=move.generation),
        phase=PHASES[move.phase],
        reason=move.reason,
        total_bytes=move.total_bytes,
        moved_bytes=move.moved_bytes,
        pause_ms=move.pause_ms,
    )


def network(status: NetworkStatus) -> pb.NetworkState:
    return pb.NetworkState(id=str(status.id), version=status.version, problem=status.problem)


def port_rules(status: RulesStatus) -> pb.PortRulesState:
    return pb.PortRulesState(
        ports=[pb.DocumentVersion(id=key, version=version) for key, version in status.lists.items()],
        security_groups=[pb.DocumentVersion(id=key, version=version) for key, version in status.groups.items()],
        problem=status.problem,
    )


def metadata(versions: Mapping[str, int], refused: Mapping[int, str]) -> pb.MetadataState:
    return pb.MetadataState(
        documents=[pb.DocumentVersion(id=key, version=each) for key, each in versions.items()],
        refused=[pb.RefusedDocument(number=number, problem=problem) for number, problem in refused.items()],
    )


def quarantine(status: QuarantineStatus) -> pb.QuarantineState:
    return pb.QuarantineState(
        subject=pb.Subject(id=str(status.id), generation=status.generation),
        is_present=status.is_present,
        size_bytes=status.size_bytes,
        is_harmless=status.is_harmless,
    )


def _unmanaged(resource: UnmanagedResource) -> pb.Stray:
    return pb.Stray(
        kind=UNMANAGED_KINDS[resource.kind],
        name=resource.name,
        size_bytes=resource.size_bytes,
        power=POWERS[resource.power] if resource.power is not None else pb.POWER_UNSPECIFIED,
        is_harmless=resource.is_harmless,
        mac=resource.mac,
    )


def inventory(node_inventory: Inventory) -> pb.Inventory:
    return pb.Inventory(
        node_id=str(node_inventory.identity.node_id),
        zone=node_inventory.identity.zone,
        agent_version=VERSION,
        boot_id=node_inventory.boot_id,
        cores=node_inventory.host.cores,
        memory_mib=node_inventory.host.memory_mib,
        disk_gib=node_inventory.disk_gib,
        cpu_model=node_inventory.host.cpu_model,
        virt_type=node_inventory.host.virt_type,
        traits=node_inventory.host.traits,
        pools=[
            pb.Pool(name=pool.name, uuid=str(pool.uuid), path=str(pool.path), size_gib=pool.size_gib)
            for pool in node_inventory.pools
        ],
    )


def description(node_description: Description) -> pb.NodeDescription:
    return pb.NodeDescription(
        inventory=inventory(node_description.inventory),
        instances=[instance(status) for status in node_description.instances],
        volumes=[volume(status) for status in node_description.volumes],
        ports=[port(status) for status in node_description.ports],
        attachments=[attachment(status) for status in node_description.attachments],
        images=[image(status) for status in node_description.images],
        unknown_domains=node_description.unknown_domains,
        strays=[_unmanaged(resource) for resource in node_description.unmanaged],
        lost_domains=[str(guest_id) for guest_id in node_description.lost_domains],
        volume_copies=[volume_copy_messages.state(status) for status in node_description.volume_copies],
    )


def trust(snapshot: TrustSnapshot, *, is_clock_kept: bool) -> pb.TrustState:
    floor = snapshot.floor
    return pb.TrustState(
        keyset_version=snapshot.keyset.version,
        charter_version=snapshot.charter.version if snapshot.charter else 0,
        epoch=floor.epoch if floor else 0,
        deny_version=snapshot.deny.version,
        is_clock_kept=is_clock_kept,
        # Rounded up, so that it is never before what was signed.
        floor_issued_at_unix_ms=math.ceil(floor.issued_at.timestamp() * 1000) if floor else 0,
    )


def hook(state: HookState) -> pb.HookState:
    return pb.HookState(sha256=state.sha256, is_active=state.is_active, problem=state.problem)


def self_test(verdict: Verdict) -> pb.SelfTest:
    return pb.SelfTest(has_passed=verdict.has_passed, problem=verdict.problem)


def networks(problems: NetworkProblems, documents_problem: str) -> pb.NetworksState:
    rules_problem = " ".join(filter(None, (documents_problem, problems.rules)))
    return pb.NetworksState(connections_problem=problems.connections, rules_problem=rules_problem)


def usage(reading: UsageSample) -> pb.Usage:
    guests = [_guest_usage(guest_id, used, reading) for guest_id, used in reading.guests.items()]
    return pb.Usage(at_unix_ms=reading.at_unix_ms, guests=guests)


def _guest_usage(guest_id: UUID, used: GuestUsage, reading: UsageSample) -> pb.GuestUsage:
    return pb.GuestUsage(
        id=str(guest_id),
        vcpus=used.vcpus,
        cpu_ns=used.cpu_ns,
        memory_resident_mib=used.memory_resident_mib,
        memory_used_mib=used.memory_used_mib,
        disks=[
            pb.DiskUsage(
                volume_id=str(disk.volume_id),
                read_bytes=disk.read_bytes,
                written_bytes=disk.written_bytes,
                reads=disk.reads,
                writes=disk.writes,
            )
            for disk in used.disks
        ],
        ports=[
            pb.PortUsage(
                port_id=str(reading.port_ids[nic.device]),
                in_bytes=nic.in_bytes,
                out_bytes=nic.out_bytes,
                in_packets=nic.in_packets,
                out_packets=nic.out_packets,
                in_dropped=nic.in_dropped,
                out_dropped=nic.out_dropped,
                rules=_rule_counters(reading.counters, nic.device),
            )
            for nic in used.nics
            if nic.device in reading.port_ids
        ],
    )


def _rule_counters(counters: Mapping[str, PortCounters] | None, device: str) -> pb.RuleCounters | None:
    if counters is None:
        return None
    found = counters.get(device, PortCounters())
    return pb.RuleCounters(
        group_in_dropped=found.group_dropped["in"],
        group_out_dropped=found.group_dropped["out"],
        bandwidth_in_dropped=found.bandwidth_dropped["in"],
        bandwidth_out_dropped=found.bandwidth_dropped["out"],
        hits=[pb.RuleHits(rule_id=rule, packets=count) for rule, count in sorted(found.rule_hits.items())],
    )


def console(part: ConsolePart) -> pb.ConsoleChunk:
    return pb.ConsoleChunk(data=part.data, offset=part.offset, total_bytes=part.total_bytes)


def lease(status: LeaseStatus) -> pb.LeaseState:
    return pb.LeaseState(
        is_wanted=status.is_wanted,
        said_at_ms=status.said_at_ms,
        remaining_ms=status.remaining_ms,
        fences_within_s=status.fences_within_s,
        problem=status.problem,
    )
