"""Segments: the nodes of a zone that carry a network; its frames go between them and nowhere else.

Bindings record the nodes of ports; the steps that create or remove a port on a node write them. The signer makes a
document of the bindings, and each node that carries the network gets it (reconcilers/network_peers.py). A node trusts
only the signature, since the document decides where a tenant's frames go.
"""

import time
from collections import defaultdict
from collections.abc import Mapping
from uuid import UUID

from django.db.models import QuerySet

from controlplane.kernel.ids import new_id
from controlplane.kernel.multi_insert import insertion
from controlplane.kernel.prepared_queries import Prepared, preparing_cursor
from controlplane.kernel.wakeups import send_wakeup
from controlplane.network.models import Port, PortBinding, Segment
from controlplane.nodes import trust_documents
from controlplane.nodes.models import Node
from controlplane.placement.errors import SignerSilent

SIGN = "controlplane.signer.tasks.segment_requested", "signer"
UPDATE_PEERS = "controlplane.reconcilers.tasks.network_peers", "periodic"
PATIENCE_S = 1.0
POLL_S = 0.005

# Ids of network and zone.
SegmentKey = tuple[UUID, str]
# Underlay addresses by the nodes' ids.
Members = Mapping[str, str]


def record_binding(port: Port, node: Node) -> None:
    """Record the port-node binding before the RPC, so that every port on a node has a row."""
    statement, values = insertion(PortBinding(id=new_id(), port=port, node=node))
    with preparing_cursor() as cursor:
        cursor.execute(f"{statement} ON CONFLICT DO NOTHING", values)


def delete_binding(port_id: UUID, node: Node) -> None:
    """Delete the binding: the node does not carry the port any more, or will not once it is back."""
    PortBinding.objects.filter(port_id=port_id, node=node).delete()


def segment_document(port: Port, node: Node) -> bytes:
    """Return the document of the port's network in the node's zone, with this node in it.

    It is empty for a node without an underlay address, which therefore stays alone. For a new node the signer is
    called, and the other nodes get the document.

    Raises:
        SignerSilent: the signer has not answered.
    """
    if node.underlay is None:
        return b""
    key = (port.network_id, node.zone_id)
    segment = _current_segment(node, key)
    if segment is None:
        send_wakeup(SIGN, [str(key[0]), key[1]])
        segment = _await_segment(node, key)
        send_wakeup(UPDATE_PEERS)
    return bytes(segment.document)


def members(key: SegmentKey) -> Members:
    """Return the members of the segment by the bindings."""
    network_id, zone = key
    return _members(PortBinding.objects.filter(port__network=network_id, node__zone=zone)).get(key, {})


def all_members() -> Mapping[SegmentKey, Members]:
    """Return the members for all networks that are on nodes."""
    return _members(PortBinding.objects.all())


def trusted_keys() -> set[str]:
    """Return the keys whose signatures nodes accept."""
    keyset, denied = trust_documents.keys()
    return {key.id for key in keyset.keys.values() if key.use == "permit" and key.id not in denied.kids}


def _members(bindings: QuerySet[PortBinding]) -> Mapping[SegmentKey, Members]:
    underlays: dict[SegmentKey, dict[str, str]] = defaultdict(dict)
    pairs = bindings.order_by().values_list("port__network", "node").distinct()
    pairs_known = list(pairs)
    nodes = {node.pk: node for node in Node.objects.filter(pk__in={node_id for _, node_id in pairs_known})}
    for network_id, node_id in pairs_known:
        node = nodes[node_id]
        if node.underlay is not None:
            underlays[network_id, node.zone_id][str(node_id)] = node.underlay
    return underlays


SEGMENTS = Prepared(lambda network, zone: Segment.objects.filter(network_id=network, zone_id=zone))


def _current_segment(node: Node, key: SegmentKey) -> Segment | None:
    """Return the segment with this node; the reconciler sends later changes to this node too."""
    segment = SEGMENTS.first(*key)
    if segment is None or segment.members.get(str(node.pk)) != node.underlay:
        return None
    return segment if segment.key_id in trusted_keys() else None


def _await_segment(node: Node, key: SegmentKey) -> Segment:
    until = time.monotonic() + PATIENCE_S
    while (segment := _current_segment(node, key)) is None:
        if time.monotonic() >= until:
            raise SignerSilent(process="signer")
        time.sleep(POLL_S)
    return segment
