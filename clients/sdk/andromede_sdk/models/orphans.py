# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Named


@dataclass(frozen=True, kw_only=True, eq=False)
class Orphan(Model):
    """An orphan.

    `name`: its name on the node or in the `pool` of the `storage_cluster`, or for a row without a resource, its id.
    `resource`: the id that it would have as a resource. `wished`: a decision that is not carried out yet, since the
    node or cluster does not answer or because of `problem`. `evidence`: of the deletion: by whom, why, and the report
    of the node or of the storage cluster."""

    id: str
    kind: str  # domain, volume, image, file, port, attachment, snapshot, allocation, address
    name: str
    node: Named | None
    storage_cluster: Named | None
    pool: str | None
    zone: str | None
    resource: str | None
    state: str  # found, quarantined, released, discarded, gone
    wished: str  # , release, discard
    reason: str
    problem: str
    size_bytes: int | None
    facts: dict[str, Any]
    evidence: dict[str, Any]
    created_at: datetime
    seen_at: datetime
    quarantined_at: datetime | None
    ended_at: datetime | None
