"""Receipts of storage agents are collected by the watcher, stored once, and become evidence of the permit's owner."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from pytest_django import Settings

from agents.node import enrol
from andromede_core.documents.parsing import as_rfc3339
from controlplane.audit.models import EvidenceRecord
from controlplane.audit.selectors import residency_of
from controlplane.identity.actor import SYSTEM
from controlplane.placement.models import Permit
from controlplane.reconcilers import storage_clusters
from controlplane.storage_clusters.models import StorageCluster, StorageReceipt
from controlplane.storage_clusters.services import storage_cluster_certify
from controlplane.watcher import storage_receipts
from tests.storage_agent import RECEIPTS_OF_A_PAGE, FakeStorageAgent
from tests.workflows.helpers import make_instance
from tests.world import Cloud

HOUR = timedelta(hours=1)
ZONE, ABROAD = "fr-idf-1", "de-rhein-1"


@pytest.fixture
def agent(cloud: Cloud, tmp_path: Path, settings: Settings) -> Iterator[FakeStorageAgent]:
    agent = FakeStorageAgent(tmp_path, zone=ZONE)
    agent.enrol()
    with agent.serving():
        storage_clusters.reconcile()
        yield agent


def row_of(agent: FakeStorageAgent) -> StorageCluster:
    return StorageCluster.objects.get(pk=agent.row.pk)


def record(agent: FakeStorageAgent) -> None:
    storage_receipts.record_receipts(row_of(agent), agent.receipts)


def signed_permit(cloud: Cloud) -> Permit:
    make_instance(cloud)
    permit = Permit.objects.filter(state="signed", node__zone=ZONE).first()
    assert permit is not None
    return permit


def evidence_of(agent: FakeStorageAgent) -> list[dict[str, Any]]:
    """Return the contents of the agent's receipts in the evidence log."""
    rows = EvidenceRecord.objects.filter(kind="receipt").order_by("pk")
    documents = [json.loads(row.document or "")["document"]["p"] for row in rows]
    return [each for each in documents if each["node"] == str(agent.row.pk)]


def problems(agent: FakeStorageAgent) -> list[str]:
    rows = row_of(agent).incidents.filter(kind="receipt-invalid", ended_at=None)
    return sorted(rows.values_list("name", flat=True))


def test_receipt_belongs_to_the_owner_of_its_permit(cloud: Cloud, agent: FakeStorageAgent) -> None:
    permit = signed_permit(cloud)
    agent.sign_receipt(1, jti=str(permit.pk), resource=str(permit.resource_id))
    record(agent)
    record(agent)
    assert [row.number for row in StorageReceipt.objects.all()] == [1], "once"
    assert [each["number"] for each in evidence_of(agent)] == [1]
    kept = EvidenceRecord.objects.get(subject_id=permit.pk, kind="receipt", document__contains=str(agent.row.pk))
    assert (kept.project_id, kept.organization_id) == (cloud.tenant.project.pk, cloud.tenant.project.organization_id)
    assert kept.resource_id == permit.resource_id
    assert problems(agent) == []


def test_disk_is_in_the_trash_until_the_receipt_of_its_erasure(cloud: Cloud, agent: FakeStorageAgent) -> None:
    instance = make_instance(cloud)
    permit = Permit.objects.filter(state="signed", resource_id=instance.pk).first()
    assert permit is not None
    about = {"jti": str(permit.pk), "resource": str(instance.root_volume_id), "kind": "cluster-volume"}
    trash = {"pool": "vms", "trash": "a1"}
    agent.sign_receipt(1, **about, measured={"pool": "vms"})
    agent.sign_receipt(2, **about, event="closed", measured=trash)
    record(agent)
    (interval,) = residency_of(instance.pk, role="trash").intervals
    assert (interval.disk, interval.zone, interval.node) == (about["resource"], ZONE, "")
    assert (interval.state, interval.is_compliant, interval.end) == ("proven", True, None)
    agent.sign_receipt(3, **about, event="erased", measured=trash, at=as_rfc3339(interval.start + HOUR))
    record(agent)
    (interval,) = residency_of(instance.pk, role="trash").intervals
    assert interval.end == interval.start + HOUR
    assert problems(agent) == []
    receipts = EvidenceRecord.objects.filter(kind="receipt", resource_id=instance.root_volume_id)
    assert set(receipts.values_list("organization_id", flat=True)) == {cloud.tenant.project.organization_id}


