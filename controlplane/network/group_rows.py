"""Rows that put ports into security groups."""

from collections.abc import Sequence
from uuid import UUID

from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.kernel.prepared_queries import preparing_cursor

# The lock keeps the groups from deletion until the transaction ends; concurrent insertions do not wait for each other.
INSERT = """
INSERT INTO network_portsecuritygroup (id, created_at, updated_at, port_id, group_id, is_selected)
SELECT pair.id, %(now)s, %(now)s, pair.port, present.id, %(is_selected)s
FROM unnest(%(ids)s::uuid[], %(ports)s::uuid[], %(groups)s::uuid[]) AS pair (id, port, of_group)
    JOIN (
        SELECT id FROM network_securitygroup WHERE id = ANY(%(groups)s::uuid[]) FOR KEY SHARE
    ) AS present ON present.id = pair.of_group
"""


# Locks the selectors of the project's groups until the transaction ends: the second transaction to get the lock sees
# what the first has committed. If a port and a selector are written at once, one of the two finds the other.
LOCK_SELECTORS = "SELECT pg_advisory_xact_lock(hashtextextended('selected groups ' || %(project)s::text, 0))"
# The default group of a project is never deleted.
INSERT_INTO_DEFAULT = f"""
INSERT INTO network_portsecuritygroup (id, created_at, updated_at, port_id, group_id, is_selected)
SELECT pair.id, %(now)s, %(now)s, pair.port, standard.id, FALSE
FROM unnest(%(ids)s::uuid[], %(ports)s::uuid[]) AS pair (id, port)
    CROSS JOIN (SELECT id FROM network_securitygroup WHERE project_id = %(project)s AND is_default) AS standard
    CROSS JOIN ({LOCK_SELECTORS}) AS locked
"""


def insert_pairs(pairs: Sequence[tuple[UUID, UUID]], *, is_selected: bool = False) -> int:
    """Put each port into its group; a group that has just been deleted is left out. Returns how many were inserted.

    `is_selected`: by the selector of the group. Inside the caller's transaction.
    """
    if not pairs:
        return 0
    ports, groups = (list(column) for column in zip(*pairs, strict=True))
    values = {"ids": [new_id() for _ in pairs], "ports": ports, "groups": groups, "is_selected": is_selected}
    with preparing_cursor() as cursor:
        cursor.execute(INSERT, {"now": clock.now(), **values})
        inserted: int = cursor.rowcount
    return inserted


def insert_into_default(project_id: UUID, ports: Sequence[UUID]) -> bool:
    """Put the ports into the default group of the project, and lock its selectors. Returns False if it has none yet.

    Inside the caller's transaction.
    """
    values = {"ids": [new_id() for _ in ports], "ports": list(ports), "project": project_id}
    with preparing_cursor() as cursor:
        cursor.execute(INSERT_INTO_DEFAULT, {"now": clock.now(), **values})
        return bool(cursor.rowcount)
