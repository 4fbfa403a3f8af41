"""SQL statements that turn samples into sums (tables.SUMS), and sums into coarser sums."""

from controlplane.metrics.tables import COUNTERS, SUMS, Tier

# Between samples that are further apart than so many intervals the usage is unknown.
LONGEST_GAP = 3

# Two samples are compared if they are neighbours, close in time, of a guest with the same devices, and no counter was
# reset in between. The difference counts for the time of the second sample.
COMPARED = f"""
SELECT instance_id, at,
    CASE WHEN is_comparable THEN elapsed_ms ELSE 0 END AS covered_ms,
    CASE WHEN is_comparable THEN elapsed_ms * vcpus ELSE 0 END AS vcpu_ms,
    1 AS samples,
    memory_resident_mib,
    (memory_used_mib IS NOT NULL)::integer AS memory_used_samples,
    coalesce(memory_used_mib, 0) AS memory_used_mib,
    {", ".join(f"CASE WHEN is_comparable THEN {name} - last_{name} ELSE 0 END AS {name}" for name in COUNTERS)}
FROM (
    SELECT *,
        (extract(epoch FROM at - last_at) * 1000)::bigint AS elapsed_ms,
        at - last_at <= %(gap)s AND devices = last_devices
            AND {" AND ".join(f"{name} >= last_{name}" for name in COUNTERS)} AS is_comparable
    FROM (
        SELECT *,
            {", ".join(f"lag({name}) OVER earlier AS last_{name}" for name in ("at", "devices", *COUNTERS))}
        FROM metrics_sample
        WHERE {{whose}} at >= %({{since}})s - %(gap)s AND at < %({{until}})s
        WINDOW earlier AS (PARTITION BY instance_id ORDER BY at)
    ) AS paired
) AS compared
WHERE at >= %({{since}})s
"""
STORED = f"""
SELECT instance_id, at, {", ".join(SUMS)} FROM {{table}}
WHERE {{whose}} at >= %({{since}})s AND at < %({{until}})s
"""
TOTALS = ", ".join(f"sum({name}) AS {name}" for name in SUMS)
BUCKET = "date_bin(%(step)s, at, '1970-01-01 00:00:00+00') AS bucket"


def tier_sums(tier: Tier, *, whose: str = "", since: str = "since", until: str = "until") -> str:
    """Return the sums of a tier from `since` to `until`, which are names of parameters; `whose` is an SQL condition
    followed by AND.
    """
    text = COMPARED if tier.table == "metrics_sample" else STORED
    return text.format(table=tier.table, whose=whose, since=since, until=until)


def summed(source: str) -> str:
    """Return the sums for each guest and step."""
    return f"SELECT instance_id, {BUCKET}, {TOTALS} FROM ({source}) AS source GROUP BY instance_id, bucket"
