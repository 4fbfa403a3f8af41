"""Routes of the evidence log: residency, records, log checkpoints, proofs, and cosignatures of witnesses."""

import re
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from andromede_core.documents.messages import Message, message_of
from controlplane.api.base_views import ActorView
from controlplane.api.v1.evidence.schemas import CosignatureIn, ProofOut, RecordOut, ResidencyOut, _base64
from controlplane.audit import proofs, selectors, witnesses
from controlplane.audit.errors import CheckpointNotFound, RecordNotFound
from controlplane.audit.models import Checkpoint, EvidenceRecord, Kind
from controlplane.audit.residency import ROLE_OF_KIND, TRASH
from controlplane.identity.selectors import projects
from controlplane.kernel.db import by_id
from controlplane.kernel.listing import Listing, among, created_after, has_id, invalid, parse_timestamp
from controlplane.kernel.names import as_uuid
from controlplane.kernel.query_parameters import MOMENT, Parameter, one_of, whole
from controlplane.kernel.views import Body, route
from controlplane.network.public_address_residency import public_address_residency
from controlplane.storage.models import Volume

RECORDS = Listing(
    {
        "kind": among("kind", Kind.values),
        "resource": has_id("resource_id", "The records of the resource with this id."),
        "created_after": created_after(),
    },
    sorts=("-created_at", "created_at"),
)
ROLES = (*dict.fromkeys(ROLE_OF_KIND.values()), TRASH)
PERIOD = {
    "from": Parameter("Beginning of the period (RFC 3339).", MOMENT),
    "to": Parameter("End of the period (RFC 3339).", MOMENT),
    "role": Parameter(f"Only intervals of this role: one of {', '.join(ROLES)}.", one_of(ROLES)),
}
SINCE = {
    "old": Parameter(
        "The size of the log checkpoint that the witness signed last; 0 if there is none.", whole(0, 10**15 - 1)
    )
}


class Residency(ActorView):
    @route("resource_residency", ResidencyOut, query=PERIOD)
    def get(self, request: Request) -> Response:
        resource_id = as_uuid(self.kwargs["resource"])
        if resource_id is None:
            raise RecordNotFound(name=self.kwargs["resource"])
        start, end, role = _moment(request, "from"), _moment(request, "to"), request.query_params.get("role")
        if role is not None and role not in ROLES:
            raise invalid("role", Message("it must be one of {known}.", known=", ".join(ROLES)))
        if start is not None and end is not None and start >= end:
            raise invalid("to", Message("it must be after from."))
        if self.records().filter(resource_id=resource_id).exists() or self.is_nowhere(resource_id):
            residency, next_to = selectors.residency_of(resource_id, start=start, end=end, role=role), None
        else:  # no evidence is about a public address itself
            residency, next_to = public_address_residency(self.actor, resource_id, start=start, end=end, role=role)
        answer = {"intervals": residency.intervals, "problems": residency.problems, "next_to": next_to}
        return Response(ResidencyOut(answer).data)

    def is_nowhere(self, resource_id: UUID) -> bool:
        """Tell if it is a volume that has never had a place, of which there is no evidence."""
        return Volume.objects.filter(pk=resource_id, is_unbound=True, project__in=projects(self.actor)).exists()

    def records(self) -> QuerySet[EvidenceRecord]:
        """Return the records of the projects that the actor sees."""
        return EvidenceRecord.objects.filter(project_id__in=projects(self.actor).values("pk"))


def _moment(request: Request, name: str) -> datetime | None:
    text = request.query_params.get(name)
    try:
        return parse_timestamp(text) if text is not None else None
    except ValueError as exc:
        raise invalid(name, message_of(exc)) from exc


class RecordList(Residency):
    @route("evidence_list", RecordOut, listing=RECORDS)
    def get(self, request: Request) -> Response:
        return RECORDS.page(request, self.records()).answer(RecordOut)


class RecordProof(Residency):
    @route("evidence_proof", ProofOut, error_statuses=(409,))
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
    """Return the newest log checkpoint as a signed note (C2SP tlog-checkpoint), with the signatures of witnesses."""

    @route("evidence_checkpoint", media_type="text/plain", error_statuses=(404,))
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(str(selectors.checkpoint_note(_newest())), content_type="text/plain; charset=utf-8")


class WitnessRequested(ActorView):
    """Return the request to a witness (C2SP tlog-witness): to sign the newest log checkpoint, with the proof that it
    extends the one that the witness signed last.
    """

    @route("evidence_witness_request", media_type="text/plain", query=SINCE, error_statuses=(404,))
    def get(self, request: Request) -> HttpResponse:
        text = request.query_params.get("old", "0")
        if not re.fullmatch(r"[0-9]{1,15}", text) or int(text) > _newest().tree_size:
            raise invalid("old", Message("it must be the size of a checkpoint."))
        checkpoint = witnesses.request_since(int(text))
        return HttpResponse(str(checkpoint), content_type="text/plain; charset=utf-8")


class Cosign(ActorView):
    """Add a witness's cosignature. No credential is needed: the signature itself is checked."""

    @route("evidence_cosign", body=CosignatureIn, status=204)
    def post(self, request: Request, body: Body) -> Response:
        witnesses.cosign_accept(body["tree_size"], body["line"])
        return Response(status=204)
