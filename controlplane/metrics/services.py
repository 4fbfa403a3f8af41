"""Metrics services: store samples, sum them up, delete expired data."""

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
from controlplane.metrics.tables import GUESTS, PORTS, RULES, Kind, Tier

log = logging.getLogger(__name__)

# Samples that are still on their way when an interval is summed up would be missing in the sum.
GRACE = timedelta(seconds=60)
CLOCK_SKEW = timedelta(minutes=5)
# Period of deletions that each run covers: long enough for several runs, and for samples that arrive late.
DELETED_LATELY = timedelta(days=2)
# Number of steps per statement after a backlog.
STEPS_AT_ONCE = 60
TYPES = {"at": "timestamptz", "vcpus": "smallint"} | dict.fromkeys(
    ("instance_id", "port_id", "rule_id", "node_id"), "uuid"
)
TYPES |= dict.fromkeys(("devices", "memory_resident_mib", "memory_used_mib"), "integer")


@dataclass(frozen=True, slots=True)
class Sample:
    """A node's sample of a guest, with a time of the node's clock.

    `devices` changes with the guest's disks and ports: their counters are summed up here, and cannot be compared then.
    """

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


@dataclass(frozen=True, slots=True)
class PortSample:
    """A node's sample of a port, with a time of the node's clock; None: its agent does not report them."""

    node_id: UUID
    port_id: UUID
    at: datetime
    network_in_bytes: int
    network_out_bytes: int
    network_in_packets: int
    network_out_packets: int
    network_in_dropped: int | None
    network_out_dropped: int | None
    security_group_in_dropped: int | None
    security_group_out_dropped: int | None
    bandwidth_in_dropped: int | None
    bandwidth_out_dropped: int | None


@dataclass(frozen=True, slots=True)
class RuleSample:
    """A node's sample of a rule that logs, at a port: `hits` are the packets with which it let connections begin."""

    node_id: UUID
    port_id: UUID
    rule_id: UUID
    at: datetime
    hits: int


INSERT = """
INSERT INTO {table} ({kept})
SELECT {kept} FROM unnest({arrays}) AS new({columns})
WHERE EXISTS ({there})
ON CONFLICT DO NOTHING
"""
# A node reports for the instances that are on it, and their ports, and for no other.
GUEST_THERE = "SELECT FROM compute_instance WHERE id = new.instance_id AND compute_instance.node_id = new.node_id"
PORT_THERE = """
SELECT FROM network_port JOIN compute_instance ON compute_instance.id = network_port.instance_id
WHERE network_port.id = new.port_id AND compute_instance.node_id = new.node_id
"""
# Rules are those of the port's groups.
RULE_THERE = (
    PORT_THERE
    + """
AND EXISTS (
    SELECT FROM network_securitygrouprule AS rule JOIN network_portsecuritygroup AS chosen USING (group_id)
    WHERE rule.id = new.rule_id AND rule.is_logged AND chosen.port_id = new.port_id
)
"""
)
DELETE_GUESTS = """
DELETE FROM {table} USING compute_instance
WHERE compute_instance.id = instance_id AND compute_instance.state = 'deleted' AND compute_instance.updated_at > %s
"""
# A deleted port has no row. The key begins with the port's id, so that one step in the index finds the next one.
DELETE_PORTS = """
WITH RECURSIVE known AS (
    (SELECT port_id AS id FROM {table} ORDER BY port_id LIMIT 1)
    UNION ALL
    SELECT (SELECT port_id FROM {table} WHERE port_id > known.id ORDER BY port_id LIMIT 1)
    FROM known WHERE known.id IS NOT NULL
)
DELETE FROM {table} USING known
WHERE port_id = known.id AND NOT EXISTS (SELECT FROM network_port WHERE network_port.id = known.id)
"""
SUM_UP = """
INSERT INTO {table} ({key}, at, {columns}) {summed} ON CONFLICT DO NOTHING
"""


