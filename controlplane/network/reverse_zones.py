"""Reverse zones of address pools, as zone files (RFC 1035, 5) that operators load into their own name servers.

A range is one zone, or several where its prefix is not that of a delegation: IPv4 at an octet, IPv6 at a nibble
(RFC 3596). IPv4 ranges smaller than /24 are zones of RFC 2317, to which the parent zone points with CNAME records.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_address, ip_network

from django.db.models import F
from django.db.models.functions import Greatest

from controlplane.kernel import clock
from controlplane.network.models import FOR_ADDRESSES, AddressPool, PublicAddress
from controlplane.network.ranges import Cidr

HOST_NAME = re.compile(r"(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
NAME_SERVERS_MAX = 13
TTL_S = 3600
# Refresh, retry, expire and negative TTL of the SOA record, in seconds (RFC 1912, 2.2; RFC 2308).
TIMERS = (3600, 900, 1_209_600, 300)


@dataclass(frozen=True)
class ReverseZone:
    """A zone and its range. `origin`: its name, without a final dot."""

    origin: str
    cidr: Cidr

    def owner(self, ip: str) -> str:
        """Return the name of an address's record, relative to the origin."""
        if isinstance(self.cidr, IPv4Network) and self.cidr.prefixlen > 24:
            return ip.rpartition(".")[2]
        return ip_address(ip).reverse_pointer.removesuffix(self.origin).removesuffix(".") or "@"


def reverse_zones(pool: AddressPool) -> Iterator[ReverseZone]:
    """Yield the pool's zones in the order of its ranges; a pool for subnets has none."""
    if pool.purpose != FOR_ADDRESSES:
        return
    for cidr in map(ip_network, pool.cidrs):
        if isinstance(cidr, IPv4Network) and cidr.prefixlen > 24:
            last, _, parent = cidr[0].reverse_pointer.partition(".")
            yield ReverseZone(f"{last}/{cidr.prefixlen}.{parent}", cidr)
            continue
        bits = 8 if cidr.version == 4 else 4
        for part in cidr.subnets(new_prefix=-(-cidr.prefixlen // bits) * bits):
            labels = part[0].reverse_pointer.split(".")
            yield ReverseZone(".".join(labels[(part.max_prefixlen - part.prefixlen) // bits :]), part)


def zone_file(pool: AddressPool, zone: ReverseZone, name_servers: Sequence[str]) -> str:
    """Return the zone with the names of the pool's addresses; `name_servers`: host names, the primary first."""
    timers = " ".join(map(str, TIMERS))
    primary = name_servers[0]
    return "\n".join(
        [
            f"$ORIGIN {zone.origin}.",
            f"$TTL {TTL_S}",
            f"@ IN SOA {primary}. hostmaster.{zone.origin}. {max(1, pool.reverse_serial)} {timers}",
            *(f"@ IN NS {name}." for name in name_servers),
            *(f"{zone.owner(ip)} IN PTR {name}." for ip, name in _names(pool, zone.cidr)),
            "",
        ]
    )


def _names(pool: AddressPool, cidr: Cidr) -> Iterator[tuple[str, str]]:
    """Yield the addresses of the range that have a name, with it.

    Names were checked when they were stored, and are again: a line break in one would be a record of its own.
    """
    rows = PublicAddress.objects.filter(pool=pool, ip__gte=str(cidr[0]), ip__lte=str(cidr[-1])).exclude(ptr="")
    for ip, name in rows.order_by("ip").values_list("ip", "ptr"):
        if HOST_NAME.fullmatch(name):
            yield ip, name


def record_reverse_change(pool: AddressPool) -> None:
    """Raise the serial of the pool's reverse zones.

    It grows with each change, and is ahead of what name servers have after a restore of the database, by the clock.
    """
    now = int(clock.now().timestamp())
    AddressPool.objects.filter(pk=pool.pk).update(reverse_serial=Greatest(F("reverse_serial") + 1, now))
