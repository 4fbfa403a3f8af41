"""Ranges of address pools: parsing, sizes, and the addresses that projects may get. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_network

from andromede_core.documents.messages import Message
from andromede_core.permits.network_values import IPV6_PREFIX
from andromede_core.permits.security_group import FAMILIES
from controlplane.network.errors import AddressPoolInvalid
from controlplane.network.models import FOR_SUBNETS, AddressPool
from controlplane.network.ranges import Address, Cidr, Range, as_range, overlap

SHORTEST = {4: 8, 6: 20}
RANGES_MAX = 64
# Larger numbers are not exact in JSON parsers that read numbers as doubles (RFC 8259, 6).
COUNT_MAX = 2**53 - 1
NOT_UNICAST = [ip_network(cidr) for cidr in ("0.0.0.0/8", "240.0.0.0/4", "::/96", "::ffff:0:0/96", "fec0::/10")]


def parse_cidrs(family: str, purpose: str, values: Sequence[str]) -> list[Cidr]:
    """Parse the ranges of a pool.

    Raises:
        AddressPoolInvalid: with the position in `cidrs`.
    """
    cidrs = list[Cidr]()
    for number, value in enumerate(values):
        cidr = _cidr(family, purpose, value, f"cidrs/{number}")
        other = next((each for each in cidrs if overlap(each, cidr)), None)
        if other is not None:
            reason = Message("it overlaps {other} of the same pool.", other=str(other))
            raise AddressPoolInvalid(field=f"cidrs/{number}", value=value, reason=reason)
        cidrs.append(cidr)
    if not cidrs:
        raise AddressPoolInvalid(field="cidrs", value="[]", reason=Message("name at least one range."))
    return cidrs


def _cidr(family: str, purpose: str, value: str, field: str) -> Cidr:
    version = FAMILIES[family]
    try:
        parsed = ip_network(value)
    except ValueError as exc:
        reason = Message("write a range with its first address, such as 192.0.2.0/24 or 2001:db8:1::/48.")
        raise AddressPoolInvalid(field=field, value=value[:43], reason=reason) from exc
    longest = IPV6_PREFIX if purpose == FOR_SUBNETS else parsed.max_prefixlen
    if parsed.version != version:
        reason = Message("it is not of the family {family}.", family=family)
    elif not SHORTEST[version] <= parsed.prefixlen <= longest:
        reason = Message("its prefix must be /{shortest} to /{longest}.", shortest=SHORTEST[version], longest=longest)
    elif parsed.is_loopback or parsed.is_multicast or parsed.is_link_local or _overlaps_any(parsed, NOT_UNICAST):
        reason = Message("it has addresses that are no unicast addresses of hosts.")
    else:
        return parsed
    raise AddressPoolInvalid(field=field, value=value, reason=reason)


def parse_reserved(cidrs: Sequence[Cidr], values: Sequence[str]) -> list[str]:
    """Return the reserved ranges as `first-last`; a single address is a range too.

    Raises:
        AddressPoolInvalid: with the position in `reserved_ranges`.
    """
    return [_reserved(cidrs, value, f"reserved_ranges/{number}") for number, value in enumerate(values)]


def _reserved(cidrs: Sequence[Cidr], value: str, field: str) -> str:
    try:
        first, last = as_range(value)
    except ValueError as exc:
        reason = Message("write first-last, such as 192.0.2.0-192.0.2.9.")
        raise AddressPoolInvalid(field=field, value=value[:79], reason=reason) from exc
    if not any(first in cidr and last in cidr for cidr in cidrs) or int(first) > int(last):
        raise AddressPoolInvalid(field=field, value=value, reason=Message("it is not within a range of the pool."))
    return f"{first}-{last}"


def _overlaps_any(cidr: Cidr, others: Iterable[Cidr]) -> bool:
    return any(overlap(cidr, other) for other in others)


def usable_ranges(pool: AddressPool) -> Iterator[Range]:
    """Yield the ranges of addresses that projects may get, in the order of the pool's ranges."""
    reserved = sorted((int(first), int(last)) for first, last in map(as_range, pool.reserved_ranges))
    for cidr in map(ip_network, pool.cidrs):
        start, end = int(cidr[0]), int(cidr[-1])
        of = type(cidr[0])
        for first, last in reserved:
            if last < start or first > end:
                continue
            if start < first:
                yield of(start), of(first - 1)
            start = max(start, last + 1)
        if start <= end:
            yield of(start), of(end)


def is_usable(pool: AddressPool, ip: Address) -> bool:
    """Tell if projects may get this address of the pool."""
    return any(first <= ip <= last for first, last in usable_ranges(pool) if first.version == ip.version)


def pool_size(pool: AddressPool) -> int:
    """Return the number of addresses, or of /64 ranges for subnets, that projects may get; COUNT_MAX at most."""
    if pool.purpose == FOR_SUBNETS:
        size = sum(1 << (IPV6_PREFIX - ip_network(cidr).prefixlen) for cidr in pool.cidrs)
    else:
        size = sum(int(last) - int(first) + 1 for first, last in usable_ranges(pool))
    return min(size, COUNT_MAX)