def test_bad_receipts_are_stored_and_incidents(cloud: Cloud, agent: FakeStorageAgent) -> None:
    permit = str(signed_permit(cloud).pk)
    agent.sign_receipt(1, jti=permit)
    agent.sign_receipt(3, jti=permit)  # a gap
    agent.sign_receipt(4)  # no permit
    agent.sign_receipt(5, jti=permit).document = b"{}"
    agent.sign_receipt(6, jti=permit, number=7)
    agent.sign_receipt(7, jti=permit, node="another")
    record(agent)
    agent.sign_receipt(1, jti=permit, event="closed")
    record(agent)
    assert problems(agent) == [
        "1: replaced",
        "3: gap",
        "4: unpermitted",
        "5: forged",
        "6: forged",
        "7: forged",
    ]
    assert [row.number for row in StorageReceipt.objects.order_by("number")] == [1, 3, 4, 5, 6, 7]
    assert list(
        StorageReceipt.objects.filter(is_genuine=False).order_by("number").values_list("number", flat=True)
    ) == [
        5,
        6,
        7,
    ]
    assert [each["number"] for each in evidence_of(agent)] == [1, 3, 4]


def test_permit_of_another_zone_permits_nothing(cloud: Cloud, agent: FakeStorageAgent) -> None:
    permit = signed_permit(cloud)
    cloud.world.add_machine(ABROAD)
    StorageCluster.objects.filter(pk=agent.row.pk).update(zone=ABROAD)
    agent.sign_receipt(1, jti=str(permit.pk))
    record(agent)
    assert problems(agent) == ["1: unpermitted"]


def test_key_of_a_storage_agent_is_evidence_once(agent: FakeStorageAgent) -> None:
    def keys() -> list[str]:
        rows = EvidenceRecord.objects.filter(kind="node", document__contains='"agent":"storage"').order_by("pk")
        return [json.loads(row.document or "")["document"]["public_key"] for row in rows]

    first = row_of(agent).public_key
    assert keys() == [first]
    storage_cluster_certify(SYSTEM, row_of(agent), request_pem=enrol.request(agent.folder, "ceph-1").encode())
    assert keys() == [first], "a renewal of the certificate"
    (agent.folder / "pki" / "node.key").unlink()
    storage_cluster_certify(SYSTEM, row_of(agent), request_pem=enrol.request(agent.folder, "ceph-1").encode())
    assert keys() == [first, row_of(agent).public_key] and len(set(keys())) == 2


def test_agents_without_receipts_or_key_are_not_asked(agent: FakeStorageAgent) -> None:
    assert storage_receipts.clusters_with_receipts() == [row_of(agent)]
    StorageCluster.objects.update(capabilities=["snapshots"])
    assert storage_receipts.clusters_with_receipts() == []
    StorageCluster.objects.update(capabilities=["receipts"], public_key="")
    assert storage_receipts.clusters_with_receipts() == []


def test_watcher_collects_all_pages_and_acknowledges_them(
    shared_cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage_receipts, "INTERVAL_S", 0.05)
    permit = signed_permit(shared_cloud)
    hung = FakeStorageAgent(tmp_path, zone=ZONE, name="silent")
    hung.enrol()
    StorageCluster.objects.update(capabilities=["receipts"])  # nobody listens at its address
    agent = FakeStorageAgent(tmp_path, zone=ZONE)
    agent.enrol()
    with agent.serving():
        StorageCluster.objects.filter(pk=agent.row.pk).update(capabilities=["receipts"])
        for number in range(1, 6):
            agent.sign_receipt(number, jti=str(permit.pk))
        asyncio.run(collect_until(agent))
    assert [row.number for row in StorageReceipt.objects.order_by("number")] == [1, 2, 3, 4, 5]
    assert problems(agent) == []


def test_agent_with_many_receipts_does_not_keep_the_others_waiting(shared_cloud: Cloud, tmp_path: Path) -> None:
    permit = signed_permit(shared_cloud)
    agent = FakeStorageAgent(tmp_path, zone=ZONE)
    agent.enrol()
    with agent.serving():
        for number in range(1, 100):
            agent.sign_receipt(number, jti=str(permit.pk))
        asyncio.run(collect_once(agent))
    assert StorageReceipt.objects.count() == storage_receipts.PAGES_AT_ONCE * RECEIPTS_OF_A_PAGE


async def in_database(function: Any, *arguments: Any) -> Any:
    return await sync_to_async(function)(*arguments)


async def collect_once(agent: FakeStorageAgent) -> None:
    await storage_receipts.collect(await in_database(row_of, agent), in_database)
    await in_database(hang_up)


async def collect_until(agent: FakeStorageAgent) -> None:
    """Collect until the agent has forgotten its receipts, and so was told that they are stored."""
    collecting = asyncio.create_task(storage_receipts.collect_all(in_database))
    while agent.receipts:
        await asyncio.sleep(0.02)
    collecting.cancel()
    with suppress(asyncio.CancelledError):
        await collecting
    await in_database(hang_up)


def hang_up() -> None:
    """In the thread whose connection it is."""
    connection.close()
