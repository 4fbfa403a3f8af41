"""Routes of storage clusters, for operators."""

from collections.abc import Sequence
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ActorView
from controlplane.api.v1.storage_clusters.schemas import StorageClusterIn, StorageClusterIncidentOut, StorageClusterOut
from controlplane.catalog.selectors import zone_get
from controlplane.kernel.listing import Listing, created_after, exactly
from controlplane.kernel.views import Body, created, resolve_reference, route
from controlplane.storage_clusters import selectors, services
from controlplane.storage_clusters.models import StorageCluster

STORAGE_CLUSTERS = Listing(
    {
        "name": exactly("name", "The storage cluster of this name."),
        "zone": exactly("zone_id", "The storage clusters of this zone."),
        "created_after": created_after(),
    },
    sorts=("name", "-name", "created_at", "-created_at"),
)
INCIDENTS = Listing(
    {"kind": exactly("kind", "The incidents of this kind."), "created_after": created_after()},
    sorts=("-created_at", "created_at"),
)


def _context(rows: Sequence[StorageCluster]) -> dict[str, Any]:
    return {"nodes": selectors.rbd_nodes(rows)}


class StorageClusterView(ActorView):
    def cluster(self) -> StorageCluster:
        return selectors.storage_cluster_get(self.actor, self.kwargs["cluster"])


class StorageClusterList(StorageClusterView):
    @route("storage_cluster_list", StorageClusterOut, listing=STORAGE_CLUSTERS)
    def get(self, request: Request) -> Response:
        page = STORAGE_CLUSTERS.page(request, selectors.storage_clusters(self.actor))
        return page.answer(StorageClusterOut, context=_context(page.rows))

    @route("storage_cluster_create", StorageClusterOut, body=StorageClusterIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        zone = resolve_reference(zone_get, body["zone"], at="zone")
        cluster = services.storage_cluster_create(self.actor, name=body["name"], zone=zone, address=body["address"])
        return created(StorageClusterOut(cluster, context=_context([cluster])).data, request=request)


class StorageClusterDetail(StorageClusterView):
    @route("storage_cluster_get", StorageClusterOut)
    def get(self, request: Request) -> Response:
        cluster = self.cluster()
        return Response(StorageClusterOut(cluster, context=_context([cluster])).data)

    @route("storage_cluster_delete", status=204)
    def delete(self, request: Request) -> Response:
        services.storage_cluster_delete(self.actor, self.cluster())
        return Response(status=204)


class StorageClusterIncidents(StorageClusterView):
    """List the incidents of the storage cluster."""

    @route("storage_cluster_incident_list", StorageClusterIncidentOut, listing=INCIDENTS)
    def get(self, request: Request) -> Response:
        return INCIDENTS.page(request, selectors.incidents(self.cluster())).answer(StorageClusterIncidentOut)
