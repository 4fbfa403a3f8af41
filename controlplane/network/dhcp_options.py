"""DHCP options of subnets: checks of requests, and which nodes give them to guests.

Nodes get the options by the signed list of the network's ports. An agent of an earlier release refuses a list that has
any: while one carries a port of the network in the zone, the list has none.
"""

from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Any
from uuid import UUID

from andromede_core.documents.parsing import Malformed
from andromede_core.permits import dhcp_options as core
from controlplane.network.errors import DhcpOptionInvalid, DhcpOptionsUnsupported
from controlplane.nodes.models import Node

# The trait of nodes whose agent takes the options from the list.
DHCP_OPTIONS = "dhcp-options"
Options = Mapping[str, list[Any] | None]


def checked_options(cidr: str, requested: Options) -> dict[str, list[Any]]:
    """Return the requested options as rows and lists have them; without those that are None.

    Raises:
        DhcpOptionInvalid: with the place in the request.
    """
    values = {name: _lower(entries) for name, entries in requested.items() if entries is not None}
    try:
        options = core.parse(values, "", IPv4Network(cidr)).payload()
    except Malformed as exc:
        raise DhcpOptionInvalid(field=exc.place, reason=exc.problem) from exc
    return {name: options.get(name, []) for name in values}


def _lower(entries: list[Any]) -> list[Any]:
    """Return names of domains in lower case, as DNS compares them."""
    return [each.lower() if isinstance(each, str) else each for each in entries]


def require_options_carried(network_id: UUID, options: Mapping[str, list[Any]]) -> None:
    """Raise DhcpOptionsUnsupported if there are options, and a node of the network does not give them to guests."""
    set_ones = [name for name, values in options.items() if values]
    carriers = Node.objects.filter(portbinding__port__network=network_id)
    if set_ones and carriers.exclude(traits__contains=[DHCP_OPTIONS]).exists():
        raise DhcpOptionsUnsupported(field=set_ones[0])
