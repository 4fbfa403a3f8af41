# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Named


@dataclass(frozen=True, kw_only=True, eq=False)
class MissingNode(Model):
    """A node that should have the pool and does not.

    `silent`: it had the pool at its last heartbeat. `mismatch`: it has another pool with that name. `unmounted`: guests
    on it have disks in the pool."""

    id: str
    name: str
    why: str  # silent, mismatch, unmounted


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool(Model):
    """A pool: storage that nodes of a zone share.

    `engine`: `folder`, a file system that they have mounted; `rbd`, a pool of a storage `cluster`. `used_gib`:
    allocated to disks. `is_nearly_full`: it takes no new disks. By Ceph's report, and null for folders: `written_gib`,
    what is written of the capacity, also null where Ceph does not count it; `replicas`; `trash_count`, removed volumes
    whose data is not deleted yet, the oldest removed at `trash_since`. `nodes`: reachable nodes that have it now;
    `missing`: nodes that should have it and do not. `instance_count`: the instances whose root disk is in it."""

    id: str
    name: str
    zone: str
    uuid: str
    path: str
    engine: str  # folder, rbd
    cluster: Named | None
    capacity_gib: int
    used_gib: int
    written_gib: int | None
    replicas: int | None
    is_nearly_full: bool
    trash_count: int | None
    trash_since: datetime | None
    instance_count: int
    volume_count: int
    nodes: list[Named]
    missing: list[MissingNode]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class PooledVolume(Model):
    """A volume in a pool: its owner and size, and the node that has it open, or had it open last."""

    id: str
    name: str
    project: Named
    organization: Named
    state: str  # building, available, in-use, error, deleted
    size_gib: int
    node: Named | None
    created_at: datetime
