# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Condition, Error, Named


@dataclass(frozen=True, kw_only=True, eq=False)
class PublicAddress(Model):
    """A public address of the project, until it is released.

    `port`, `network`: which has it; of a network it is the egress address. `state`: detached; pending: the port's node,
    or a node of the network, does not have the change yet; applied; suspended: an operator has withdrawn the address,
    see `suspended_reason`. `reason`: why it is pending. no-node: no node carries the port, or can be the gateway of the
    network; signing, sending: the change is on its way; node-silent: the node does not answer; node-problem: the node
    could not apply it; node-outdated: the node's agent is of an earlier release, and applies no public addresses."""

    id: str
    name: str
    state: str  # detached, pending, applied, suspended
    conditions: list[Condition]
    current_operation: str | None
    last_error: Error | None
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    reason: str  # , no-node, signing, sending, node-silent, node-problem, node-outdated
    ip: str
    family: str  # ipv4, ipv6
    pool: Named
    zone: str
    mode: str  # nat, routed
    port: Named | None
    network: Named | None
    instance: Named | None
    fixed_ip: str | None
    ptr: str
    suspended_at: datetime | None
    suspended_reason: str


@dataclass(frozen=True, kw_only=True, eq=False)
class PublicAddressAction(Model):
    """An action. `problem`: the error that the action would give now."""

    name: str  # attach, detach, delete
    is_allowed: bool
    problem: Error | None


@dataclass(frozen=True, kw_only=True, eq=False)
class PublicAddressWithActions(Model):
    """A public address of the project, until it is released.

    `state`: detached; pending: a node does not have the change yet; applied; suspended: an operator has withdrawn the
    address, see `suspended_reason`. `reason`: why it is pending. `allowed_actions`: the actions possible
    in its state; the caller also needs permission."""

    id: str
    name: str
    state: str  # detached, pending, applied, suspended
    conditions: list[Condition]
    current_operation: str | None
    last_error: Error | None
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    reason: str  # , no-node, signing, sending, node-silent, node-problem, node-outdated
    ip: str
    family: str  # ipv4, ipv6
    pool: Named
    zone: str
    mode: str  # nat, routed
    port: Named | None
    network: Named | None
    instance: Named | None
    fixed_ip: str | None
    ptr: str
    suspended_at: datetime | None
    suspended_reason: str
    allowed_actions: list[PublicAddressAction]
