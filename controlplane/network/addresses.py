"""Addresses of ports: chosen ones and free ones. Inside the caller's transaction, with the subnets locked."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal
from uuid import UUID

from andromede_core.documents.messages import Message
from controlplane.kernel.names import as_uuid
from controlplane.kernel.prepared_queries import Prepared, preparing_cursor
from controlplane.network.errors import (
    AddressesExhausted,
    AddressNotUsable,
    AddressTaken,
    Ipv4AddressMissing,
    Ipv6Missing,
    NetworkNotFound,
    SubnetMissing,
    SubnetNotFound,
)
from controlplane.network.models import Network, PortAddress, Subnet
from controlplane.network.ranges import Address, Range, cidrs_of, ipv6_gateway, is_reserved, usable_ranges

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


Family = Literal["ipv4", "ipv6"]


@dataclass(frozen=True)
class AddressRequest:
    """A requested address: `ip` None for a free one; `subnet`, name or id, None for any of the network.

    `family`: of the free one; None: a free IPv4 address, and a free IPv6 address where the subnet has IPv6. `number`:
    its position in the request, for errors.
    """

    subnet: str | None = None
    ip: Address | None = None
    number: int = 0
    family: Family | None = None


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
    _any_free(network, _required(network, SUBNETS.rows(network.pk)), set(), version=4)


def assign(
    network: Network, subnets: Sequence[Subnet], port_id: UUID, requests: Sequence[AddressRequest]
) -> list[PortAddress]:
    """Return the addresses, not written, in the order of the requests. `subnets`: all of the network, locked.

    Raises:
        SubnetNotFound, AddressNotUsable, AddressTaken, AddressesExhausted, Ipv6Missing: with the position in
        `addresses`.
    """
    taken = {request.ip for request in requests if request.ip is not None}
    assigned = list[PortAddress]()
    for request in requests:
        field = f"addresses/{request.number}"
        among = _named(subnets, request.subnet, f"{field}/subnet")
        if request.ip is None:
            pairs = _free_of_family(network, among, taken, request)
            taken.update(ip for _, ip in pairs)
        elif any(str(request.ip) == each.ip for each in assigned):
            raise AddressNotUsable(field=f"{field}/ip", ip=str(request.ip), reason=Message("it is named twice."))
        else:
            pairs = [_chosen(network, among, request.ip, f"{field}/ip")]
        assigned += [PortAddress(port_id=port_id, network=network, subnet=subnet, ip=str(ip)) for subnet, ip in pairs]
    return assigned


def first_ipv4(addresses: Sequence[PortAddress]) -> str:
    """Return the first IPv4 address. Raises Ipv4AddressMissing."""
    ip = next((each.ip for each in addresses if is_ipv4(each.ip)), None)
    if ip is None:
        raise Ipv4AddressMissing(field="addresses")
    return ip


def is_ipv4(ip: str) -> bool:
    return "." in ip


def _free_of_family(
    network: Network, subnets: Sequence[Subnet], taken: set[Address], request: AddressRequest
) -> list[tuple[Subnet, Address]]:
    """Return a free address of the requested family, or one of each family that the subnet has."""
    if request.family == "ipv6":
        with_ipv6 = [each for each in subnets if each.ipv6_cidr]
        if not with_ipv6:
            names = ", ".join(each.name for each in subnets)
            raise Ipv6Missing(field=f"addresses/{request.number}/family", subnets=names)
        return [_any_free(network, with_ipv6, taken, version=6)]
    subnet, ip = _any_free(network, subnets, taken, version=4)
    if request.family == "ipv4" or not subnet.ipv6_cidr:
        return [(subnet, ip)]
    return [(subnet, ip), _any_free(network, [subnet], taken, version=6)]


def _required(network: Network, subnets: list[Subnet]) -> list[Subnet]:
    if subnets:
        return subnets
    if not Network.objects.filter(pk=network.pk).exists():
        raise NetworkNotFound(name=network.name)
    raise SubnetMissing(network=network.name)


def _named(subnets: Sequence[Subnet], ref: str | None, field: str) -> Sequence[Subnet]:
    if ref is None:
        return subnets
    matches = [each for each in subnets if ref == each.name or as_uuid(ref) == each.pk]
    if not matches:
        raise SubnetNotFound(field=field, name=ref)
    return matches


def _chosen(network: Network, subnets: Sequence[Subnet], ip: Address, field: str) -> tuple[Subnet, Address]:
    """Return the subnet of the address. Raises AddressNotUsable, AddressTaken."""
    subnet = next((each for each in subnets if any(ip in cidr for cidr in cidrs_of(each))), None)
    if subnet is None:
        ranges = ", ".join(str(cidr) for each in subnets for cidr in cidrs_of(each))
        reason = Message("it is outside {ranges}. Choose one within.", ranges=ranges)
        raise AddressNotUsable(field=field, ip=str(ip), reason=reason)
    if ip in _gateways(subnet):
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


def _gateways(subnet: Subnet) -> set[Address]:
    of_ipv6: set[Address] = {ipv6_gateway(subnet.ipv6_cidr)} if subnet.ipv6_cidr else set()
    return {ip_address(subnet.gateway_ip), *of_ipv6}


def _any_free(
    network: Network, subnets: Sequence[Subnet], taken: set[Address], *, version: int
) -> tuple[Subnet, Address]:
    """Return a free address of the first subnet that has one. Raises AddressesExhausted."""
    for subnet in subnets:
        for usable in usable_ranges(subnet, version):
            ip = _free(network, usable, taken)
            if ip is not None:
                return subnet, ip
    raise AddressesExhausted(cidr=", ".join(each.cidr if version == 4 else each.ipv6_cidr for each in subnets))


def _free(network: Network, usable: Range, taken: set[Address]) -> Address | None:
    """Return a free address of the range. `taken`: addresses of the same request, which are not written yet."""
    first, last = usable
    while first <= last:
        with preparing_cursor() as cursor:
            cursor.execute(FREE, {"first": str(first), "last": str(last), "network": network.pk})
            (address,) = cursor.fetchone()
        if address is None:
            return None
        ip = ip_address(str(address).split("/")[0])
        if ip not in taken:
            return ip
        first = ip + 1
    return None
