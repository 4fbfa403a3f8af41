# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Named


@dataclass(frozen=True, kw_only=True, eq=False)
class VolumeType(Model):
    """A volume type. `pool`: the pool of such volumes; empty: the disk of one node.

    `binding`: when a volume gets its place. `immediate`: at its creation; `first_use`: when it is first attached to an
    instance, on the instance's node or in the pool of its zone.

    A volume has the larger one of the fixed limit and that by its size; 0: no limit. `organizations`: the only ones
    that may use the type, for platform roles; null for others. A retired type takes no new volumes.
    `has_snapshots`: snapshots of its volumes can be taken, in at least one of `zones`. `zones`: those that have the
    pool; null: each zone, with the disk of one node. `is_multi_attach`: several instances can have such a volume
    attached at once. `replicas`: the copies that Ceph keeps of the data, the fewest of
    these zones; null: not reported."""

    id: str
    description: str
    pool: str
    binding: str  # immediate, first_use
    is_multi_attach: bool
    iops: int
    mb_per_s: int
    iops_per_gib: int
    mb_per_s_per_gib: int
    organizations: list[Named] | None
    is_retired: bool
    has_snapshots: bool
    zones: list[str] | None
    replicas: int | None
    generation: int
