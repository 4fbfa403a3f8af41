"""Address ranges of subnets: parsing, and the addresses that ports may have. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network

from andromede_core.documents.messages import Message
from controlplane.network.errors import GatewayInvalid, ReservedRangeInvalid, SubnetInvalid
from controlplane.network.models import Subnet

PREFIX_RANGE = (8, 29)
PRIVATE = [IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16")]
# First and last address.
Range = tuple[IPv4Address, IPv4Address]


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


def parse_gateway(cidr: IPv4Network, gateway_ip: str | None) -> IPv4Address:
    """Return the gateway; None: the first address. Raises GatewayInvalid outside the range."""
    if gateway_ip is None:
        return cidr[1]
    found = IPv4Address(gateway_ip)
    if not cidr[1] <= found <= cidr[-2]:
        facts = {"gateway_ip": gateway_ip, "cidr": str(cidr), "first": str(cidr[1]), "last": str(cidr[-2])}
        raise GatewayInvalid(field="gateway_ip", **facts)
    return found


def parse_reserved(cidr: IPv4Network, values: Sequence[str]) -> list[str]:
    """Return the reserved ranges as `first-last`; a single address is a range too.

    Raises:
        ReservedRangeInvalid: with the position in the list.
    """
    return [_reserved(cidr, value, f"reserved_ranges/{number}") for number, value in enumerate(values)]


def _reserved(cidr: IPv4Network, value: str, field: str) -> str:
    try:
        first, last = as_range(value)
    except ValueError:
        first, last = cidr[-1], cidr[0]
    if not cidr[0] <= first <= last <= cidr[-1]:
        facts = {"value": value[:40], "cidr": str(cidr), "first": str(cidr[2]), "last": str(cidr[4])}
        raise ReservedRangeInvalid(field=field, **facts)
    return f"{first}-{last}"


def as_range(text: str) -> Range:
    """Parse `first-last`, or one address. Raises ValueError."""
    first, _, last = text.partition("-")
    return IPv4Address(first.strip()), IPv4Address((last or first).strip())


def usable_ranges(subnet: Subnet) -> Iterator[Range]:
    """Yield the ranges of addresses that ports may have, in ascending order."""
    cidr = IPv4Network(subnet.cidr)
    first, last = cidr[1], cidr[-2]
    for start, end in sorted(_kept(subnet)):
        if first < start:
            yield first, min(start - 1, last)
        first = max(first, end + 1)
    if first <= last:
        yield first, last


def is_reserved(subnet: Subnet, ip: IPv4Address) -> bool:
    """Tell if the subnet keeps this address of its range from ports."""
    return not any(first <= ip <= last for first, last in usable_ranges(subnet))


def overlapping(cidr: IPv4Network, others: Iterable[Subnet]) -> Subnet | None:
    """Return the first subnet that shares an address with the range."""
    return next((each for each in others if cidr.overlaps(IPv4Network(each.cidr))), None)


def _kept(subnet: Subnet) -> Iterator[Range]:
    gateway = IPv4Address(subnet.gateway_ip)
    yield gateway, gateway
    yield from map(as_range, subnet.reserved_ranges)
