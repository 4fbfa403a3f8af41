"""DHCP options of a subnet beside its name servers: NTP servers, search domains and static routes.

Standard library only. The bounds keep each option within the 255 bytes that DHCPv4 has for it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from andromede_core.documents.messages import Message
from andromede_core.documents.parsing import as_list, as_object, refuse
from andromede_core.permits.network_values import as_address, as_domain, as_network

FIELDS = ("ntp_servers", "domain_search", "static_routes")
MAX_NTP_SERVERS = 8
MAX_DOMAINS = 8
MAX_ROUTES = 24  # of 9 bytes each at most, beside the default route
MAX_SEARCH_BYTES = 245  # of 255, since nodes put a domain of their own before these
# Never the destination of a route: they stay within a host or a link, or are no unicast addresses. The metadata service
# is in one of them, and each of them is in the default route, which leads to the gateway.
UNROUTED = tuple(IPv4Network(each) for each in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"))


@dataclass(frozen=True, slots=True)
class StaticRoute:
    """A route of the guests by another address of their subnet than the gateway."""

    destination: IPv4Network
    next_hop: IPv4Address

    def payload(self) -> dict[str, object]:
        return {"destination": str(self.destination), "next_hop": str(self.next_hop)}


@dataclass(frozen=True, slots=True)
class DhcpOptions:
    """NTP servers of both families (options 42 and 56), search domains (119 and 24), and routes of IPv4 (121)."""

    ntp_servers: tuple[IPv4Address | IPv6Address, ...] = ()
    domain_search: tuple[str, ...] = ()
    static_routes: tuple[StaticRoute, ...] = ()

    def payload(self) -> dict[str, list[object]]:
        """Return the options that are set."""
        fields: dict[str, list[object]] = {
            "ntp_servers": [str(server) for server in self.ntp_servers],
            "domain_search": [*self.domain_search],
            "static_routes": [route.payload() for route in self.static_routes],
        }
        return {name: values for name, values in fields.items() if values}


NO_OPTIONS = DhcpOptions()


def parse(value: object, at: str, cidr: IPv4Network | IPv6Network) -> DhcpOptions:
    """Parse the options of a subnet with this range.

    Raises:
        Malformed: with the place, as `static_routes/2/next_hop` after `at`.
    """
    body = as_object(value, at.rstrip("/"), optional=FIELDS)
    servers = _entries(body, "ntp_servers", at, MAX_NTP_SERVERS)
    domains = _entries(body, "domain_search", at, MAX_DOMAINS)
    routes = _entries(body, "static_routes", at, MAX_ROUTES)
    options = DhcpOptions(
        tuple(as_address(each, place) for place, each in servers.items()),
        tuple(as_domain(each, place) for place, each in domains.items()),
        tuple(_route(each, place, cidr) for place, each in routes.items()),
    )
    _check_once(options.ntp_servers, f"{at}ntp_servers")
    _check_once(options.domain_search, f"{at}domain_search")
    _check_once((route.destination for route in options.static_routes), f"{at}static_routes")
    if search_bytes(options.domain_search) > MAX_SEARCH_BYTES:
        at_most = Message("must have at most {limit} bytes in all, as in DNS", limit=MAX_SEARCH_BYTES)
        refuse(f"{at}domain_search", at_most)
    return options


def search_bytes(domains: Iterable[str]) -> int:
    """Return the length of the names as DNS writes them (RFC 1035): a byte before each label, and one at the end."""
    return sum(len(domain) + 2 for domain in domains)


def _entries(body: Mapping[str, object], name: str, at: str, limit: int) -> dict[str, object]:
    """Return the entries of a list by their places."""
    entries = as_list(body.get(name, []), f"{at}{name}")
    if len(entries) > limit:
        refuse(f"{at}{name}", Message("must have at most {limit} entries", limit=limit))
    return {f"{at}{name}/{number}": each for number, each in enumerate(entries)}


def _check_once(values: Iterable[object], at: str) -> None:
    values = list(values)
    if len(set(values)) != len(values):
        refuse(at, Message("must have each entry once"))


def _route(value: object, at: str, cidr: IPv4Network | IPv6Network) -> StaticRoute:
    body = as_object(value, at, required=("destination", "next_hop"))
    destination = as_network(body["destination"], f"{at}/destination")
    next_hop = as_address(body["next_hop"], f"{at}/next_hop")
    if not isinstance(cidr, IPv4Network) or not isinstance(destination, IPv4Network):
        refuse(f"{at}/destination", Message("must be an IPv4 range: DHCPv6 has no routes"))
    if any(destination.overlaps(each) for each in UNROUTED):
        unrouted = ", ".join(map(str, UNROUTED))
        refuse(f"{at}/destination", Message("must not overlap {ranges}", ranges=unrouted))
    if destination.subnet_of(cidr):
        refuse(f"{at}/destination", Message("must not be in {cidr}, the subnet itself", cidr=str(cidr)))
    if not isinstance(next_hop, IPv4Address) or next_hop not in cidr or next_hop in (cidr[0], cidr[-1]):
        first, last = str(cidr[1]), str(cidr[-2])
        refuse(f"{at}/next_hop", Message("must be an address from {first} to {last}", first=first, last=last))
    return StaticRoute(destination, next_hop)
