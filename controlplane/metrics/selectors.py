"""Usage of guests as series of rates: each step of a window has one value, or None if it is unknown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from controlplane.compute.models import Instance
from controlplane.identity.actor import Actor
from controlplane.metrics import counter_deltas, tables
from controlplane.metrics.models import Rollup
from controlplane.metrics.tables import COUNTERS, Tier
from controlplane.metrics.windows import Window
from controlplane.nodes.models import Node

Value = float | None
RATES = COUNTERS[1:]
UNITS = {"bytes": "bytes/s", "requests": "requests/s", "packets": "packets/s"}
# Rates over the known time, and means over the samples with a value.
OF_GUEST = f"""
SELECT bucket,
    cpu_ns / nullif(covered_ms, 0) / 1e6 AS cpus,
    vcpu_ms::double precision / nullif(covered_ms, 0) AS vcpus,
    memory_used_mib::double precision / nullif(memory_used_samples, 0) AS memory_used_mib,
    memory_resident_mib::double precision / nullif(samples, 0) AS memory_resident_mib,
    {", ".join(f"{name} * 1000.0 / nullif(covered_ms, 0) AS {name}" for name in RATES)}
FROM ({{summed}}) AS summed
"""
SHOWN = ("cpus", "vcpus", "memory_used_mib", "memory_resident_mib", *RATES)
TOGETHER = f"""
SELECT bucket, {", ".join(f"sum({name})::double precision" for name in SHOWN)}
FROM ({OF_GUEST}) AS guests GROUP BY bucket
"""


@dataclass(frozen=True)
class Series:
    name: str
    unit: str
    points: Sequence[tuple[datetime, Value]]


def instance_series(actor: Actor, instance: Instance, window: Window) -> list[Series]:
    """Return the series of an instance that `actor` sees. CPU time is a share of the capacity of its vCPUs."""
    rows = _rows([instance.pk], window)
    return _series(rows, window, {moment: row["vcpus"] for moment, row in rows.items()})


def node_series(actor: Actor, node: Node, window: Window) -> list[Series]:
    """Return the series of all guests of a node together. CPU time is a share of the capacity of the node's cores."""
    guests = Instance.objects.filter(node=node).values_list("pk", flat=True)
    rows = _rows(list(guests), window)
    return _series(rows, window, dict.fromkeys(rows, float(node.inventory.vcpus_total)))


def _series(
    rows: Mapping[datetime, Mapping[str, Value]], window: Window, cores: Mapping[datetime, Value]
) -> list[Series]:
    def points(name: str) -> list[tuple[datetime, Value]]:
        return [(moment, _short(rows[moment][name]) if moment in rows else None) for moment in window.moments]

    used = [(moment, _ratio(rows.get(moment, {}).get("cpus"), cores.get(moment))) for moment in window.moments]
    memory = [Series(name, "MiB", points(name)) for name in ("memory_used_mib", "memory_resident_mib")]
    rates = [Series(f"{name}_per_s", UNITS[name.rpartition("_")[2]], points(name)) for name in RATES]
    return [Series("cpu_used_ratio", "ratio", used), *memory, *rates]


def _ratio(used: Value, available: Value) -> Value:
    return _short(used / available) if used is not None and available else None


def _short(value: Value) -> Value:
    """Round to more than the precision of the measurement."""
    return None if value is None else round(value, 4)


def _rows(instance_ids: Sequence[UUID], window: Window) -> dict[datetime, dict[str, Value]]:
    pieces: list[str] = []
    values: dict[str, Any] = {}
    for number, (tier, since, until) in enumerate(_pieces(window)):
        pieces.append(
            counter_deltas.tier_sums(
                tier, whose="instance_id = ANY(%(ids)s) AND", since=f"since_{number}", until=f"until_{number}"
            )
        )
        values |= {f"since_{number}": since, f"until_{number}": until}
    summed = counter_deltas.summed(" UNION ALL ".join(pieces))
    values |= {"ids": list(instance_ids), "step": window.step, "gap": counter_deltas.LONGEST_GAP * tables.sampling()}
    with connection.cursor() as cursor:
        cursor.execute(TOGETHER.format(summed=summed), values)
        return {moment: dict(zip(SHOWN, row, strict=True)) for moment, *row in cursor.fetchall()}


def _pieces(window: Window) -> Iterator[tuple[Tier, datetime, datetime]]:
    """Return the table for each part of the window: the coarsest suitable one as far as it is filled, and finer ones
    for the rest.
    """
    done = dict(Rollup.objects.values_list("table", "done_until"))
    since = window.since
    for tier in reversed(window.tiers):
        is_finest = tier is window.tiers[0]
        until = window.until if is_finest else min(window.until, done.get(tier.table, since))
        if until > since:
            yield tier, since, until
            since = until
