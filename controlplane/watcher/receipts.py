"""Receipts: what a node did under which permit, in its own signature. Each is kept, also one that is not as it should
be, and becomes evidence."""

from collections.abc import Sequence
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Max, Model, QuerySet

from agents.protocol import agent_pb2 as pb
from controlplane.audit import evidence
from controlplane.catalog import keys
from controlplane.kernel.inserts import insert
from controlplane.kernel.names import as_uuid
from controlplane.nodes import incidents
from controlplane.nodes.models import Node, Receipt
from controlplane.placement.core import signed
from controlplane.placement.core.signed import BadDocument, Signed
from controlplane.placement.models import Permit

KIND = "receipt"
FORGED, GAP, UNPERMITTED = "receipt-forged", "receipt-gap", "receipt-unpermitted"
REPLACED = "receipt-replaced"


def last_number(node_id: UUID) -> int:
    """The last one that is kept of the node; it sends those that follow."""
    last: int | None = Receipt.objects.filter(node=node_id).aggregate(last=Max("number"))["last"]
    return last or 0


def keep_all(node_id: UUID, receipts: Sequence[pb.Receipt]) -> None:
    """In one transaction, if nothing is wrong with any of them: new, numbered on, genuine, and permitted."""
    node = Node.objects.get(pk=node_id)
    try:
        is_kept = _keep_together(node, receipts)
    except IntegrityError:  # somebody else keeps them too
        is_kept = False
    if not is_kept:
        for receipt in receipts:
            keep(node, receipt)


@transaction.atomic
def _keep_together(node: Node, receipts: Sequence[pb.Receipt]) -> bool:
    last = last_number(node.pk)
    documents = [_document(node, receipt) for receipt in receipts]
    numbers = [receipt.number for receipt in receipts]
    if None in documents or numbers != list(range(last + 1, last + 1 + len(receipts))):
        return False
    named = [as_uuid(str(document.payload.get("jti", ""))) for document in documents if document]
    permits = {permit.pk: permit for permit in _permits(node).filter(pk__in={each for each in named if each})}
    rows: list[Model] = []
    for receipt, document, jti in zip(receipts, documents, named, strict=True):
        assert document is not None
        permit = permits.get(jti) if jti else None
        if permit is None and document.payload.get("event") == "opened":
            return False
        rows.append(Receipt(node=node, number=receipt.number, jti=jti, document=receipt.document, is_genuine=True))
        rows.append(evidence.entry(KIND, document.envelope(), **_owners(document, permit)))
    insert(*rows)
    return True


@transaction.atomic
def keep(node: Node, receipt: pb.Receipt) -> None:
    """Keeping the same again changes nothing; another one of the same number is an incident. So is one that says of
    itself that it has another number: it was shown before, or takes the place of one that is held back."""
    document = _document(node, receipt)
    payload = document.payload if document else {}
    jti = as_uuid(str(payload.get("jti", "")))
    last = last_number(node.pk)
    kept, is_new = Receipt.objects.get_or_create(
        node=node,
        number=receipt.number,
        defaults={"jti": jti, "document": receipt.document, "is_genuine": document is not None},
    )
    if not is_new:
        if bytes(kept.document) != receipt.document:
            incidents.report(node, REPLACED, str(receipt.number))
        return
    if receipt.number != last + 1:
        incidents.report(node, GAP, str(receipt.number), after=last)
    if document is None:
        incidents.report(node, FORGED, str(receipt.number))
    else:
        _record(node, receipt.number, document, jti)


def _document(node: Node, receipt: pb.Receipt) -> Signed | None:
    document = genuine(node, KIND, receipt.document)
    return document if document is not None and document.payload.get("number") == receipt.number else None


def genuine(node: Node, kind: str, document: bytes) -> Signed | None:
    """The document, if the node's key signed it, and it says that it is this node's."""
    try:
        found = signed.read(document)
        found.check(kind, keys.verifier(node.public_key))
    except (BadDocument, ValueError):
        return None
    return found if found.payload.get("node") == str(node.pk) else None


def _record(node: Node, number: int, document: Signed, jti: UUID | None) -> None:
    permit = _permits(node).filter(pk=jti).first() if jti else None
    if permit is None and document.payload.get("event") == "opened":
        incidents.report(node, UNPERMITTED, str(number), jti=str(jti))
    evidence.append(KIND, document.envelope(), **_owners(document, permit))


def _permits(node: Node) -> QuerySet[Permit]:
    rows = Permit.objects.filter(node=node, state="signed").select_related("project")
    return rows.only("project_id", "project__organization_id")


def _owners(document: Signed, permit: Permit | None) -> dict[str, UUID | None]:
    return {
        "organization_id": permit.project.organization_id if permit else None,
        "project_id": permit.project_id if permit else None,
        "resource_id": as_uuid(str(document.payload.get("resource", ""))),
    }
