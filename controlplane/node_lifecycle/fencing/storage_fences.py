"""Fences of nodes in storage clusters: no client at a fenced node's addresses reads or writes there.

The clusters of its zone get the addresses of a node as soon as the node is fenced, and an evacuation asks them before
it opens a disk. Volumes are fenced one by one besides (workflows/cluster_disks.py), so an address that cannot be
fenced, such as that of the storage agent's own machine, is an incident, and the evacuation goes on.

A fence is removed once the node has shown that none of its guests that run elsewhere runs there too: it is out of
the admin state `fenced`, reachable, and has carried out its pending removals.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from andromede_core.documents.messages import Message
from controlplane.audit import evidence_log
from controlplane.audit.services import record
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError
from controlplane.nodes.models import STORAGE_EVIDENCE, FenceEvidence, Node, NodeRemoval
from controlplane.nodes.storage_addresses import known_to_storage
from controlplane.storage_clusters.errors import StorageClusterRefused
from controlplane.storage_clusters.models import NodeFence, StorageCluster
from controlplane.storage_clusters.services import GONE, record_node_not_fenced
from controlplane.storage_clusters.volume_calls import fence_addresses, unfence_addresses

log = logging.getLogger(__name__)

Owners = dict[str, set[UUID]]  # by address

# The longest that a storage agent accepts; renewed when half of it is over.
LASTS = timedelta(days=30)
RENEW_BEFORE = LASTS / 2
OUT_OF_REACH = Message("the storage cluster of its disks does not answer now.")
# The storage agent's code (agents/storage/errors.py), and the problem of the row.
OWN_ADDRESS = "storage.own_address"
NO_ADDRESS, SHARED, AGENT, REFUSED = "no-address", "shared-address", "agent-address", "refused"
PROBLEMS = ("", NO_ADDRESS, SHARED, AGENT, REFUSED)


def reconcile() -> int:
    """Return how many fences were made, renewed or removed."""
    clusters = list(StorageCluster.objects.exclude(certificate_sha256="").exclude(fsid=None).order_by("name"))
    present = [each for each in clusters if each.problem not in GONE]
    owners = owners_of_addresses() if present else {}
    return sum(_reconcile_cluster(each, owners) for each in present)


def _reconcile_cluster(cluster: StorageCluster, owners: Owners) -> int:
    changed = 0
    try:
        for node in Node.objects.filter(zone_id=cluster.zone_id, admin_state="fenced").order_by("name"):
            changed += ensure_fenced(cluster, node, owners)
        for fence in _over(cluster, owners):
            changed += _end(cluster, fence)
    except CloudError as exc:
        log.warning("storage cluster %s: fences of nodes failed and are retried: %s", cluster.name, exc)
    return changed


def fences_of(node: Node) -> QuerySet[NodeFence]:
    """Return the node's fences, by cluster."""
    return NodeFence.objects.filter(node=node).select_related("cluster").order_by("cluster__name")


def is_possible(cluster: StorageCluster, node: Node) -> bool:
    """Tell if the node is fenced in the cluster, or the cluster may answer when it is asked to."""
    cluster.refresh_from_db(fields=["problem"])
    return cluster.problem not in GONE or _is_current(
        NodeFence.objects.filter(cluster=cluster, node=node).first(), node
    )


def ensure_fenced(cluster: StorageCluster, node: Node, owners: Owners | None = None) -> bool:
    """Fence the node's addresses in the cluster, unless they are since the node was fenced; True: the cluster did.

    `owners`: of all addresses, if the caller has read them.

    Raises:
        StorageClusterUnreachable, StorageClusterFailed: the cluster does not answer.
    """
    addresses, problem = _addresses(node, owners_of_addresses() if owners is None else owners)
    fence, _ = NodeFence.objects.get_or_create(cluster=cluster, node=node)
    if _is_current(fence, node) and fence.addresses == addresses and fence.problem in (problem, AGENT, REFUSED):
        return False
    former = set(fence.addresses) - set(addresses)
    _update(fence, addresses=sorted({*fence.addresses, *addresses}))  # before the calls: a fence is never forgotten
    if addresses:
        try:
            fence_addresses(cluster, addresses, seconds=int(LASTS.total_seconds()))
        except StorageClusterRefused as exc:
            problem = AGENT if exc.facts.get("agent_code") == OWN_ADDRESS else REFUSED
            log.warning("node %s: not fenced in storage cluster %s: %s", node.name, cluster.name, exc)
    _unfence(cluster, fence, former)
    _record(fence, node, addresses, problem)
    return True


