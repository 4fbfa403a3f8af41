"""Pending removals are carried out once their node is back."""

import logging
from uuid import UUID

from controlplane.kernel.errors import CloudError
from controlplane.nodes import agent_client
from controlplane.nodes.errors import NodeUnreachable
from controlplane.nodes.models import NodeRemoval

log = logging.getLogger(__name__)

# A guest uses its disks, a disk its image: this order removes users first. The end of a copy is due before the removal
# of the volume that it has become.
ORDER = ("arrival", "instance", "attachment", "port", "volume-copy", "volume", "shared-volume")
# The node has a newer generation, as after a recreation: the removal is outdated.
STALE = "agent.stale_generation"


def reconcile() -> int:
    """Return how many were removed."""
    due = NodeRemoval.objects.filter(node__state="ready").select_related("node")
    silent: set[UUID] = set()
    removed = 0
    for removal in sorted(due, key=lambda row: ORDER.index(row.kind)):
        if removal.node_id in silent:
            continue
        try:
            agent_client.remove(
                removal.node,
                kind=removal.kind,
                resource_id=removal.resource_id,
                generation=removal.generation,
                pool=removal.pool,
            )
        except NodeUnreachable:
            silent.add(removal.node_id)
        except CloudError as exc:
            if exc.facts.get("agent_code") == STALE and not _holds_copy(removal):
                removal.delete()
                continue
            log.warning(
                "node %s: removal of %s %s failed and is retried: %s", removal.node, removal.kind, removal.pk, exc
            )
        else:
            removal.delete()
            removed += 1
    return removed


def _holds_copy(removal: NodeRemoval) -> bool:
    """Tell if the node still has the copy of a volume that the removal ends: it has data to erase then."""
    if removal.kind != "volume-copy":
        return False
    try:
        copies = agent_client.describe(removal.node, removal.resource_id).volume_copies
    except CloudError:
        return True
    return any(copy.subject.generation <= removal.generation for copy in copies)
