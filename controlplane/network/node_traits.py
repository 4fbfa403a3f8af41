"""Traits that a node needs for ports of a network: its agent reads what the signed list of the ports says."""

from collections.abc import Iterable
from uuid import UUID

from controlplane.kernel.prepared_queries import preparing_cursor
from controlplane.network.dhcp_options import DHCP_OPTIONS
from controlplane.network.port_rules_content import LISTED_SUBNETS

NEEDS = """
SELECT EXISTS (SELECT FROM network_egressaddress WHERE network_id = ANY(%(ids)s)),
    EXISTS (
        SELECT FROM network_subnet WHERE network_id = ANY(%(ids)s)
            AND (ntp_servers <> '{}' OR domain_search <> '{}' OR static_routes <> '[]')
    )
"""


def network_traits(network_ids: Iterable[UUID]) -> frozenset[str]:
    """Return the traits that a node needs for ports of these networks.

    With a port on a node of an earlier release, no list of the network could have its egress address or the DHCP
    options of its subnets.
    """
    with preparing_cursor() as cursor:
        cursor.execute(NEEDS, {"ids": list(network_ids)})
        has_egress, has_options = cursor.fetchone()
    needed = {LISTED_SUBNETS: has_egress, DHCP_OPTIONS: has_options}
    return frozenset(trait for trait, is_needed in needed.items() if is_needed)
