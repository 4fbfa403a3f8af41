"""Signed documents are sent to the nodes that need them, node by node."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

from controlplane.kernel.errors import CloudError
from controlplane.nodes.models import Node

log = logging.getLogger(__name__)


def send_due(due: Iterable[tuple[UUID, UUID]], send: Callable[[Node, Sequence[UUID]], int], *, what: str) -> int:
    """Return how many documents nodes got. A node that fails delays no other; the next run sends to it again.

    `due`: ids of nodes, each with that of a document. `what`: the kind of document, for the log.
    """
    by_node: dict[UUID, list[UUID]] = defaultdict(list)
    for node_id, document_id in due:
        by_node[node_id].append(document_id)
    nodes = Node.objects.in_bulk(by_node)
    sent = 0
    for node_id, document_ids in by_node.items():
        try:
            sent += send(nodes[node_id], document_ids)
        except CloudError as exc:
            log.warning("node %s: %s not sent, retried later: %s %s", nodes[node_id].name, what, exc, exc.facts)
    return sent
