"""BIRD's configuration of the announced routes. Pure.

The operator's own configuration includes it and exports its two protocols. A route never forwards packets on the
announcer: it is a blackhole there, and routers learn the node's address as its next hop.
"""

from collections.abc import Iterator

from andromede_core.permits.announcements import Address, Announcements, Route

PROTOCOLS = {4: "andromede4", 6: "andromede6"}


def render(announcements: Announcements | None) -> str:
    """Return the configuration; None: without routes. All of its values are numbers and addresses.

    The description of a protocol is the version of its document, which BIRD reports.
    """
    version = announcements.version if announcements is not None else 0
    routes = dict(announcements.routes) if announcements is not None else {}
    lines: list[str] = []
    for family, name in PROTOCOLS.items():
        own = {address: route for address, route in routes.items() if address.version == family}
        lines += [f"protocol static {name} {{", f'  description "{version:d}";', f"  ipv{family:d};"]
        lines += [_line(address, own[address]) for address in sorted(own, key=int)]
        lines += ["}"]
    return "\n".join(lines) + "\n"


def _line(address: Address, route: Route) -> str:
    return f"  route {address}/{address.max_prefixlen:d} blackhole {{ {' '.join(_attributes(route))} }};"


def _attributes(route: Route) -> Iterator[str]:
    yield f"bgp_next_hop = {route.next_hop};"
    if route.community is not None:
        yield "bgp_community.add(({:d},{:d}));".format(*route.community)
    if route.local_preference is not None:
        yield f"bgp_local_pref = {route.local_preference:d};"
