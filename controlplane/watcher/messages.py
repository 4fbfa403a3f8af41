"""What a node says, turned into rows."""

from uuid import UUID

from agents.protocol import agent_pb2 as pb
from controlplane.compute.services import observe_power
from controlplane.nodes.services import Report, record_heartbeat

POWER = {
    pb.POWER_RUNNING: "running",
    pb.POWER_OFF: "off",
    pb.POWER_PAUSED: "paused",
    pb.POWER_CRASHED: "crashed",
}


def write(node_id: UUID, event: pb.NodeEvent) -> None:
    """Write one message; a node that claims to be another than its certificate says was never let in."""
    if event.WhichOneof("event") == "heartbeat":
        record_heartbeat(node_id, report_of(event.heartbeat.inventory))
        states = list(event.heartbeat.instances)
    else:
        states = [event.instance]
    for state in states:
        if state.power in POWER:
            observe_power(node_id, UUID(state.subject.id), power_state=POWER[state.power], reason=state.reason)


def report_of(inventory: pb.Inventory) -> Report:
    return Report(
        boot_id=inventory.boot_id,
        agent_version=inventory.agent_version,
        cpu_model=inventory.cpu_model[:120],
        virt_type=inventory.virt_type,
        traits=tuple(inventory.traits),
        cores=inventory.cores,
        memory_mib=inventory.memory_mib,
        disk_gib=inventory.disk_gib,
    )
