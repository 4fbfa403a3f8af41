"""Egress addresses of networks: which node is the gateway of each.

The gateway node of a network in a zone translates what leaves the network there. It is one of the nodes that carry a
port of the network, since these have its segment. It stays while it can: connections end when it changes.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction

from controlplane.audit.services import record
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.network import port_rules
from controlplane.network.announced_prefixes import request_announcements
from controlplane.network.models import EgressAddress, PortBinding
from controlplane.network.port_rules_content import LISTED_SUBNETS

GATEWAY = "public_address.gateway"  # the verb of the audit entries, from which the residency of the address is known
# A gateway on a node that is being drained moves as soon as another node can be it.
WORKING, LEAVING = ("in-service", "cordoned"), "draining"
CANDIDATES = """
SELECT egress.id, node.id, node.duty, count(*)
FROM network_egressaddress AS egress
    JOIN network_port AS port ON port.network_id = egress.network_id
    JOIN network_portbinding AS binding ON binding.port_id = port.id
    JOIN nodes_node AS node ON node.id = binding.node_id AND node.zone_id = egress.zone_id
        AND node.state = 'ready' AND node.duty = ANY(%(duties)s) AND node.traits @> ARRAY[%(trait)s]::varchar[]
WHERE egress.id = ANY(%(ids)s)
GROUP BY egress.id, node.id, node.duty
"""


@dataclass(frozen=True)
class Candidate:
    """A node that can be the gateway, and how many ports of the network it carries."""

    node_id: UUID
    is_working: bool
    ports: int


def choose_gateway(current: UUID | None, candidates: Sequence[Candidate]) -> UUID | None:
    """Return the node: the present one if it stays, or else the one with most ports; None: there is none."""
    working = [each for each in candidates if each.is_working] or list(candidates)
    if any(each.node_id == current for each in working):
        return current
    return min(working, key=lambda each: (-each.ports, each.node_id)).node_id if working else None


@transaction.atomic
def egress_gateways_refresh(rows: Sequence[EgressAddress]) -> int:
    """Choose the gateways of these anew; returns how many changed. Nodes and routers learn of it after the commit."""
    locked = EgressAddress.objects.select_for_update(no_key=True, of=("self",)).select_related("address")
    current = list(locked.filter(pk__in=[row.pk for row in rows]).order_by("pk"))
    candidates = _candidates([row.pk for row in current])
    return sum(_move(row, choose_gateway(row.gateway_id, candidates.get(row.pk, ()))) for row in current)


def request_egress(network_id: UUID, zone: str) -> None:
    """Request, after the commit, that nodes and routers learn of the network's egress address in this zone."""
    request_announcements(zone)
    bindings = PortBinding.objects.filter(port__network=network_id, node__zone=zone).order_by("pk")
    port = bindings.values_list("port", flat=True).first()
    if port is not None:  # any port: its documents contain the list of the network
        port_rules.request_port_rules(port, zone)


def _candidates(ids: Sequence[UUID]) -> Mapping[UUID, list[Candidate]]:
    candidates: dict[UUID, list[Candidate]] = defaultdict(list)
    if not ids:
        return candidates
    with connection.cursor() as cursor:
        cursor.execute(CANDIDATES, {"ids": list(ids), "duties": [*WORKING, LEAVING], "trait": LISTED_SUBNETS})
        for egress_id, node_id, duty, ports in cursor.fetchall():
            candidates[egress_id].append(Candidate(node_id, duty in WORKING, ports))
    return candidates


def _move(row: EgressAddress, to: UUID | None) -> bool:
    if to == row.gateway_id:
        return False
    EgressAddress.objects.filter(pk=row.pk).update(gateway=to, updated_at=clock.now())
    facts = {
        "name": row.address.name,
        "ip": row.address.ip,
        "network": str(row.network_id),
        "zone": row.zone_id,
        "from_node": None if row.gateway_id is None else str(row.gateway_id),
        "node": None if to is None else str(to),
    }
    record(SYSTEM, GATEWAY, row.address_id, project_id=row.address.project_id, **facts)
    request_egress(row.network_id, row.zone_id)
    return True
