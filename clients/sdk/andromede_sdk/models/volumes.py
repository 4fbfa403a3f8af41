# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Condition, Error, IoLimits, Named
    from andromede_sdk.models.operations import Operation


@dataclass(frozen=True, kw_only=True, eq=False)
class Volume(Model):
    """A volume. `instance` has it attached, or is getting it."""

    id: str
    name: str
    state: str  # building, available, in-use, error, deleted
    conditions: list[Condition]
    current_operation: str | None
    last_error: Error | None
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    size_gib: int
    volume_type: str
    limits: IoLimits
    image: Named | None
    classifications: list[str]
    zone: str | None
    instance: Named | None


@dataclass(frozen=True, kw_only=True, eq=False)
class VolumeWithOperation(Model):
    """A volume. `instance` has it attached, or is getting it."""

    id: str
    name: str
    state: str  # building, available, in-use, error, deleted
    conditions: list[Condition]
    current_operation: str | None
    last_error: Error | None
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    size_gib: int
    volume_type: str
    limits: IoLimits
    image: Named | None
    classifications: list[str]
    zone: str | None
    instance: Named | None
    operation: Operation
