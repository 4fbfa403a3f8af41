# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Condition, Error


@dataclass(frozen=True, kw_only=True, eq=False)
class Network(Model):
    """A network. It exists at once; a node gets it with its first instance in the network.

    `cidr`, `gateway_ip` and `dns_servers` are those of its first subnet; empty: it has none."""

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
    cidr: str
    gateway_ip: str
    dns_servers: list[str]
    mtu: int
    subnets: list[SubnetSummary]


@dataclass(frozen=True, kw_only=True, eq=False)
class SubnetSummary(Model):
    """A subnet of the network, with its range."""

    id: str
    name: str
    cidr: str
