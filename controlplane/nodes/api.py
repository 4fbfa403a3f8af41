"""The nodes, for operators."""

from typing import Any

from django.db.models import Q
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.identity.api import ActorView
from controlplane.kernel.fields import In, NamedOut, Out, Text
from controlplane.kernel.listing import Listing, among, chosen, created_after, exactly
from controlplane.kernel.rest import Body, route
from controlplane.nodes import duties, selectors, services
from controlplane.nodes.life import LIFE, life
from controlplane.nodes.models import DUTY, NODE, Inventory, Node

NODES = Listing(
    {
        "name": exactly("name", "The node of this name."),
        "state": among("state", NODE.moves),
        "duty": among("duty", DUTY.moves),
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
ANYWHERE = Listing(
    {
        **INCIDENTS.filters,
        "zone": exactly("node__zone_id", "The incidents on nodes of this zone."),
        "state": chosen({"open": Q(ended_at=None), "ended": Q(ended_at__isnull=False)}),
    },
    sorts=INCIDENTS.sorts,
)
RESOURCES = ("vcpus", "memory_mib", "disk_gib")


class CordonIn(In):
    example = {"reason": "its fan is to be replaced"}

    reason = Text(max_length=200, default="", allow_blank=True)


class AmountsOut(Out):
    """capacity = (total - reserved) · ratio, rounded down."""

    total = serializers.IntegerField()
    reserved = serializers.IntegerField()
    ratio = serializers.FloatField()
    capacity = serializers.IntegerField()
    used = serializers.IntegerField()


class InventoryOut(Out):
    vcpus = AmountsOut()
    memory_mib = AmountsOut()
    disk_gib = AmountsOut()

    def to_representation(self, instance: Inventory) -> dict[str, Any]:
        return {name: self._amounts(instance, name) for name in RESOURCES}

    @staticmethod
    def _amounts(inventory: Inventory, name: str) -> dict[str, Any]:
        amounts = {part: getattr(inventory, f"{name}_{part}") for part in ("total", "reserved", "capacity", "used")}
        return amounts | {"ratio": float(getattr(inventory, f"{name}_ratio"))}


class TrustOut(Out):
    """What the node said last that it trusts, and whether libvirt asks its agent before a guest starts."""

    keyset_version = serializers.IntegerField()
    charter_version = serializers.IntegerField()
    deny_version = serializers.IntegerField()
    facts_epoch = serializers.IntegerField()
    is_clock_kept = serializers.BooleanField()
    hook_problem = serializers.CharField()
    attested_at = serializers.DateTimeField(allow_null=True)
    is_attested = serializers.BooleanField()


class IncidentOut(Out):
    """Something on the node that should not be. It is left as it is; `ended_at`: since when it is not seen any more."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    name = serializers.CharField()
    facts = serializers.DictField()
    created_at = serializers.DateTimeField()
    seen_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class IncidentOfNodeOut(IncidentOut):
    """The same, with the node."""

    node = NamedOut()
    zone = serializers.CharField(source="node.zone_id")


class NodeOut(Out):
    """`state`: whether it is heard. `duty`: what operators want of it. `life`: the one word that matters most of the
    two. `is_cordoned`: it takes nothing new, whatever the duty."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    zone = serializers.CharField(source="zone_id")
    address = serializers.CharField()
    state = serializers.ChoiceField(list(NODE.moves))
    duty = serializers.ChoiceField(list(DUTY.moves))
    duty_reason = serializers.CharField()
    duty_since = serializers.DateTimeField()
    life = serializers.SerializerMethodField()
    is_cordoned = serializers.BooleanField()
    cordon_reason = serializers.CharField(source="duty_reason")
    last_heartbeat_at = serializers.DateTimeField(allow_null=True)
    certificate_expires_at = serializers.DateTimeField()
    agent_version = serializers.CharField()
    virt_type = serializers.CharField()
    cpu_model = serializers.CharField()
    traits = serializers.ListField(child=serializers.CharField())
    inventory = InventoryOut()
    trust = TrustOut(source="*")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    @extend_schema_field(serializers.ChoiceField(LIFE))
    def get_life(self, node: Node) -> str:
        return life(node.state, node.duty)


class OperatorView(ActorView):
    """That there are nodes is no secret: a tenant is told that they are an operator's."""

    def node(self) -> Node:
        return selectors.node_get(self.actor, self.kwargs["node"])


class NodeList(OperatorView):
    """Those that were retired are only there when they are asked for."""

    @route("node_list", NodeOut, listing=NODES)
    def get(self, request: Request) -> Response:
        nodes = selectors.nodes(self.actor)
        if request.query_params.get("duty") != "retired":
            nodes = nodes.exclude(duty="retired")
        return NODES.page(request, nodes).answer(NodeOut)


class NodeDetail(OperatorView):
    @route("node_get", NodeOut)
    def get(self, request: Request) -> Response:
        return Response(NodeOut(self.node()).data)


class NodeIncidents(OperatorView):
    @route("node_incident_list", IncidentOut, listing=INCIDENTS)
    def get(self, request: Request) -> Response:
        return INCIDENTS.page(request, selectors.incidents(self.node())).answer(IncidentOut)


class IncidentList(OperatorView):
    """What is on any node and should not be."""

    @route("incident_list", IncidentOfNodeOut, listing=ANYWHERE)
    def get(self, request: Request) -> Response:
        return ANYWHERE.page(request, selectors.incidents_anywhere(self.actor)).answer(IncidentOfNodeOut)


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
        duties.node_return(self.actor, self.node())
        return Response(NodeOut(self.node()).data)


class RetireIn(In):
    example = {"reason": "it is sold"}

    reason = Text(max_length=200)


class NodeRetire(OperatorView):
    @route("node_retire", NodeOut, body=RetireIn)
    def post(self, request: Request, body: Body) -> Response:
        node = self.node()
        duties.node_retire(self.actor, node, reason=body["reason"])
        return Response(NodeOut(selectors.node_get(self.actor, str(node.pk))).data)
