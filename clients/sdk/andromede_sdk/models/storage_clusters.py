# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Named


@dataclass(frozen=True, kw_only=True, eq=False)
class StorageCluster(Model):
    """A Ceph cluster of a zone, with the last report of its storage agent.

    `health`: Ceph's own, `ok`, `degraded` or `error`; `silent`: it does not answer the agent; empty: not reported yet.
    `health_problems`: the reasons. `problem`: the gravest one by the last report; empty: none. `nodes`: reachable
    nodes of the zone that can open images in its pools. Without a certificate the storage agent is not called."""

    id: str
    name: str
    zone: str
    address: str
    certificate_expires_at: datetime | None
    last_seen_at: datetime | None
    software_version: str
    ceph_version: str
    fsid: str | None
    monitors: list[str]
    health: str
    health_problems: list[str]
    problem: str
    pools: list[StorageClusterPool]
    nodes: list[Named]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class StorageClusterIncident(Model):
    """An incident of the storage cluster: a problem, from its first observation on.

    `name`: of a missing volume or root disk, as POOL/ID, or of a node that is not fenced; else empty. `ended_at`: since
    when it is no longer observed."""

    id: str
    kind: str  # silent, refused, fsid-changed, fsid-taken, error, degraded, pool-missing, pool-conflict, pool-sh
    name: str
    created_at: datetime
    seen_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, kw_only=True, eq=False)
class StorageClusterPool(Model):
    """A pool of the cluster.

    `used_gib`: allocated to disks; `written_gib`: null where Ceph does not count it. `trash_count`: removed volumes
    whose data is not deleted yet, the oldest removed at `trash_since`; null where an older storage agent does not say."""

    id: str
    name: str
    capacity_gib: int
    used_gib: int
    written_gib: int | None
    replicas: int
    is_nearly_full: bool
    trash_count: int | None
    trash_since: datetime | None
