"""Records of orphans: what changes in the row of an orphan, with audit and evidence."""

import logging
from collections.abc import Callable

from django.db import IntegrityError, transaction

from controlplane.audit import evidence_log
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.kernel.db import move
from controlplane.kernel.errors import CloudError, StateConflict
from controlplane.nodes.errors import NodeUnreachable
from controlplane.nodes.models import Node, Orphan, Pool
from controlplane.nodes.orphan_states import ORPHAN
from controlplane.nodes.orphans import record_change
from controlplane.reconcilers.orphan_detection import OrphanCandidate
from controlplane.storage_clusters.errors import StorageClusterUnreachable

log = logging.getLogger(__name__)

NOW_EXPECTED = "A row of the database expects the resource by now, so it is not deleted."


def record_found(candidate: OrphanCandidate, *, node: Node | None = None, pool: Pool | None = None) -> bool:
    """Record a new orphan; False: a concurrent run was faster."""
    try:
        with transaction.atomic():
            row = Orphan.objects.create(
                node=node,
                pool=pool,
                kind=candidate.kind,
                name=candidate.name[:300],
                resource_id=candidate.resource_id,
                size_bytes=candidate.size_bytes,
                facts=candidate.facts,
                observed_at=clock.now(),
            )
            record_change(SYSTEM, row, "find")
    except IntegrityError:
        return False
    place = f"node {node.name}" if node else f"pool {pool.name}" if pool else "database"
    log.warning("%s: orphaned %s %s", place, candidate.kind, candidate.name)
    return True


def apply(row: Orphan, step: Callable[[Orphan], bool]) -> bool:
    """Carry out the decision and tell if the orphan changed. An error is recorded on the row.

    Raises:
        NodeUnreachable, StorageClusterUnreachable: the next run tries again.
    """
    try:
        return step(row)
    except (NodeUnreachable, StorageClusterUnreachable):
        raise
    except StateConflict:
        log.debug("orphan %s was changed concurrently, skipped", row.pk)
    except CloudError as exc:
        record_problem(row, str(exc.facts.get("reason", exc)))
    return False


def record_problem(row: Orphan, problem: str) -> None:
    Orphan.objects.filter(pk=row.pk).update(problem=problem[:300])
    log.warning("orphan %s (%s): %s", row.pk, row.name, problem)


def cancel_discard(row: Orphan) -> bool:
    """Drop the decision to delete the orphan, since a row expects it by now."""
    Orphan.objects.filter(pk=row.pk).update(requested_action="", problem=NOW_EXPECTED)
    return True


def record_released(row: Orphan) -> bool:
    with transaction.atomic():
        move(row, ORPHAN, "released", requested_action="", problem="")
        record_change(SYSTEM, row, "released", reason=row.reason)
    return True


def record_discarded(row: Orphan, description: dict[str, object]) -> bool:
    """Record the deletion for good, with actor and reason, beside the node's receipt."""
    with transaction.atomic():
        proof: dict[str, object] = {**description, "by": str(row.decided_by), "reason": row.reason}
        move(row, ORPHAN, "discarded", requested_action="", problem="", evidence=proof, ended_at=clock.now())
        record_change(SYSTEM, row, "discarded", reason=row.reason)
        of_pool = {"storage_cluster": str(row.pool.cluster_id), "pool": row.pool.name} if row.pool else {}
        evidence_log.append(
            "incident",
            {
                "incident": "orphan-discarded",
                "node": str(row.node_id or ""),
                "zone": row.zone_id or "",
                "name": row.name,
                "facts": {"orphan": str(row.pk), "kind": row.kind, **of_pool, **proof},
            },
        )
    return True


def record_gone(row: Orphan) -> bool:
    with transaction.atomic():
        move(row, ORPHAN, "gone", requested_action="", ended_at=clock.now())
        record_change(SYSTEM, row, "gone")
    return True
