"""Announcements: the public addresses that the routers of a zone learn, and the node behind which each is.

Standard library only. A permit key of the zone signs the document. An announcer announces what its newest document
lists, and nothing else.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from andromede_core.documents.messages import Message
from andromede_core.documents.parsing import as_count, as_object, as_text, refuse
from andromede_core.permits.network_values import as_address
from andromede_core.permits.trust_documents import MAX_VERSION

KIND = "announcements"  # of the signed document
FIELDS = ("zone", "version", "routes")
MAX_ROUTES = 50_000
COMMUNITY_PART_MAX = 2**16 - 1
LOCAL_PREFERENCE_MAX = 2**32 - 1  # RFC 4271
COMMUNITY = re.compile(r"(0|[1-9][0-9]{0,4}):(0|[1-9][0-9]{0,4})")

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Route:
    """The route to one public address.

    `next_hop`: the node's address of the same family on the routers' network. `community`: of BGP (RFC 1997), as AS and
    value; None: none. `local_preference`: of BGP (RFC 4271); None: that of the announcer.
    """

    next_hop: Address
    community: tuple[int, int] | None = None
    local_preference: int | None = None

    def payload(self) -> dict[str, object]:
        more: dict[str, object] = {}
        if self.community is not None:
            more["community"] = "{}:{}".format(*self.community)
        if self.local_preference is not None:
            more["local_preference"] = self.local_preference
        return {"next_hop": str(self.next_hop), **more}


@dataclass(frozen=True, slots=True)
class Announcements:
    """The payload of the document. Only growing versions of the same zone count."""

    zone: str
    version: int
    routes: Mapping[Address, Route] = field(default_factory=dict)

    def payload(self) -> dict[str, object]:
        routes = {str(address): route.payload() for address, route in self.routes.items()}
        return {"zone": self.zone, "version": self.version, "routes": routes}


def parse(payload: object) -> Announcements:
    """Parse the payload of announcements.

    Raises:
        Malformed: with the field.
    """
    body = as_object(payload, "announcements", required=FIELDS)
    routes = as_object(body["routes"], "announcements.routes", optional=None)
    if len(routes) > MAX_ROUTES:
        refuse("announcements.routes", Message("must have at most {limit} routes", limit=MAX_ROUTES))
    parsed = [_route(address, value, f"announcements.routes.{address}") for address, value in routes.items()]
    return Announcements(
        zone=as_text(body["zone"], "announcements.zone"),
        version=as_count(body["version"], "announcements.version", minimum=1, maximum=MAX_VERSION),
        routes=dict(parsed),
    )


def parse_community(value: object, at: str) -> tuple[int, int]:
    """Parse a community of BGP, `AS:value`, each from 0 to 65535."""
    match = COMMUNITY.fullmatch(as_text(value, at))
    if match is None or max(parts := (int(match[1]), int(match[2]))) > COMMUNITY_PART_MAX:
        refuse(at, Message("must be AS:value, each from 0 to 65535"))
    return parts


def is_routable(address: Address) -> bool:
    """Tell if routers forward packets to this address."""
    is_mapped = isinstance(address, IPv6Address) and address.ipv4_mapped is not None
    is_special = address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified
    return not (is_special or is_mapped)


def _route(text: str, value: object, at: str) -> tuple[Address, Route]:
    address = _routable(text, at)
    if str(address) != text:  # otherwise one address could have two routes
        refuse(at, Message("must be an address in its canonical form"))
    body = as_object(value, at, required=("next_hop",), optional=("community", "local_preference"))
    next_hop = _routable(body["next_hop"], f"{at}.next_hop")
    if next_hop.version != address.version or next_hop == address:
        refuse(f"{at}.next_hop", Message("must be another address of the same family"))
    community = parse_community(body["community"], f"{at}.community") if "community" in body else None
    preference = None
    if "local_preference" in body:
        at = f"{at}.local_preference"
        preference = as_count(body["local_preference"], at, minimum=0, maximum=LOCAL_PREFERENCE_MAX)
    return address, Route(next_hop, community, preference)


def _routable(value: object, at: str) -> Address:
    address = as_address(value, at)
    if not is_routable(address):
        refuse(at, Message("must be an address that routers forward"))
    return address
