"""Routes of nodes, for operators."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ActorView, OperatorView
from controlplane.api.v1.nodes.schemas import CordonIn, GuestOut, IncidentOut, NodeOut, RetireIn
from controlplane.compute.models import INSTANCE
from controlplane.compute.selectors import instances_on
from controlplane.kernel.listing import Listing, among, created_after, exactly, in_state
from controlplane.kernel.views import Body, route
from controlplane.nodes import admin_state, selectors, services
from controlplane.nodes.models import ADMIN_STATE, NODE
from controlplane.nodes.selectors import node_get

NODES = Listing(
    {
        "name": exactly("name", "The node of this name."),
        "state": among("state", NODE.moves),
        "duty": among("admin_state", ADMIN_STATE.moves),
        "zone": exactly("zone_id", "The nodes of this zone."),
        "created_after": created_after(),
    },
    sorts=("name", "-name", "created_at", "-created_at"),
)
INCIDENTS = Listing(
    {
        "kind": exactly("kind", "The incidents of this kind."),
        "created_after": created_after(),
    },
    sorts=("-created_at", "created_at"),
)


class NodeList(OperatorView):
    """List the nodes; retired nodes only on request."""

    @route("node_list", NodeOut, listing=NODES)
    def get(self, request: Request) -> Response:
        nodes = selectors.nodes(self.actor)
        if request.query_params.get("duty") != "retired":
            nodes = nodes.exclude(admin_state="retired")
        return NODES.page(request, nodes).answer(NodeOut)


class NodeDetail(OperatorView):
    @route("node_get", NodeOut)
    def get(self, request: Request) -> Response:
        return Response(NodeOut(self.node()).data)


class NodeIncidents(OperatorView):
    @route("node_incident_list", IncidentOut, listing=INCIDENTS)
    def get(self, request: Request) -> Response:
        return INCIDENTS.page(request, selectors.incidents(self.node())).answer(IncidentOut)


class NodeCordon(OperatorView):
    @route("node_cordon", NodeOut, body=CordonIn)
    def post(self, request: Request, body: Body) -> Response:
        services.node_cordon(self.actor, self.node(), reason=body["reason"])
        return Response(NodeOut(self.node()).data)


class NodeUncordon(OperatorView):
    @route("node_uncordon", NodeOut)
    def post(self, request: Request) -> Response:
        services.node_uncordon(self.actor, self.node())
        return Response(NodeOut(self.node()).data)


class NodeReturn(OperatorView):
    @route("node_return", NodeOut)
    def post(self, request: Request) -> Response:
        admin_state.node_return(self.actor, self.node())
        return Response(NodeOut(self.node()).data)


class NodeRetire(OperatorView):
    @route("node_retire", NodeOut, body=RetireIn)
    def post(self, request: Request, body: Body) -> Response:
        node = self.node()
        admin_state.node_retire(self.actor, node, reason=body["reason"])
        return Response(NodeOut(selectors.node_get(self.actor, str(node.pk))).data)


GUESTS = Listing(
    {
        "state": in_state(INSTANCE),
        "project": exactly("project__name", "The instances of projects of this name."),
        "created_after": created_after(),
    }
)


class NodeInstances(ActorView):
    @route("node_instance_list", GuestOut, listing=GUESTS)
    def get(self, request: Request) -> Response:
        node = node_get(self.actor, self.kwargs["node"])
        return GUESTS.page(request, instances_on(node)).answer(GuestOut)
