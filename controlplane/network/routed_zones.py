"""Zones to which addresses of ports are routed: public ones, and those of a subnet that has its /64 from a pool.

An instance with such an address is placed there and nowhere else, so that each address that the API shows works.
"""

from collections.abc import Iterable, Mapping
from uuid import UUID

from django.db.models import QuerySet

from controlplane.network.errors import RoutedElsewhere
from controlplane.network.models import Port, PortAddress, PublicAddress


def routed_addresses(ports: Iterable[Port]) -> dict[str, str]:
    """Return the zone of each address of these ports that is routed to one alone."""
    ids = [port.pk for port in ports]
    own = _routed(PortAddress.objects.filter(port__in=ids)).values_list("ip", "subnet__ipv6_pool__zone")
    return {**dict(own), **dict(PublicAddress.objects.filter(port__in=ids).values_list("ip", "pool__zone"))}


def require_zone(routed: Mapping[str, str], zone: str, *, field: str | None = None) -> None:
    """Raise RoutedElsewhere unless all addresses are routed to this zone. `routed`: their zones."""
    elsewhere = {ip: other for ip, other in sorted(routed.items()) if other != zone}
    if elsewhere:
        zones = ", ".join(sorted(set(elsewhere.values())))
        raise RoutedElsewhere(field=field, addresses=", ".join(elsewhere), zone=zones, other=zone)


def zones_of_ports(ports: Iterable[Port]) -> frozenset[str]:
    return _zones(PortAddress.objects.filter(port__in=[port.pk for port in ports]))


def zones_of_instance(instance_id: UUID) -> frozenset[str]:
    return _zones(PortAddress.objects.filter(port__instance_id=instance_id))


def _zones(addresses: QuerySet[PortAddress]) -> frozenset[str]:
    return frozenset(_routed(addresses).values_list("subnet__ipv6_pool__zone", flat=True))


def _routed(addresses: QuerySet[PortAddress]) -> QuerySet[PortAddress]:
    return addresses.filter(ip__contains=":", subnet__ipv6_pool__isnull=False)
