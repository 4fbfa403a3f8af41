"""A node that was fenced and is heard again: whether the evidence was right.

Guests may be at work elsewhere by now. One that runs here too, or a node that was never off although it was said to be,
is an incident until somebody has looked at the node and given it another duty.
"""

from collections.abc import Collection

from controlplane.node_lifecycle.fencing.fencing import latest_evidence
from controlplane.nodes import incidents
from controlplane.nodes.models import Node

FENCE_BROKEN = "fence-broken"
NEVER_OFF = "it was never off"


def record_violations(node: Node, *, running: Collection[str]) -> None:
    """With each heartbeat of a node that is fenced; `running`: the ids of its guests that run."""
    evidence = latest_evidence(node)
    kind = evidence.kind if evidence else ""
    is_same_boot = evidence is not None and evidence.boot_id == node.boot_id
    for guest_id in sorted(running):
        incidents.report(node, FENCE_BROKEN, guest_id, is_same_boot=is_same_boot, evidence=kind)
    if is_same_boot and kind != "lease":
        incidents.report(node, FENCE_BROKEN, NEVER_OFF, evidence=kind)


def end_violations(node: Node) -> None:
    """Somebody has looked."""
    incidents.end(node, FENCE_BROKEN)
