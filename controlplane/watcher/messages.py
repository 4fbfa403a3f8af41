"""What a node says, turned into rows."""

from collections.abc import Iterable, Iterator
from uuid import UUID

from agents.protocol import agent_pb2 as pb
from controlplane.compute.services import Seen, observe_powers
from controlplane.nodes import trust
from controlplane.nodes.models import Node
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
        observe_powers(list(seen(node_id, [event.instance])))
    return None


def _heartbeat(node_id: UUID, heartbeat: pb.Heartbeat) -> pb.EnsureTrustRequest | None:
    record_heartbeat(node_id, report_of(heartbeat))
    observe_powers(list(seen(node_id, heartbeat.instances)))
    node = Node.objects.get(pk=node_id)
    trust.note(node, heartbeat.trust)
    return trust.due(node)


def seen(node_id: UUID, states: Iterable[pb.InstanceState]) -> Iterator[Seen]:
    """
    Raises:
        ValueError: what it speaks of has no id.
    """
    for state in states:
        if state.power in POWER:
            yield Seen(node_id, UUID(state.subject.id), POWER[state.power], state.reason)


def report_of(heartbeat: pb.Heartbeat) -> Report:
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
    )
