# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Named


@dataclass(frozen=True, kw_only=True, eq=False)
class AddressPool(Model):
    """A pool of public addresses.

    `size`, `used`, `free`: numbers of addresses, or of /64 ranges where `purpose` is `subnets`; at most 2^53 - 1.
    `reverse_zones`: names of the DNS zones of its ranges."""

    id: str
    name: str
    zone: str
    organization: Named | None
    family: str  # ipv4, ipv6
    purpose: str  # addresses, subnets
    cidrs: list[str]
    reserved_ranges: list[str]
    community: str
    local_preference: int | None
    size: int
    used: int
    free: int
    reverse_zones: list[str]
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class UsableAddressPool(Model):
    """A pool that the project may use. `modes`: how its addresses can be attached; none of a pool for subnets."""

    id: str
    name: str
    zone: str
    family: str  # ipv4, ipv6
    purpose: str  # addresses, subnets
    modes: list[str]
    free: int
