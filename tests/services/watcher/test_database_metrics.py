"""Counts of the watcher in the database, for Prometheus."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from prometheus_client import CollectorRegistry
from pytest_django import Settings

from controlplane.audit import evidence_log
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.nodes import incidents
from controlplane.nodes.models import Incident, Inventory, Node
from controlplane.operations.models import Operation
from controlplane.operations.services import OperationRequest, enqueue
from controlplane.watcher.database_metrics import DatabaseMetrics
from telemetry.kernel_clock import is_synchronised
from tests.world import Cloud

MIB, GIB = 2**20, 2**30


def counted() -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(DatabaseMetrics())
    return registry


def test_operations_are_counted(cloud: Cloud) -> None:
    assert counted().get_sample_value("andromede_operations_oldest_due_seconds") == 0
    requests = [OperationRequest("instance.create", None, [new_id()], resource_name="web") for _ in range(3)]
    created = [enqueue(SYSTEM, request) for request in requests]
    now = clock.now()
    Operation.objects.filter(pk=created[0].pk).update(due_at=now - timedelta(minutes=2))
    Operation.objects.filter(pk=created[1].pk).update(
        due_at=now - timedelta(hours=2), lease_expires_at=now + timedelta(minutes=1), state="running"
    )
    Operation.objects.filter(pk=created[2].pk).update(deadline_at=now - timedelta(seconds=1))
    metrics = counted()
    kind = {"kind": "instance.create"}
    assert metrics.get_sample_value("andromede_operations_live", kind | {"state": "pending"}) == 2
    assert metrics.get_sample_value("andromede_operations_live", kind | {"state": "running"}) == 1
    assert metrics.get_sample_value("andromede_operations_overdue") == 1
    # The older one is in a worker's hands.
    assert 120 <= (metrics.get_sample_value("andromede_operations_oldest_due_seconds") or 0) < 3600


def test_nodes_and_capacity_are_counted(cloud: Cloud) -> None:
    node = Node.objects.get()
    now = clock.now()
    Node.objects.update(
        state="ready",
        last_heartbeat_at=now - timedelta(minutes=1),
        certificate_expires_at=now + timedelta(days=30),
        chartered_until=now + timedelta(days=3),
    )
    offer = Inventory.objects.get()
    incidents.report(node, "domain-unknown", "somebody's")
    zone = {"zone": node.zone_id}
    metrics = counted()
    assert metrics.get_sample_value("andromede_nodes", zone | {"state": "ready"}) == 1
    assert metrics.get_sample_value("andromede_nodes", zone | {"state": "unreachable"}) == 0
    assert 60 <= (metrics.get_sample_value("andromede_nodes_oldest_heartbeat_seconds", zone) or 0) < 3600
    day = 24 * 3600
    assert 29 * day < (metrics.get_sample_value("andromede_nodes_certificate_remaining_seconds", zone) or 0) <= 30 * day
    assert 2 * day < (metrics.get_sample_value("andromede_nodes_charter_remaining_seconds", zone) or 0) <= 3 * day
    assert metrics.get_sample_value("andromede_zone_capacity_memory_bytes", zone) == offer.memory_mib_capacity * MIB
    assert metrics.get_sample_value("andromede_zone_capacity_disk_bytes", zone) == offer.disk_gib_capacity * GIB
    assert metrics.get_sample_value("andromede_zone_used_vcpus", zone) == 0
    assert metrics.get_sample_value("andromede_incidents_open", {"kind": "domain-unknown"}) == 1
    assert metrics.get_sample_value("andromede_nodes_lost_with_guests", zone) == 0
    assert metrics.get_sample_value("andromede_nodes_lease_remaining_seconds", zone) is None
    Node.objects.update(state="unreachable", fences_within_s=99, leased_until=now + timedelta(seconds=50))
    Inventory.objects.update(vcpus_used=1)
    metrics = counted()
    assert metrics.get_sample_value("andromede_nodes_lost_with_guests", zone) == 1
    assert 0 < (metrics.get_sample_value("andromede_nodes_lease_remaining_seconds", zone) or 0) <= 50
    Node.objects.update(state="ready")
    Inventory.objects.update(vcpus_used=0)
    Node.objects.update(admin_state="cordoned")
    metrics = counted()
    assert metrics.get_sample_value("andromede_nodes_cordoned", zone) == 1
    assert metrics.get_sample_value("andromede_zone_capacity_vcpus", zone) == 0


def test_evidence_is_counted(cloud: Cloud) -> None:
    evidence_log.sequence()
    assert counted().get_sample_value("andromede_evidence_records_waiting") == 0
    evidence_log.append("decision", {"decision": str(new_id())})
    assert counted().get_sample_value("andromede_evidence_records_waiting") == 1


def fail_at_incidents(execute: Callable[..., Any], sql: str, *more: Any) -> Any:
    """Let the database go away in the middle of the metrics."""
    if Incident._meta.db_table in sql:
        raise OperationalError
    return execute(sql, *more)


@pytest.mark.django_db
@pytest.mark.parametrize(("source", "is_exported"), [("synchronised", True), ("kept-elsewhere", False)])
def test_clock_synchronisation_is_exported(settings: Settings, source: str, is_exported: bool) -> None:
    """The kernel's synchronisation state is exported, also without the database."""
    settings.CLOCK = source
    expected = float(is_synchronised()) if is_exported else None
    with connection.execute_wrapper(fail_at_incidents):
        assert counted().get_sample_value("andromede_clock_synchronised") == expected


@pytest.mark.django_db
def test_unreachable_database_is_reported() -> None:
    assert counted().get_sample_value("andromede_database_up") == 1
    with connection.execute_wrapper(fail_at_incidents):
        metrics = counted()
        assert metrics.get_sample_value("andromede_database_up") == 0
        assert metrics.get_sample_value("andromede_operations_overdue") is None


@pytest.mark.django_db
def test_backup_age_is_exported(settings: Settings, tmp_path: Path) -> None:
    """Nothing where nobody said what tells of them, 0 for none, else when the last was safe."""
    name, stamp = "andromede_backup_last_success_timestamp_seconds", tmp_path / "last"
    assert counted().get_sample_value(name) is None
    settings.BACKUP_STAMP_FILE = str(stamp)
    assert counted().get_sample_value(name) == 0
    stamp.touch()
    assert counted().get_sample_value(name) == stamp.stat().st_mtime
