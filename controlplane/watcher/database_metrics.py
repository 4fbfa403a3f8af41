"""Metrics from the database, queried at each scrape: by the watcher alone, so that they are counted once."""

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, cast

from django.conf import settings
from django.db import Error
from django.db.models import Count, Min, Q, Sum
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from controlplane.announcers.models import Announcer, AnnouncerIncident
from controlplane.audit.models import Checkpoint, EvidenceRecord
from controlplane.kernel import clock
from controlplane.nodes.display_state import DISPLAY_STATES, UNREACHABLE_AS_EXPECTED, display_state
from controlplane.nodes.models import (
    DRAIN_GUEST,
    DRAIN_LIVE,
    NODE,
    Drain,
    DrainGuest,
    Incident,
    Inventory,
    Node,
    Orphan,
    oldest_attestation,
)
from controlplane.operations.models import LIVE, Operation
from controlplane.storage_clusters.models import StorageCluster, StorageClusterIncident
from controlplane.webhooks.models import Delivery
from telemetry.kernel_clock import is_synchronised

log = logging.getLogger(__name__)

Families = Iterator[GaugeMetricFamily]
Row = dict[str, Any]
MIB, GIB = 2**20, 2**30


class DatabaseMetrics(Collector):
    """A collector. `andromede_database_up` is 0 without an answer; the other metrics are then missing."""

    def describe(self) -> list[GaugeMetricFamily]:
        """Return no metrics, so that the registration makes no query."""
        return []

    def collect(self) -> Families:
        counted: list[GaugeMetricFamily] = []
        try:
            for part in (
                _operations,
                _nodes,
                _announcers,
                _storage_clusters,
                _lives,
                _drains,
                _capacity,
                _orphans,
                _incidents,
                _evidence,
                _webhooks,
                _backups,
            ):
                counted += part()
        except Error as exc:
            log.warning("database metrics omitted: database unavailable: %s", exc)
            counted = []
        yield _gauge("andromede_database_up", "1 if the database answers the watcher, else 0.", bool(counted))
        if settings.CLOCK == "synchronised":
            description = "1 if the kernel of the watcher's machine reports its clock as synchronised, else 0."
            yield _gauge("andromede_clock_synchronised", description, is_synchronised())
        yield from counted


def _backups() -> Families:
    """Return the backup metrics. Without a backup the time is 0; without a configured source there is no sample."""
    family = GaugeMetricFamily(
        "andromede_backup_last_success_timestamp_seconds",
        "Unix time of the last stored backup of the database; 0: never.",
    )
    if settings.BACKUP_STAMP_FILE:
        try:
            family.add_metric([], os.stat(settings.BACKUP_STAMP_FILE).st_mtime)
        except OSError:
            family.add_metric([], 0)
    yield family


def _operations() -> Families:
    now = clock.now()
    live = Operation.objects.filter(state__in=LIVE)
    family = GaugeMetricFamily(
        "andromede_operations_live", "Live operations, by kind and state.", labels=["kind", "state"]
    )
    for kind, state, count in live.order_by().values_list("kind", "state").annotate(Count("pk")):
        family.add_metric([kind, state], count)
    yield family
    unleased = Q(lease_expires_at=None) | Q(lease_expires_at__lt=now)
    totals = live.aggregate(
        due=Min("due_at", filter=unleased & Q(due_at__lte=now)),
        late=Count("pk", filter=Q(deadline_at__lt=now)),
    )
    yield _gauge(
        "andromede_operations_oldest_due_seconds",
        "Seconds that the oldest due operation has waited for a worker.",
        _age(totals["due"]),
    )
    yield _gauge("andromede_operations_overdue", "Live operations beyond their deadline.", totals["late"])


