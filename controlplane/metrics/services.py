"""The writes: keep samples, sum them up, forget what is old."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from controlplane.kernel import clock
from controlplane.metrics import counter_deltas, tables
from controlplane.metrics.models import Rollup
from controlplane.metrics.tables import SUMS, Tier

log = logging.getLogger(__name__)

# Samples that are on their way when a stretch is summed up would be missing in it.
GRACE = timedelta(seconds=60)
CLOCK_SKEW = timedelta(minutes=5)
# Often enough, and long enough that nothing that was on its way is left.
DELETED_LATELY = timedelta(days=2)
# So many steps are summed up by one statement, where there is much to catch up with.
STEPS_AT_ONCE = 60
TYPES = {"at": "timestamptz", "vcpus": "smallint"} | dict.fromkeys(("instance_id", "node_id"), "uuid")
TYPES |= dict.fromkeys(("devices", "memory_resident_mib", "memory_used_mib"), "integer")


@dataclass(frozen=True, slots=True)
class Sample:
    """What a node said of a guest at a moment of its clock. `devices` is another number when its disks and ports are
    others: their counters are summed up here, and cannot be compared then."""

    node_id: UUID
    instance_id: UUID
    at: datetime
    devices: int
    vcpus: int
    memory_resident_mib: int
    memory_used_mib: int | None
    cpu_ns: int
    disk_read_bytes: int
    disk_write_bytes: int
    disk_read_requests: int
    disk_write_requests: int
    network_in_bytes: int
    network_out_bytes: int
    network_in_packets: int
    network_out_packets: int


COLUMNS = tuple(each.name for each in fields(Sample))
KEPT = ", ".join(name for name in COLUMNS if name != "node_id")
# A node speaks for the instances that are on it, and for no other.
INSERT = f"""
INSERT INTO metrics_sample ({KEPT})
SELECT {KEPT} FROM unnest({", ".join(f"%s::{TYPES.get(name, 'bigint')}[]" for name in COLUMNS)})
    AS new({", ".join(COLUMNS)})
WHERE EXISTS (SELECT FROM compute_instance WHERE id = new.instance_id AND compute_instance.node_id = new.node_id)
ON CONFLICT DO NOTHING
"""
DELETE = """
DELETE FROM {table} USING compute_instance
WHERE compute_instance.id = instance_id AND compute_instance.state = 'deleted' AND compute_instance.updated_at > %s
"""
SUM_UP = """
INSERT INTO {table} (instance_id, at, {columns}) {summed} ON CONFLICT DO NOTHING
"""


def record(samples: Sequence[Sample]) -> int:
    """Keep them; those that are kept already, of guests that are not on their node, or of a moment that is too far away
    are passed over. Returns how many are new."""
    now, tier = clock.now(), tables.tiers()[0]
    timely = [each for each in samples if now - tier.keep < each.at < now + CLOCK_SKEW]
    if not timely:
        return 0
    tables.ensure_partitions(tier, (each.at for each in timely))
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [[getattr(each, name) for each in timely] for name in COLUMNS])
        count: int = cursor.rowcount
    return count


def roll_up() -> None:
    """Fill each coarser table from the finer one, up to a moment ago. Any number of times, by any number at once."""
    known = tables.tiers()
    limit = clock.now() - GRACE
    for finer, tier in zip(known, known[1:], strict=False):
        while _roll_up(finer, tier, limit):
            pass
        limit = done_until(tier) or limit


def done_until(tier: Tier) -> datetime | None:
    return Rollup.objects.filter(table=tier.table).values_list("done_until", flat=True).first()


@transaction.atomic
def _roll_up(finer: Tier, tier: Tier, limit: datetime) -> bool:
    """A stretch of it; False when nothing is left to do."""
    oldest = next((start for _, start in tables.partitions(finer)), None)
    if oldest is None:
        return False
    Rollup.objects.bulk_create([Rollup(table=tier.table, done_until=tier.floor(oldest))], ignore_conflicts=True)
    rollup = Rollup.objects.select_for_update().get(table=tier.table)
    since = max(rollup.done_until, tier.floor(oldest))
    until = min(tier.floor(limit), since + STEPS_AT_ONCE * tier.step)
    if until <= since:
        return False
    tables.ensure_partitions(tier, (since, until - tier.step))
    summed = counter_deltas.summed(counter_deltas.tier_sums(finer))
    statement = SUM_UP.format(table=tier.table, columns=", ".join(SUMS), summed=summed)
    gap = counter_deltas.LONGEST_GAP * tables.sampling()
    values: dict[str, Any] = {"since": since, "until": until, "step": tier.step, "gap": gap}
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
    Rollup.objects.filter(table=tier.table).update(done_until=until)
    return True


def delete_expired() -> int:
    """Both kinds of what is not kept any longer. Returns how many partitions and rows."""
    return forget_old() + forget_deleted()


def forget_deleted() -> int:
    """Delete all that is kept of instances that were deleted lately. Returns how many rows."""
    count = 0
    for tier in tables.tiers():
        with connection.cursor() as cursor:
            cursor.execute(DELETE.format(table=tier.table), [clock.now() - DELETED_LATELY])
            count += cursor.rowcount
    return count


def forget_old() -> int:
    """Drop the partitions of which all is older than it is kept. Returns how many."""
    count = 0
    for tier in tables.tiers():
        before = clock.now() - tier.keep
        for name, start in tables.partitions(tier):
            if start + tier.span <= before:
                tables.drop_partition(name)
                count += 1
    if count:
        log.info("%d partitions of old metrics are dropped", count)
    return count
