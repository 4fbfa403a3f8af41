"""Address ranges of subnets: parsing, and the addresses that ports may have. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from andromede_core.documents.messages import Message
from andromede_core.permits.network_values import IPV6_PREFIX
from controlplane.network.errors import GatewayInvalid, ReservedRangeInvalid, SubnetInvalid
from controlplane.network.models import Subnet

Address = IPv4Address | IPv6Address
Cidr = IPv4Network | IPv6Network
PREFIX_RANGE = (8, 29)
PRIVATE = [IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16")]
UNIQUE_LOCAL = IPv6Network("fd00::/8")  # RFC 4193, 3.1: assigned locally
# Interface identifiers at the end of a /64 that are of anycast addresses (RFC 2526), as are the first two here: that of
# all routers (RFC 4291, 2.6.1) and the gateway.
ANYCAST_AT_END = 128
# First and last address, of one family.
Range = tuple[Any, Any]


def parse_cidr(cidr: str) -> IPv4Network:
    """Parse the range. Raises SubnetInvalid unless it is private IPv4, of a sensible size, with its first address."""
    try:
        subnet = IPv4Network(cidr)
    except ValueError as exc:
        reason = Message("write an IPv4 range with its first address, such as 10.0.0.0/24")
        raise SubnetInvalid(field="cidr", cidr=cidr[:40], reason=reason) from exc
    shortest, longest = PREFIX_RANGE
    if not shortest <= subnet.prefixlen <= longest:
        raise SubnetInvalid(
            field="cidr",
            cidr=cidr,
            reason=Message("its prefix must be /{shortest} to /{longest}", shortest=shortest, longest=longest),
        )
    if not any(subnet.subnet_of(private) for private in PRIVATE):
        raise SubnetInvalid(field="cidr", cidr=cidr, reason=Message("it is not within 10/8, 172.16/12 or 192.168/16"))
    return subnet


def parse_ipv6_cidr(cidr: str) -> IPv6Network:
    """Parse a chosen IPv6 range. Raises SubnetInvalid unless it is a unique local /64 with its first address."""
    reason = Message("write a unique local /64 with its first address, such as fd12:3456:789a:1::/64")
    try:
        network = IPv6Network(cidr)
    except ValueError as exc:
        raise SubnetInvalid(field="ipv6_cidr", cidr=cidr[:43], reason=reason) from exc
    if "%" in cidr or network.prefixlen != IPV6_PREFIX:
        raise SubnetInvalid(field="ipv6_cidr", cidr=cidr[:43], reason=reason)
    if not network.subnet_of(UNIQUE_LOCAL):
        other = Message("it is not within fd00::/8; for a public range name a pool in ipv6_pool")
        raise SubnetInvalid(field="ipv6_cidr", cidr=cidr, reason=other)
    return network


def parse_gateway(cidr: IPv4Network, gateway_ip: str | None) -> IPv4Address:
    """Return the gateway; None: the first address. Raises GatewayInvalid outside the range."""
    if gateway_ip is None:
        return cidr[1]
    gateway = IPv4Address(gateway_ip)
    if not cidr[1] <= gateway <= cidr[-2]:
        facts = {"gateway_ip": gateway_ip, "cidr": str(cidr), "first": str(cidr[1]), "last": str(cidr[-2])}
        raise GatewayInvalid(field="gateway_ip", **facts)
    return gateway


def parse_reserved(cidrs: Sequence[Cidr], values: Sequence[str]) -> list[str]:
    """Return the reserved ranges as `first-last`; a single address is a range too. `cidrs`: the subnet's.

    Raises:
        ReservedRangeInvalid: with the position in the list.
    """
    return [_reserved(cidrs, value, f"reserved_ranges/{number}") for number, value in enumerate(values)]


def _reserved(cidrs: Sequence[Cidr], value: str, field: str) -> str:
    try:
        first, last = as_range(value)
    except ValueError:
        first, last = None, None
    if not any(first in cidr and last in cidr for cidr in cidrs if first is not None) or last < first:
        facts = {"cidr": ", ".join(map(str, cidrs)), "first": str(cidrs[0][2]), "last": str(cidrs[0][4])}
        raise ReservedRangeInvalid(field=field, value=value[:40], **facts)
    return f"{first}-{last}"


def as_range(text: str) -> Range:
    """Parse `first-last`, or one address. Raises ValueError."""
    first, _, last = text.partition("-")
    if "%" in text:
        raise ValueError("an address with a scope")
    return ip_address(first.strip()), ip_address((last or first).strip())


def cidrs_of(subnet: Subnet) -> list[Cidr]:
    """Return the ranges of the subnet: the IPv4 range, and the IPv6 range if it has one."""
    return [ip_network(cidr) for cidr in (subnet.cidr, subnet.ipv6_cidr) if cidr]


def ipv6_gateway(ipv6_cidr: str) -> IPv6Address:
    """Return the router's address in the range, beside its link-local one."""
    return IPv6Network(ipv6_cidr)[1]


def usable_ranges(subnet: Subnet, version: int = 4) -> Iterator[Range]:
    """Yield the ranges of addresses of IP version 4 or 6 that ports may have, in ascending order."""
    subnet_cidr = next((cidr for cidr in cidrs_of(subnet) if cidr.version == version), None)
    if subnet_cidr is None:
        return
    first, last = _ends(subnet_cidr)
    for start, end in sorted(_kept(subnet, version)):
        if first < start:
            yield first, min(start - 1, last)
        first = max(first, end + 1)
    if first <= last:
        yield first, last


def _ends(cidr: Cidr) -> Range:
    return (cidr[1], cidr[-2]) if cidr.version == 4 else (cidr[2], cidr[-1 - ANYCAST_AT_END])


def is_reserved(subnet: Subnet, ip: Address) -> bool:
    """Tell if the subnet keeps this address of its range from ports."""
    return not any(first <= ip <= last for first, last in usable_ranges(subnet, ip.version))


def overlapping(cidr: Cidr, others: Iterable[Subnet]) -> tuple[Subnet, Cidr] | None:
    """Return the first subnet that shares an address with the range, and its range."""
    pairs = ((each, other) for each in others for other in cidrs_of(each))
    return next(((each, other) for each, other in pairs if overlap(cidr, other)), None)


def overlap(one: Cidr, other: Cidr) -> bool:
    """Tell if the ranges share an address; those of two families do not."""
    return one.version == other.version and one.overlaps(other)


def _kept(subnet: Subnet, version: int) -> Iterator[Range]:
    gateway = IPv4Address(subnet.gateway_ip)
    if version == gateway.version:
        yield gateway, gateway
    yield from (each for each in map(as_range, subnet.reserved_ranges) if each[0].version == version)
