"""The output of a guest's serial console."""

from controlplane.compute.models import Instance
from controlplane.compute.services import instance_placement_request
from controlplane.nodes import agent_client
from controlplane.nodes.errors import NodeRefused
from controlplane.placement import services as placement
from controlplane.placement.errors import NoAllocation

TAIL_MAX_BYTES = 1024 * 1024


def console_tail(instance: Instance, *, max_bytes: int) -> bytes:
    """Return the last `max_bytes` of the console; nothing when the guest has not been defined yet.

    Raises:
        NoAllocation: the instance is on no node.
        PolicyUnsatisfiable: a policy forbids reading the console there.
        ExemptionOver: an exemption allowed reading, and another request had its last use.
        NodeUnreachable, NodeFailed, NodeRefused.
    """
    if instance.node is None:
        raise NoAllocation()
    request = instance_placement_request(instance, operation="console.read")
    placement.keep_exempted(request, placement.check_current_node(request))
    try:
        chunk = agent_client.read_console(
            instance.node, instance_id=instance.pk, offset=-max_bytes, max_bytes=max_bytes
        )
    except NodeRefused as exc:
        if exc.facts.get("agent_code") == "agent.not_found":
            return b""
        raise
    return chunk.data
