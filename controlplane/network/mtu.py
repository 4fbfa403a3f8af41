"""MTU of networks: the largest packet of a guest, and the zones whose underlay carries it between all nodes."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Max, Min

from controlplane.network.errors import MtuNotCarried, MtuTooLarge
from controlplane.network.models import Network, Port
from controlplane.nodes.models import DEFAULT_MTU, Node


def require_mtu(mtu: int) -> None:
    """Raise MtuNotCarried unless the nodes of a zone carry packets of so many bytes."""
    if mtu <= DEFAULT_MTU:
        return
    largest = max(_by_zone().values(), default=DEFAULT_MTU)
    if mtu > largest:
        raise MtuNotCarried(field="mtu", mtu=mtu, largest=largest)


def require_mtu_in_zone(port: Port, zone: str) -> None:
    """Raise MtuTooLarge unless the nodes of the zone carry the packets of the port's network."""
    mtu = port.network.mtu
    if mtu > DEFAULT_MTU and (largest := _by_zone().get(zone, DEFAULT_MTU)) < mtu:
        raise MtuTooLarge(name=port.name, mtu=mtu, zone=zone, largest=largest)


def mtu_zones_of_ports(networks: Iterable[Network], ports: Iterable[Port]) -> frozenset[str] | None:
    """Return the zones for an instance with new ports on these networks and with these ports; None: all."""
    sizes = [network.mtu for network in networks]
    others = {port.network_id for port in ports}
    if others:
        sizes += Network.objects.filter(pk__in=others).values_list("mtu", flat=True)
    return _carrying(max(sizes, default=DEFAULT_MTU))


def mtu_zones_of_instance(instance_id: UUID) -> frozenset[str] | None:
    """Return the zones for an instance with the ports that it has; None: all."""
    largest = Port.objects.filter(instance_id=instance_id).aggregate(largest=Max("network__mtu"))["largest"]
    return _carrying(largest or DEFAULT_MTU)


def _carrying(mtu: int) -> frozenset[str] | None:
    if mtu <= DEFAULT_MTU:
        return None
    return frozenset(zone for zone, largest in _by_zone().items() if largest >= mtu)


def _by_zone() -> dict[str, int]:
    """Return the largest packet that all nodes of a zone carry, by zone."""
    nodes = Node.objects.exclude(admin_state="retired")
    return dict(nodes.values_list("zone").annotate(largest=Min("max_mtu")))