def _nodes() -> Families:
    cordoned = _of_zones("andromede_nodes_cordoned", "Cordoned nodes, by zone.")
    unattested = _of_zones(
        "andromede_nodes_unattested",
        "Nodes restricted to public data because their attestation is missing or too old, by zone.",
    )
    heartbeat = _of_zones(
        "andromede_nodes_oldest_heartbeat_seconds", "Age of the oldest last heartbeat in seconds, by zone."
    )
    certificate = _of_zones(
        "andromede_nodes_certificate_remaining_seconds", "Seconds until the first node certificate ends, by zone."
    )
    charter = _of_zones(
        "andromede_nodes_charter_remaining_seconds", "Seconds until the first node charter ends, by zone."
    )
    lost = _of_zones("andromede_nodes_lost_with_guests", "Unreachable nodes with guests that are not fenced, by zone.")
    lease = _of_zones(
        "andromede_nodes_lease_remaining_seconds",
        "Seconds until the first node lease ends, of self-fencing nodes, by zone.",
    )
    is_expected = ~Q(admin_state__in=UNREACHABLE_AS_EXPECTED)
    good = Q(is_attested=True, attested_at__gt=oldest_attestation())
    zones = (
        Node.objects.exclude(admin_state="retired")
        .order_by()
        .values("zone_id")
        .annotate(
            cordoned=Count("pk", filter=Q(is_cordoned=True)),
            unattested=Count("pk", filter=is_expected & ~good),
            heard=Min("last_heartbeat_at", filter=is_expected),
            certificate=Min("certificate_expires_at"),
            charter=Min("chartered_until"),
            lost=Count("pk", filter=is_expected & Q(state="unreachable", inventory__vcpus_used__gt=0)),
            lease=Min("leased_until", filter=is_expected & Q(fences_within_s__isnull=False)),
        )
    )
    for zone in cast(Iterable[Row], zones):
        name = str(zone["zone_id"])
        cordoned.add_metric([name], zone["cordoned"])
        unattested.add_metric([name], zone["unattested"])
        heartbeat.add_metric([name], _age(zone["heard"]))
        certificate.add_metric([name], -_age(zone["certificate"]))
        lost.add_metric([name], zone["lost"])
        if zone["lease"] is not None:
            lease.add_metric([name], -_age(zone["lease"]))
        if zone["charter"] is not None:
            charter.add_metric([name], -_age(zone["charter"]))
    yield from (cordoned, unattested, heartbeat, certificate, charter, lost, lease)


def _announcers() -> Families:
    certificate = _of_zones(
        "andromede_announcers_certificate_remaining_seconds",
        "Seconds until the first announcer certificate ends, by zone.",
    )
    zones = Announcer.objects.exclude(certificate_expires_at=None).order_by().values_list("zone_id")
    for zone, ends_at in zones.annotate(Min("certificate_expires_at")):
        certificate.add_metric([zone], -_age(ends_at))
    yield certificate


def _storage_clusters() -> Families:
    certificate = _of_zones(
        "andromede_storage_agents_certificate_remaining_seconds",
        "Seconds until the first storage agent's certificate ends, by zone.",
    )
    zones = StorageCluster.objects.exclude(certificate_expires_at=None).order_by().values_list("zone_id")
    for zone, ends_at in zones.annotate(Min("certificate_expires_at")):
        certificate.add_metric([zone], -_age(ends_at))
    yield certificate


def _lives() -> Families:
    states = GaugeMetricFamily("andromede_nodes", "Nodes by zone and state.", labels=["zone", "state"])
    lives = GaugeMetricFamily("andromede_nodes_life", "Nodes by zone and display state.", labels=["zone", "life"])
    rows = Node.objects.exclude(admin_state="retired").order_by().values_list("zone_id", "state", "admin_state")
    by_state: Counter[tuple[str, str]] = Counter()
    by_life: Counter[tuple[str, str]] = Counter()
    for zone, state, admin_state, count in rows.annotate(Count("pk")):
        by_state[zone, state] += count
        by_life[zone, display_state(state, admin_state)] += count
    for zone in sorted({zone for zone, _ in by_state}):
        for state in NODE.moves:
            states.add_metric([zone, state], by_state[zone, state])
        for word in DISPLAY_STATES:
            if word != "retired":
                lives.add_metric([zone, word], by_life[zone, word])
    yield from (states, lives)


def _drains() -> Families:
    drains = GaugeMetricFamily("andromede_drains", "Drains that have not ended, by state.", labels=["state"])
    recoveries = GaugeMetricFamily(
        "andromede_recoveries", "Recoveries that have not ended, by state.", labels=["state"]
    )
    rows = Drain.objects.filter(state__in=DRAIN_LIVE).order_by().values_list("kind", "state")
    counts = {(kind, state): count for kind, state, count in rows.annotate(Count("pk"))}
    for state in DRAIN_LIVE:
        drains.add_metric([state], counts.get(("drain", state), 0))
        recoveries.add_metric([state], counts.get(("recover", state), 0))
    down = GaugeMetricFamily(
        "andromede_recovery_guests", "Guests of recoveries that have not ended, by state.", labels=["state"]
    )
    guests = DrainGuest.objects.filter(drain__kind="recover", drain__state__in=DRAIN_LIVE).order_by()
    counted = dict(guests.values_list("state").annotate(Count("pk")))
    for state in DRAIN_GUEST.moves:
        down.add_metric([state], counted.get(state, 0))
    yield from (drains, recoveries, down)


