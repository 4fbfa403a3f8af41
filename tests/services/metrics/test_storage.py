"""Storage of metrics: once, for a limited time, from the right node only."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection
from pytest_django import Settings

from controlplane.compute.models import Instance
from controlplane.metrics import services, tables
from controlplane.metrics.models import Rollup
from tests.services.metrics.conftest import NOON, SECOND, Clock, keep, sample, steadily
from tests.world import make_node

TABLES = [tier.table for tier in tables.tiers()]


def rows(table: str) -> list[tuple[UUID, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} ORDER BY at, 1")
        return cursor.fetchall()


def names(table: str) -> list[str]:
    return [name for tier in tables.tiers() if tier.table == table for name, _ in tables.partitions(tier)]


def test_repeated_sample_is_stored_once(guest: Instance, time: Clock) -> None:
    batch = steadily(guest, 0, 60, share=1)
    assert services.record(batch) == 6
    assert services.record(batch) == 0
    assert services.record([*batch, sample(guest, 60, 60)]) == 1
    assert len(rows("metrics_sample")) == 7


def test_node_reports_only_its_own_guests(guest: Instance, time: Clock) -> None:
    stranger = make_node("node-2")
    from_elsewhere = sample(guest, 0, node_id=stranger.pk)
    of_nobody = sample(guest, 0, instance_id=stranger.pk)
    assert services.record([from_elsewhere, of_nobody]) == 0
    assert rows("metrics_sample") == []


def test_samples_with_a_wrong_clock_are_dropped(guest: Instance, time: Clock) -> None:
    kept_s = 24 * 3600
    moments = [-kept_s - 1, -kept_s + 1, 0, 299, 301]
    assert services.record([sample(guest, at) for at in moments]) == 3
    assert names("metrics_sample") == ["metrics_sample_2026050312", "metrics_sample_2026050412"]


def test_each_rollup_table_is_filled_once(guest: Instance, time: Clock) -> None:
    keep(time, steadily(guest, 0, 3 * 3600, share=1))
    time.now = NOON + timedelta(hours=3)
    services.roll_up()
    counts = {table: len(rows(table)) for table in TABLES}
    assert counts == {
        "metrics_sample": 1080,
        "metrics_minute": 179,
        "metrics_five_minutes": 35,
        "metrics_hour": 2,
    }, "a minute is waited for what may be on its way"
    services.roll_up()
    assert {table: len(rows(table)) for table in TABLES} == counts


def test_repeated_rollup_gives_the_same_rows(guest: Instance, time: Clock) -> None:
    keep(time, steadily(guest, 0, 600, share=1))
    time.now = NOON + timedelta(minutes=11)
    services.roll_up()
    before = rows("metrics_minute")
    Rollup.objects.all().delete()
    services.roll_up()
    assert rows("metrics_minute") == before
    assert len(before) == 10


def test_missing_samples_leave_no_rows(guest: Instance, time: Clock) -> None:
    keep(time, [sample(guest, 0), sample(guest, 3000)])
    time.now = NOON + timedelta(hours=1)
    services.roll_up()
    assert len(rows("metrics_minute")) == 2


def test_old_samples_are_dropped_with_their_partition(guest: Instance, time: Clock, settings: Settings) -> None:
    settings.METRICS_SAMPLE_HOURS = 2
    for hour in range(6):
        time.now = NOON + timedelta(hours=hour)
        services.record([sample(guest, hour * 3600, hour), sample(guest, hour * 3600 + 1, hour + 1)])
    assert services.forget_old() == 3
    assert names("metrics_sample") == [f"metrics_sample_20260504{hour}" for hour in (15, 16, 17)]
    assert services.forget_old() == 0


def test_metrics_of_a_deleted_instance_are_deleted(make_guest: Callable[..., Instance], time: Clock) -> None:
    deleted, other = make_guest("web-1"), make_guest("web-2")
    keep(time, [*steadily(deleted, 0, 7200, share=1), *steadily(other, 0, 7200, share=1)])
    time.now = NOON + timedelta(hours=2, minutes=2)
    services.roll_up()
    Instance.objects.filter(pk=deleted.pk).update(state="deleted", node=None, updated_at=time.now)
    assert services.forget_deleted() == 720 + 120 + 24 + 2
    assert services.record([sample(deleted, 7210)]) == 0
    assert {row[0] for table in TABLES for row in rows(table)} == {other.pk}
    assert services.forget_deleted() == 0


def test_rollups_are_kept_longer_and_expire(guest: Instance, time: Clock) -> None:
    keep(time, steadily(guest, 0, 7200, share=1))
    time.now = NOON + timedelta(hours=2, minutes=2)
    services.roll_up()
    tables_with_partitions = []
    for days in (2, 9, 32, 450):
        time.now = NOON + timedelta(days=days)
        services.forget_old()
        tables_with_partitions.append([table for table in TABLES if names(table)])
    assert tables_with_partitions == [TABLES[1:], TABLES[2:], TABLES[3:], []]


def test_rollup_continues_after_a_gap(guest: Instance, time: Clock) -> None:
    services.record(steadily(guest, 0, 120, share=1))
    time.now = NOON + timedelta(minutes=4)
    services.roll_up()
    time.now = NOON + timedelta(days=3)
    services.record(steadily(guest, 3 * 86400, 3 * 86400 + 120, share=1))
    services.forget_old()
    time.now += timedelta(minutes=4)
    services.roll_up()
    assert [row[1] for row in rows("metrics_minute")] == [
        NOON,
        NOON + 60 * SECOND,
        NOON + timedelta(days=3),
        NOON + timedelta(days=3, minutes=1),
    ]


@pytest.mark.parametrize("table", TABLES)
def test_metrics_query_uses_the_index(make_guest: Callable[..., Instance], time: Clock, table: str) -> None:
    """Not one of others' rows is read."""
    tier = next(tier for tier in tables.tiers() if tier.table == table)
    tables.ensure_partitions(tier, [NOON])
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            f"EXPLAIN SELECT * FROM {table} WHERE instance_id = ANY(%s) AND at >= %s AND at < %s",
            [[make_guest("web-1").pk], NOON, NOON + timedelta(hours=1)],
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "instance_id = ANY" in plan.partition("Index Cond")[2], plan
