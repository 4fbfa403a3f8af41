"""Ports of a network in a zone: the node, MAC, addresses and security groups of each; subnets and egress address.

Standard library only.

A permit key of the zone signs the list. A node takes frames of a port, and of a port on another node, only with what
the newest list says of that port, and translates what leaves the network to no other address.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from itertools import combinations

from andromede_core.documents.messages import Message
from andromede_core.documents.parsing import as_count, as_list, as_object, as_text, refuse
from andromede_core.permits import dhcp_options
from andromede_core.permits.dhcp_options import NO_OPTIONS, DhcpOptions
from andromede_core.permits.network_values import IPV6_PREFIX, as_address, as_id, as_label, as_mac, as_network
from andromede_core.permits.trust_documents import MAX_VERSION

KIND = "network-ports"  # of the signed document
FIELDS = ("zone", "network", "version", "ports")
OPTIONAL_FIELDS = ("egress", "subnets")
SUBNET_FIELDS = ("cidr", "gateway_ip", "dns_servers")
PORT_FIELDS = ("nodes", "mac", "addresses")
OPTIONAL_PORT_FIELDS = ("allowed", "groups", "name", "public", "bandwidth")
MAX_ADDRESSES = 32
MAX_SUBNETS = 32  # 16 of the API, each with a range of both families
MAX_DNS_SERVERS = 16
MAX_GROUPS = 16
MAX_MBIT = 1_000_000


@dataclass(frozen=True, slots=True)
class AllowedAddress:
    """Addresses that a port may use beside its own, as for VRRP (RFC 9568). `mac`: with that MAC; None: the port's."""

    cidr: IPv4Network | IPv6Network
    mac: str | None = None

    def payload(self) -> dict[str, object]:
        return {"cidr": str(self.cidr), **({"mac": self.mac} if self.mac else {})}


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """A public address of a port. `to`: the port's address that it is translated to; None: it is routed to the port."""

    address: IPv4Address | IPv6Address
    to: IPv4Address | None = None

    def payload(self) -> dict[str, object]:
        return {"address": str(self.address), **({"to": str(self.to)} if self.to else {})}


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """Limits of a port's traffic in Mbit/s; None: no limit. `to_guest`: what its guest receives."""

    to_guest: int | None = None
    from_guest: int | None = None

    def payload(self) -> dict[str, object]:
        limits = {"to_guest": self.to_guest, "from_guest": self.from_guest}
        return {name: limit for name, limit in limits.items() if limit is not None}


@dataclass(frozen=True, slots=True)
class ListedPort:
    """A port in the list.

    `nodes`: ids of the nodes that carry it, two during a migration. `groups`: ids of its security groups; None: its
    traffic is not filtered, as of ports that are older than security groups. `name`: the name that the network's
    resolver answers with its addresses.
    """

    nodes: tuple[str, ...]
    mac: str
    addresses: tuple[IPv4Address | IPv6Address, ...]
    allowed: tuple[AllowedAddress, ...] = ()
    groups: tuple[str, ...] | None = None
    name: str | None = None
    public: tuple[PublicAddress, ...] = ()
    bandwidth: Bandwidth | None = None

    def payload(self) -> dict[str, object]:
        document: dict[str, object] = {
            "nodes": sorted(self.nodes),
            "mac": self.mac,
            "addresses": [str(address) for address in self.addresses],
        }
        if self.allowed:
            document["allowed"] = [pair.payload() for pair in self.allowed]
        if self.groups is not None:
            document["groups"] = sorted(self.groups)
        if self.name is not None:
            document["name"] = self.name
        if self.public:
            document["public"] = [address.payload() for address in self.public]
        if self.bandwidth is not None:
            document["bandwidth"] = self.bandwidth.payload()
        return document


@dataclass(frozen=True, slots=True)
class EgressAddress:
    """The source address of what leaves the network from ports without a public address of their own.

    `gateway`: the id of the node that translates, one that carries a port of the network; None: there is none now, and
    nothing leaves.
    """

    address: IPv4Address
    gateway: str | None = None

    def payload(self) -> dict[str, object]:
        return {"address": str(self.address), **({"gateway": self.gateway} if self.gateway else {})}


@dataclass(frozen=True, slots=True)
class ListedSubnet:
    """A range of the network in this zone, of either family. `dns_servers` empty: guests ask the gateway.

    `options`: none where a node of the network has an agent that does not read them.
    """

    cidr: IPv4Network | IPv6Network
    gateway_ip: IPv4Address | IPv6Address
    dns_servers: tuple[IPv4Address | IPv6Address, ...] = ()
    options: DhcpOptions = NO_OPTIONS

    def payload(self) -> dict[str, object]:
        options = self.options.payload()
        return {
            "cidr": str(self.cidr),
            "gateway_ip": str(self.gateway_ip),
            "dns_servers": [str(server) for server in self.dns_servers],
            **({"options": options} if options else {}),
        }


@dataclass(frozen=True, slots=True)
class NetworkPorts:
    """The payload of the list. `network`: its id. Only growing versions of the same network and zone count.

    `egress` None: what leaves the network has the address of its node. `subnets` None: as the node was told with a
    port, since a node of the network has an agent that does not read them.
    """

    zone: str
    network: str
    version: int
    ports: Mapping[str, ListedPort] = field(default_factory=dict)
    egress: EgressAddress | None = None
    subnets: tuple[ListedSubnet, ...] | None = None

    def payload(self) -> dict[str, object]:
        document: dict[str, object] = {
            "zone": self.zone,
            "network": self.network,
            "version": self.version,
            "ports": {port: self.ports[port].payload() for port in sorted(self.ports)},
            **({"egress": self.egress.payload()} if self.egress is not None else {}),
        }
        if self.subnets is not None:
            document["subnets"] = [subnet.payload() for subnet in self.subnets]
        return document