def record(samples: Sequence[Sample]) -> int:
    """Store samples; known ones, those of guests on other nodes, and those with a time too far from now are ignored.

    Returns the number of new samples.
    """
    return _record(tables.tiers(GUESTS)[0], samples, _columns(Sample), GUEST_THERE)


def record_ports(samples: Sequence[PortSample]) -> int:
    """Store samples of ports, as `record` does those of guests."""
    return _record(tables.tiers(PORTS)[0], samples, _columns(PortSample), PORT_THERE)


def record_rules(samples: Sequence[RuleSample]) -> int:
    """Store samples of rules of ports, as `record` does those of guests."""
    return _record(tables.tiers(RULES)[0], samples, _columns(RuleSample), RULE_THERE)


def _columns(sample: type[Sample | PortSample | RuleSample]) -> list[str]:
    return [each.name for each in fields(sample)]


def _record(tier: Tier, samples: Sequence[Sample | PortSample | RuleSample], columns: Sequence[str], there: str) -> int:
    now = clock.now()
    timely = [each for each in samples if now - tier.keep < each.at < now + CLOCK_SKEW]
    if not timely:
        return 0
    tables.ensure_partitions(tier, (each.at for each in timely))
    statement = INSERT.format(
        table=tier.table,
        kept=", ".join(name for name in columns if name != "node_id"),
        arrays=", ".join(f"%s::{TYPES.get(name, 'bigint')}[]" for name in columns),
        columns=", ".join(columns),
        there=there,
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [[getattr(each, name) for each in timely] for name in columns])
        count: int = cursor.rowcount
    return count


def roll_up() -> None:
    """Fill each coarser table from the finer one, up to a moment ago. Idempotent, and safe to run concurrently."""
    for kind in tables.KINDS:
        _roll_up_kind(kind)


def _roll_up_kind(kind: Kind) -> None:
    tiers = tables.tiers(kind)
    limit = clock.now() - GRACE
    for finer, tier in zip(tiers, tiers[1:], strict=False):
        while _roll_up(finer, tier, limit):
            pass
        limit = done_until(tier) or limit


def done_until(tier: Tier) -> datetime | None:
    return Rollup.objects.filter(table=tier.table).values_list("done_until", flat=True).first()


@transaction.atomic
def _roll_up(finer: Tier, tier: Tier, limit: datetime) -> bool:
    """Fill one interval; False when none is left."""
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
    summed = counter_deltas.summed(tier.kind, counter_deltas.tier_sums(finer))
    statement = SUM_UP.format(table=tier.table, key=tier.kind.key, columns=", ".join(tier.kind.sums), summed=summed)
    gap = counter_deltas.LONGEST_GAP * tables.sampling()
    values: dict[str, Any] = {"since": since, "until": until, "step": tier.step, "gap": gap}
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
    Rollup.objects.filter(table=tier.table).update(done_until=until)
    return True


def delete_expired() -> int:
    """Delete expired data of all kinds. Returns the numbers of partitions and rows."""
    return forget_old() + forget_deleted()


def forget_deleted() -> int:
    """Delete all data of ports that were deleted, and of instances that were recently. Returns the number of rows."""
    count = 0
    for tier in tables.all_tiers():
        with connection.cursor() as cursor:
            if tier.kind.owner == PORTS.owner:
                cursor.execute(DELETE_PORTS.format(table=tier.table))
            else:
                cursor.execute(DELETE_GUESTS.format(table=tier.table), [clock.now() - DELETED_LATELY])
            count += cursor.rowcount
    return count


def forget_old() -> int:
    """Drop the partitions whose retention has ended. Returns their number."""
    count = 0
    for tier in tables.all_tiers():
        before = clock.now() - tier.keep
        for name, start in tables.partitions(tier):
            if start + tier.span <= before:
                tables.drop_partition(name)
                count += 1
    if count:
        log.info("%d partitions of expired metrics dropped", count)
    return count
