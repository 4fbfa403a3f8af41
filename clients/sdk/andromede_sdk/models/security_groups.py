# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Condition, Error, Named, PortGroup


@dataclass(frozen=True, kw_only=True, eq=False)
class AppliedRules(Model):
    """State of the rules at the port's node.

    `state`: pending, applied, or unsupported: the node's agent is of an earlier release and filters nothing. `version`
    grows with each change of what is applied. `reason`: why it is pending. no-node: no node carries the port; signing,
    sending: the change is on its way; node-silent: the node does not answer and still applies the earlier rules;
    node-problem: the node could not apply them, and lets nothing new pass."""

    state: str  # pending, applied, unsupported
    version: int
    reason: str  # , no-node, signing, sending, node-silent, node-problem


@dataclass(frozen=True, kw_only=True, eq=False)
class InstanceSecurityGroups(Model):
    """The security groups of an instance, by its ports."""

    ports: list[PortSecurityGroups]


@dataclass(frozen=True, kw_only=True, eq=False)
class PortSecurityGroups(Model):
    """A port with its security groups.

    Null: the port, or the agent of its node when it was created, is older than security groups; all its traffic passes."""

    id: str
    network: Named
    ip: str | None
    security_groups: list[PortGroup] | None
    rules: AppliedRules | None


@dataclass(frozen=True, kw_only=True, eq=False)
class SecurityGroup(Model):
    """A security group: rules of traffic that ports in the group may receive and send.

    `is_default`: new ports get it when their request names no groups; it cannot be renamed or deleted. `selector`: the
    ports that it selects are in the group too; empty: none."""

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
    selector: str
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
    address_set: Named | None
    is_logged: bool
    description: str
    created_at: datetime