def _capacity() -> Families:
    """Return the capacity of nodes that take new allocations, and the use on all."""
    resources = (("vcpus", "vcpus", 1), ("memory_mib", "memory_bytes", MIB), ("disk_gib", "disk_bytes", GIB))
    open_ = Q(node__is_cordoned=False, node__state="ready")
    rows = (
        Inventory.objects.order_by()
        .values("node__zone_id")
        .annotate(
            **{f"{column}_may": Sum(f"{column}_capacity", filter=open_, default=0) for column, _, _ in resources},
            **{f"{column}_has": Sum(f"{column}_used", default=0) for column, _, _ in resources},
        )
    )
    zones = list(cast(Iterable[Row], rows))
    for column, name, unit in resources:
        capacity = _of_zones(
            f"andromede_zone_capacity_{name}", "Capacity of the nodes that accept new allocations, by zone."
        )
        used = _of_zones(f"andromede_zone_used_{name}", "Allocated capacity of all nodes, by zone.")
        for zone in zones:
            capacity.add_metric([str(zone["node__zone_id"])], zone[f"{column}_may"] * unit)
            used.add_metric([str(zone["node__zone_id"])], zone[f"{column}_has"] * unit)
        yield from (capacity, used)


def _orphans() -> Families:
    """Count orphans, except released ones."""
    family = GaugeMetricFamily(
        "andromede_orphans", "Orphaned resources on nodes or in the database.", labels=["kind", "state"]
    )
    live = Orphan.objects.filter(state__in=("found", "quarantined")).order_by().values_list("kind", "state")
    for kind, state, count in live.annotate(Count("pk")):
        family.add_metric([kind, state], count)
    yield family


def _incidents() -> Families:
    family = GaugeMetricFamily("andromede_incidents_open", "Open incidents, by kind.", labels=["kind"])
    for kind, count in Incident.objects.filter(ended_at=None).order_by().values_list("kind").annotate(Count("pk")):
        family.add_metric([kind], count)
    announcers = AnnouncerIncident.objects.filter(ended_at=None).order_by().values_list("kind")
    for kind, count in announcers.annotate(Count("pk")):
        family.add_metric([f"announcer-{kind}"], count)
    clusters = StorageClusterIncident.objects.filter(ended_at=None).order_by().values_list("kind")
    for kind, count in clusters.annotate(Count("pk")):
        family.add_metric([f"storage-{kind}"], count)
    yield family


def _evidence() -> Families:
    waiting = EvidenceRecord.objects.filter(leaf_index=None).aggregate(count=Count("pk"), oldest=Min("created_at"))
    yield _gauge("andromede_evidence_records_waiting", "Evidence records without a log position.", waiting["count"])
    yield _gauge(
        "andromede_evidence_oldest_waiting_seconds",
        "Age in seconds of the oldest evidence record without a log position.",
        _age(waiting["oldest"]),
    )
    last = Checkpoint.objects.order_by("-tree_size").values_list("tree_size", flat=True).first() or 0
    unsigned = EvidenceRecord.objects.filter(leaf_index__gte=last).aggregate(oldest=Min("created_at"))
    yield _gauge(
        "andromede_evidence_oldest_unsigned_seconds",
        "Age in seconds of the oldest logged record that no checkpoint covers.",
        _age(unsigned["oldest"]),
    )


def _webhooks() -> Families:
    now = clock.now()
    pending = Delivery.objects.filter(state="pending", webhook__is_enabled=True)
    totals = pending.aggregate(
        count=Count("pk"), due=Min("due_at", filter=Q(due_at__lte=now)), oldest=Min("created_at")
    )
    yield _gauge("andromede_webhook_deliveries_pending", "Webhook deliveries without an outcome.", totals["count"])
    yield _gauge(
        "andromede_webhook_oldest_due_seconds",
        "Seconds that the oldest due webhook delivery has waited.",
        _age(totals["due"]),
    )
    yield _gauge(
        "andromede_webhook_oldest_pending_seconds",
        "Age in seconds of the oldest webhook delivery without an outcome.",
        _age(totals["oldest"]),
    )


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _of_zones(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=["zone"])


def _age(moment: datetime | None) -> float:
    """Return the age in seconds; 0 without a moment."""
    return (clock.now() - moment).total_seconds() if moment is not None else 0.0
