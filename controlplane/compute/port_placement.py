"""Placement requests of instances with ports: traits and zones that the ports need."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from controlplane.network.models import Network, Port, SecurityGroup
from controlplane.network.mtu import mtu_zones_of_instance, mtu_zones_of_ports
from controlplane.network.node_traits import network_traits
from controlplane.network.port_rules import FILTERS
from controlplane.network.routed_zones import zones_of_instance, zones_of_networks, zones_of_ports
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
    traits = network_traits([*(network.pk for network in networks), *(port.network_id for port in ports)])
    request = replace(request, routed_to=zones, mtu_zones=mtu_zones_of_ports(networks, ports))
    return _with_traits(request, traits, is_filtering_required=bool(ports) or groups is not None)


def with_ports_of(request: PlacementRequest, instance_id: UUID, *, is_filtering_required: bool) -> PlacementRequest:
    """Add what the ports that the instance has need of its node.

    `is_filtering_required`: the request names groups or filtered ports.
    """
    zones, mtu_zones = zones_of_instance(instance_id), mtu_zones_of_instance(instance_id)
    traits = network_traits(Port.objects.filter(instance_id=instance_id).values_list("network_id", flat=True))
    request = replace(request, routed_to=zones, mtu_zones=mtu_zones)
    return _with_traits(request, traits, is_filtering_required=is_filtering_required)


def _with_traits(request: PlacementRequest, traits: frozenset[str], *, is_filtering_required: bool) -> PlacementRequest:
    """Let nodes come first whose agent filters by security groups; others filter no port.

    `traits`: that the node needs too. `is_filtering_required`: the others do not come into question.
    """
    if is_filtering_required:
        return replace(request, traits=request.traits | traits | {FILTERS})
    return replace(request, traits=request.traits | traits, preferred_traits=frozenset({FILTERS}))
