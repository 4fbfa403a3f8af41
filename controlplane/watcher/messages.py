"""What a node says, turned into rows."""

from uuid import UUID

from agents.protocol import agent_pb2 as pb
from controlplane.compute.services import observe_power
from controlplane.nodes import trust
from controlplane.nodes.models import Node, pool_trait
from controlplane.nodes.pools import Told
from controlplane.nodes.services import Report, record_heartbeat
from controlplane.watcher import inventories, receipts

POWER = {
    pb.POWER_RUNNING: "running",
    pb.POWER_OFF: "off",
    pb.POWER_PAUSED: "paused",
    pb.POWER_CRASHED: "crashed",
}
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


def _heartbeat(node_id: UUID, heartbeat: pb.Heartbeat) -> pb.EnsureTrustRequest | None:
    record_heartbeat(node_id, report_of(heartbeat))
    for state in heartbeat.instances:
        _observe(node_id, state)
    node = Node.objects.get(pk=node_id)
    trust.note(node, heartbeat.trust)
    return trust.due(node)


def _observe(node_id: UUID, state: pb.InstanceState) -> None:
    if state.power in POWER:
        observe_power(node_id, UUID(state.subject.id), power_state=POWER[state.power], reason=state.reason)


def report_of(heartbeat: pb.Heartbeat) -> Report:
    inventory, hook = heartbeat.inventory, heartbeat.hook
    return Report(
        boot_id=inventory.boot_id,
        agent_version=inventory.agent_version,
        cpu_model=inventory.cpu_model[:120],
        virt_type=inventory.virt_type,
        traits=tuple(trait for trait in inventory.traits if not trait.startswith(pool_trait(""))),
        cores=inventory.cores,
        memory_mib=inventory.memory_mib,
        disk_gib=inventory.disk_gib,
        hook_sha256=hook.sha256[:64],
        pools=tuple(Told(each.name, UUID(each.uuid), each.path, each.size_gib) for each in inventory.pools),
        hook_problem="" if hook.is_active else (hook.problem or NO_HOOK)[:300],
    )
