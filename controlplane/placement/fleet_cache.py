"""The fleet as this process has it: read once, then updated with the few nodes that changed.

A column of the database (migration nodes 0003) marks a change, not a message that may be lost. Callers get a value that
is never changed afterwards.
"""

from dataclasses import dataclass
from threading import Lock
from typing import Any

from andromede_core.placement.fleet import Fleet, NodeRow
from andromede_core.placement.request import Resources
from controlplane.kernel.prepared_queries import preparing_cursor

# Every row has the transaction snapshot of the whole query; a query without changes gives one row without a node
# (node_id is null). A restarted server may be restored from a copy: earlier snapshots mean nothing there.
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
# The upper bound leaves out transaction ids that this server has not reached yet: marks of rows that were restored from
# another server, which the first read included and which mean nothing since.
READ_CHANGED = READ.format(
    which="""changed_xid >= pg_snapshot_xmin(%(seen)s::pg_snapshot)
        AND changed_xid <= greatest(pg_snapshot_xmax(pg_current_snapshot()), pg_current_xact_id_if_assigned())
        AND NOT pg_visible_in_snapshot(changed_xid, %(seen)s::pg_snapshot)"""
)


@dataclass(frozen=True, slots=True)
class FleetSnapshot:
    """A read of the fleet.

    `snapshot`: the transactions that it includes. `is_own`: read inside a transaction that has written, so it may
    include uncommitted changes. `lineage`: two snapshots that differ in it have nothing in common.
    """

    snapshot: str
    is_own: bool
    lineage: str


class FleetCache:
    """The cache of one process and database; threads share it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seen: FleetSnapshot | None = None
        self._fleet = Fleet.from_rows(())

    def current(self) -> Fleet:
        """Return the fleet with all committed changes, and those of the caller's own transaction."""
        with self._lock:  # snapshots are applied in the order in which they were read
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
        rows = cursor.fetchall()
    return FleetSnapshot(*rows[0][:3]), [_node(row[3:]) for row in rows if row[3] is not None]


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
