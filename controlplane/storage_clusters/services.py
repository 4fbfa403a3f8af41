"""Storage clusters: their rows, certificates and reports."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from cryptography.hazmat.primitives import hashes
from django.conf import settings
from django.db import transaction

from controlplane.audit import evidence_log
from controlplane.audit.services import record
from controlplane.catalog.models import Zone
from controlplane.identity.actor import Actor
from controlplane.kernel import clock
from controlplane.kernel.db import raise_on_violation
from controlplane.kernel.names import check_name
from controlplane.nodes import pki
from controlplane.nodes.channels import is_agent_address
from controlplane.nodes.models import Pool
from controlplane.nodes.service_agents import open_incident, reconcile_incidents
from controlplane.storage_clusters import cluster_pools
from controlplane.storage_clusters.cluster_pools import ReportedClusterPool
from controlplane.storage_clusters.errors import StorageClusterAddressInvalid, StorageClusterNameTaken
from controlplane.storage_clusters.models import StorageCluster, StorageClusterIncident

SILENT_AFTER = timedelta(seconds=30)
HEALTHS = OK, DEGRADED, ERROR, SILENT = "ok", "degraded", "error", "silent"
# A cluster's problems by its reports, the gravest first; each of them is an incident while it lasts.
PROBLEMS = (
    SILENT,  # its storage agent does not answer; or the cluster does not answer the agent, as `health` says
    "refused",  # its storage agent does not accept the trust documents, or its report is malformed
    "fsid-changed",  # its storage agent reaches another cluster than before: that report is not accepted
    "fsid-taken",  # its storage agent reaches the cluster of another row: that report is not accepted
    ERROR,  # Ceph reports HEALTH_ERR, or answers the storage agent with an error
    DEGRADED,  # Ceph reports HEALTH_WARN
    *cluster_pools.PROBLEMS,
)
MISSING_VOLUME = "missing-volume"  # rows have a volume or root disk in a pool, and the cluster does not
MISSING_SNAPSHOT = "missing-snapshot"  # a row has a snapshot of a volume in a pool, and the cluster does not
NODE_NOT_FENCED = "node-not-fenced"  # the addresses of a fenced node cannot be refused, so its volumes are, one by one
RECEIPT_INVALID = "receipt-invalid"  # a receipt of its storage agent is forged, replaced, out of order or unpermitted
INCIDENT_KINDS = (*PROBLEMS, MISSING_VOLUME, MISSING_SNAPSHOT, NODE_NOT_FENCED, RECEIPT_INVALID)
# The cluster does not answer its row's storage agent, or is another one.
GONE = frozenset({SILENT, "refused", "fsid-changed", "fsid-taken"})
OF_INCIDENTS = {"prefix": "storage", "field": "storage_cluster"}
FROM_HEALTH = {DEGRADED: {DEGRADED}, ERROR: {ERROR}}


@dataclass(frozen=True, slots=True)
class AgentTrust:
    """The trust documents of a storage agent: three versions by its own word, and two times of what it was sent."""

    keyset_version: int = 0
    deny_version: int = 0
    facts_epoch: int = 0
    floor_issued_at: datetime | None = None
    charters_sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClusterReport:
    """The report of a storage agent. `fsid`: None where the cluster does not answer the agent, or with an error."""

    health: str
    fsid: UUID | None = None
    monitors: tuple[str, ...] = ()
    pools: tuple[ReportedClusterPool, ...] = ()
    health_problems: tuple[str, ...] = ()
    ceph_version: str = ""
    software_version: str = ""
    capabilities: tuple[str, ...] = ()
    trust: AgentTrust = AgentTrust()


@transaction.atomic
def storage_cluster_create(actor: Actor, *, name: str, zone: Zone, address: str) -> StorageCluster:
    """Create the storage cluster; its agent is called from when it has a certificate (storage_cluster_certify).

    Raises:
        StorageClusterNameTaken, StorageClusterAddressInvalid, InvalidName.
    """
    actor.may_operate()
    if not is_agent_address(address):
        raise StorageClusterAddressInvalid(field="address", address=address)
    taken = StorageClusterNameTaken(field="name", name=name)
    with raise_on_violation("storage_clusters_storagecluster_name_key", taken):
        cluster = StorageCluster.objects.create(name=check_name(name), zone=zone, address=address)
    record(actor, "storage_cluster.create", cluster.pk, name=name, zone=zone.pk, address=address)
    return cluster


@transaction.atomic
def storage_cluster_delete(actor: Actor, cluster: StorageCluster) -> None:
    """Delete the row and those of its pools. Nothing changes in the cluster itself.

    Raises:
        StorageClusterInUse: a disk is in one of its pools.
    """
    actor.may_operate()
    StorageCluster.objects.select_for_update().filter(pk=cluster.pk).first()  # a report writes pools meanwhile
    cluster_pools.delete_all(cluster)
    record(actor, "storage_cluster.delete", cluster.pk, name=cluster.name, zone=cluster.zone_id)
    cluster.delete()


@transaction.atomic
def storage_cluster_certify(
    actor: Actor, cluster: StorageCluster, *, request_pem: bytes, ca_key: bytes | None = None
) -> str:
    """Sign the certificate request of the cluster's storage agent, also for a renewal. Returns the certificate (PEM).

    An agent that has lost its folder has another key, with which it signs receipts from now on.

    `ca_key`: the authority's, PEM, where it is not beside ca.crt.

    Raises:
        CertificateRequestInvalid, KeyMissing.
    """
    actor.may_operate()
    certificate = pki.sign_storage_agent(
        settings.PKI_DIR, request_pem=request_pem, storage_id=cluster.pk, zone=cluster.zone_id, ca_key=ca_key
    )
    cluster.certificate_sha256 = certificate.fingerprint(hashes.SHA256()).hex()
    cluster.certificate_expires_at = certificate.not_valid_after_utc
    public_key = pki.public_key_of(certificate)
    if public_key != cluster.public_key:
        cluster.public_key = public_key
        about = {"agent": "storage", "node": str(cluster.pk), "zone": cluster.zone_id, "public_key": public_key}
        evidence_log.append("node", {"event": "enrolled", **about})
    cluster.save(update_fields=["certificate_sha256", "certificate_expires_at", "public_key"])
    record(actor, "storage_cluster.certify", cluster.pk, name=cluster.name, zone=cluster.zone_id)
    return pki.as_pem(certificate)


@transaction.atomic
def record_report(cluster: StorageCluster, report: ClusterReport) -> None:
    """Record a report with the pools in it. Of one about another cluster, only the problem and the trust are kept."""
    row = StorageCluster.objects.select_for_update().filter(pk=cluster.pk).first()
    if row is None:
        return
    now, trust = clock.now(), report.trust
    fields: dict[str, object] = {name: getattr(trust, name) for name in AgentTrust.__slots__}
    of_agent = {"software_version": report.software_version, "capabilities": list(report.capabilities)}
    fields |= {**of_agent, "last_seen_at": now}
    of_health = {"health": report.health, "health_problems": list(report.health_problems)}
    if report.fsid is None:
        _update(row, {SILENT if report.health == SILENT else ERROR}, fields | of_health)
        return
    if identity_problem := _identity_problem(row, report.fsid):
        _update(row, {identity_problem}, fields)
        return
    is_complete = report.health in (OK, DEGRADED)
    problems = cluster_pools.record_pools(row, report.fsid, report.pools, is_complete=is_complete)
    fields |= {"fsid": report.fsid, "monitors": list(report.monitors), "ceph_version": report.ceph_version}
    _update(row, problems | FROM_HEALTH.get(report.health, set()), fields | of_health)


@transaction.atomic
def record_failure(cluster: StorageCluster, problem: str) -> None:
    """Record that a call to the storage agent failed. It is `silent` after SILENT_AFTER without an answer."""
    row = StorageCluster.objects.select_for_update().filter(pk=cluster.pk).first()
    if row is None:
        return
    last_seen_at = row.last_seen_at or row.created_at
    if problem == SILENT and clock.now() - last_seen_at < SILENT_AFTER:
        return
    _update(row, {problem}, {})


def _identity_problem(row: StorageCluster, fsid: UUID) -> str:
    """Return why a report of this fsid says nothing about the row's cluster; empty if it does."""
    if row.fsid is not None:
        return "" if row.fsid == fsid else "fsid-changed"
    return "fsid-taken" if StorageCluster.objects.filter(fsid=fsid).exists() else ""


