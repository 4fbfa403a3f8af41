"""Needs of the ports of a network: traits of their node, and the zone to which addresses of its subnets are routed.

The agent of the node reads what the signed list of the ports says.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from controlplane.kernel.prepared_queries import preparing_cursor
from controlplane.network.dhcp_options import DHCP_OPTIONS
from controlplane.network.port_rules_content import LISTED_SUBNETS

NEEDS = """
SELECT EXISTS (SELECT FROM network_egressaddress WHERE network_id = ANY(%(ids)s)),
    EXISTS (
        SELECT FROM network_subnet WHERE network_id = ANY(%(ids)s)
            AND (ntp_servers <> '{}' OR domain_search <> '{}' OR static_routes <> '[]')
    ),
    ARRAY(
        SELECT DISTINCT ON (subnet.network_id) pool.zone_id
        FROM network_subnet AS subnet LEFT JOIN network_addresspool AS pool ON pool.id = subnet.ipv6_pool_id
        WHERE subnet.network_id = ANY(%(joined)s)
        ORDER BY subnet.network_id, subnet.id
    )
"""


@dataclass(frozen=True)
class NodeNeeds:
    """`traits`: of the node. `zones`: it must be in each of these, for the addresses of new ports."""

    traits: frozenset[str]
    zones: frozenset[str]


def node_needs(networks: Iterable[UUID], *, joined: Iterable[UUID] = ()) -> NodeNeeds:
    """Return what ports of these networks need of a node. `joined`: those that get a new port, in their first subnet.

    With a port on a node of an earlier release, no list of the network could have its egress address or the DHCP
    options of its subnets.
    """
    with preparing_cursor() as cursor:
        cursor.execute(NEEDS, {"ids": list(networks), "joined": list(joined)})
        has_egress, has_options, zones = cursor.fetchone()
    traits = {LISTED_SUBNETS: has_egress, DHCP_OPTIONS: has_options}
    needed = frozenset(trait for trait, is_needed in traits.items() if is_needed)
    return NodeNeeds(needed, frozenset(zone for zone in zones if zone is not None))
