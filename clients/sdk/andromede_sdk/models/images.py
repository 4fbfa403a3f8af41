# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Condition, Error
    from andromede_sdk.models.operations import Operation


@dataclass(frozen=True, kw_only=True, eq=False)
class Image(Model):
    """An image. `source`: the volume or snapshot that it was made of, which may be deleted since; null: a file."""

    id: str
    name: str
    state: str  # awaiting-upload, importing, verifying, available, error, deleted
    conditions: list[Condition]
    current_operation: str | None
    last_error: Error | None
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    is_public: bool
    format: str  # qcow2, raw
    firmware: str  # bios, uefi
    sha256: str
    size_bytes: int | None
    virtual_size_bytes: int | None
    min_memory_mib: int
    min_disk_gib: int
    source: ImageSource | None
    source_url: str
    classifications: list[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageSource(Model):
    kind: str  # volume, snapshot
    id: str
    name: str


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageWithOperation(Model):
    """An image. `source`: the volume or snapshot that it was made of, which may be deleted since; null: a file."""

    id: str
    name: str
    state: str  # awaiting-upload, importing, verifying, available, error, deleted
    conditions: list[Condition]
    current_operation: str | None
    last_error: Error | None
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    is_public: bool
    format: str  # qcow2, raw
    firmware: str  # bios, uefi
    sha256: str
    size_bytes: int | None
    virtual_size_bytes: int | None
    min_memory_mib: int
    min_disk_gib: int
    source: ImageSource | None
    source_url: str
    classifications: list[str]
    operation: Operation | None
