"""Placement requests of instances with ports: traits and zones that the ports need."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from controlplane.network.models import Network, Port, SecurityGroup
from controlplane.network.mtu import mtu_zones_of_instance, mtu_zones_of_ports
from controlplane.network.node_needs import node_needs
from controlplane.network.port_rules import FILTERS
from controlplane.network.routed_zones import zones_of_instance, zones_of_ports
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
    joined = [network.pk for network in networks]
    needs = node_needs([*joined, *(port.network_id for port in ports)], joined=joined)
    return replace(
        request,
        routed_to=needs.zones | (zones_of_ports(ports) if ports else frozenset()),
        mtu_zones=mtu_zones_of_ports(networks, ports),
        **_traits(request, needs.traits, is_filtering_required=bool(ports) or groups is not None),
    )


def with_ports_of(request: PlacementRequest, instance_id: UUID, *, is_filtering_required: bool) -> PlacementRequest:
    """Add what the ports that the instance has need of its node.

    `is_filtering_required`: the request names groups or filtered ports.
    """
    needs = node_needs(Port.objects.filter(instance_id=instance_id).values_list("network_id", flat=True))
    return replace(
        request,
        routed_to=zones_of_instance(instance_id),
        mtu_zones=mtu_zones_of_instance(instance_id),
        **_traits(request, needs.traits, is_filtering_required=is_filtering_required),
    )


def _traits(request: PlacementRequest, needed: frozenset[str], *, is_filtering_required: bool) -> Mapping[str, Any]:
    """Return the fields of a request that lets nodes come first whose agent filters by security groups.

    Others filter no port. `needed`: traits that the node needs too. `is_filtering_required`: the others do not come
    into question.
    """
    if is_filtering_required:
        return {"traits": request.traits | needed | {FILTERS}}
    return {"traits": request.traits | needed, "preferred_traits": frozenset({FILTERS})}
