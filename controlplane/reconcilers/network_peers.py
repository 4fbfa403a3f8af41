"""Segments of networks are sent to nodes that have an older version, or whose underlay had a problem."""

import logging
from uuid import UUID

from django.db import connection

from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError
from controlplane.kernel.ids import new_id
from controlplane.network.models import Segment, SegmentCopy
from controlplane.nodes import agent_client, incidents
from controlplane.nodes.errors import NodeUnreachable
from controlplane.nodes.models import Node

log = logging.getLogger(__name__)

UNDERLAY = "underlay"
DUE = """
SELECT segment.id, node.id
FROM network_segment AS segment
    CROSS JOIN jsonb_object_keys(segment.members) AS member
    JOIN nodes_node AS node ON node.id = member::uuid AND node.state <> 'unreachable'
    LEFT JOIN network_segmentcopy AS copy ON copy.segment_id = segment.id AND copy.node_id = node.id
WHERE copy.version IS NULL OR copy.version < segment.version OR copy.problem <> ''
ORDER BY segment.updated_at
"""


def reconcile() -> int:
    """Return how many nodes got a segment."""
    due = _due()
    nodes = Node.objects.in_bulk({node_id for _, node_id in due})
    segments = Segment.objects.in_bulk({segment_id for segment_id, _ in due})
    silent: set[UUID] = set()
    updated: set[UUID] = set()
    count = 0
    for segment_id, node_id in due:
        if node_id in silent or segment_id not in segments:
            continue
        try:
            count += _send_segment(nodes[node_id], segments[segment_id])
            updated.add(node_id)
        except NodeUnreachable as exc:
            silent.add(node_id)
            log.warning("node %s: segments not sent, retried later: %s", nodes[node_id].name, exc.facts)
        except CloudError as exc:
            log.error("node %s: segment %s rejected: %s %s", nodes[node_id].name, segment_id, exc, exc.facts)
    for node_id in updated:
        _account(nodes[node_id])
    return count


def _due() -> list[tuple[UUID, UUID]]:
    with connection.cursor() as cursor:
        cursor.execute(DUE)
        return list(cursor.fetchall())


def _send_segment(node: Node, segment: Segment) -> int:
    """Send the segment. A node without a port of the network stores nothing, and gets it again later."""
    state = agent_client.ensure_network(node, bytes(segment.document))
    if not state.version:
        return 0
    if state.version > segment.version:
        # The database was restored from a backup, so the node has a later version; it accepts one that is signed anew.
        Segment.objects.filter(pk=segment.pk, version=segment.version).update(key_id="")
    fields = {"version": state.version, "problem": state.problem[:300], "updated_at": clock.now()}
    SegmentCopy.objects.update_or_create(
        segment=segment, node=node, defaults=fields, create_defaults={"id": new_id(), **fields}
    )
    return 1


def _account(node: Node) -> None:
    """Keep an incident while the node's underlay has a problem with any network."""
    copies = SegmentCopy.objects.filter(node=node, segment__members__has_key=str(node.pk)).exclude(problem="")
    incidents.reconcile(node, {UNDERLAY: set(copies.values_list("problem", flat=True))})
