"""Ports of a node whose traffic security groups filter, as the switch takes them, and what rules count of ports."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from agents.node.adapters.network_specs import PortSpec
from andromede_core.permits.security_group import SecurityGroup


@dataclass(frozen=True, slots=True)
class FilteredPort:
    """A filtered port.

    `groups`: ids of its security groups, all of them in PortFilters.groups; None: the port is cut off, since the node
    does not have the documents that say what it may send and receive. `macs`: all that it may use. `routed`: public
    addresses that are routed to it.
    """

    port: PortSpec
    macs: tuple[str, ...]
    groups: tuple[str, ...] | None
    routed: tuple[IPv4Address | IPv6Address, ...] = ()


@dataclass(frozen=True, slots=True)
class PortFilters:
    """All filtered ports of the node. `groups`: by id, also those that rules name as peers."""

    ports: tuple[FilteredPort, ...] = ()
    groups: Mapping[str, SecurityGroup] = field(default_factory=dict)


NOTHING_FILTERED = PortFilters()


@dataclass(frozen=True, slots=True)
class PortCounters:
    """Packets of a port since its rules were written, by direction ("in": to the guest), and by rule that logs.

    `rule_hits`: packets with which the rule let a connection begin, by its id.
    """

    group_dropped: Counter[str] = field(default_factory=Counter)
    bandwidth_dropped: Counter[str] = field(default_factory=Counter)
    rule_hits: dict[str, int] = field(default_factory=dict)
