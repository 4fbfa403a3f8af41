"""Traits that a node needs for ports of a network: its agent reads what the signed list of the ports says."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from controlplane.network.dhcp_options import DHCP_OPTIONS
from controlplane.network.models import EgressAddress, Network, Subnet
from controlplane.network.port_rules_content import LISTED_SUBNETS


def network_traits(network_ids: Iterable[UUID]) -> frozenset[str]:
    """Return the traits that a node needs for ports of these networks.

    With a port on a node of an earlier release, no list of the network could have its egress address or the DHCP
    options of its subnets.
    """
    egress = EgressAddress.objects.filter(network=OuterRef("pk"))
    has_options = ~Q(ntp_servers=[]) | ~Q(domain_search=[]) | ~Q(static_routes=[])
    options = Subnet.objects.filter(has_options, network=OuterRef("pk"))
    rows = list(Network.objects.filter(pk__in=network_ids).values_list(Exists(egress), Exists(options)))
    needed = {LISTED_SUBNETS: any(egress for egress, _ in rows), DHCP_OPTIONS: any(options for _, options in rows)}
    return frozenset(trait for trait, is_needed in needed.items() if is_needed)
