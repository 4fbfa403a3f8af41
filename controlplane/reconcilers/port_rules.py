"""Port rules are sent to nodes that have an older version, or that had a problem with them."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from django.db import connection

from agents.protocol import agent_pb2 as pb
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.network.models import PortRulesCopy, PortRulesDocument
from controlplane.network.needed_groups import CARRIED, needed_groups
from controlplane.network.port_rules import FILTERS
from controlplane.nodes import agent_client, incidents
from controlplane.nodes.models import Node
from controlplane.reconcilers.due_documents import send_due

PORT_RULES = "port-rules"
# At most so much per call: gRPC accepts 4 MiB.
CALL_DOCUMENTS, CALL_BYTES = 64, 2 * 1024 * 1024
# The nodes that need a document: a list, the nodes that carry a port of the network; a group, those that carry a port
# in it, or in a group whose rules name it.
DUE = f"""
WITH {CARRIED}, {needed_groups("node, zone")}, needed AS (
    SELECT carried.node, document.id
    FROM carried JOIN network_portrulesdocument AS document
        ON document.network_id = carried.network AND document.zone_id = carried.zone
    UNION SELECT needed_group.node, document.id
    FROM needed_group JOIN network_portrulesdocument AS document
        ON document.group_id = needed_group.id AND document.zone_id = needed_group.zone
)
SELECT needed.node, needed.id
FROM needed JOIN network_portrulesdocument AS document ON document.id = needed.id AND document.version > 0
    JOIN nodes_node AS node ON node.id = needed.node
        AND node.state <> 'unreachable' AND node.traits @> ARRAY[%(filters)s]::varchar[]
    LEFT JOIN network_portrulescopy AS copy ON copy.document_id = needed.id AND copy.node_id = needed.node
WHERE copy.version IS NULL OR copy.version < document.version OR copy.problem <> ''
ORDER BY document.updated_at
"""


def reconcile() -> int:
    """Return how many documents nodes got."""
    return send_due(due(), _send_documents, what="port rules")


def due() -> list[tuple[UUID, UUID]]:
    """Return the ids of nodes, each with that of a document of which it needs a newer version."""
    with connection.cursor() as cursor:
        cursor.execute(DUE, {"filters": FILTERS})
        return list(cursor.fetchall())


def _send_documents(node: Node, document_ids: Sequence[UUID]) -> int:
    documents = PortRulesDocument.objects.filter(pk__in=document_ids).order_by("updated_at")
    sent = 0
    for part in _parts(documents.iterator(CALL_DOCUMENTS)):
        state = agent_client.ensure_port_rules(node, _request(part))
        sent += _record(node, part, state)
    copies = PortRulesCopy.objects.filter(node=node).exclude(problem="")
    incidents.reconcile(node, {PORT_RULES: set(copies.values_list("problem", flat=True))})
    return sent


def _parts(documents: Iterator[PortRulesDocument]) -> Iterator[list[PortRulesDocument]]:
    part: list[PortRulesDocument] = []
    size = 0
    for document in documents:
        if part and (len(part) == CALL_DOCUMENTS or size + len(document.document) > CALL_BYTES):
            yield part
            part, size = [], 0
        part.append(document)
        size += len(document.document)
    if part:
        yield part


def _request(part: Sequence[PortRulesDocument]) -> pb.EnsurePortRulesRequest:
    return pb.EnsurePortRulesRequest(
        ports=[bytes(each.document) for each in part if each.network_id],
        security_groups=[bytes(each.document) for each in part if each.group_id],
    )


def _record(node: Node, part: Sequence[PortRulesDocument], state: pb.PortRulesState) -> int:
    """Record the versions that the node reports; of a document that nothing there needs it reports none."""
    versions = {each.id: each.version for each in (*state.ports, *state.security_groups)}
    now = clock.now()
    copies, ahead = [], []
    for document in part:
        version = versions.get(str(document.network_id or document.group_id), 0)
        if version > document.version:
            # The database was restored from a backup, so the node has a later version; it accepts one signed anew.
            ahead.append(document.pk)
        if version:
            fields = {"version": version, "problem": state.problem[:300], "updated_at": now}
            copies.append(PortRulesCopy(id=new_id(), document=document, node=node, **fields))
    if ahead:
        PortRulesDocument.objects.filter(pk__in=ahead).update(key_id="")
    PortRulesCopy.objects.bulk_create(
        copies,
        update_conflicts=True,
        unique_fields=["document", "node"],
        update_fields=["version", "problem", "updated_at"],
    )
    return len(copies)
