"""SQL statements that turn samples into sums (Kind.sums), and sums into coarser sums."""

from collections.abc import Sequence

from controlplane.metrics.tables import (
    COUNTERS,
    GUESTS,
    PORT_COUNTERS,
    PORT_DROPS,
    PORT_OPTIONAL,
    PORT_RULE_DROPS,
    PORTS,
    RULES,
    Kind,
    Tier,
)

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


def _optional(covered: str, names: Sequence[str]) -> str:
    """Return the columns of counters that samples may lack. Those that one of two samples lacks are not known, and
    neither are those that began anew, which says nothing about the others.
    """
    known = f"is_comparable AND ({_grows(names)}) IS TRUE"
    return f"CASE WHEN {known} THEN elapsed_ms ELSE 0 END AS {covered}, {_growth(names, when=known)}"


# The card's drops begin anew with its other counters, which may have overtaken their former values.
OF_PORTS = {
    "columns": f"""
    {_growth(PORT_COUNTERS)},
    {", ".join(_optional(covered, names) for covered, names in PORT_OPTIONAL.items())}""",
    "condition": f"{_grows(PORT_COUNTERS)} AND ({_grows(PORT_DROPS)}) IS NOT FALSE",
    "last": _last(("at", *PORT_COUNTERS, *PORT_DROPS, *PORT_RULE_DROPS)),
}
OF_RULES = {"columns": _growth(("hits",)), "condition": _grows(("hits",)), "last": _last(("at", "hits"))}
PARTS = {GUESTS: OF_GUESTS, PORTS: OF_PORTS, RULES: OF_RULES}
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
    """Return the sums for each subject and step."""
    totals = ", ".join(f"sum({name}) AS {name}" for name in kind.sums)
    return f"SELECT {kind.key}, {BUCKET}, {totals} FROM ({source}) AS source GROUP BY {kind.key}, bucket"
