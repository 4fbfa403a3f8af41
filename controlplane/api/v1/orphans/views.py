"""Routes of orphaned resources, for operators: on a node or in a cluster without a row, or a row without a resource."""

from django.db.models import Q
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ActorView
from controlplane.api.v1.orphans.schemas import DiscardIn, OrphanOut, ReleaseIn
from controlplane.kernel.listing import Filter, Listing, among, chosen, created_after, exactly
from controlplane.kernel.views import Body, route
from controlplane.nodes import orphans
from controlplane.nodes.models import Orphan
from controlplane.nodes.orphan_states import ORPHAN, ORPHAN_KINDS

OPEN = Q(state__in=("found", "quarantined"))
ORPHANS = Listing(
    {
        "state": among("state", ORPHAN.moves),
        "kind": among("kind", ORPHAN_KINDS),
        "node": exactly("node__name", "Orphans on the node of this name."),
        "storage_cluster": exactly("pool__cluster__name", "Orphans in the storage cluster of this name."),
        "zone": Filter(
            lambda text: Q(node__zone_id=text) | Q(pool__zone_id=text), "Orphans on nodes and in clusters of this zone."
        ),
        "open": chosen({"true": OPEN, "false": ~OPEN}),
        "created_after": created_after(),
    },
    sorts=("-created_at", "created_at"),
)


class OrphanView(ActorView):
    def orphan(self) -> Orphan:
        return orphans.orphan_get(self.actor, self.kwargs["orphan"])


class OrphanList(OrphanView):
    """List all orphans ever found; `open=true`: those that wait for a decision."""

    @route("orphan_list", OrphanOut, listing=ORPHANS)
    def get(self, request: Request) -> Response:
        return ORPHANS.page(request, orphans.orphans(self.actor)).answer(OrphanOut)


class OrphanDetail(OrphanView):
    @route("orphan_get", OrphanOut)
    def get(self, request: Request) -> Response:
        return Response(OrphanOut(self.orphan()).data)


class OrphanDiscard(OrphanView):
    """Discard the orphan: it is deleted permanently, once its node or storage cluster is reachable."""

    @route("orphan_discard", OrphanOut, body=DiscardIn, status=202)
    def post(self, request: Request, body: Body) -> Response:
        orphan = orphans.orphan_discard(self.actor, self.orphan(), name=body["name"], reason=body["reason"])
        return Response(OrphanOut(orphan).data, status=202)


class OrphanRelease(OrphanView):
    """Release the orphan from quarantine, as it was before. It is not reported again."""

    @route("orphan_release", OrphanOut, body=ReleaseIn, status=202)
    def post(self, request: Request, body: Body) -> Response:
        orphan = orphans.orphan_release(self.actor, self.orphan(), reason=body["reason"])
        return Response(OrphanOut(orphan).data, status=202)
