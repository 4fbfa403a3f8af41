# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Condition, Error, Named, StaticRoute


@dataclass(frozen=True, kw_only=True, eq=False)
class Subnet(Model):
    """A subnet of a network: a range of addresses with a gateway, routed to the network's other subnets.

    `ipv6_cidr`: a /64 beside it. `ipv6_gateway`: the link-local address that router advertisements announce.
    `ipv6_pool`: the pool of the /64; null for a unique local one."""

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
    network: Named
    cidr: str
    gateway_ip: str
    dns_servers: list[str]
    ntp_servers: list[str]
    domain_search: list[str]
    static_routes: list[StaticRoute]
    reserved_ranges: list[str]
