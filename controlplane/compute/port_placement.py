"""Placement requests of instances with ports: traits and zones that the ports need."""

from collections.abc import Sequence
from dataclasses import replace

from controlplane.network.egress_gateways import egress_traits
from controlplane.network.models import Network, Port, SecurityGroup
from controlplane.network.mtu import mtu_zones_of_ports
from controlplane.network.port_rules import FILTERS
from controlplane.network.routed_zones import zones_of_networks, zones_of_ports
from controlplane.placement.decisions import PlacementRequest


def with_ports(
    request: PlacementRequest,
    networks: Sequence[Network],
    ports: Sequence[Port],
    groups: Sequence[SecurityGroup] | None,
) -> PlacementRequest:
    """Add what the ports of a new instance need of its node. See NewInstance."""
    if not networks and not ports:
        return request
    zones = zones_of_networks(networks) if networks else frozenset()
    zones |= zones_of_ports(ports) if ports else frozenset()
    traits = egress_traits([*(network.pk for network in networks), *(port.network_id for port in ports)])
    request = replace(
        request,
        routed_to=zones,
        mtu_zones=mtu_zones_of_ports(networks, ports),
        traits=request.traits | traits,
    )
    return prefer_filtering(request, is_required=bool(ports) or groups is not None)


def prefer_filtering(request: PlacementRequest, *, is_required: bool) -> PlacementRequest:
    """Let nodes come first whose agent filters by security groups; others filter no port.

    `is_required`: the request names groups or filtered ports, so the others do not come into question.
    """
    if is_required:
        return replace(request, traits=request.traits | {FILTERS})
    return replace(request, preferred_traits=frozenset({FILTERS}))
