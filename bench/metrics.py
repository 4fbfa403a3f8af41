"""Benchmark of usage metrics: writing and reading them, beside plain SQL.

The floors are COPY of the same rows into a bare table, and SELECT of the rows of an answer. All runs in this process,
with a PostgreSQL of its own that flushes to disk.

The table has a day of 1000 guests on 20 nodes; `ARGS="--guests 100"` takes fewer.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from bench.common import bench_database, print_progress, report, spread, timed_rounds
from scripts.control_plane import ROOT, Stack

GUESTS, NODES = 1000, 20
BATCH = 2000
DAY, TURN = timedelta(days=1), timedelta(seconds=10)
# Samples are inserted for so long; what was before is filled in by the server itself.
INSERTED = timedelta(minutes=30)
ROUNDS = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--guests", type=int, default=GUESTS)
    arguments = parser.parse_args()
    stack = Stack(ROOT / "var" / "bench-metrics")
    with bench_database(stack):
        report(measure(arguments.guests, stack.var))


def measure(count: int, folder: Path) -> dict[str, Any]:
    from controlplane.metrics import tables

    guests = make_guests(count, folder)
    until = tables.floor(now(), timedelta(minutes=1))
    print_progress(f"{count} guests: inserting a day of samples ...")
    fill(until - DAY, until - INSERTED)
    figures = {"insert": inserted(guests, until)}
    print_progress("rolling up the day ...")
    figures["roll_up"] = rolled_up(count, until)
    execute("ANALYZE")
    figures["read"] = {
        "hour_of_a_guest": read(guests[0][1:], until - timedelta(hours=1), until, "metrics_sample"),
        "day_of_a_guest": read(guests[0][1:], until - DAY + timedelta(hours=1), until, "metrics_five_minutes"),
        "hour_of_a_node": read(
            [guest for node, guest in guests if node == guests[0][0]],
            until - timedelta(hours=1),
            until,
            "metrics_sample",
        ),
    }
    figures["bytes_per_row"] = {tier.table: bytes_per_row(tier.table) for tier in tables.tiers()}
    return figures


def make_guests(count: int, folder: Path) -> list[tuple[UUID, UUID]]:
    """Make nodes and guests, in turns."""
    from controlplane.compute.models import Instance
    from controlplane.kernel.ids import new_id
    from tests.world import make_image, make_node, make_tenant

    tenant, image = make_tenant("bench"), make_image(folder / "images")
    nodes = [make_node(f"node-{number}") for number in range(NODES)]
    sizes = {"flavor": "small", "vcpus": 2, "memory_mib": 2048, "disk_gib": 10}
    rows = Instance.objects.bulk_create(
        Instance(
            name=f"web-{number}",
            project=tenant.project,
            image=image,
            node=nodes[number % NODES],
            root_volume_id=new_id(),
            state="active",
            **sizes,
        )
        for number in range(count)
    )
    return [(nodes[number % NODES].pk, row.pk) for number, row in enumerate(rows)]


def now() -> datetime:
    from controlplane.kernel import clock

    return clock.now()


def execute(statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def fill(since: datetime, until: datetime) -> None:
    from controlplane.metrics import tables

    sampled = tables.tiers()[0]
    hours = [since + number * sampled.span for number in range((until - since) // sampled.span + 2)]
    tables.ensure_partitions(sampled, hours)
    counters = ", ".join(f"turn.number * 1000 AS {name}" for name in tables.COUNTERS)
    execute(
        f"INSERT INTO metrics_sample (instance_id, at, {', '.join(tables.COUNTERS)}, memory_resident_mib,"
        " memory_used_mib, devices, vcpus)"
        f" SELECT compute_instance.id, %s + turn.number * interval '10 s', {counters}, 900, 300, 7, 2"
        " FROM generate_series(0, %s) AS turn(number), compute_instance",
        [since, (until - since) // TURN - 1],
    )


def inserted(guests: Sequence[tuple[UUID, UUID]], until: datetime) -> dict[str, Any]:
    """Insert by the product's code and by COPY in turns, under the same conditions."""
    from controlplane.metrics.services import record

    execute("CREATE TABLE floor (LIKE metrics_sample)")
    began = until - INSERTED
    taken: dict[str, float] = {"record": 0, "copy": 0}
    for number in range(INSERTED // TURN):
        samples = [sample_of(node, guest, began + number * TURN, 10_000 + number) for node, guest in guests]
        started = time.perf_counter()
        for first in range(0, len(samples), BATCH):
            record(samples[first : first + BATCH])
        between = time.perf_counter()
        copy(samples)
        taken["record"] += between - started
        taken["copy"] += time.perf_counter() - between
    rows = len(guests) * (INSERTED // TURN)
    assert execute("SELECT count(*) FROM floor") == [(rows,)]
    assert execute("SELECT count(*) FROM metrics_sample WHERE at >= %s", [began]) == [(rows,)]
    execute("DROP TABLE floor")
    return {
        "rows": rows,
        "rows_per_s": round(rows / taken["record"]),
        "floor_rows_per_s": round(rows / taken["copy"]),
        "times_the_floor": round(taken["record"] / taken["copy"], 2),
    }


def copy(samples: Sequence[Any]) -> None:
    from django.db import connection

    names = [each.name for each in fields(samples[0]) if each.name != "node_id"]
    with connection.cursor() as cursor, cursor.copy(f"COPY floor ({', '.join(names)}) FROM STDIN") as rows:
        for sample in samples:
            rows.write_row([getattr(sample, name) for name in names])


def sample_of(node: UUID, guest: UUID, at: datetime, number: int) -> Any:
    from controlplane.metrics.services import Sample
    from controlplane.metrics.tables import COUNTERS

    counters = dict.fromkeys(COUNTERS, number * 1000)
    return Sample(node, guest, at, devices=7, vcpus=2, memory_resident_mib=900, memory_used_mib=300, **counters)


def rolled_up(count: int, until: datetime) -> dict[str, Any]:
    """Roll up the whole day, and then its last minute, as each minute does."""
    from controlplane.metrics import services as metrics
    from controlplane.metrics import tables
    from controlplane.metrics.models import Rollup

    started = time.perf_counter()
    metrics.roll_up()
    day_s = time.perf_counter() - started
    sampled, minute = tables.tiers()[:2]
    last = until - minute.step
    minutes = []
    for _ in range(ROUNDS):
        execute("DELETE FROM metrics_minute WHERE at >= %s", [last])
        Rollup.objects.filter(table=minute.table).update(done_until=last)
        started = time.perf_counter()
        metrics._roll_up(sampled, minute, until)
        minutes.append(time.perf_counter() - started)
        assert execute("SELECT count(*) FROM metrics_minute WHERE at >= %s", [last]) == [(count,)]
    return {"day_s": round(day_s, 1), "rows_of_the_day": count * (DAY // TURN), "minute": spread(minutes)}


def read(guests: Sequence[UUID], since: datetime, until: datetime, table: str) -> dict[str, Any]:
    """Read as the API does, without the JSON, and the rows alone."""
    from controlplane.metrics import selectors
    from controlplane.metrics.tables import GUESTS
    from controlplane.metrics.windows import window_of

    window = window_of({"since": since.isoformat(), "until": until.isoformat()}, until)
    floor = f"SELECT * FROM {table} WHERE instance_id = ANY(%s) AND at >= %s AND at < %s"

    def answer() -> None:
        selectors._series(selectors._rows(GUESTS, guests, window), window, {})

    product = timed_rounds(answer, rounds=ROUNDS)
    bare = timed_rounds(lambda: execute(floor, [list(guests), since, until]), rounds=ROUNDS)
    rows = len(execute(floor, [list(guests), since, until]))
    return {
        "points": window.count,
        "rows": rows,
        "answer": spread(product),
        "floor": spread(bare),
        "times_the_floor": round(sorted(product)[ROUNDS // 2] / sorted(bare)[ROUNDS // 2], 2),
    }


def bytes_per_row(table: str) -> float:
    """Return the bytes of a row with its indexes."""
    ((size,),) = execute(
        "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = %s::regclass", [table]
    )
    ((rows,),) = execute(f"SELECT count(*) FROM {table}")
    return round(float(size or 0) / rows) if rows else 0


if __name__ == "__main__":
    main()
