# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import IoLimits, Named
    from andromede_sdk.models.operations import Operation


@dataclass(frozen=True, kw_only=True, eq=False)
class Attachment(Model):
    """An attachment. `is_plugged`: the guest has the volume. `is_boot`: the instance boots from it. `share`: other
    instances can have the volume attached, too."""

    id: str
    volume: Named
    size_gib: int
    limits: IoLimits
    is_read_only: bool
    is_plugged: bool
    is_boot: bool
    share: bool
    generation: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class AttachmentWithOperation(Model):
    """An attachment. `is_plugged`: the guest has the volume. `is_boot`: the instance boots from it. `share`: other
    instances can have the volume attached, too."""

    id: str
    volume: Named
    size_gib: int
    limits: IoLimits
    is_read_only: bool
    is_plugged: bool
    is_boot: bool
    share: bool
    generation: int
    created_at: datetime
    updated_at: datetime
    operation: Operation
