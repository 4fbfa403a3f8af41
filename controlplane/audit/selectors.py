"""Evidence log queries. The callers check visibility, which follows the resource."""

import json
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from andromede_core.evidence.signed_notes import Note, parse_note, parse_signature
from controlplane.audit import residency
from controlplane.audit.models import Checkpoint, Cosignature, EvidenceRecord, Kind
from controlplane.kernel.names import as_uuid

OF_RESIDENCY = (Kind.DECISION, Kind.PERMIT, Kind.RECEIPT, Kind.COPY, Kind.DRIFT)


def checkpoint_newest() -> Checkpoint | None:
    return Checkpoint.objects.order_by("-tree_size").first()


def checkpoint_note(checkpoint: Checkpoint) -> Note:
    """Return the checkpoint's note with the cosignatures of the witnesses below the log's own signature."""
    note = parse_note(checkpoint.note)
    lines = Cosignature.objects.filter(checkpoint=checkpoint).order_by("pk").values_list("line", flat=True)
    return Note(note.text, (*note.signatures, *map(parse_signature, lines)))


def residency_of(
    resource_id: UUID, *, start: datetime | None = None, end: datetime | None = None, role: str | None = None
) -> residency.History:
    """Return the locations of the resource's data within [start, end), from all evidence about the resource and its
    root disks.
    """
    own = _documents(resource_id=resource_id, kind__in=OF_RESIDENCY)
    permit_ids = {_id_of(document, "jti") for document in own if document["kind"] == Kind.PERMIT}
    disks = [as_uuid(disk) for disk in residency.disks_of(own, str(resource_id))]
    of_others = Q(resource_id__in=[disk for disk in disks if disk]) | Q(subject_id__in=permit_ids)
    receipts = _documents(of_others, ~Q(resource_id=resource_id), kind=Kind.RECEIPT)
    answered = {_id_of(document, "jti") for document in (*own, *receipts) if document["kind"] == Kind.RECEIPT}
    permits = _documents(subject_id__in=answered - permit_ids, kind=Kind.PERMIT)
    named = {_id_of(document, "decision") for document in (*own, *permits) if document["kind"] == Kind.PERMIT}
    decisions = _documents(subject_id__in=named, kind=Kind.DECISION)
    records = [*own, *permits, *receipts, *decisions]
    return residency.history(records, str(resource_id), start=start, end=end, role=role)


def _documents(*conditions: Q, **filters: object) -> list[dict[str, object]]:
    """Return the documents of the records that are not erased."""
    texts = EvidenceRecord.objects.filter(*conditions, **filters).order_by("pk").values_list("document", flat=True)
    return [json.loads(text) for text in texts if text is not None]


def _id_of(record: dict[str, object], name: str) -> UUID | None:
    document = record["document"]
    body = document.get("p", document) if isinstance(document, dict) else {}
    value = body.get(name)
    return as_uuid(value) if isinstance(value, str) else None
