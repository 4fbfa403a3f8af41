"""Fence a node. It is here because of attestation: whoever says that a node is off proves who they are first."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.kernel.fields import Choice, In, Out, Text
from controlplane.kernel.rest import Body, route
from controlplane.nodes.api import NodeOut, OperatorView
from controlplane.nodes.fencing import node_fence
from controlplane.nodes.fencing_api import FenceEvidenceOut
from controlplane.nodes.models import EVIDENCE_KINDS
from controlplane.operations.serializers import PlatformOperationOut
from controlplane.signin.errors import SessionNeeded
from controlplane.signin.models import Session
from controlplane.signin.sessions import needs_fresh_proof


class FenceIn(In):
    """`evidence`: power has its BMC switch it off; lease rests on its having stopped its guests by itself; attestation
    is your own word that it is off and unplugged, and takes a session with a fresh proof of who you are."""

    example = {"evidence": "attestation", "reason": "unplugged in rack 7, see ticket 4711"}

    evidence = Choice(choices=EVIDENCE_KINDS)
    reason = Text(max_length=200)


class FenceOut(Out):
    """`evidence` is there at once, or is what `operation` is to get."""

    node = NodeOut()
    evidence = FenceEvidenceOut(allow_null=True)
    operation = PlatformOperationOut(allow_null=True)


class NodeFence(OperatorView):
    """Evidence that is at hand fences the node at once (200); having it switched off takes an operation (202)."""

    @route("node_fence", FenceOut, body=FenceIn, answers={202: FenceOut})
    def post(self, request: Request, body: Body) -> Response:
        if body["evidence"] == "attestation":
            if not isinstance(request.auth, Session):
                raise SessionNeeded()
            needs_fresh_proof(request.auth)
        fencing = node_fence(self.actor, self.node(), kind=body["evidence"], reason=body["reason"])
        document = {"node": self.node(), "evidence": fencing.evidence, "operation": fencing.operation}
        return Response(FenceOut(document).data, status=202 if fencing.operation else 200)
