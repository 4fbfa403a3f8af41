"""Usage of guests, ports and their rules as series of rates.

Each step of a window has one value, or None if it is unknown.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from andromede_core.permits.security_group import MAX_COUNTED_RULES
from controlplane.compute.models import Instance
from controlplane.identity.actor import Actor
from controlplane.metrics import counter_deltas, tables
from controlplane.metrics.models import Rollup
from controlplane.metrics.tables import COUNTERS, GUESTS, PORT_COUNTERS, PORT_OPTIONAL, PORTS, RULES, Kind, Tier
from controlplane.metrics.windows import Window
from controlplane.network.models import Port, SecurityGroupRule
from controlplane.nodes.models import Node

Value = float | None
Rows = Mapping[datetime, Mapping[str, Value]]
RATES = COUNTERS[1:]
UNITS = {
    "bytes": "bytes/s",
    "requests": "requests/s",
    "packets": "packets/s",
    "dropped": "packets/s",
    "hits": "packets/s",
}
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
# Counters by the time in which they are known.
PORT_COVERED = {"covered_ms": PORT_COUNTERS, **PORT_OPTIONAL}
PORT_RATES = tuple(name for names in PORT_COVERED.values() for name in names)


def _divided(covered: str, names: Sequence[str]) -> str:
    return ", ".join(f"({name} * 1000.0 / nullif({covered}, 0))::double precision AS {name}" for name in names)


OF_PORT = f"""
SELECT bucket, {", ".join(_divided(covered, names) for covered, names in PORT_COVERED.items())}
FROM ({{summed}}) AS summed
"""
OF_RULE = f"SELECT rule_id, bucket, {_divided('covered_ms', ['hits'])} FROM ({{summed}}) AS summed"
# The statement of each kind, and the columns of its result.
QUERIES = {GUESTS: (TOGETHER, SHOWN), PORTS: (OF_PORT, PORT_RATES)}


@dataclass(frozen=True)
class Series:
    """A series. `rule_id`: the rule of a security group that it is about."""

    name: str
    unit: str
    points: Sequence[tuple[datetime, Value]]
    rule_id: UUID | None = None


def instance_series(actor: Actor, instance: Instance, window: Window) -> list[Series]:
    """Return the series of an instance that `actor` sees. CPU time is a share of the capacity of its vCPUs."""
    rows = _rows(GUESTS, [instance.pk], window)
    return _series(rows, window, {moment: row["vcpus"] for moment, row in rows.items()})


def node_series(actor: Actor, node: Node, window: Window) -> list[Series]:
    """Return the series of all guests of a node together. CPU time is a share of the capacity of the node's cores."""
    guests = Instance.objects.filter(node=node).values_list("pk", flat=True)
    rows = _rows(GUESTS, list(guests), window)
    return _series(rows, window, dict.fromkeys(rows, float(node.inventory.vcpus_total)))


def port_series(actor: Actor, port: Port, window: Window) -> list[Series]:
    """Return the series of a port that `actor` sees, and of the rules of its groups that log."""
    series = _rates(_rows(PORTS, [port.pk], window), window, PORT_RATES)
    hits = _hits(port, window)
    return [*series, *(replace(_rates(hits[rule], window, ["hits"], "rule_")[0], rule_id=rule) for rule in hits)]


def _hits(port: Port, window: Window) -> dict[UUID, dict[datetime, dict[str, Value]]]:
    """Return the hits of the rules that nodes count: of the port's rules that log, the first by their ids."""
    logged = SecurityGroupRule.objects.filter(group__portsecuritygroup__port=port.pk, is_logged=True)
    rules = logged.order_by("pk").values_list("pk", flat=True).distinct()[:MAX_COUNTED_RULES]
    found: dict[UUID, dict[datetime, dict[str, Value]]] = {rule: {} for rule in rules}
    if found:
        for rule, moment, hits in _selected(RULES, [port.pk], window, OF_RULE):
            if rule in found:
                found[rule][moment] = {"hits": hits}
    return found


def _series(rows: Rows, window: Window, cores: Mapping[datetime, Value]) -> list[Series]:
    used = [(moment, _ratio(rows.get(moment, {}).get("cpus"), cores.get(moment))) for moment in window.moments]
    memory = [Series(name, "MiB", _points(rows, window, name)) for name in ("memory_used_mib", "memory_resident_mib")]
    return [Series("cpu_used_ratio", "ratio", used), *memory, *_rates(rows, window, RATES)]


def _rates(rows: Rows, window: Window, names: Sequence[str], head: str = "") -> list[Series]:
    return [
        Series(f"{head}{name}_per_s", UNITS[name.rpartition("_")[2]], _points(rows, window, name)) for name in names
    ]


def _points(rows: Rows, window: Window, name: str) -> list[tuple[datetime, Value]]:
    return [(moment, _short(rows[moment][name]) if moment in rows else None) for moment in window.moments]


def _ratio(used: Value, available: Value) -> Value:
    return _short(used / available) if used is not None and available else None


def _short(value: Value) -> Value:
    """Round to more than the precision of the measurement."""
    return None if value is None else round(value, 4)


def _rows(kind: Kind, ids: Sequence[UUID], window: Window) -> dict[datetime, dict[str, Value]]:
    query, columns = QUERIES[kind]
    return {moment: dict(zip(columns, row, strict=True)) for moment, *row in _selected(kind, ids, window, query)}


def _selected(kind: Kind, ids: Sequence[UUID], window: Window, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of `query`, whose `summed` are the sums of these owners in the window."""
    pieces: list[str] = []
    values: dict[str, Any] = {}
    for number, (tier, since, until) in enumerate(_pieces(kind, window)):
        pieces.append(
            counter_deltas.tier_sums(
                tier, whose=f"{kind.owner} = ANY(%(ids)s) AND", since=f"since_{number}", until=f"until_{number}"
            )
        )
        values |= {f"since_{number}": since, f"until_{number}": until}
    summed = counter_deltas.summed(kind, " UNION ALL ".join(pieces))
    values |= {"ids": list(ids), "step": window.step, "gap": counter_deltas.LONGEST_GAP * tables.sampling()}
    with connection.cursor() as cursor:
        cursor.execute(query.format(summed=summed), values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _pieces(kind: Kind, window: Window) -> Iterator[tuple[Tier, datetime, datetime]]:
    """Return the table for each part of the window: the coarsest suitable one as far as it is filled, and finer ones
    for the rest.
    """
    done = dict(Rollup.objects.values_list("table", "done_until"))
    since = window.since
    for each in reversed(window.tiers):
        tier, is_finest = each.of(kind), each is window.tiers[0]
        until = window.until if is_finest else min(window.until, done.get(tier.table, since))
        if until > since:
            yield tier, since, until
            since = until
