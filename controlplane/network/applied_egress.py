"""State of egress addresses at the nodes: whether all of them apply the signed list that has the address."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

from andromede_core.documents.signed import read
from controlplane.network.models import EgressAddress, PortBinding, PortRulesCopy, PortRulesDocument
from controlplane.network.port_groups import AppliedRules
from controlplane.network.port_rules_content import LISTED_SUBNETS
from controlplane.network.public_listing import as_listed
from controlplane.network.segments import trusted_keys
from controlplane.nodes.models import Node


def applied_egress(rows: Sequence[EgressAddress]) -> Mapping[UUID, AppliedRules]:
    """Return by their ids whether the nodes that carry the network apply the address as it is now."""
    if not rows:
        return {}
    networks = [row.network_id for row in rows]
    nodes: dict[tuple[UUID, str], set[Node]] = defaultdict(set)
    for binding in PortBinding.objects.filter(port__network__in=networks).select_related("node", "port"):
        nodes[binding.port.network_id, binding.node.zone_id].add(binding.node)
    signed = PortRulesDocument.objects.filter(network__in=networks, version__gt=0, key_id__in=trusted_keys())
    documents = {(row.network_id, row.zone_id): row for row in signed}
    copies = {
        (copy.document_id, copy.node_id): copy
        for copy in PortRulesCopy.objects.filter(document__in=[row.pk for row in documents.values()])
    }
    return {
        row.pk: _state(row, nodes[row.network_id, row.zone_id], documents.get((row.network_id, row.zone_id)), copies)
        for row in rows
    }


def _state(
    row: EgressAddress,
    nodes: set[Node],
    document: PortRulesDocument | None,
    copies: Mapping[tuple[UUID, UUID], PortRulesCopy],
) -> AppliedRules:
    if any(LISTED_SUBNETS not in node.traits for node in nodes):
        return AppliedRules("unsupported")
    if not nodes or row.gateway_id is None:
        return AppliedRules("pending", reason="no-node")
    if document is None or read(bytes(document.document)).payload.get("egress") != as_listed(row).payload():
        return AppliedRules("pending", reason="signing")
    known = [(node, copies.get((document.pk, node.pk))) for node in nodes]
    if any(copy is not None and copy.problem for _, copy in known):
        return AppliedRules("pending", document.version, "node-problem")
    behind = [node for node, copy in known if copy is None or copy.version < document.version]
    if not behind:
        return AppliedRules("applied", document.version)
    is_silent = any(node.state == "unreachable" for node in behind)
    return AppliedRules("pending", document.version, "node-silent" if is_silent else "sending")
