"""Receipts of storage agents: ask each agent for them every few seconds, and store them as those of nodes."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import grpc
import grpc.aio
from django.db import Error as DatabaseDown

from agents.protocol import storage_pb2 as pb
from agents.protocol.storage_pb2_grpc import StorageStub
from controlplane.nodes.channels import channel_credentials
from controlplane.nodes.pki import storage_server_name
from controlplane.nodes.service_agents import channel_options
from controlplane.placement.models import Permit
from controlplane.storage_clusters.models import StorageCluster, StorageReceipt
from controlplane.storage_clusters.services import record_receipt_invalid
from controlplane.watcher import receipts
from controlplane.watcher.receipts import Owners, Signer

log = logging.getLogger(__name__)

CAPABILITY = "receipts"
INTERVAL_S = 5.0
InDatabase = Callable[..., Coroutine[Any, Any, Any]]
TIMEOUT_S = 10.0
PAGES_AT_ONCE = 5  # of one agent: the others wait for it


async def collect_all(in_database: InDatabase) -> None:
    """Run until cancelled."""
    while True:
        try:
            clusters = await in_database(clusters_with_receipts)
        except DatabaseDown as exc:
            log.error("receipts of storage agents not collected: database unavailable: %s", exc)
        else:
            await asyncio.gather(*(collect(cluster, in_database) for cluster in clusters))
        await asyncio.sleep(INTERVAL_S)


def clusters_with_receipts() -> list[StorageCluster]:
    """Return the clusters whose agents sign receipts, with a key that is known here."""
    return list(StorageCluster.objects.exclude(public_key="").filter(capabilities__contains=[CAPABILITY]))


async def collect(cluster: StorageCluster, in_database: InDatabase) -> None:
    """Store the cluster's new receipts. A failure is logged."""
    try:
        await _store_new(cluster, in_database)
    except grpc.aio.AioRpcError as exc:
        log.warning("storage agent of %s: receipts: %s %s", cluster.name, exc.code().name, exc.details())
    except DatabaseDown as exc:
        log.error("storage agent of %s: receipts not stored: database unavailable: %s", cluster.name, exc)
    except Exception:
        log.exception("storage agent of %s: receipts failed unexpectedly", cluster.name)


async def _store_new(cluster: StorageCluster, in_database: InDatabase) -> None:
    """Store a few pages of receipts. Each call acknowledges what is stored: the agent forgets it."""
    options = channel_options(storage_server_name(cluster.pk))
    credentials = channel_credentials("watcher")
    async with grpc.aio.secure_channel(cluster.address, credentials, options=options) as channel:
        stub = StorageStub(channel)  # type: ignore[no-untyped-call]
        for _ in range(PAGES_AT_ONCE):
            after = await in_database(last_number, cluster.pk)
            page = await stub.ListReceipts(pb.ListReceiptsRequest(after=after), timeout=TIMEOUT_S)
            if not page.receipts:
                return
            await in_database(record_receipts, cluster, page.receipts)


def last_number(cluster_id: UUID) -> int:
    """Return the number of the last stored receipt of the cluster's agent."""
    return receipts.highest_number(StorageReceipt.objects.filter(cluster=cluster_id))


def record_receipts(cluster: StorageCluster, new: Sequence[pb.Receipt]) -> None:
    signer = Signer(
        cluster, StorageReceipt, {"cluster": cluster}, partial(_report, cluster), partial(_owners_of, cluster)
    )
    for receipt in new:
        receipts.record(signer, receipt)


def _report(cluster: StorageCluster, kind: str, number: str, **facts: object) -> None:
    log.critical("storage agent of %s: %s %s %s", cluster.name, kind, number, facts)
    record_receipt_invalid(cluster, f"{number}: {kind.removeprefix('receipt-')}")


def _owners_of(cluster: StorageCluster, permit_id: UUID) -> Owners | None:
    """Return the owners of the permit, if it is for a node of the cluster's zone."""
    permits = Permit.objects.filter(pk=permit_id, state="signed", node__zone=cluster.zone_id)
    return permits.values_list("project_id", "project__organization_id").first()
