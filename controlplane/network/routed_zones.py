"""Zones to which the IPv6 addresses of ports are routed: the zone of the pool that a subnet has its /64 from.

An instance with such an address is placed there and nowhere else, so that each address that the API shows works.
"""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import QuerySet

from controlplane.network.models import Network, Port, PortAddress, Subnet


def zones_of_networks(networks: Iterable[Network]) -> frozenset[str]:
    """Return the zones for new ports on these networks: a port gets its address in the first subnet."""
    rows = Subnet.objects.filter(network__in=[network.pk for network in networks])
    first = rows.order_by("network", "pk").distinct("network").values_list("ipv6_pool__zone", flat=True)
    return frozenset(zone for zone in first if zone is not None)


def zones_of_ports(ports: Iterable[Port]) -> frozenset[str]:
    return _zones(PortAddress.objects.filter(port__in=[port.pk for port in ports]))


def zones_of_instance(instance_id: UUID) -> frozenset[str]:
    return _zones(PortAddress.objects.filter(port__instance_id=instance_id))


def _zones(addresses: QuerySet[PortAddress]) -> frozenset[str]:
    routed = addresses.filter(ip__contains=":", subnet__ipv6_pool__isnull=False)
    return frozenset(routed.values_list("subnet__ipv6_pool__zone", flat=True))
