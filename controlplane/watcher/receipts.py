"""Receipts: signed records of a node, or of a storage agent, of work under a permit.

Each is stored, also one that is not valid, and becomes evidence.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Max, Model, QuerySet

from agents.protocol import agent_pb2 as pb
from agents.protocol import storage_pb2
from andromede_core.documents import signed
from andromede_core.documents.signed import BadDocument, Signed
from controlplane.audit import evidence_log
from controlplane.catalog import signing_keys
from controlplane.kernel.multi_insert import insert
from controlplane.kernel.names import as_uuid
from controlplane.kernel.prepared_queries import preparing_cursor
from controlplane.nodes import incidents
from controlplane.nodes.models import Node, Receipt
from controlplane.nodes.selectors import NODE
from controlplane.storage_clusters.models import StorageCluster, StorageReceipt

KIND = "receipt"
FORGED, GAP, UNPERMITTED = "receipt-forged", "receipt-gap", "receipt-unpermitted"
REPLACED = "receipt-replaced"
POSITIONS = """
SELECT (SELECT coalesce(max(number), 0) FROM nodes_receipt WHERE node_id = %s), permit.*
FROM (SELECT) AS always LEFT JOIN (
    SELECT permit.id, permit.project_id, project.organization_id
    FROM placement_permit AS permit JOIN identity_project AS project ON project.id = permit.project_id
    WHERE permit.node_id = %s AND permit.state = 'signed' AND permit.id = ANY(%s)
) AS permit ON true
"""
# Project and organization of a permit.
Owners = tuple[UUID, UUID]
AnyReceipt = pb.Receipt | storage_pb2.Receipt


@dataclass(frozen=True)
class Signer:
    """A node, or the storage agent of a cluster. `table`: of its receipts, which are those `of_signer`.

    `report`: opens an incident of a kind, with a name and facts. `owners_of`: of a permit that lets it do something.
    """

    row: Node | StorageCluster
    table: type[Receipt] | type[StorageReceipt]
    of_signer: Mapping[str, Any]
    report: Callable[..., object]
    owners_of: Callable[[UUID], Owners | None]


def last_number(node_id: UUID) -> int:
    """Return the number of the node's last stored receipt; the node sends the following ones."""
    return highest_number(Receipt.objects.filter(node=node_id))


def highest_number(rows: QuerySet[Receipt] | QuerySet[StorageReceipt]) -> int:
    """Return the highest number of these receipts; 0: there are none."""
    highest: int | None = rows.aggregate(highest=Max("number"))["highest"]
    return highest or 0


def record_receipts(node_id: UUID, receipts: Sequence[pb.Receipt]) -> None:
    """Store receipts in one statement, if all are valid: new, consecutive, genuine, and permitted."""
    node = NODE.get(node_id)
    try:
        is_kept = _record_together(node, receipts)
    except IntegrityError:  # another watcher stores them too
        is_kept = False
    if not is_kept:
        for receipt in receipts:
            record_receipt(node, receipt)


def _record_together(node: Node, receipts: Sequence[pb.Receipt]) -> bool:
    """Insert the receipts; a concurrent insert of some of them is detected by their numbers."""
    documents = [document for receipt in receipts if (document := _document(node, receipt))]
    named = [as_uuid(str(document.payload.get("jti", ""))) for document in documents]
    last, permits = _read_permits(node, [each for each in named if each])
    following = list(range(last + 1, last + 1 + len(receipts)))
    if [document.payload.get("number") for document in documents] != following:
        return False
    rows: list[Model] = []
    for receipt, document, jti in zip(receipts, documents, named, strict=True):
        owners = permits.get(jti) if jti else None
        if owners is None and document.payload.get("event") == "opened":
            return False
        rows.append(Receipt(node=node, number=receipt.number, jti=jti, document=receipt.document, is_genuine=True))
        rows.append(evidence_log.build_record(KIND, document.envelope(), **_owners(document, owners)))
    insert(*rows)
    return True


def _read_permits(node: Node, named: Sequence[UUID]) -> tuple[int, dict[UUID, Owners]]:
    """Return the number of the last stored receipt, and the owners of these permits of the node."""
    with preparing_cursor() as cursor:
        cursor.execute(POSITIONS, [node.pk, node.pk, list(named)])
        rows = cursor.fetchall()
    return rows[0][0], {permit: (project, organization) for _, permit, project, organization in rows if permit}


def record_receipt(node: Node, receipt: pb.Receipt) -> None:
    """Store one receipt of a node. Raises as `record`."""
    record(_signer(node), receipt)


def _signer(node: Node) -> Signer:
    return Signer(
        node,
        Receipt,
        {"node": node},
        partial(incidents.report, node),
        lambda jti: _read_permits(node, [jti])[1].get(jti),
    )


@transaction.atomic
def record(signer: Signer, receipt: AnyReceipt) -> None:
    """Store one receipt. Idempotent; another receipt with the same number is an incident.

    So is one with another number in its document: it was shown before, or replaces one that is withheld.
    """
    document = _document(signer.row, receipt)
    payload = document.payload if document else {}
    jti = as_uuid(str(payload.get("jti", "")))
    rows = signer.table.objects.filter(**signer.of_signer)
    last = highest_number(rows)
    row, is_new = signer.table.objects.get_or_create(
        **signer.of_signer,
        number=receipt.number,
        defaults={"jti": jti, "document": receipt.document, "is_genuine": document is not None},
    )
    if not is_new:
        if bytes(row.document) != receipt.document:
            signer.report(REPLACED, str(receipt.number))
        return
    if receipt.number != last + 1:
        signer.report(GAP, str(receipt.number), after=last)
    if document is None:
        signer.report(FORGED, str(receipt.number))
    else:
        _record_evidence(signer, receipt.number, document, jti)


def _document(node: Node | StorageCluster, receipt: AnyReceipt) -> Signed | None:
    document = verified_document(node, KIND, receipt.document)
    return document if document is not None and document.payload.get("number") == receipt.number else None


def verified_document(node: Node | StorageCluster, kind: str, document: bytes) -> Signed | None:
    """Return the document if the key of the node, or of the cluster's agent, signed it, and it names this one."""
    try:
        envelope = signed.read(document)
        envelope.check(kind, signing_keys.verifier(node.public_key))
    except (BadDocument, ValueError):
        return None
    return envelope if envelope.payload.get("node") == str(node.pk) else None


def _record_evidence(signer: Signer, number: int, document: Signed, jti: UUID | None) -> None:
    owners = signer.owners_of(jti) if jti else None
    if owners is None and document.payload.get("event") == "opened":
        signer.report(UNPERMITTED, str(number), jti=str(jti))
    evidence_log.append(KIND, document.envelope(), **_owners(document, owners))


def _owners(document: Signed, owners: Owners | None) -> dict[str, UUID | None]:
    project_id, organization_id = owners or (None, None)
    return {
        "organization_id": organization_id,
        "project_id": project_id,
        "resource_id": as_uuid(str(document.payload.get("resource", ""))),
    }
