"""Security groups in a zone: the allow rules of a group, and the addresses of its members. Standard library only.

A permit key of the zone signs the document. A node lets a filtered port send and receive what the rules of the port's
groups allow, and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from andromede_core.documents.messages import Message
from andromede_core.documents.parsing import as_bool, as_choice, as_count, as_list, as_object, as_text, refuse
from andromede_core.permits.network_values import as_address, as_id, as_network
from andromede_core.permits.trust_documents import MAX_VERSION

KIND = "security-group"  # of the signed document
FIELDS = ("zone", "group", "version", "rules", "members")
RULE_FIELDS = ("id", "direction", "family", "protocol")
DIRECTIONS = ("in", "out")  # seen from the port
FAMILIES = {"ipv4": 4, "ipv6": 6}
PROTOCOLS = ("any", "tcp", "udp", "icmp", "icmpv6")
WITH_PORTS = ("tcp", "udp")
WITH_TYPES = {"icmp": "ipv4", "icmpv6": "ipv6"}
MAX_RULES = 200
MAX_CIDRS = 1000  # of a rule
MAX_COUNTED_RULES = 10  # of a port: so many of its rules that log have a counter, the first by their ids


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that allows traffic; a reply is allowed with what it replies to.

    `ports`: first and last of tcp or udp; None: all. `icmp`: type and code, of which the code may be None; None: all.
    `cidrs`: ranges of the peer; `group`: the peer is a member of that group in the same network; both None: any peer.
    `is_logged`: the node logs the first packet of each connection that the rule allows, at a limited rate.
    """

    id: str
    direction: str
    family: str
    protocol: str
    ports: tuple[int, int] | None = None
    icmp: tuple[int, int | None] | None = None
    cidrs: tuple[IPv4Network | IPv6Network, ...] | None = None
    group: str | None = None
    is_logged: bool = False

    def payload(self) -> dict[str, object]:
        document: dict[str, object] = {
            "id": self.id,
            "direction": self.direction,
            "family": self.family,
            "protocol": self.protocol,
        }
        if self.ports is not None:
            document["ports"] = list(self.ports)
        if self.icmp is not None:
            document["icmp"] = [each for each in self.icmp if each is not None]
        if self.cidrs is not None:
            document["cidrs"] = [str(cidr) for cidr in self.cidrs]
        if self.group is not None:
            document["group"] = self.group
        if self.is_logged:
            document["is_logged"] = True
        return document


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    """The payload of a security group.

    `group`: its id. `members`: addresses of its ports in this zone, by the networks' ids. Only growing versions of the
    same group and zone count.
    """

    zone: str
    group: str
    version: int
    rules: tuple[Rule, ...] = ()
    members: Mapping[str, tuple[IPv4Address | IPv6Address, ...]] = field(default_factory=dict)

    def payload(self) -> dict[str, object]:
        return {
            "zone": self.zone,
            "group": self.group,
            "version": self.version,
            "rules": [rule.payload() for rule in sorted(self.rules, key=lambda rule: rule.id)],
            "members": {network: [str(each) for each in self.members[network]] for network in sorted(self.members)},
        }


def parse(payload: object) -> SecurityGroup:
    """Parse the payload of a security group.

    Raises:
        Malformed: with the field.
    """
    body = as_object(payload, "security-group", required=FIELDS)
    rules = as_list(body["rules"], "security-group.rules")
    if len(rules) > MAX_RULES:
        refuse("security-group.rules", Message("must have at most {limit} entries", limit=MAX_RULES))
    members = as_object(body["members"], "security-group.members", optional=None)
    return SecurityGroup(
        zone=as_text(body["zone"], "security-group.zone"),
        group=as_id(body["group"], "security-group.group"),
        version=as_count(body["version"], "security-group.version", minimum=1, maximum=MAX_VERSION),
        rules=tuple(_rule(rule, f"rules[{number}]") for number, rule in enumerate(rules)),
        members={as_id(key, "security-group.members"): _addresses(value, key) for key, value in members.items()},
    )


def _addresses(value: object, network: str) -> tuple[IPv4Address | IPv6Address, ...]:
    return tuple(as_address(each, f"members.{network}") for each in as_list(value, f"members.{network}"))


def _rule(value: object, at: str) -> Rule:
    body = as_object(value, at, required=RULE_FIELDS, optional=("ports", "icmp", "cidrs", "group", "is_logged"))
    protocol = as_choice(body["protocol"], f"{at}.protocol", among=PROTOCOLS)
    family = as_choice(body["family"], f"{at}.family", among=FAMILIES)
    if WITH_TYPES.get(protocol, family) != family:
        refuse(f"{at}.protocol", Message("is not of the family {family}", family=family))
    if "group" in body and "cidrs" in body:
        refuse(f"{at}.group", Message("cannot be given with cidrs"))
    return Rule(
        id=as_id(body["id"], f"{at}.id"),
        direction=as_choice(body["direction"], f"{at}.direction", among=DIRECTIONS),
        family=family,
        protocol=protocol,
        ports=_ports(body["ports"], f"{at}.ports", protocol) if "ports" in body else None,
        icmp=_icmp(body["icmp"], f"{at}.icmp", protocol) if "icmp" in body else None,
        cidrs=_cidrs(body["cidrs"], f"{at}.cidrs", family) if "cidrs" in body else None,
        group=as_id(body["group"], f"{at}.group") if "group" in body else None,
        is_logged=as_bool(body.get("is_logged", False), f"{at}.is_logged"),
    )


def _ports(value: object, at: str, protocol: str) -> tuple[int, int]:
    if protocol not in WITH_PORTS:
        refuse(at, Message("belongs to tcp and udp"))
    numbers = [as_count(number, at, minimum=0, maximum=65535) for number in as_list(value, at)]
    if len(numbers) != 2 or numbers[0] > numbers[1]:
        refuse(at, Message("must be the first and the last port"))
    return numbers[0], numbers[1]


def _icmp(value: object, at: str, protocol: str) -> tuple[int, int | None]:
    if protocol not in WITH_TYPES:
        refuse(at, Message("belongs to icmp and icmpv6"))
    numbers = [as_count(number, at, minimum=0, maximum=255) for number in as_list(value, at)]
    if len(numbers) not in (1, 2):
        refuse(at, Message("must be a type, or a type and a code"))
    return numbers[0], numbers[1] if len(numbers) == 2 else None


def _cidrs(value: object, at: str, family: str) -> tuple[IPv4Network | IPv6Network, ...]:
    cidrs = tuple(as_network(each, at) for each in as_list(value, at))
    if not 1 <= len(cidrs) <= MAX_CIDRS:
        refuse(at, Message("must have 1 to {limit} entries", limit=MAX_CIDRS))
    if any(cidr.version != FAMILIES[family] for cidr in cidrs):
        refuse(at, Message("must be ranges of the family {family}", family=family))
    return cidrs
