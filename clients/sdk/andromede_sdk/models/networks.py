# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Condition, Error, Named, PortAddress, StaticRoute


@dataclass(frozen=True, kw_only=True, eq=False)
class EgressAddress(Model):
    """A public address that is the source of what leaves the network in this zone, from ports that have none."""

    id: str
    name: str
    ip: str
    zone: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Network(Model):
    """A network. It exists at once; a node gets it with its first instance in the network.

    `egress_addresses`: one for a zone at most. Where the network has none, what leaves has the address of its node.

    `cidr`, `gateway_ip`, the fields of IPv6 and of DHCP, and `reserved_ranges` are those of its first subnet; empty or
    null: none."""

    id: str
    name: str
    state: str  # ready
    conditions: list[Condition]
    current_operation: str | None
    last_error: Error | None
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    ipv6_cidr: str | None
    ipv6_gateway: str | None
    ipv6_pool: Named | None
    cidr: str
    gateway_ip: str
    dns_servers: list[str]
    ntp_servers: list[str]
    domain_search: list[str]
    static_routes: list[StaticRoute]
    reserved_ranges: list[str]
    mtu: int
    subnets: list[SubnetSummary]
    egress_addresses: list[EgressAddress]


@dataclass(frozen=True, kw_only=True, eq=False)
class SubnetSummary(Model):
    """A subnet of the network, with its ranges. `ipv6_cidr` null: it has no IPv6."""

    id: str
    name: str
    cidr: str
    ipv6_cidr: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Topology(Model):
    """A network with its subnets, its egress addresses, and all its ports in the order of their names."""

    network: Named
    subnets: list[TopologySubnet]
    ports: list[TopologyPort]
    egress_addresses: list[EgressAddress]


@dataclass(frozen=True, kw_only=True, eq=False)
class TopologyInstance(Model):
    """An instance. `zone` null: no node has it yet."""

    id: str
    name: str
    state: str
    zone: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class TopologyPort(Model):
    """A port. `security_groups` null: it is older than security groups, and all its traffic passes."""

    id: str
    name: str
    addresses: list[PortAddress]
    instance: TopologyInstance | None
    public_addresses: list[TopologyPublicAddress]
    security_groups: list[Named] | None


@dataclass(frozen=True, kw_only=True, eq=False)
class TopologyPublicAddress(Model):
    """A public address of a port. `is_suspended`: an operator has withdrawn it."""

    ip: str
    is_suspended: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class TopologySubnet(Model):
    """A subnet. `ipv6_cidr` empty: it has IPv4 alone."""

    id: str
    name: str
    cidr: str
    gateway_ip: str
    ipv6_cidr: str
