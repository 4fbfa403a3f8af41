"""Topology of a network: its ports, with their instances, zones, groups and public addresses."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from controlplane.compute.models import Instance
from controlplane.compute.port_details import port_details
from controlplane.network.errors import TopologyTooLarge
from controlplane.network.models import EgressAddress, Network, Port, PublicAddress, Subnet
from controlplane.network.port_groups import GroupOfPort, groups_of

PORTS_MAX = 500


@dataclass(frozen=True)
class Topology:
    """A network with all that is on it. Mappings are by port; `instances` by their ids."""

    network: Network
    subnets: Sequence[Subnet]
    ports: Sequence[Port]
    addresses: Mapping[UUID, list[dict[str, Any]]]
    instances: Mapping[UUID, Instance]
    groups: Mapping[UUID, list[GroupOfPort]]
    public: Mapping[UUID, list[PublicAddress]]
    egress: Sequence[EgressAddress]


def network_topology(network: Network) -> Topology:
    """Return the topology; ports are in the order of their names.

    Raises:
        TopologyTooLarge: the network has more than PORTS_MAX ports.
    """
    ports = list(Port.objects.filter(network=network).order_by("name")[: PORTS_MAX + 1])
    if len(ports) > PORTS_MAX:
        raise TopologyTooLarge(count=Port.objects.filter(network=network).count(), limit=PORTS_MAX)
    ids = [port.pk for port in ports]
    instances = Instance.objects.filter(pk__in=[port.instance_id for port in ports]).select_related("node")
    public: dict[UUID, list[PublicAddress]] = defaultdict(list)
    for row in PublicAddress.objects.filter(port__in=ids).order_by("pk"):
        public[row.port_id].append(row)  # type: ignore[index]
    return Topology(
        network,
        list(Subnet.objects.filter(network=network).order_by("pk")),
        ports,
        port_details(ports)["addresses"],
        {each.pk: each for each in instances},
        groups_of(ids),
        public,
        list(EgressAddress.objects.filter(network=network).select_related("address").order_by("zone")),
    )
