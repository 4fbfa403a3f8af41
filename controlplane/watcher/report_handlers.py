"""Handlers that write node messages to rows."""

from collections.abc import Iterable, Iterator
from uuid import UUID

from django.conf import settings

from agents.protocol import agent_pb2 as pb
from controlplane.compute.power import PowerObservation, record_power_observations
from controlplane.node_lifecycle.fencing import violations
from controlplane.nodes import trust_documents
from controlplane.nodes.models import pool_trait
from controlplane.nodes.pools import ReportedPool
from controlplane.nodes.selectors import NODE
from controlplane.nodes.services import LeaseReport, NodeReport, record_heartbeat
from controlplane.watcher import receipts, signed_inventories

POWER = {
    pb.POWER_RUNNING: "running",
    pb.POWER_OFF: "off",
    pb.POWER_PAUSED: "paused",
    pb.POWER_CRASHED: "crashed",
}
GUEST_AGENT = {pb.GUEST_AGENT_STATE_CONNECTED: "connected", pb.GUEST_AGENT_STATE_DISCONNECTED: "disconnected"}
ALIVE = (pb.POWER_RUNNING, pb.POWER_PAUSED)
# A node lease is renewed when this much is left: several renewals may be lost before it expires.
RENEWED_BELOW = 2 / 3
# The longest time that a column takes, some decades: reports of nodes are not trusted.
MAX_FENCES_WITHIN_S = 2**31 - 1
MAX_REPORTED_AT_MS = 2**63 - 1
NO_HOOK = "The agent says nothing of libvirt's hook."


def write(node_id: UUID, event: pb.NodeEvent) -> pb.EnsureTrustRequest | None:
    """Write one message.

    A node whose name differs from its certificate was refused before. Returns the trust documents to send, after a
    heartbeat of a node that lacks some.
    """
    kind = event.WhichOneof("event")
    if kind == "receipt":
        receipts.record_receipt(NODE.get(node_id), event.receipt)
    elif kind == "signed_inventory":
        signed_inventories.compare(NODE.get(node_id), event.signed_inventory)
    elif kind == "heartbeat":
        return _heartbeat(node_id, event.heartbeat)
    else:
        record_power_observations(list(power_observations(node_id, [event.instance])))
    return None


def lease_renewal(heartbeat: pb.Heartbeat) -> pb.RenewLeaseRequest | None:
    """Return the node lease to send after the heartbeat, once write() or record_alive() has recorded it.

    None: the node uses no lease, or the last one is long enough.
    """
    lease, boot_id = heartbeat.lease, heartbeat.inventory.boot_id
    if not lease.is_wanted or lease.remaining_ms > settings.NODE_LEASE_S * 1000 * RENEWED_BELOW:
        return None
    return pb.RenewLeaseRequest(boot_id=boot_id, heard_at_ms=lease.said_at_ms, duration_s=settings.NODE_LEASE_S)


def lease_report(heartbeat: pb.Heartbeat) -> LeaseReport:
    return LeaseReport(
        _fences_within_s(heartbeat),
        lease_renewal(heartbeat) is not None,
        heartbeat.inventory.boot_id,
        _lease_time_ms(heartbeat),
    )


def _lease_time_ms(heartbeat: pb.Heartbeat) -> int:
    return min(max(heartbeat.lease.said_at_ms, 0), MAX_REPORTED_AT_MS)


def _fences_within_s(heartbeat: pb.Heartbeat) -> int:
    return min(heartbeat.lease.fences_within_s, MAX_FENCES_WITHIN_S)


def _heartbeat(node_id: UUID, heartbeat: pb.Heartbeat) -> pb.EnsureTrustRequest | None:
    renewal, node = lease_renewal(heartbeat), NODE.get(node_id)
    record_heartbeat(node, node_report(heartbeat, lease_s=renewal.duration_s if renewal else 0))
    record_power_observations(list(power_observations(node_id, heartbeat.instances)))
    if node.admin_state == "fenced":
        node.refresh_from_db()
        violations.record_violations(
            node, running=[each.subject.id for each in heartbeat.instances if each.power in ALIVE]
        )
    trust_documents.record_trust_state(node, heartbeat.trust)
    return trust_documents.pending_update(node)


def power_observations(node_id: UUID, states: Iterable[pb.InstanceState]) -> Iterator[PowerObservation]:
    """Return the guests' states in the message.

    Raises:
        ValueError: a resource has no valid id.
    """
    for state in states:
        if state.power in POWER:
            subject, guest_agent = state.subject, GUEST_AGENT.get(state.guest_agent, "unknown")
            yield PowerObservation(
                node_id, UUID(subject.id), POWER[state.power], state.reason, subject.generation, guest_agent
            )


def node_report(heartbeat: pb.Heartbeat, *, lease_s: int = 0) -> NodeReport:
    inventory, hook = heartbeat.inventory, heartbeat.hook
    return NodeReport(
        boot_id=inventory.boot_id,
        agent_version=inventory.agent_version,
        cpu_model=inventory.cpu_model[:120],
        virt_type=inventory.virt_type,
        traits=tuple(trait for trait in inventory.traits if not trait.startswith(pool_trait(""))),
        cores=inventory.cores,
        memory_mib=inventory.memory_mib,
        disk_gib=inventory.disk_gib,
        hook_sha256=hook.sha256[:64],
        has_passed_self_test=heartbeat.self_test.has_passed,
        self_test_problem=heartbeat.self_test.problem,
        connections_problem=heartbeat.networks.connections_problem,
        rules_problem=heartbeat.networks.rules_problem,
        pools=tuple(ReportedPool(each.name, UUID(each.uuid), each.path, each.size_gib) for each in inventory.pools),
        hook_problem="" if hook.is_active else (hook.problem or NO_HOOK)[:300],
        fences_within_s=_fences_within_s(heartbeat) or None,
        lease_s=lease_s,
        said_at_ms=_lease_time_ms(heartbeat),
    )
