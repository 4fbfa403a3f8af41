"""Addresses of ports: chosen ones and free ones. Inside the caller's transaction, with the subnets locked."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from uuid import UUID

from andromede_core.documents.messages import Message
from controlplane.kernel.names import as_uuid
from controlplane.kernel.prepared_queries import Prepared, preparing_cursor
from controlplane.network.errors import (
    AddressesExhausted,
    AddressNotUsable,
    AddressTaken,
    NetworkNotFound,
    SubnetMissing,
    SubnetNotFound,
)
from controlplane.network.models import Network, PortAddress, Subnet
from controlplane.network.ranges import Range, is_reserved, usable_ranges

# The address after the highest in use, which an index finds however many there are; after the end of the range, the
# lowest free one. The addresses in use are sorted first, since the planner underestimates the ports of a network.
FREE = """
SELECT CASE WHEN highest.ip < %(last)s::inet THEN highest.ip + 1 ELSE (
    SELECT min(ip) + 1 FROM (
        SELECT ip, lead(ip) OVER (ORDER BY ip) AS next FROM (
            SELECT %(first)s::inet - 1 AS ip UNION ALL SELECT ip FROM network_portaddress
            WHERE network_id = %(network)s AND ip BETWEEN %(first)s::inet AND %(last)s::inet
        ) AS taken
    ) AS neighbours WHERE next > ip + 1
) END
FROM (
    SELECT coalesce(max(ip), %(first)s::inet - 1) AS ip FROM network_portaddress
    WHERE network_id = %(network)s AND ip BETWEEN %(first)s::inet AND %(last)s::inet
) AS highest
"""


@dataclass(frozen=True)
class AddressRequest:
    """A requested address: `ip` None for a free one; `subnet`, name or id, None for any of the network.

    `number`: its position in the request, for errors.
    """

    subnet: str | None = None
    ip: IPv4Address | None = None
    number: int = 0


ANY = (AddressRequest(),)
SUBNETS = Prepared(lambda network: Subnet.objects.filter(network=network).order_by("pk"))
SUBNETS_LOCKED = Prepared(lambda network: Subnet.objects.select_for_update().filter(network=network).order_by("pk"))


def lock_subnets(network: Network) -> list[Subnet]:
    """Lock the subnets: adding an address, deleting a subnet and deleting the network exclude each other until the
    transaction ends.

    Raises:
        SubnetMissing: there is none.
        NetworkNotFound: the network has just been deleted.
    """
    return _required(network, SUBNETS_LOCKED.rows(network.pk))


def require_free_address(network: Network) -> None:
    """Check for a free address. Raises AddressesExhausted. It locks nothing, so the address may be taken next."""
    _any_free(network, _required(network, SUBNETS.rows(network.pk)), set())


def assign(
    network: Network, subnets: Sequence[Subnet], port_id: UUID, requests: Sequence[AddressRequest]
) -> list[PortAddress]:
    """Return the addresses, not written, in the order of the requests. `subnets`: all of the network, locked.

    Raises:
        SubnetNotFound, AddressNotUsable, AddressTaken, AddressesExhausted: with the position in `addresses`.
    """
    chosen = [request.ip for request in requests if request.ip is not None]
    taken, found = set(chosen), list[PortAddress]()
    for request in requests:
        field = f"addresses/{request.number}"
        among = _named(subnets, request.subnet, f"{field}/subnet")
        if request.ip is None:
            subnet, ip = _any_free(network, among, taken)
            taken.add(ip)
        elif any(str(request.ip) == each.ip for each in found):
            raise AddressNotUsable(field=f"{field}/ip", ip=str(request.ip), reason=Message("it is named twice."))
        else:
            subnet, ip = _chosen(network, among, request.ip, f"{field}/ip")
        found.append(PortAddress(port_id=port_id, network=network, subnet=subnet, ip=str(ip)))
    return found


def _required(network: Network, subnets: list[Subnet]) -> list[Subnet]:
    if subnets:
        return subnets
    if not Network.objects.filter(pk=network.pk).exists():
        raise NetworkNotFound(name=network.name)
    raise SubnetMissing(network=network.name)


def _named(subnets: Sequence[Subnet], ref: str | None, field: str) -> Sequence[Subnet]:
    if ref is None:
        return subnets
    found = [each for each in subnets if ref == each.name or as_uuid(ref) == each.pk]
    if not found:
        raise SubnetNotFound(field=field, name=ref)
    return found


def _chosen(network: Network, subnets: Sequence[Subnet], ip: IPv4Address, field: str) -> tuple[Subnet, IPv4Address]:
    """Return the subnet of the address. Raises AddressNotUsable, AddressTaken."""
    subnet = next((each for each in subnets if ip in IPv4Network(each.cidr)), None)
    if subnet is None:
        ranges = ", ".join(each.cidr for each in subnets)
        reason = Message("it is outside {ranges}. Choose one within.", ranges=ranges)
        raise AddressNotUsable(field=field, ip=str(ip), reason=reason)
    if ip == IPv4Address(subnet.gateway_ip):
        reason = Message("it is the gateway of the subnet {subnet}.", subnet=subnet.name)
        raise AddressNotUsable(field=field, ip=str(ip), reason=reason)
    if is_reserved(subnet, ip):
        reason = Message("the subnet {subnet} reserves it.", subnet=subnet.name)
        raise AddressNotUsable(field=field, ip=str(ip), reason=reason)
    holder = PortAddress.objects.select_related("port").filter(network=network, ip=str(ip)).first()
    if holder is not None:
        kind = Message("the port") if holder.port.is_own else Message("a port of an instance,")
        raise AddressTaken(field=field, ip=str(ip), holder=kind, name=holder.port.name)
    return subnet, ip


def _any_free(network: Network, subnets: Sequence[Subnet], taken: set[IPv4Address]) -> tuple[Subnet, IPv4Address]:
    """Return a free address of the first subnet that has one. Raises AddressesExhausted."""
    for subnet in subnets:
        for usable in usable_ranges(subnet):
            ip = _free(network, usable, taken)
            if ip is not None:
                return subnet, ip
    raise AddressesExhausted(cidr=", ".join(each.cidr for each in subnets))


def _free(network: Network, usable: Range, taken: set[IPv4Address]) -> IPv4Address | None:
    """Return a free address of the range. `taken`: addresses of the same request, which are not written yet."""
    first, last = usable
    while first <= last:
        with preparing_cursor() as cursor:
            cursor.execute(FREE, {"first": str(first), "last": str(last), "network": network.pk})
            (address,) = cursor.fetchone()
        if address is None:
            return None
        ip = IPv4Address(str(address).split("/")[0])
        if ip not in taken:
            return ip
        first = ip + 1
    return None
