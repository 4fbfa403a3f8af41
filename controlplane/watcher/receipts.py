"""Receipts: what a node did under which permit, in its own signature. Each is kept, also one that is not as it should
be, and becomes evidence."""

from uuid import UUID

from django.db import transaction
from django.db.models import Max

from agents.protocol import agent_pb2 as pb
from controlplane.audit import evidence
from controlplane.catalog import keys
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


@transaction.atomic
def keep(node: Node, receipt: pb.Receipt) -> None:
    """Keeping the same again changes nothing; another one of the same number is an incident. So is one that says of
    itself that it has another number: it was shown before, or takes the place of one that is held back."""
    document = genuine(node, KIND, receipt.document)
    if document is not None and document.payload.get("number") != receipt.number:
        document = None
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


def genuine(node: Node, kind: str, document: bytes) -> Signed | None:
    """The document, if the node's key signed it, and it says that it is this node's."""
    try:
        found = signed.read(document)
        found.check(kind, keys.verifier(node.public_key))
    except (BadDocument, ValueError):
        return None
    return found if found.payload.get("node") == str(node.pk) else None


def _record(node: Node, number: int, document: Signed, jti: UUID | None) -> None:
    permits = Permit.objects.filter(node=node, state="signed").select_related("project")
    permit = permits.filter(pk=jti).first() if jti else None
    if permit is None and document.payload.get("event") == "opened":
        incidents.report(node, UNPERMITTED, str(number), jti=str(jti))
    resource = as_uuid(str(document.payload.get("resource", "")))
    evidence.append(
        KIND,
        document.envelope(),
        organization_id=permit.project.organization_id if permit else None,
        project_id=permit.project_id if permit else None,
        resource_id=resource,
    )
