"""Operations that ended long ago are deleted. The audit keeps their requests for its own retention time."""

from django.conf import settings

from controlplane.kernel import retention

# The operation by which a drain stopped a guest stays, since the return of the node needs it.
OLD = """
SELECT id FROM operations_operation AS old
WHERE id > %(after)s AND id < %(first)s AND finished_at < %(before)s
AND NOT EXISTS (SELECT FROM nodes_drainguest WHERE operation_id = old.id AND starts_again)
ORDER BY id LIMIT %(portion)s
"""


def reconcile() -> int:
    """Return how many were deleted."""
    limit = retention.older_than(settings.OPERATION_RETENTION_DAYS)
    return sum(retention.delete("operations_operation", ids) for ids in retention.id_batches(OLD, limit))
