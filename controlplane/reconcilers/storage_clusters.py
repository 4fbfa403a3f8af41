"""Storage agents get the newest trust documents of their zone, and the state of their clusters is recorded."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from agents.protocol import storage_pb2 as pb
from controlplane.kernel import clock
from controlplane.nodes import trust_documents
from controlplane.nodes.models import TrustDocument
from controlplane.nodes.service_agents import CallFailed
from controlplane.nodes.trust_documents import DENY, FACTS, FLOOR, KEYSET
from controlplane.storage_clusters.models import StorageCluster
from controlplane.storage_clusters.services import ClusterReport, record_failure, record_report
from controlplane.storage_clusters.storage_client import describe

CALLS_AT_ONCE = 8
CHARTERS_AT_ONCE = 1000
# A charter may become visible so much later than another one that was signed after it: until then it is sent again.
CHARTERS_OVERLAP = timedelta(minutes=1)
NEVER = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Sending:
    """The documents for a storage agent, and the times that count as sent once it has answered."""

    request: pb.EnsureTrustRequest
    floor_issued_at: datetime | None
    charters_sent_at: datetime | None


def reconcile() -> int:
    """Return how many storage agents answered. They are called at once, so that a silent one delays no other."""
    clusters = list(StorageCluster.objects.exclude(certificate_sha256="").order_by("name"))
    if not clusters:
        return 0
    sendings = [_sending(each) for each in clusters]
    with ThreadPoolExecutor(min(CALLS_AT_ONCE, len(clusters))) as pool:
        answers = list(pool.map(_call, clusters, sendings))
    return sum(_record(each, answer) for each, answer in zip(clusters, answers, strict=True))


def _sending(cluster: StorageCluster) -> Sending:
    """Return what the storage agent lacks by its last report. One without a keyset has lost all that it was sent."""
    request = pb.EnsureTrustRequest()
    keyset, deny = trust_documents.newest(KEYSET), trust_documents.newest(DENY)
    if keyset is not None and keyset.version > cluster.keyset_version:
        request.keyset = bytes(keyset.document)
    if deny is not None and deny.version != cluster.deny_version:  # it may have a later one that a thief has signed
        request.deny = bytes(deny.document)
    floor, facts = (trust_documents.newest(kind, cluster.zone_id) for kind in (FLOOR, FACTS))
    floor_issued_at, known = cluster.floor_issued_at, (cluster.facts_epoch, cluster.floor_issued_at or NEVER)
    if floor is not None and facts is not None and (floor.version, floor.updated_at) > known:
        request.floor, request.facts = bytes(floor.document), bytes(facts.document)
        floor_issued_at = floor.updated_at
    charters, charters_sent_at = _charters(cluster)
    request.charters.extend(bytes(row.document) for row in charters)
    return Sending(request, floor_issued_at, charters_sent_at)


def _charters(cluster: StorageCluster) -> tuple[list[TrustDocument], datetime]:
    """Return the next charters that the storage agent was not sent, and the time until which all are sent then."""
    now, sent_at = clock.now(), cluster.charters_sent_at if cluster.keyset_version else None
    charters = list(trust_documents.charters_since(sent_at or NEVER, zone_id=cluster.zone_id)[:CHARTERS_AT_ONCE])
    return charters, charters[-1].created_at if len(charters) == CHARTERS_AT_ONCE else now - CHARTERS_OVERLAP


def _call(cluster: StorageCluster, sending: Sending) -> ClusterReport | str:
    """Return the report or the problem. It runs in a thread, without the database."""
    try:
        report = describe(cluster, sending.request)
    except CallFailed as exc:
        return exc.problem
    floor_issued_at, charters_sent_at = sending.floor_issued_at, sending.charters_sent_at
    trust = replace(report.trust, floor_issued_at=floor_issued_at, charters_sent_at=charters_sent_at)
    return replace(report, trust=trust)


def _record(cluster: StorageCluster, answer: ClusterReport | str) -> int:
    if isinstance(answer, str):
        record_failure(cluster, answer)
        return 0
    record_report(cluster, answer)
    return 1
