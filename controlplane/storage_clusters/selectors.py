"""Storage clusters and their incidents, for actors with a platform role."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from django.db.models import QuerySet

from controlplane.identity.actor import Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.kernel.db import by_ref
from controlplane.nodes.models import Node
from controlplane.nodes.pools import RBD_TRAIT
from controlplane.storage_clusters.errors import StorageClusterNotFound
from controlplane.storage_clusters.models import StorageCluster, StorageClusterIncident


def storage_clusters(actor: Actor) -> QuerySet[StorageCluster]:
    """Return all storage clusters. Raises RoleNeeded: the actor has no platform role."""
    if not actor.sees_all:
        raise RoleNeeded(role="operator")
    return StorageCluster.objects.prefetch_related("pools")


def storage_cluster_get(actor: Actor, ref: str) -> StorageCluster:
    """Return a storage cluster by its id or name.

    Raises:
        RoleNeeded, StorageClusterNotFound.
    """
    cluster = by_ref(storage_clusters(actor), ref)
    if cluster is None:
        raise StorageClusterNotFound(name=ref)
    return cluster


def incidents(cluster: StorageCluster) -> QuerySet[StorageClusterIncident]:
    return StorageClusterIncident.objects.filter(cluster=cluster)


def rbd_nodes(clusters: Iterable[StorageCluster]) -> Mapping[str, list[Node]]:
    """Return the reachable nodes that can open RBD images, by zone."""
    zones = {cluster.zone_id for cluster in clusters}
    nodes: dict[str, list[Node]] = defaultdict(list)
    for node in Node.objects.filter(zone__in=zones, state="ready", traits__contains=[RBD_TRAIT]).order_by("name"):
        nodes[node.zone_id].append(node)
    return nodes
