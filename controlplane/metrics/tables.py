"""Tables of metrics, of guests, ports and rules of ports: samples, and three of ever coarser sums.

Each is partitioned by time, so that expired data is dropped with its partition, like a file, and leaves nothing to
clean up.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COUNTERS = (
    "cpu_ns",
    "disk_read_bytes",
    "disk_write_bytes",
    "disk_read_requests",
    "disk_write_requests",
    "network_in_bytes",
    "network_out_bytes",
    "network_in_packets",
    "network_out_packets",
)
# For an interval: the time with two comparable samples, vCPUs times that time, the growth of the counters, and the sums
# and numbers of memory samples. Sums of these have the same form, which makes every step exact.
SUMS = (
    "covered_ms",
    "vcpu_ms",
    "samples",
    "memory_resident_mib",
    "memory_used_samples",
    "memory_used_mib",
    *COUNTERS,
)
# Counters that each node reports of a port, and those that agents of earlier releases do not report.
PORT_COUNTERS = ("network_in_bytes", "network_out_bytes", "network_in_packets", "network_out_packets")
PORT_DROPS = ("network_in_dropped", "network_out_dropped")
# Counters of the node's rules, which begin anew apart from the card's.
PORT_RULE_DROPS = (
    "security_group_in_dropped",
    "security_group_out_dropped",
    "bandwidth_in_dropped",
    "bandwidth_out_dropped",
)
# Counters that samples may lack, by the sum of the time with two comparable samples that both have them.
PORT_OPTIONAL = {"dropped_covered_ms": PORT_DROPS, "rules_covered_ms": PORT_RULE_DROPS}
PORT_SUMS = ("covered_ms", *PORT_OPTIONAL, *PORT_COUNTERS, *PORT_DROPS, *PORT_RULE_DROPS)
# Advisory lock for creating and dropping partitions (any number would do); the holder gives up when a long query blocks
# it: other queries would queue behind it.
LOCK = 7_240_156_331
LOCK_TIMEOUT = "SET LOCAL lock_timeout = '2s'"


@dataclass(frozen=True)
class Kind:
    """A subject of metrics.

    `key`: the columns of its ids; `owner`: the one by which its rows are deleted and asked for; `prefix`:
    the beginning of its tables' names; `sums`: the columns of its sums.
    """

    key: str
    owner: str
    prefix: str
    sums: Sequence[str]


GUESTS = Kind("instance_id", "instance_id", "metrics", SUMS)
PORTS = Kind("port_id", "port_id", "metrics_port", PORT_SUMS)
RULES = Kind("port_id, rule_id", "port_id", "metrics_rule", ("covered_ms", "hits"))  # rules that log, of each port
KINDS = (GUESTS, PORTS, RULES)


@dataclass(frozen=True)
class Tier:
    """A table with a row for each subject and `step`; its partitions span `span`, and are kept for `keep`."""

    kind: Kind
    content: str
    step: timedelta
    span: timedelta
    keep: timedelta

    @property
    def table(self) -> str:
        return f"{self.kind.prefix}_{self.content}"

    def of(self, kind: Kind) -> "Tier":
        """Return the tier of the same step of another kind."""
        return replace(self, kind=kind)

    def floor(self, moment: datetime) -> datetime:
        return floor(moment, self.step)


def tiers(kind: Kind = GUESTS) -> tuple[Tier, ...]:
    """Return the tiers, finest first. Those of all kinds have the same steps and retention."""
    return (
        Tier(kind, "sample", sampling(), timedelta(hours=1), timedelta(hours=settings.METRICS_SAMPLE_HOURS)),
        _sums(kind, "minute", minutes=1, span_days=1, keep_days=settings.METRICS_MINUTE_DAYS),
        _sums(kind, "five_minutes", minutes=5, span_days=1, keep_days=settings.METRICS_FIVE_MINUTES_DAYS),
        _sums(kind, "hour", minutes=60, span_days=30, keep_days=settings.METRICS_HOUR_DAYS),
    )


def all_tiers() -> tuple[Tier, ...]:
    return tuple(tier for kind in KINDS for tier in tiers(kind))


def _sums(kind: Kind, content: str, *, minutes: int, span_days: int, keep_days: int) -> Tier:
    return Tier(kind, content, timedelta(minutes=minutes), timedelta(days=span_days), timedelta(days=keep_days))


def sampling() -> timedelta:
    """Return the sampling interval of guests; if sampling is off, the default one."""
    return timedelta(seconds=settings.METRICS_INTERVAL_S or 10)


def floor(moment: datetime, step: timedelta) -> datetime:
    return moment - (moment - EPOCH) % step


def ensure_partitions(tier: Tier, moments: Iterable[datetime]) -> None:
    """Create the partitions for rows of these times."""
    for start in sorted({floor(moment, tier.span) for moment in moments}):
        name = f"{tier.table}_{start:%Y%m%d%H}"
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s) IS NULL", [name])
            if cursor.fetchone()[0]:
                _make_partition(tier, start)


@transaction.atomic
def _make_partition(tier: Tier, start: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(LOCK_TIMEOUT)
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        cursor.execute("SELECT metrics_make_partition(%s, %s, %s)", [tier.table, start, start + tier.span])


def partitions(tier: Tier) -> Iterator[tuple[str, datetime]]:
    """Return name and beginning of each partition, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [tier.table])
        names = sorted(name for (name,) in cursor.fetchall())
    for name in names:
        yield name, datetime.strptime(name.removeprefix(f"{tier.table}_"), "%Y%m%d%H").replace(tzinfo=UTC)


@transaction.atomic
def drop_partition(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(LOCK_TIMEOUT)
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        cursor.execute("SELECT metrics_drop_partition(%s)", [name])
