"""SQL statements that turn samples into sums (Kind.sums), and sums into coarser sums."""

from collections.abc import Sequence

from controlplane.metrics.tables import COUNTERS, GUESTS, PORT_COUNTERS, PORT_DROPS, PORTS, Kind, Tier

# Between samples that are further apart than so many intervals the usage is unknown.
LONGEST_GAP = 3

# Two samples are compared if they are neighbours, close in time, of a guest with the same devices, and no counter was
# reset in between. The difference counts for the time of the second sample.
COMPARED = """
SELECT {key}, at,
    CASE WHEN is_comparable THEN elapsed_ms ELSE 0 END AS covered_ms,
    {columns}
FROM (
    SELECT *,
        (extract(epoch FROM at - last_at) * 1000)::bigint AS elapsed_ms,
        at - last_at <= %(gap)s AND {condition} AS is_comparable
    FROM (
        SELECT *, {last}
        FROM {table}
        WHERE {whose} at >= %({since})s - %(gap)s AND at < %({until})s
        WINDOW earlier AS (PARTITION BY {key} ORDER BY at)
    ) AS paired
) AS compared
WHERE at >= %({since})s
"""


def _growth(names: Sequence[str], *, when: str = "is_comparable") -> str:
    return ", ".join(f"CASE WHEN {when} THEN {name} - last_{name} ELSE 0 END AS {name}" for name in names)


def _grows(names: Sequence[str]) -> str:
    return " AND ".join(f"{name} >= last_{name}" for name in names)


def _last(names: Sequence[str]) -> str:
    return ", ".join(f"lag({name}) OVER earlier AS last_{name}" for name in names)


OF_GUESTS = {
    "columns": f"""
    CASE WHEN is_comparable THEN elapsed_ms * vcpus ELSE 0 END AS vcpu_ms,
    1 AS samples,
    memory_resident_mib,
    (memory_used_mib IS NOT NULL)::integer AS memory_used_samples,
    coalesce(memory_used_mib, 0) AS memory_used_mib,
    {_growth(COUNTERS)}""",
    "condition": f"devices = last_devices AND {_grows(COUNTERS)}",
    "last": _last(("at", "devices", *COUNTERS)),
}
# Drops that one of the samples does not have are neither a reset nor known.
ARE_DROPS_KNOWN = " AND ".join(("is_comparable", *(f"{name} - last_{name} IS NOT NULL" for name in PORT_DROPS)))
OF_PORTS = {
    "columns": f"""
    CASE WHEN {ARE_DROPS_KNOWN} THEN elapsed_ms ELSE 0 END AS dropped_covered_ms,
    {_growth(PORT_COUNTERS)},
    {_growth(PORT_DROPS, when=ARE_DROPS_KNOWN)}""",
    "condition": f"{_grows(PORT_COUNTERS)} AND ({_grows(PORT_DROPS)}) IS NOT FALSE",
    "last": _last(("at", *PORT_COUNTERS, *PORT_DROPS)),
}
PARTS = {GUESTS: OF_GUESTS, PORTS: OF_PORTS}
STORED = """
SELECT {key}, at, {columns} FROM {table}
WHERE {whose} at >= %({since})s AND at < %({until})s
"""
BUCKET = "date_bin(%(step)s, at, '1970-01-01 00:00:00+00') AS bucket"


def tier_sums(tier: Tier, *, whose: str = "", since: str = "since", until: str = "until") -> str:
    """Return the sums of a tier from `since` to `until`, which are names of parameters; `whose` is an SQL condition
    followed by AND.
    """
    names = {"key": tier.kind.key, "table": tier.table, "whose": whose, "since": since, "until": until}
    if tier.content == "sample":
        return COMPARED.format(**names, **PARTS[tier.kind])
    return STORED.format(**names, columns=", ".join(tier.kind.sums))


def summed(kind: Kind, source: str) -> str:
    """Return the sums for each guest or port and step."""
    totals = ", ".join(f"sum({name}) AS {name}" for name in kind.sums)
    return f"SELECT {kind.key}, {BUCKET}, {totals} FROM ({source}) AS source GROUP BY {kind.key}, bucket"
