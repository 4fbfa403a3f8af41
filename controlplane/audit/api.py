"""The evidence log: where a resource was, checkpoints, proofs, and what witnesses add to them."""

import base64
import re
from datetime import datetime

from django.db.models import QuerySet
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from andromede_core.documents.messages import Reason, told_by
from controlplane.audit import proofs, selectors, witnesses
from controlplane.audit.errors import CheckpointNotFound, RecordNotFound
from controlplane.audit.models import Checkpoint, EvidenceRecord, Kind
from controlplane.audit.residency import ROLE_OF_KIND
from controlplane.identity.api import ActorView
from controlplane.identity.selectors import projects
from controlplane.kernel.db import by_id
from controlplane.kernel.fields import In, Out, Text, Whole
from controlplane.kernel.listing import Listing, among, created_after, has_id, invalid, moment
from controlplane.kernel.names import as_uuid
from controlplane.kernel.parameters import MOMENT, Parameter, one_of, whole
from controlplane.kernel.rest import Body, route

RECORDS = Listing(
    {
        "kind": among("kind", Kind.values),
        "resource": has_id("resource_id", "The records of the resource with this id."),
        "created_after": created_after(),
    },
    sorts=("-created_at", "created_at"),
)
ROLES = tuple(dict.fromkeys(ROLE_OF_KIND.values()))
PERIOD = {
    "from": Parameter("From this moment on (RFC 3339).", MOMENT),
    "to": Parameter("Up to this moment (RFC 3339).", MOMENT),
    "role": Parameter(f"Only this reason of holding data: one of {', '.join(ROLES)}.", one_of(ROLES)),
}
SINCE = {
    "old": Parameter(
        "The size of the checkpoint that the witness has signed last; 0, if it has signed none.", whole(0, 10**15 - 1)
    )
}


class IntervalOut(Out):
    """`role` compute: its memory and processors, while it runs; storage: a disk, from its creation to its erasure,
    whether its instance runs or not. `disk`: which root disk or volume that is. `state` proven: receipts of the node
    say so; claimed: a permit allows it and no receipt speaks of it. `end` null: still so. Empty ids: there is nothing
    to name."""

    role = serializers.CharField()
    disk = serializers.CharField(allow_blank=True)
    zone = serializers.CharField()
    node = serializers.CharField(allow_blank=True)
    start = serializers.DateTimeField()
    end = serializers.DateTimeField(allow_null=True)
    decision = serializers.CharField(allow_blank=True)
    permit = serializers.CharField(allow_blank=True)
    open_receipt = serializers.CharField(allow_blank=True)
    close_receipt = serializers.CharField(allow_blank=True)
    state = serializers.ChoiceField(["claimed", "proven"])
    is_compliant = serializers.BooleanField()


class ResidencyProblemOut(Out):
    """overlap: in two places at once; gap: data at rest was nowhere."""

    code = serializers.ChoiceField(["overlap", "gap"])
    role = serializers.CharField()
    start = serializers.DateTimeField()
    end = serializers.DateTimeField(allow_null=True)


class ResidencyOut(Out):
    intervals = IntervalOut(many=True)
    problems = ResidencyProblemOut(many=True)