def owners_of_addresses() -> Owners:
    """Return the nodes that have each address, but for retired ones."""
    owners: Owners = defaultdict(set)
    for node in Node.objects.exclude(admin_state="retired"):
        for address in known_to_storage(node):
            owners[address].add(node.pk)
    return owners


def _addresses(node: Node, owners: Owners) -> tuple[list[str], str]:
    """Return the addresses to fence, and the problem with the others: those of another node would stop its guests."""
    known = known_to_storage(node)
    free = [address for address in known if not owners.get(address, set()) - {node.pk}]
    return free, NO_ADDRESS if not known else SHARED if len(free) < len(known) else ""


def _unfence(cluster: StorageCluster, fence: NodeFence, addresses: Collection[str]) -> None:
    """Remove the fences of the addresses, except those that the fence of another node has now."""
    others = NodeFence.objects.filter(cluster=cluster).exclude(pk=fence.pk).values_list("addresses", flat=True)
    if left := sorted(set(addresses).difference(*others)):
        unfence_addresses(cluster, left)


def _is_current(fence: NodeFence | None, node: Node) -> bool:
    """Tell if the cluster has answered since the node was fenced, and the fence lasts."""
    if fence is None or fence.fenced_at is None or fence.expires_at is None:
        return False
    return fence.fenced_at >= node.admin_state_since and fence.expires_at - RENEW_BEFORE > clock.now()


def _update(fence: NodeFence, **fields: object) -> None:
    NodeFence.objects.filter(pk=fence.pk).update(updated_at=clock.now(), **fields)


@transaction.atomic
def _record(fence: NodeFence, node: Node, addresses: list[str], problem: str) -> None:
    """Record the cluster's answer. The first one since the node was fenced is evidence."""
    now, cluster = clock.now(), fence.cluster
    is_new = fence.fenced_at is None or fence.fenced_at < node.admin_state_since
    _update(fence, addresses=addresses, problem=problem, fenced_at=now, expires_at=now + LASTS)
    record_node_not_fenced(cluster, node.name, is_so=bool(problem))
    if problem in (AGENT, REFUSED) or not addresses or not is_new:
        return
    facts: dict[str, object] = {
        "storage_cluster": str(cluster.pk),
        "fsid": str(cluster.fsid),
        "addresses": addresses,
        "expires_at": (now + LASTS).isoformat(),
    }
    FenceEvidence.objects.create(
        node=node, kind=STORAGE_EVIDENCE, reason=node.admin_state_reason, detail=facts, boot_id=node.boot_id
    )
    document = {"incident": "node-fenced-in-storage", "node": str(node.pk), "zone": node.zone_id, "facts": facts}
    evidence_log.append("incident", document)
    record(SYSTEM, "node.fence-storage", node.pk, project_id=None, name=node.name, **facts)


# ---- its end


def _over(cluster: StorageCluster, owners: Owners) -> Iterator[NodeFence]:
    """Return the fences of nodes that are back; of retired ones, if they have ended or another node has an address."""
    left = NodeRemoval.objects.filter(node=OuterRef("node"))
    is_back = Q(node__state="ready") & ~Q(node__admin_state="fenced") & ~Exists(left)
    fences = NodeFence.objects.filter(cluster=cluster).select_related("node").order_by("node__name")
    for fence in fences.filter(node__admin_state="retired"):
        if (fence.expires_at or clock.now()) <= clock.now() or _addresses(fence.node, owners)[1] == SHARED:
            yield fence
    yield from fences.filter(is_back).exclude(node__admin_state="retired")


def _end(cluster: StorageCluster, fence: NodeFence) -> bool:
    _unfence(cluster, fence, fence.addresses)
    with transaction.atomic():
        if not NodeFence.objects.filter(pk=fence.pk, updated_at=fence.updated_at).delete()[0]:
            _update(fence, fenced_at=None)  # it was fenced again meanwhile: once more
            return False
        record_node_not_fenced(cluster, fence.node.name, is_so=False)
        facts = {"name": fence.node.name, "storage_cluster": str(cluster.pk)}
        record(SYSTEM, "node.unfence-storage", fence.node_id, project_id=None, **facts)
    return True