def _update(row: StorageCluster, problems: Collection[str], fields: dict[str, object]) -> None:
    gravest = min(problems, key=PROBLEMS.index, default="")
    StorageCluster.objects.filter(pk=row.pk).update(**fields, problem=gravest, updated_at=clock.now())
    reconcile_incidents(row, problems, among=PROBLEMS, **OF_INCIDENTS)


@transaction.atomic
def record_missing(pool: Pool, kind: str, missing: Collection[str], *, is_compared: Callable[[str], bool]) -> None:
    """Keep an incident of the pool's cluster for each missing volume or snapshot, and end those of other compared ones.

    `kind`: of the incidents. A snapshot is named VOLUME@SNAPSHOT.
    """
    cluster, now = StorageCluster.objects.select_for_update().get(pools=pool), clock.now()
    rows = cluster.incidents.filter(ended_at=None, kind=kind, name__startswith=f"{pool.name}/")
    names, known = {f"{pool.name}/{each}" for each in missing}, set(rows.values_list("name", flat=True))
    rows.filter(name__in=names).update(observed_at=now)
    over = [name for name in known - names if is_compared(name.removeprefix(f"{pool.name}/"))]
    rows.filter(name__in=over).update(ended_at=now)
    for name in sorted(names - known):
        open_incident(cluster, kind, **OF_INCIDENTS, name=name)


@transaction.atomic
def record_node_not_fenced(cluster: StorageCluster, node: str, *, is_so: bool) -> None:
    """Keep an incident of the cluster while the node of this name cannot be fenced there by its addresses."""
    row = StorageCluster.objects.select_for_update().get(pk=cluster.pk)
    rows = row.incidents.filter(ended_at=None, kind=NODE_NOT_FENCED, name=node)
    if not is_so:
        rows.update(ended_at=clock.now())
    elif not rows.update(observed_at=clock.now()):
        open_incident(row, NODE_NOT_FENCED, **OF_INCIDENTS, name=node)


@transaction.atomic
def record_receipt_invalid(cluster: StorageCluster, name: str) -> None:
    """Open an incident about a receipt of the cluster's storage agent. `name`: its number, and what is wrong."""
    row = StorageCluster.objects.select_for_update().get(pk=cluster.pk)
    if not row.incidents.filter(ended_at=None, kind=RECEIPT_INVALID, name=name).update(observed_at=clock.now()):
        open_incident(row, RECEIPT_INVALID, **OF_INCIDENTS, name=name)


def missing_volumes(ids: Collection[UUID]) -> set[UUID]:
    """Return those of these volumes and root disks that a storage cluster is known to lack."""
    rows = StorageClusterIncident.objects.filter(ended_at=None, kind=MISSING_VOLUME)
    return {UUID(name.rpartition("/")[2]) for name in rows.values_list("name", flat=True)} & set(ids)
