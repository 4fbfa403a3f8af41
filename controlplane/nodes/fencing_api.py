"""By what evidence a node could be fenced, and how its BMC is reached. The act itself is in api/fencing.py."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.kernel.fields import ErrorOut, In, Out, Text
from controlplane.kernel.rest import Body, route
from controlplane.nodes import bmcs
from controlplane.nodes.api import OperatorView
from controlplane.nodes.errors import NodeNotFenceable
from controlplane.nodes.fencing import AtHand, evidence_at_hand, latest_evidence
from controlplane.nodes.models import EVIDENCE_KINDS, Node


class FenceEvidenceOut(Out):
    """How it is known that the node does nothing any more. `detail`: what was seen; `by`: who said so, or asked for it;
    `boot`: the boot of the node that is over with it."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(EVIDENCE_KINDS)
    reason = serializers.CharField()
    detail = serializers.DictField()
    boot = serializers.CharField(source="boot_id")
    by = serializers.UUIDField(source="user_id", allow_null=True)
    operation = serializers.UUIDField(source="operation_id", allow_null=True)
    created_at = serializers.DateTimeField()


class EvidenceAtHandOut(Out):
    """A kind of evidence, and whether the node could be fenced by it now; `error` says why not, and `since` from when
    on, where only time is missing."""

    kind = serializers.ChoiceField(EVIDENCE_KINDS)
    counts = serializers.BooleanField()
    error = ErrorOut(allow_null=True)
    since = serializers.DateTimeField(allow_null=True)
    facts = serializers.DictField()


class FencingOut(Out):
    """`evidence`: by which it was fenced last; null: it never was. `fences_within_s`: so long after the end of its
    lease the node has stopped its guests, as it last said; null: it does not see to that by itself. `leased_until`: no
    lease that it was given lasts longer."""

    at_hand = EvidenceAtHandOut(many=True)
    evidence = FenceEvidenceOut(allow_null=True)
    fences_within_s = serializers.IntegerField(allow_null=True)
    leased_until = serializers.DateTimeField(allow_null=True)


def fencing_document(node: Node) -> dict[str, Any]:
    return {
        "at_hand": [_at_hand(node, each) for each in evidence_at_hand(node)],
        "evidence": latest_evidence(node),
        "fences_within_s": node.fences_within_s,
        "leased_until": node.leased_until,
    }


def _at_hand(node: Node, found: AtHand) -> dict[str, Any]:
    error = None if found.counts else NodeNotFenceable(node=node.name, reason=found.reason).as_document()
    return {"kind": found.kind, "counts": found.counts, "error": error, "since": found.since, "facts": found.facts}


class NodeFencing(OperatorView):
    @route("node_fencing_get", FencingOut)
    def get(self, request: Request) -> Response:
        return Response(FencingOut(fencing_document(self.node())).data)


class BmcIn(In):
    """`address`: an IP address in one of the platform's management networks, with a port if that is not 443.
    `certificate_sha256`: of the certificate that it shows; no other one is trusted. `system_id`: which of its systems
    the node is, if it has several. `password` is never given back."""

    example = {
        "address": "10.99.0.11",
        "username": "fencer",
        "password": "three small green doors",
        "certificate_sha256": "5e" * 32,
        "system_id": "1",
    }

    address = Text(max_length=64)
    username = Text(max_length=63)
    password = Text(max_length=128)
    certificate_sha256 = Text(max_length=95)
    system_id = Text(max_length=64, default="", allow_blank=True)


class BmcOut(Out):
    """`checked_at`: when it was last asked; `problem`: what was wrong then."""

    address = serializers.CharField()
    username = serializers.CharField()
    certificate_sha256 = serializers.CharField()
    system_id = serializers.CharField()
    checked_at = serializers.DateTimeField(allow_null=True)
    problem = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


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
