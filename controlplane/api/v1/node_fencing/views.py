"""Routes of node fencing: the available evidence, the fencing itself, and the BMC (Redfish) that carries it out."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import OperatorView
from controlplane.api.v1.node_fencing.schemas import BmcIn, BmcOut, FenceIn, FenceOut, FencingOut
from controlplane.kernel.views import Body, route
from controlplane.node_lifecycle.fencing import bmcs
from controlplane.node_lifecycle.fencing.fencing import (
    AvailableEvidence,
    available_evidence,
    latest_evidence,
    node_fence,
)
from controlplane.node_lifecycle.fencing.storage_fences import fences_of
from controlplane.nodes.errors import NodeNotFenceable
from controlplane.nodes.models import Node
from controlplane.nodes.storage_addresses import known_to_storage
from controlplane.signin.errors import SessionNeeded
from controlplane.signin.models import Session
from controlplane.signin.sessions import needs_fresh_proof


def fencing_document(node: Node) -> dict[str, Any]:
    return {
        "at_hand": [_at_hand(node, each) for each in available_evidence(node)],
        "evidence": latest_evidence(node),
        "fences_within_s": node.fences_within_s,
        "leased_until": node.leased_until,
        "storage_addresses": known_to_storage(node),
        "storage": fences_of(node),
    }


def _at_hand(node: Node, evidence: AvailableEvidence) -> dict[str, Any]:
    error = None if evidence.counts else NodeNotFenceable(node=node.name, reason=evidence.reason).as_document()
    return {
        "kind": evidence.kind,
        "counts": evidence.counts,
        "error": error,
        "since": evidence.since,
        "facts": evidence.facts,
    }


class NodeFencing(OperatorView):
    @route("node_fencing_get", FencingOut)
    def get(self, request: Request) -> Response:
        return Response(FencingOut(fencing_document(self.node())).data)


class NodeBmc(OperatorView):
    @route("node_bmc_get", BmcOut)
    def get(self, request: Request) -> Response:
        return Response(BmcOut(bmcs.bmc_get(self.node())).data)

    @route("node_bmc_set", BmcOut, body=BmcIn)
    def put(self, request: Request, body: Body) -> Response:
        return Response(BmcOut(bmcs.bmc_set(self.actor, self.node(), bmcs.NewBmc(**body))).data)

    @route("node_bmc_delete", status=204)
    def delete(self, request: Request) -> Response:
        bmcs.bmc_remove(self.actor, self.node())
        return Response(status=204)


class NodeFence(OperatorView):
    """Fence a node. Available evidence fences the node at once (200); switching it off takes an operation (202)."""

    @route("node_fence", FenceOut, body=FenceIn, answers={202: FenceOut})
    def post(self, request: Request, body: Body) -> Response:
        if body["evidence"] == "attestation":
            if not isinstance(request.auth, Session):
                raise SessionNeeded()
            needs_fresh_proof(request.auth)
        fencing = node_fence(self.actor, self.node(), kind=body["evidence"], reason=body["reason"])
        document = {"node": self.node(), "evidence": fencing.evidence, "operation": fencing.operation}
        return Response(FenceOut(document).data, status=202 if fencing.operation else 200)
