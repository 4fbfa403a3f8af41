# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NotRequired, TypedDict

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Condition, Error, Named, PortAddress, PortGroup
    from andromede_sdk.models.operations import Operation


class AddressInput(TypedDict):
    """A requested address: this `ip`, or a free one of the `subnet`, or of any subnet.

    `family` of the free one; without it, a free IPv4 address, and an IPv6 address too where the subnet has IPv6."""

    subnet: NotRequired[str]
    ip: NotRequired[str]
    family: NotRequired[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class AllowedAddress(Model):
    """A range that the port may use. `mac` null: with its own MAC address."""

    cidr: str
    mac: str | None


class AllowedAddressInput(TypedDict):
    """A range that the port may use beside its own addresses, with its own MAC address or with `mac`."""

    cidr: str
    mac: NotRequired[str | None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Bandwidth(Model):
    """Limits in Mbit/s of what the guest receives and sends; null: no limit."""

    to_guest_mbit: int | None
    from_guest_mbit: int | None


class BandwidthInput(TypedDict):
    """Limits in Mbit/s of what the guest receives and sends; null: no limit. What exceeds them is dropped."""

    to_guest_mbit: NotRequired[int | None]
    from_guest_mbit: NotRequired[int | None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Port(Model):
    """A port.

    `instance` null: it is free. `is_own`: it was created by itself and outlives the instance; another port came with
    its instance, and is deleted with it or when it is detached. `security_groups` null: nothing filters its traffic."""

    id: str
    name: str
    state: str  # free, attached
    conditions: list[Condition]
    current_operation: str | None
    last_error: Error | None
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    network: Named
    instance: Named | None
    is_own: bool
    mac: str
    addresses: list[PortAddress]
    allowed_addresses: list[AllowedAddress]
    security_groups: list[PortGroup] | None
    bandwidth: Bandwidth


@dataclass(frozen=True, kw_only=True, eq=False)
class PortAction(Model):
    """An action. `problem`: the error that the action would give now."""

    name: str  # attach, detach, delete
    is_allowed: bool
    problem: Error | None


@dataclass(frozen=True, kw_only=True, eq=False)
class PortWithActions(Model):
    """A port.

    `instance` null: it is free. `is_own`: it was created by itself and outlives the instance; another port came with
    its instance, and is deleted with it or when it is detached. `security_groups` null: nothing filters its traffic.
    `allowed_actions`: the actions possible in its state;
    the caller also needs permission."""

    id: str
    name: str
    state: str  # free, attached
    conditions: list[Condition]
    current_operation: str | None
    last_error: Error | None
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    network: Named
    instance: Named | None
    is_own: bool
    mac: str
    addresses: list[PortAddress]
    allowed_addresses: list[AllowedAddress]
    security_groups: list[PortGroup] | None
    bandwidth: Bandwidth
    allowed_actions: list[PortAction]


@dataclass(frozen=True, kw_only=True, eq=False)
class PortWithOperation(Model):
    """A port.

    `instance` null: it is free. `is_own`: it was created by itself and outlives the instance; another port came with
    its instance, and is deleted with it or when it is detached. `security_groups` null: nothing filters its traffic."""

    id: str
    name: str
    state: str  # free, attached
    conditions: list[Condition]
    current_operation: str | None
    last_error: Error | None
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    network: Named
    instance: Named | None
    is_own: bool
    mac: str
    addresses: list[PortAddress]
    allowed_addresses: list[AllowedAddress]
    security_groups: list[PortGroup] | None
    bandwidth: Bandwidth
    operation: Operation
