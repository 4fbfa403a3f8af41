"""Names of ports in the resolver of their network: the names of the instances that have them."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from django.db import connection


def port_names(port_ids: Iterable[UUID]) -> Mapping[UUID, str]:
    """Return the name of each port that has one: of an instance's ports in a network the first one has its name."""
    with connection.cursor() as cursor:
        cursor.execute(NAMES, {"ports": list(port_ids)})
        return dict(cursor.fetchall())


# A query, since instances belong to a layer above.
NAMES = """
SELECT id, name FROM (
    SELECT DISTINCT ON (port.instance_id, port.network_id) port.id, instance.name
    FROM network_port AS port JOIN compute_instance AS instance ON instance.id = port.instance_id
    WHERE port.instance_id IN (SELECT instance_id FROM network_port WHERE id = ANY(%(ports)s::uuid[]))
    ORDER BY port.instance_id, port.network_id, port.position, port.id
) AS first WHERE id = ANY(%(ports)s::uuid[])
"""
