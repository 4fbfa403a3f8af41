"""Rows of short-lived resources do not grow for ever; needed ones stay."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch
from uuid import UUID

import pytest
from django.db import models
from pytest_django import Settings

from controlplane.audit.models import EvidenceRecord
from controlplane.audit.selectors import residency_of
from controlplane.compute.services import instance_delete, instance_reboot
from controlplane.kernel import clock, retention
from controlplane.nodes.models import Incident, Receipt
from controlplane.operations.models import Operation
from controlplane.placement.models import Allocation, Decision, Permit
from controlplane.reconcilers import operation_retention, placement_retention
from controlplane.storage_clusters.models import StorageReceipt
from controlplane.watcher.receipts import last_number
from controlplane.watcher.storage_receipts import record_receipts
from tests.storage_agent import FakeStorageAgent
from tests.workflows.helpers import ask_volume, delete_volume, done, fresh, make_instance, make_volume
from tests.world import Cloud

pytestmark = pytest.mark.django_db
GENERATIONS = 3
KEPT: tuple[type[models.Model], ...] = (Operation, Decision, Permit, Receipt)


@contextmanager
def later(days: int) -> Iterator[None]:
    then = clock.now() + timedelta(days=days)
    with patch.object(clock, "now", lambda: then):
        yield


def sizes() -> dict[str, int]:
    return {each.__name__: each._default_manager.count() for each in KEPT}


def forget(days: int) -> int:
    with later(days):
        return operation_retention.reconcile() + placement_retention.reconcile()


def comes_and_goes(cloud: Cloud, name: str) -> None:
    done(delete_volume(cloud, make_volume(cloud, name)))
    cloud.machine.account()


@pytest.fixture
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "PORTION", 3)


def test_deleted_resources_leave_a_bounded_number_of_rows(cloud: Cloud, small_portions: None) -> None:
    stays = make_volume(cloud, "stays")
    left = []
    for generation in range(GENERATIONS):
        comes_and_goes(cloud, f"data-{generation}")
        before = sizes()
        assert forget(399) == 0
        assert sizes() == before
        forget(401)
        left.append(sizes())
    assert left[0] == left[-1], left
    assert left[-1] == {"Operation": 0, "Decision": 2, "Permit": 2, "Receipt": 1}, "of what stays, and the last"
    (allocation,) = Allocation.objects.filter(consumer_id=stays.pk)
    assert Decision.objects.filter(pk=allocation.decision_id).exists()


def test_retention_settings_are_respected(cloud: Cloud, settings: Settings) -> None:
    settings.OPERATION_RETENTION_DAYS, settings.PLACEMENT_RETENTION_DAYS = 200, 300
    for name in ("data", "more"):
        comes_and_goes(cloud, name)
    forget(201)
    assert sizes()["Operation"] == 0 and sizes()["Decision"] > 1
    forget(301)
    assert sizes()["Decision"] == 1


def test_open_location_keeps_its_permit_until_closed(cloud: Cloud) -> None:
    """The guest was restarted twice: its disk needs the first permit, itself the last, and nothing the second."""
    instance = make_instance(cloud)
    for _ in range(2):
        done(instance_reboot(cloud.tenant.actor, fresh(instance)))
    make_volume(cloud)  # a younger permit of the project on the node
    cloud.machine.account()
    permits = Permit.objects.filter(resource_id=instance.pk, state="signed").order_by("pk")
    first, second, last = permits.values_list("pk", flat=True)
    forget(401)
    assert set(permits.values_list("pk", flat=True)) == {first, last}
    assert Decision.objects.filter(permit=first).exists() and Decision.objects.filter(permit=last).exists()
    (interval,) = residency_of(instance.pk, role="compute").intervals
    assert (interval.state, interval.is_compliant, interval.end) == ("proven", True, None)
    done(instance_delete(cloud.tenant.actor, fresh(instance)))
    cloud.machine.account()
    assert not Incident.objects.exists()
    records = EvidenceRecord.objects.filter(kind="receipt", resource_id__in=[instance.pk, instance.root_volume_id])
    assert set(records.values_list("organization_id", flat=True)) == {cloud.tenant.project.organization_id}
    (interval,) = residency_of(instance.pk, role="compute").intervals
    assert interval.end is not None


def two_permits(cloud: Cloud, folder: Path) -> tuple[UUID, UUID, FakeStorageAgent]:
    """Return permits that are not in use any more, and an enrolled agent that can sign receipts under them."""
    for name in ("one", "two"):
        comes_and_goes(cloud, name)
    make_volume(cloud)  # a younger permit of the project on the node
    first, second, _ = Permit.objects.filter(state="signed").order_by("pk").values_list("pk", flat=True)
    agent = FakeStorageAgent(folder, zone="fr-idf-1")
    agent.enrol()
    return first, second, agent


def test_receipts_of_storage_agents_leave_the_last_and_the_permits_of_what_is_open(
    cloud: Cloud, tmp_path: Path
) -> None:
    """Two nodes have a key of one volume: the end of one is not that of the other."""
    first, second, agent = two_permits(cloud, tmp_path)
    for number, (permit, event) in enumerate(((first, "opened"), (second, "opened"), (second, "closed")), start=1):
        measured = {"pool": "vms", "for_node": str(permit)}
        agent.sign_receipt(number, jti=str(permit), event=event, kind="key", measured=measured)
    record_receipts(agent.reported(), agent.receipts)
    forget(401)
    assert [row.number for row in StorageReceipt.objects.all()] == [3]
    assert first in Permit.objects.values_list("pk", flat=True)
    assert second not in Permit.objects.values_list("pk", flat=True)


def test_permits_of_what_is_in_the_trash_of_a_cluster_stay_until_it_is_erased(cloud: Cloud, tmp_path: Path) -> None:
    first, second, agent = two_permits(cloud, tmp_path)
    ends = [(first, "opened"), (first, "closed"), (second, "opened"), (second, "closed"), (second, "erased")]
    for number, (permit, event) in enumerate(ends, start=1):
        measured = {"pool": "vms"} if event == "opened" else {"pool": "vms", "trash": f"a{permit}"}
        agent.sign_receipt(number, jti=str(permit), event=event, kind="cluster-volume", measured=measured)
    record_receipts(agent.reported(), agent.receipts)
    forget(401)
    assert first in Permit.objects.values_list("pk", flat=True)
    assert second not in Permit.objects.values_list("pk", flat=True)


def test_receipt_numbers_continue_after_deletion(cloud: Cloud) -> None:
    comes_and_goes(cloud, "data")
    before = last_number(cloud.machine.row.pk)
    forget(401)
    assert (Receipt.objects.count(), last_number(cloud.machine.row.pk)) == (1, before)
    comes_and_goes(cloud, "next")
    assert last_number(cloud.machine.row.pk) > before and not Incident.objects.exists()


def test_unfinished_operation_is_kept(cloud: Cloud) -> None:
    _, operation = ask_volume(cloud)
    forget(4000)
    assert Operation.objects.filter(pk=operation.pk).exists()
    done(fresh(operation))
