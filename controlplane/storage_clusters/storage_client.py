"""Calls to storage agents, over mutual TLS. A call opens its own connection: there is one agent of a cluster."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID

import grpc
from django.conf import settings

from agents.protocol import storage_pb2 as pb
from agents.protocol.storage_pb2_grpc import StorageStub
from controlplane.kernel import clock
from controlplane.kernel.db import forbid_transaction
from controlplane.nodes.channels import channel_credentials
from controlplane.nodes.pki import storage_server_name
from controlplane.nodes.service_agents import CallFailed, call_failed, channel_options
from controlplane.storage_clusters.cluster_pools import ReportedClusterPool
from controlplane.storage_clusters.models import StorageCluster
from controlplane.storage_clusters.services import ERROR, HEALTHS, SILENT, AgentTrust, ClusterReport

log = logging.getLogger(__name__)

TIMEOUT_S = 45.0  # an agent whose cluster is silent says so after twice its limit of 20 seconds
POOLS_MAX = 100
TEXTS_MAX = 20
NUMBER_MAX, COUNT_MAX = 2**63 - 1, 2**31 - 1  # of columns
UNIX_TIME_MAX = 2**32  # of what datetime takes


def describe(cluster: StorageCluster, trust: pb.EnsureTrustRequest) -> ClusterReport:
    """Send the storage agent trust documents, whose signatures it checks itself, and return its report.

    An empty request only asks for its documents' versions.

    Raises:
        CallFailed.
    """
    try:
        with calling(cluster) as stub:
            state = stub.EnsureTrust(trust, timeout=TIMEOUT_S)
            return _report(stub.Describe(pb.DescribeRequest(), timeout=TIMEOUT_S), state)
    except grpc.RpcError as exc:
        raise call_failed(f"storage agent of {cluster.name}", exc) from exc
    except ValueError as exc:
        log.warning("storage agent of %s: its report is malformed: %s", cluster.name, exc)
        raise CallFailed("refused") from exc


@contextmanager
def calling(cluster: StorageCluster) -> Iterator[StorageStub]:
    """Return the stub of the cluster's storage agent, on a connection of its own."""
    forbid_transaction()
    options = channel_options(storage_server_name(cluster.pk))
    with grpc.secure_channel(cluster.address, channel_credentials(settings.PROCESS), options=options) as channel:
        yield StorageStub(channel)  # type: ignore[no-untyped-call]


def _report(description: pb.StorageDescription, state: pb.StorageTrust) -> ClusterReport:
    """Return the report, cut to what the rows hold. Raises ValueError: the fsid is no UUID."""
    health = description.health if description.health in HEALTHS else ERROR
    is_unknown = health == SILENT or (health == ERROR and not description.fsid)
    return ClusterReport(
        health=health,
        fsid=None if is_unknown else UUID(description.fsid),
        monitors=tuple(_text(each, 255) for each in description.monitors[:TEXTS_MAX]),
        pools=tuple(_pool(each) for each in description.pools[:POOLS_MAX]),
        health_problems=tuple(_text(each, 300) for each in description.problems[:TEXTS_MAX]),
        ceph_version=_text(description.ceph_version.removeprefix("ceph version "), 64),
        software_version=_text(description.software_version, 32),
        capabilities=tuple(_text(each, 64) for each in description.capabilities[:TEXTS_MAX]),
        trust=AgentTrust(
            keyset_version=min(state.keyset_version, NUMBER_MAX),
            deny_version=min(state.deny_version, NUMBER_MAX),
            facts_epoch=min(state.epoch, NUMBER_MAX),
        ),
    )


def _text(text: str, length_max: int) -> str:
    """Return the text as a column may have it: PostgreSQL refuses NUL."""
    return "".join(filter(str.isprintable, text))[:length_max]


def _moment(unix_s: int) -> datetime | None:
    """Return the moment of a Unix time, at most the present; None: 0."""
    return min(clock.now(), datetime.fromtimestamp(min(unix_s, UNIX_TIME_MAX), UTC)) if unix_s else None


def _pool(pool: pb.StoragePool) -> ReportedClusterPool:
    return ReportedClusterPool(
        name=pool.name,
        size_bytes=min(pool.size_bytes, NUMBER_MAX),
        used_bytes=min(pool.used_bytes, NUMBER_MAX),
        replicas=min(pool.replicas, 32767),
        is_nearly_full=pool.is_nearly_full,
        trash_count=min(pool.trash_count, COUNT_MAX) if pool.HasField("trash_count") else None,
        trash_since=_moment(pool.trash_since_s),
    )