def parse(payload: object) -> NetworkPorts:
    """Parse the payload of a list of ports.

    Raises:
        Malformed: with the field.
    """
    body = as_object(payload, "network-ports", required=FIELDS, optional=OPTIONAL_FIELDS)
    ports = as_object(body["ports"], "network-ports.ports", optional=None)
    return NetworkPorts(
        zone=as_text(body["zone"], "network-ports.zone"),
        network=as_id(body["network"], "network-ports.network"),
        version=as_count(body["version"], "network-ports.version", minimum=1, maximum=MAX_VERSION),
        ports={as_id(port, "network-ports.ports"): _port(value, f"ports.{port}") for port, value in ports.items()},
        egress=_egress(body["egress"]) if "egress" in body else None,
        subnets=_subnets(body["subnets"], "network-ports.subnets") if "subnets" in body else None,
    )


def _egress(value: object) -> EgressAddress:
    at = "network-ports.egress"
    body = as_object(value, at, required=("address",), optional=("gateway",))
    address, gateway = as_address(body["address"], f"{at}.address"), body.get("gateway")
    if not isinstance(address, IPv4Address):
        refuse(f"{at}.address", Message("must be an IPv4 address"))
    return EgressAddress(address, None if gateway is None else as_id(gateway, f"{at}.gateway"))


def _subnets(value: object, at: str) -> tuple[ListedSubnet, ...]:
    subnets = tuple(_subnet(each, at) for each in _short(value, at, MAX_SUBNETS))
    for one, other in combinations(subnets, 2):
        if one.cidr.version == other.cidr.version and one.cidr.overlaps(other.cidr):
            refuse(at, Message("must not overlap: {one} and {other}", one=str(one.cidr), other=str(other.cidr)))
    return subnets


def _subnet(value: object, at: str) -> ListedSubnet:
    body = as_object(value, at, required=SUBNET_FIELDS, optional=("options",))
    cidr, gateway_ip = as_network(body["cidr"], f"{at}.cidr"), as_address(body["gateway_ip"], f"{at}.gateway_ip")
    if gateway_ip not in cidr:
        refuse(f"{at}.gateway_ip", Message("must be in {cidr}", cidr=str(cidr)))
    if cidr.version == 6 and cidr.prefixlen != IPV6_PREFIX:
        refuse(f"{at}.cidr", Message("must be a /64 in IPv6"))
    servers = _short(body["dns_servers"], f"{at}.dns_servers", MAX_DNS_SERVERS)
    return ListedSubnet(
        cidr,
        gateway_ip,
        tuple(as_address(server, f"{at}.dns_servers") for server in servers),
        dhcp_options.parse(body.get("options", {}), f"{at}.options/", cidr),
    )


def _port(value: object, at: str) -> ListedPort:
    body = as_object(value, at, required=PORT_FIELDS, optional=OPTIONAL_PORT_FIELDS)
    groups, name, bandwidth = body.get("groups"), body.get("name"), body.get("bandwidth")
    return ListedPort(
        nodes=tuple(as_id(node, f"{at}.nodes") for node in as_list(body["nodes"], f"{at}.nodes")),
        mac=as_mac(body["mac"], f"{at}.mac"),
        addresses=tuple(as_address(each, f"{at}.addresses") for each in _short(body["addresses"], f"{at}.addresses")),
        allowed=tuple(_allowed(pair, f"{at}.allowed") for pair in _short(body.get("allowed", []), f"{at}.allowed")),
        groups=None if groups is None else tuple(as_id(group, f"{at}.groups") for group in as_list(groups, at)),
        name=None if name is None else as_label(name, f"{at}.name"),
        public=tuple(_public(each, f"{at}.public") for each in _short(body.get("public", []), f"{at}.public")),
        bandwidth=None if bandwidth is None else _bandwidth(bandwidth, f"{at}.bandwidth"),
    )


def _public(value: object, at: str) -> PublicAddress:
    body = as_object(value, at, required=("address",), optional=("to",))
    address, to = as_address(body["address"], at), body.get("to")
    if to is None:
        return PublicAddress(address)
    target = as_address(to, at)
    if not isinstance(target, IPv4Address) or not isinstance(address, IPv4Address):
        refuse(at, Message("must translate IPv4 addresses only"))
    return PublicAddress(address, target)


def _bandwidth(value: object, at: str) -> Bandwidth:
    body = as_object(value, at, optional=("to_guest", "from_guest"))
    limits = {name: as_count(limit, f"{at}.{name}", minimum=1, maximum=MAX_MBIT) for name, limit in body.items()}
    return Bandwidth(limits.get("to_guest"), limits.get("from_guest"))


def _allowed(value: object, at: str) -> AllowedAddress:
    body = as_object(value, at, required=("cidr",), optional=("mac",))
    mac = body.get("mac")
    return AllowedAddress(as_network(body["cidr"], at), None if mac is None else as_mac(mac, at))


def _short(value: object, at: str, limit: int = MAX_ADDRESSES) -> list[object]:
    items = as_list(value, at)
    if len(items) > limit:
        refuse(at, Message("must have at most {limit} entries", limit=limit))
    return items
