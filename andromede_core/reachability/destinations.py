"""Destinations outside that nodes refuse to tenants, unless their operator configures them otherwise."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from andromede_core.reachability.question import Address

VXLAN_PORT = 4789
DNS_PORT = 53
# Of the metadata service, which the router of a network has itself.
METADATA = (IPv4Address("169.254.169.254"), IPv6Address("fd00:ec2::254"))
METADATA_PORT = 80
# No operator allows these: link-local addresses and the transit addresses of routers; of IPv6, all that is no unicast
# address of the internet (RFC 4291, RFC 4193).
NEVER = (
    IPv4Network("169.254.0.0/16"),
    IPv4Network("100.64.0.0/16"),
    IPv4Network("224.0.0.0/4"),
    IPv6Network("::/8"),
    IPv6Network("fc00::/7"),
    IPv6Network("fe80::/10"),
    IPv6Network("ff00::/8"),
)
# What is not the internet, of the registry of special addresses (RFC 6890). The networks that are for examples only
# (RFC 5737) are left out: laboratories use them as their internet.
PRIVATE = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network (RFC 1122)
            "10.0.0.0/8",  # private (RFC 1918)
            "100.64.0.0/10",  # between providers and their customers (RFC 6598)
            "127.0.0.0/8",  # loopback (RFC 1122)
            "172.16.0.0/12",  # private (RFC 1918)
            "192.0.0.0/24",  # protocol assignments (RFC 6890)
            "192.168.0.0/16",  # private (RFC 1918)
            "198.18.0.0/15",  # benchmarks (RFC 2544)
            "240.0.0.0/4",  # reserved (RFC 1112)
        ),
    )
)


def never_reached(address: Address) -> IPv4Network | IPv6Network | None:
    """Return the range for which no node forwards packets of tenants."""
    return next((cidr for cidr in NEVER if address in cidr), None)


def refused_by_default(address: Address) -> IPv4Network | None:
    """Return the range that nodes refuse unless their operator allows it."""
    return next((cidr for cidr in PRIVATE if address in cidr), None)
