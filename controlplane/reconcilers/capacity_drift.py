"""Counter drift of capacity: used amounts of nodes and pools must be the sums of their allocations.

Triggers keep them so; a difference is an alarm.
"""

import logging

from django.db import connection

log = logging.getLogger(__name__)

DRIFT = """
SELECT inventory.node_id::text FROM nodes_inventory AS inventory
LEFT JOIN placement_allocation AS allocation ON allocation.node_id = inventory.node_id
GROUP BY inventory.node_id
HAVING (inventory.vcpus_used, inventory.memory_mib_used, inventory.disk_gib_used) IS DISTINCT FROM
       (coalesce(sum(vcpus), 0)::bigint, coalesce(sum(memory_mib), 0)::bigint, coalesce(sum(disk_gib), 0)::bigint)
UNION ALL
SELECT pool.id::text FROM nodes_pool AS pool
LEFT JOIN placement_allocation AS allocation ON allocation.pool_id = pool.id
GROUP BY pool.id HAVING pool.used_gib IS DISTINCT FROM coalesce(sum(pool_gib), 0)::bigint
"""


def reconcile() -> list[str]:
    """Return the ids of the nodes and pools whose counters have drifted."""
    with connection.cursor() as cursor:
        cursor.execute(DRIFT)
        drifted = [node for (node,) in cursor.fetchall()]
    if drifted:
        log.critical("used capacity differs from the sum of the allocations, nodes or pools: %s", ", ".join(drifted))
    return drifted
