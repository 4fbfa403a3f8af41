# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Condition, Error, Named


@dataclass(frozen=True, kw_only=True, eq=False)
class Network(Model):
    """A network. It exists at once; a node gets it with its first instance in the network.

    `cidr`, `gateway_ip`, `dns_servers` and the fields of IPv6 are those of its first subnet; empty or null: none."""

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
    mtu: int
    subnets: list[SubnetSummary]


@dataclass(frozen=True, kw_only=True, eq=False)
class SubnetSummary(Model):
    """A subnet of the network, with its ranges. `ipv6_cidr` null: it has no IPv6."""

    id: str
    name: str
    cidr: str
    ipv6_cidr: str | None
