"""Port rules: the signed lists of a network's ports and of security groups, from which nodes filter traffic.

The signer makes them from bindings, ports, groups and rules (signer/port_rules.py); a node gets the current ones with a
port, and later ones by the reconciler (reconcilers/port_rules.py). A node trusts only the signature. It lets a filtered
port neither send nor receive before it has the documents of all the port's groups.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from andromede_core.documents.signed import read
from controlplane.kernel.prepared_queries import AnyOf, Prepared, preparing_cursor
from controlplane.kernel.wakeups import send_wakeup
from controlplane.network import port_rules_content as content
from controlplane.network.models import Port, PortBinding, PortRulesDocument
from controlplane.network.port_rules_content import PortFacts
from controlplane.network.segments import trusted_keys
from controlplane.nodes.errors import NodeOutdated
from controlplane.nodes.models import Node
from controlplane.placement.errors import SignerSilent

SIGN_PORT = "controlplane.signer.tasks.port_rules_requested", "signer"
SIGN_GROUP = "controlplane.signer.tasks.security_group_requested", "signer"
UPDATE_NODES = "controlplane.reconcilers.tasks.port_rules", "periodic"
# The trait of nodes whose agent filters by security groups.
FILTERS = "security-groups"
PATIENCE_S = 2.0
POLL_S = 0.005


@dataclass(frozen=True)
class PortDocuments:
    """The current documents of a port: the list of its network, and the groups that a node needs for it."""

    ports: bytes = b""
    groups: tuple[bytes, ...] = ()


def port_documents(port: Port, node: Node) -> PortDocuments:
    """Return the documents of a bound port for this node; the signer is called when one is missing or older.

    They are empty for a node whose agent has no security groups, and a port that is not filtered.

    Raises:
        NodeOutdated: the port is filtered, and the node's agent has no security groups.
        SignerSilent: the signer has not answered.
    """
    if FILTERS not in node.traits:
        if port.is_filtered:
            raise NodeOutdated(cause="no security groups", status=FILTERS)
        return PortDocuments()
    documents = _current_documents(port, node, content.groups_for(port.pk))
    if documents is None:
        send_wakeup(SIGN_PORT, [str(port.pk), node.zone_id])
        documents = _await_documents(port, node)
    return documents


def request_port_rules(port_id: UUID, zone: str) -> None:
    """Request, after the commit, new documents of this port: its groups have changed."""
    transaction.on_commit(lambda: send_wakeup(SIGN_PORT, [str(port_id), zone]), robust=True)


def request_network(network_id: UUID) -> None:
    """Request, after the commit, new lists of the network's ports: its subnets have changed."""
    bindings = PortBinding.objects.filter(port__network=network_id).order_by("node__zone", "port")
    for port_id, zone in bindings.distinct("node__zone").values_list("port", "node__zone"):
        request_port_rules(port_id, zone)


def request_names(instance_id: UUID) -> None:
    """Request, after the commit, new documents of the instance's ports: its name has changed."""
    bindings = PortBinding.objects.filter(port__instance_id=instance_id)
    for port_id, zone in bindings.values_list("port", "node__zone").distinct():
        request_port_rules(port_id, zone)


def request_group(group_id: UUID) -> None:
    """Request, after the commit, new documents of the group: its rules have changed."""
    transaction.on_commit(lambda: send_wakeup(SIGN_GROUP, [str(group_id)]), robust=True)


def request_update() -> None:
    """Ask the reconciler to send documents to nodes that have older ones; it also runs by itself."""
    send_wakeup(UPDATE_NODES)


def is_listed(payload: Mapping[str, Any], port: Port, node_id: UUID, facts: PortFacts) -> bool:
    """Tell if the list says of the port, on this node, what the rows say."""
    entry = payload["ports"].get(str(port.pk))
    if entry is None or str(node_id) not in entry["nodes"]:
        return False
    listed: bool = content.listed_port(port, entry["nodes"], facts).payload() == entry
    return listed


DOCUMENTS = Prepared(
    lambda network, groups, zone: PortRulesDocument.objects.filter(
        Q(network_id=network) | Q(AnyOf("group_id", groups)), zone_id=zone, version__gt=0
    )
)
VERSIONS = """
SELECT id, version FROM network_portrulesdocument WHERE (network_id = %s OR group_id = ANY(%s)) AND zone_id = %s
"""


def _current_documents(port: Port, node: Node, needed: Sequence[UUID]) -> PortDocuments | None:
    """Return the documents if they have this port on this node; the reconciler sends later changes.

    `needed`: ids of the groups that the node needs for the port.
    """
    trusted = trusted_keys()
    rows = DOCUMENTS.rows(port.network_id, needed, node.zone_id)
    by_group = {row.group_id: row for row in rows if row.key_id in trusted}
    if {None, *needed} - set(by_group):
        return None
    ports = _payload(by_group[None])
    if str(port.pk) not in ports["ports"]:
        return None
    facts = content.port_facts([port.pk])[port.pk]
    if not is_listed(ports, port, node.pk, facts):
        return None
    addresses = {str(address) for address in facts.addresses}
    for group in facts.groups:
        if not addresses <= set(_payload(by_group[group])["members"].get(str(port.network_id), ())):
            return None
    return PortDocuments(bytes(by_group[None].document), tuple(bytes(by_group[group].document) for group in needed))


def _payload(row: PortRulesDocument) -> Mapping[str, Any]:
    return read(bytes(row.document)).payload


def _await_documents(port: Port, node: Node) -> PortDocuments:
    """Read the documents again whenever the version of one of them has changed, and when the wait is over."""
    until, read_versions = time.monotonic() + PATIENCE_S, None
    while True:
        is_over = time.monotonic() >= until
        needed = content.groups_for(port.pk)
        versions = _versions(port.network_id, needed, node.zone_id)
        if versions != read_versions or is_over:
            documents, read_versions = _current_documents(port, node, needed), versions
            if documents is not None:
                return documents
        if is_over:
            raise SignerSilent(process="signer")
        time.sleep(POLL_S)


def _versions(network_id: UUID, groups: Sequence[UUID], zone: str) -> list[tuple[UUID, int]]:
    with preparing_cursor() as cursor:
        cursor.execute(VERSIONS, [network_id, groups, zone])
        return sorted(cursor.fetchall())
