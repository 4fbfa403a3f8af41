"""What a node says, turned into rows."""

from uuid import UUID

from django.conf import settings

from agents.protocol import agent_pb2 as pb
from controlplane.compute.services import observe_power
from controlplane.nodes import fence_watch, trust
from controlplane.nodes.models import Node
from controlplane.nodes.services import Report, record_heartbeat
from controlplane.watcher import inventories, receipts

POWER = {
    pb.POWER_RUNNING: "running",
    pb.POWER_OFF: "off",
    pb.POWER_PAUSED: "paused",
    pb.POWER_CRASHED: "crashed",
}
ALIVE = (pb.POWER_RUNNING, pb.POWER_PAUSED)
# Of a lease, so much may be left when it is renewed: then several renewals may be lost before it lapses.
RENEWED_BELOW = 2 / 3
NO_HOOK = "The agent says nothing of libvirt's hook."


def write(node_id: UUID, event: pb.NodeEvent) -> pb.EnsureTrustRequest | None:
    """Write one message; a node that claims to be another than its certificate says was never let in. Returns what the
    node is to be told to trust, after a heartbeat that says it does not know all."""
    kind = event.WhichOneof("event")
    if kind == "receipt":
        receipts.keep(Node.objects.get(pk=node_id), event.receipt)
    elif kind == "signed_inventory":
        inventories.compare(Node.objects.get(pk=node_id), event.signed_inventory)
    elif kind == "heartbeat":
        return _heartbeat(node_id, event.heartbeat)
    else:
        _observe(node_id, event.instance)
    return None


def renewal_of(event: pb.NodeEvent) -> pb.RenewLeaseRequest | None:
    """The lease that the node is to be given after its heartbeat, once write() has put it on record; None: it wants
    none, or has enough of the last one."""
    lease, boot_id = event.heartbeat.lease, event.heartbeat.inventory.boot_id
    if not lease.is_wanted or lease.remaining_ms > settings.NODE_LEASE_S * 1000 * RENEWED_BELOW:
        return None
    return pb.RenewLeaseRequest(boot_id=boot_id, heard_at_ms=lease.said_at_ms, duration_s=settings.NODE_LEASE_S)


def _heartbeat(node_id: UUID, heartbeat: pb.Heartbeat) -> pb.EnsureTrustRequest | None:
    renewal = renewal_of(pb.NodeEvent(heartbeat=heartbeat))
    record_heartbeat(node_id, report_of(heartbeat, lease_s=renewal.duration_s if renewal else 0))
    for state in heartbeat.instances:
        _observe(node_id, state)
    node = Node.objects.get(pk=node_id)
    if node.duty == "fenced":
        fence_watch.look(node, running=[each.subject.id for each in heartbeat.instances if each.power in ALIVE])
    trust.note(node, heartbeat.trust)
    return trust.due(node)


def _observe(node_id: UUID, state: pb.InstanceState) -> None:
    if state.power in POWER:
        observe_power(node_id, UUID(state.subject.id), power_state=POWER[state.power], reason=state.reason)


def report_of(heartbeat: pb.Heartbeat, *, lease_s: int = 0) -> Report:
    inventory, hook = heartbeat.inventory, heartbeat.hook
    return Report(
        boot_id=inventory.boot_id,
        agent_version=inventory.agent_version,
        cpu_model=inventory.cpu_model[:120],
        virt_type=inventory.virt_type,
        traits=tuple(inventory.traits),
        cores=inventory.cores,
        memory_mib=inventory.memory_mib,
        disk_gib=inventory.disk_gib,
        hook_sha256=hook.sha256[:64],
        hook_problem="" if hook.is_active else (hook.problem or NO_HOOK)[:300],
        fences_within_s=heartbeat.lease.fences_within_s or None,
        lease_s=lease_s,
    )
