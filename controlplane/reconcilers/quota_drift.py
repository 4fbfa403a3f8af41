"""Counter drift of quotas: used amounts must match the resources.

The transactions that create, change and delete a resource keep them so; a difference is an alarm.
"""

import logging

from django.db import connection

log = logging.getLogger(__name__)

# A resource that was never created uses no quota, though its row exists. A resource with an operation is being changed:
# it may use more until the end.
DRIFT = """
WITH used AS (
    SELECT id, project_id, amounts.* FROM compute_instance, LATERAL (
        VALUES ('instances', 1), ('vcpus', vcpus), ('memory_mib', memory_mib)
    ) AS amounts (dimension, amount)
    WHERE state <> 'deleted' AND NOT (state = 'error' AND node_id IS NULL)
    UNION ALL
    SELECT owner, project_id, amounts.* FROM (
        SELECT CASE WHEN port.is_own THEN port.id ELSE port.instance_id END AS owner, port.project_id,
            count(DISTINCT port.id) AS ports,
            count(address.id) FILTER (WHERE family(address.ip) = 4) AS addresses
        FROM network_port AS port LEFT JOIN network_portaddress AS address ON address.port_id = port.id
        GROUP BY owner, port.project_id
    ) AS owners, LATERAL (VALUES ('ports', ports), ('addresses', addresses)) AS amounts (dimension, amount)
    WHERE amount > 0
    UNION ALL
    SELECT id, project_id, amounts.* FROM storage_volume, LATERAL (
        VALUES ('volumes', 1), ('storage_gib', size_gib)
    ) AS amounts (dimension, amount)
    WHERE state <> 'deleted' AND NOT (state = 'error' AND node_id IS NULL)
    UNION ALL
    SELECT id, project_id, amounts.* FROM storage_snapshot, LATERAL (
        VALUES ('snapshots', 1), ('snapshot_gib', size_gib)
    ) AS amounts (dimension, amount)
    WHERE state <> 'deleted' AND NOT (state = 'error' AND taken_at IS NULL)
    UNION ALL
    SELECT id, project_id, 'snapshot_schedules', 1 FROM storage_snapshotschedule
    UNION ALL
    SELECT id, project_id, 'networks', 1 FROM network_network
    UNION ALL
    SELECT id, project_id, 'security_groups', 1 FROM network_securitygroup WHERE NOT is_default
    UNION ALL
    SELECT id, project_id, 'public_addresses', 1 FROM network_publicaddress WHERE released_at IS NULL
    UNION ALL
    SELECT id, project_id, 'address_sets', 1 FROM network_addressset
    UNION ALL
    SELECT id, project_id, 'images', 1 FROM catalog_image
    WHERE project_id IS NOT NULL AND state NOT IN ('deleted', 'error')
    UNION ALL
    SELECT id, project_id, 'image_gib', (size_bytes + 1073741823) / 1073741824 FROM catalog_image
    WHERE project_id IS NOT NULL AND state NOT IN ('deleted', 'error') AND size_bytes > 0
    UNION ALL
    SELECT state.id, project_id, 'state_mib', (sum(size_bytes) + 1048575) / 1048576
    FROM terraform_terraformstate AS state
        JOIN terraform_terraformstateversion AS version ON version.state_id = state.id
    GROUP BY state.id HAVING sum(size_bytes) > 0
    UNION ALL
    SELECT id, project_id, 'webhooks', 1 FROM webhooks_webhook
)
SELECT coalesce(used.id, counted.resource_id)::text, coalesce(used.dimension, counted.dimension)
FROM used FULL JOIN quotas_quotause AS counted
ON counted.resource_id = used.id AND counted.project_id = used.project_id AND counted.dimension = used.dimension
WHERE used.amount IS DISTINCT FROM counted.amount
AND coalesce(used.id, counted.resource_id) NOT IN (SELECT resource_id FROM operations_operationhold)
ORDER BY 1, 2
"""

# The sums of claims (quotas.models.QuotaPart) must equal the sums of the rows.
PARTS = """
SELECT project_id::text, dimension FROM (
    SELECT project_id, dimension, amount FROM quotas_quotapart
    UNION ALL SELECT project_id, dimension, -amount FROM quotas_quotause
) AS parts
GROUP BY project_id, dimension HAVING sum(amount) <> 0 ORDER BY 1, 2
"""


def reconcile() -> list[tuple[str, str]]:
    """Return the counters that differ.

    They are resource and dimension of each wrong counter; project and dimension of sums that differ from their rows.
    """
    drifted: list[tuple[str, str]] = []
    with connection.cursor() as cursor:
        for statement in (DRIFT, PARTS):
            cursor.execute(statement)
            drifted += [(of, dimension) for of, dimension in cursor.fetchall()]
    if drifted:
        some = ", ".join(f"{dimension} of {resource_id}" for resource_id, dimension in drifted[:20])
        log.critical("%d quotas differ from the use of their resources: %s", len(drifted), some)
    return drifted