class RecordOut(Out):
    """`document` and `salt` (base64) are null once it was erased; `leaf_index` is null until it has its place."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(Kind.values)
    resource = serializers.UUIDField(source="resource_id", allow_null=True)
    created_at = serializers.DateTimeField()
    document = serializers.CharField(allow_null=True)
    salt = serializers.SerializerMethodField()
    leaf_index = serializers.IntegerField(allow_null=True)

    def get_salt(self, record: EvidenceRecord) -> str | None:
        return _base64(record.salt) if record.salt is not None else None


class EntryOut(Out):
    """Hashes in hex. `prev` is the leaf of the record before in its stream, and empty for the first."""

    content = serializers.CharField()
    prev = serializers.CharField(allow_blank=True)
    seq = serializers.IntegerField()
    stream = serializers.CharField()


class ProofOut(Out):
    """RFC 6962 §2.1.1: hashes in base64, from the leaf up, to the root of the checkpoint. The leaf is SHA-256(0x00 ‖
    canonical JSON of `entry`); `entry.content` is SHA-256("andromede/record/v1" line feed ‖ salt ‖ document)."""

    leaf_index = serializers.IntegerField()
    leaf_hash = serializers.CharField()
    entry = EntryOut()
    hashes = serializers.ListField(child=serializers.CharField())
    checkpoint = serializers.CharField()


class CosignatureIn(In):
    """A line of a signed note, by a witness whose key the operators have added."""

    example = {"tree_size": 1042, "line": "— witness.example.org AAAAAA…"}

    tree_size = Whole(min_value=1, max_value=2**53)
    line = Text(max_length=1000)


def _base64(data: bytes | memoryview) -> str:
    return base64.b64encode(bytes(data)).decode()


class Residency(ActorView):
    @route("resource_residency", ResidencyOut, query=PERIOD)
    def get(self, request: Request) -> Response:
        resource_id = as_uuid(self.kwargs["resource"])
        seen = self.records()
        if resource_id is None or not seen.filter(resource_id=resource_id).exists():
            raise RecordNotFound(name=self.kwargs["resource"])
        start, end, role = _moment(request, "from"), _moment(request, "to"), request.query_params.get("role")
        if role is not None and role not in ROLES:
            raise invalid("role", Reason("it must be one of {known}.", known=", ".join(ROLES)))
        if start is not None and end is not None and start >= end:
            raise invalid("to", Reason("it must be after from."))
        return Response(ResidencyOut(selectors.residency_of(resource_id, start=start, end=end, role=role)).data)

    def records(self) -> QuerySet[EvidenceRecord]:
        """Of the projects that the actor sees."""
        return EvidenceRecord.objects.filter(project_id__in=projects(self.actor).values("pk"))


def _moment(request: Request, name: str) -> datetime | None:
    text = request.query_params.get(name)
    try:
        return moment(text) if text is not None else None
    except ValueError as exc:
        raise invalid(name, told_by(exc)) from exc


class RecordList(Residency):
    @route("evidence_list", RecordOut, listing=RECORDS)
    def get(self, request: Request) -> Response:
        return RECORDS.page(request, self.records()).answer(RecordOut)


class RecordProof(Residency):
    @route("evidence_proof", ProofOut, refusals=(409,))
    def get(self, request: Request) -> Response:
        ref = self.kwargs["record"]
        record = by_id(self.records(), ref)
        if record is None:
            raise RecordNotFound(name=ref)
        newest = _newest()
        hashes, entry = proofs.inclusion(record, newest), proofs.entry_of(record)
        proof = {
            "leaf_index": record.leaf_index,
            "leaf_hash": _base64(entry.leaf),
            "entry": entry.as_document(),
            "hashes": [_base64(each) for each in hashes],
            "checkpoint": str(selectors.checkpoint_note(newest)),
        }
        return Response(ProofOut(proof).data)


def _newest() -> Checkpoint:
    newest = selectors.checkpoint_newest()
    if newest is None:
        raise CheckpointNotFound(name="1")
    return newest


class CheckpointNewest(ActorView):
    """The newest checkpoint as a signed note (C2SP tlog-checkpoint), with the lines of witnesses."""

    @route("evidence_checkpoint", media_type="text/plain", refusals=(404,))
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(str(selectors.checkpoint_note(_newest())), content_type="text/plain; charset=utf-8")


class WitnessRequested(ActorView):
    """What a witness is asked (C2SP tlog-witness): to sign the newest checkpoint, with the proof that it goes on from
    the one that it signed last."""

    @route("evidence_witness_request", media_type="text/plain", query=SINCE, refusals=(404,))
    def get(self, request: Request) -> HttpResponse:
        text = request.query_params.get("old", "0")
        if not re.fullmatch(r"[0-9]{1,15}", text) or int(text) > _newest().tree_size:
            raise invalid("old", Reason("it must be the size of a checkpoint."))
        asked = witnesses.request_since(int(text))
        return HttpResponse(str(asked), content_type="text/plain; charset=utf-8")


class Cosign(ActorView):
    """Anybody may bring a witness's line: what counts is its signature."""

    @route("evidence_cosign", body=CosignatureIn, status=204)
    def post(self, request: Request, body: Body) -> Response:
        witnesses.cosign_accept(body["tree_size"], body["line"])
        return Response(status=204)
