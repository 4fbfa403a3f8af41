"""The fleet as this process knows it: read once, then kept current with the few nodes that changed.

What makes a change known is a column of the database (migration nodes 0003), not a message that may be lost. Whoever
asks gets a value that nobody changes afterwards.
"""

from dataclasses import dataclass
from threading import Lock
from typing import Any

from andromede_core.placement.fleet import Fleet, NodeRow
from andromede_core.placement.request import Resources
from controlplane.kernel.prepared_queries import preparing_cursor

# Every row says what the reading as a whole saw; the one of a reading without changes has no node (node_id is null).
# A server that was restarted may be another one, restored from a copy: what was seen before says nothing there.
READ = """
SELECT sight.*, node.* FROM (
    SELECT pg_current_snapshot()::text,
        pg_current_xact_id_if_assigned() IS NOT NULL,
        pg_postmaster_start_time()::text || coalesce((SELECT removed_xid::text FROM nodes_fleet_removal), '')
) AS sight (snapshot, is_own, lineage)
LEFT JOIN (
    SELECT node_id::text, name, zone_id,
        vcpus_capacity, memory_mib_capacity, disk_gib_capacity, vcpus_used, memory_mib_used, disk_gib_used,
        state = 'ready', is_cordoned, traits, is_attested, cleared_for
    FROM nodes_inventory JOIN nodes_node ON nodes_node.id = node_id
    WHERE duty <> 'retired' AND {which}
) AS node ON true
"""
READ_ALL = READ.format(which="true")
# The upper bound leaves out what no transaction of this server has done yet: the marks of rows that were restored from
# another one, which were read at first and mean nothing since.
READ_CHANGED = READ.format(
    which="""changed_xid >= pg_snapshot_xmin(%(seen)s::pg_snapshot)
        AND changed_xid <= greatest(pg_snapshot_xmax(pg_current_snapshot()), pg_current_xact_id_if_assigned())
        AND NOT pg_visible_in_snapshot(changed_xid, %(seen)s::pg_snapshot)"""
)


@dataclass(frozen=True, slots=True)
class FleetSnapshot:
    """`snapshot`: which transactions it saw. `is_own`: it was made inside a transaction that has written, so it may
    hold what nobody else sees and what may yet be rolled back. `lineage`: two readings that differ in it have nothing
    to do with each other."""

    snapshot: str
    is_own: bool
    lineage: str


class FleetCache:
    """One for each process and database; threads share it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seen: FleetSnapshot | None = None
        self._fleet = Fleet.from_rows(())

    def current(self) -> Fleet:
        """All committed changes are in it, and those of the caller's own transaction."""
        with self._lock:  # readings are applied in the order in which they were made
            reading, fleet = self._read()
            if not reading.is_own:
                self._seen, self._fleet = reading, fleet
            return fleet

    def _read(self) -> tuple[FleetSnapshot, Fleet]:
        if self._seen is not None:
            reading, rows = _query(READ_CHANGED, {"seen": self._seen.snapshot})
            if reading.lineage == self._seen.lineage:
                return reading, self._fleet.with_rows(rows) if rows else self._fleet
        reading, rows = _query(READ_ALL, {})
        return reading, Fleet.from_rows(rows)


def _query(sql: str, parameters: dict[str, str]) -> tuple[FleetSnapshot, list[NodeRow]]:
    with preparing_cursor() as cursor:
        cursor.execute(sql, parameters)
        found = cursor.fetchall()
    return FleetSnapshot(*found[0][:3]), [_node(row[3:]) for row in found if row[3] is not None]


def _node(row: tuple[Any, ...]) -> NodeRow:
    node_id, name, zone, *amounts, is_ready, is_cordoned, traits, is_attested, cleared_for = row
    return NodeRow(
        id=node_id,
        name=name,
        zone=zone,
        capacity=Resources(*(max(0, amount) for amount in amounts[:3])),
        used=Resources(*amounts[3:]),
        is_ready=is_ready,
        is_cordoned=is_cordoned,
        traits=frozenset(traits),
        is_attested=is_attested,
        cleared=tuple(sorted(cleared_for)),
    )


FLEET = FleetCache()
