"""Fencing violations: a fenced node sends heartbeats, so its evidence may have been wrong.

Its guests may run elsewhere by now. A guest that runs here too, or a node that was never off although its evidence
states it, is an incident until an operator has changed the node's admin state.
"""

from collections.abc import Collection

from controlplane.node_lifecycle.fencing.fencing import latest_evidence
from controlplane.nodes import incidents
from controlplane.nodes.models import Node

FENCE_BROKEN = "fence-broken"
NEVER_OFF = "it was never off"


def record_violations(node: Node, *, running: Collection[str]) -> None:
    """Record violations at each heartbeat of a fenced node; `running`: the ids of its guests that run."""
    evidence = latest_evidence(node)
    kind = evidence.kind if evidence else ""
    is_same_boot = evidence is not None and evidence.boot_id == node.boot_id
    for guest_id in sorted(running):
        incidents.report(node, FENCE_BROKEN, guest_id, is_same_boot=is_same_boot, evidence=kind)
    if is_same_boot and kind != "lease":
        incidents.report(node, FENCE_BROKEN, NEVER_OFF, evidence=kind)


def end_violations(node: Node) -> None:
    """End the incidents: an operator has checked the node."""
    incidents.end(node, FENCE_BROKEN)
