# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Condition, Error, Named


@dataclass(frozen=True, kw_only=True, eq=False)
class SecurityGroup(Model):
    """A security group: rules of traffic that ports in the group may receive and send.

    `is_default`: new ports get it when their request names no groups; it cannot be renamed or deleted."""

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
    description: str
    is_default: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class SecurityGroupRule(Model):
    """A rule of a security group. Rules do not change: to change one, add another and remove it."""

    id: str
    direction: str  # in, out
    family: str  # ipv4, ipv6
    protocol: str  # any, tcp, udp, icmp, icmpv6
    first_port: int | None
    last_port: int | None
    icmp_type: int | None
    icmp_code: int | None
    cidrs: list[str]
    peer_group: Named | None
    is_logged: bool
    description: str
    created_at: datetime
