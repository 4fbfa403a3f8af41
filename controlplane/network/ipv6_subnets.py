"""IPv6 ranges of subnets: a unique local /64 that the tenant chooses, or the lowest free /64 of a pool."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Network

from andromede_core.permits.network_values import IPV6_PREFIX
from controlplane.network.errors import AddressPoolHasNoSubnets, AddressPoolOutOfSubnets, SubnetOverlaps
from controlplane.network.models import FOR_SUBNETS, AddressPool, Subnet
from controlplane.network.ranges import as_range, overlapping, parse_ipv6_cidr

BITS = 128 - IPV6_PREFIX  # of an interface identifier


@dataclass(frozen=True)
class Ipv6Choice:
    """The requested IPv6 range of a subnet: `cidr` itself, or a free /64 of `pool`; both None: no IPv6."""

    cidr: str | None = None
    pool: AddressPool | None = None


NO_IPV6 = Ipv6Choice()


def choose_ipv6(choice: Ipv6Choice, others: Sequence[Subnet]) -> dict[str, object]:
    """Return the fields of a subnet. `others`: the other subnets of the network. Inside the caller's transaction.

    Raises:
        SubnetInvalid: `cidr` is no unique local /64.
        SubnetOverlaps: another subnet of the network has it.
        AddressPoolHasNoSubnets, AddressPoolOutOfSubnets.
    """
    if choice.pool is not None:
        cidr, field = _free_subnet(choice.pool), "ipv6_pool"
    elif choice.cidr is not None:
        cidr, field = parse_ipv6_cidr(choice.cidr), "ipv6_cidr"
    else:
        return {"ipv6_cidr": "", "ipv6_pool": None}
    if other := overlapping(cidr, others):
        raise SubnetOverlaps(field=field, cidr=str(cidr), name=other[0].name, other=str(other[1]))
    return {"ipv6_cidr": str(cidr), "ipv6_pool": choice.pool}


def _free_subnet(pool: AddressPool) -> IPv6Network:
    """Return the lowest /64 of the pool that no subnet has, and lock the pool until the transaction ends."""
    if pool.purpose != FOR_SUBNETS:
        raise AddressPoolHasNoSubnets(field="ipv6_pool", name=pool.name)
    AddressPool.objects.select_for_update(no_key=True).get(pk=pool.pk)
    taken = Subnet.objects.filter(ipv6_pool=pool).values_list("ipv6_cidr", flat=True)
    used = [_numbers(IPv6Network(cidr)) for cidr in taken]
    kept = ((int(first) >> BITS, int(last) >> BITS) for first, last in map(as_range, pool.reserved_ranges))
    unavailable = sorted([*used, *kept])
    for cidr in sorted(map(IPv6Network, pool.cidrs)):
        number, last = _numbers(cidr)
        for start, end in unavailable:
            if number < start:
                break
            number = max(number, end + 1)
        if number <= last:
            return IPv6Network((number << BITS, IPV6_PREFIX))
    raise AddressPoolOutOfSubnets(field="ipv6_pool", name=pool.name)


def _numbers(cidr: IPv6Network) -> tuple[int, int]:
    """Return the first and the last number of a /64 in the range."""
    return int(cidr[0]) >> BITS, int(cidr[-1]) >> BITS
