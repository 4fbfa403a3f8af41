"""Changes of a port's addresses: any while it is free; an attached port may get more of them.

The node takes new addresses of an attached port from the signed list of its network; the guest asks for them by DHCP.
"""

from collections.abc import Iterable, Sequence

from andromede_core.permits.network_ports import MAX_ADDRESSES
from controlplane.network.addresses import AddressRequest, assign, first_ipv4, is_ipv4
from controlplane.network.errors import AddressesInUse, AddressesMissing, AddressesUnsupported
from controlplane.network.models import Port, PortAddress, Subnet
from controlplane.network.port_rules import request_port_rules
from controlplane.network.port_rules_content import LISTED_SUBNETS
from controlplane.network.public_addresses import require_untranslated
from controlplane.network.routed_zones import require_zone, routed_addresses
from controlplane.nodes.models import Node
from controlplane.operations.services import require_unlocked
from controlplane.quotas import services as quotas


def new_requests(port: Port, requests: Iterable[AddressRequest]) -> list[AddressRequest]:
    """Return the requests that the port's addresses do not meet."""
    present = set(PortAddress.objects.filter(port=port).values_list("ip", flat=True))
    return [request for request in requests if str(request.ip) not in present]


def addresses_replace(port: Port, subnets: Sequence[Subnet], requests: Sequence[AddressRequest]) -> str:
    """Replace the addresses and return the first of IPv4. `port`, `subnets`: locked, by the caller's transaction.

    Raises:
        AddressesMissing, Ipv4AddressMissing, PublicAddressTranslated, QuotaExceeded, and those of `assign`.
        AddressesInUse: an attached port would lose one. Busy, AddressesUnsupported, RoutedElsewhere: it gets one.
    """
    check_number(len(requests))
    present = list(PortAddress.objects.filter(port=port).order_by("pk"))
    named, new = {str(request.ip) for request in requests}, new_requests(port, requests)
    kept = [each for each in present if each.ip in named]
    left = [each.ip for each in present if each.ip not in named]
    if not left and not new:
        return first_ipv4(kept)
    zones = [] if port.instance_id is None else _zones_of_attached(port, left)
    require_untranslated(port, left)
    PortAddress.objects.filter(port=port, ip__in=left).delete()
    added = assign(port.network, subnets, port.pk, new)
    PortAddress.objects.bulk_create(added)
    present_now = [*kept, *added]
    check_number(len(present_now))
    for zone in zones:
        require_zone(routed_addresses([port]), zone, field="addresses")
        request_port_rules(port.pk, zone)
    claim_addresses(port)
    return first_ipv4(present_now)


def _zones_of_attached(port: Port, left: Sequence[str]) -> list[str]:
    """Check that the attached port may get more addresses, and return the zones of its nodes."""
    assert port.instance_id is not None, "it is attached"
    if left:
        raise AddressesInUse(field="addresses", name=port.name, addresses=", ".join(left))
    require_unlocked(port.instance_id)
    zones = list(Node.objects.filter(portbinding__port=port).values_list("zone", flat=True).distinct())
    carriers = Node.objects.filter(portbinding__port__network=port.network_id, zone__in=zones)
    if carriers.exclude(traits__contains=[LISTED_SUBNETS]).exists():
        raise AddressesUnsupported(field="addresses")
    return zones


def claim_addresses(port: Port) -> None:
    """Claim the quota of a port and its addresses: of the port's own, or with the other ports of its instance."""
    holder, ports = port.pk, Port.objects.filter(pk=port.pk)
    if not port.is_own and port.instance_id is not None:
        holder, ports = port.instance_id, Port.objects.filter(instance_id=port.instance_id, is_own=False)
    addresses = counted(PortAddress.objects.filter(port__in=ports))
    quotas.claim(port.project_id, holder, ports=ports.count(), addresses=addresses)


def counted(addresses: Iterable[PortAddress]) -> int:
    """Return how many of the addresses count in the quota: those of IPv4, which are scarce."""
    return sum(is_ipv4(each.ip) for each in addresses)


def check_number(count: int) -> None:
    if not 1 <= count <= MAX_ADDRESSES:
        raise AddressesMissing(field="addresses", limit=MAX_ADDRESSES)
