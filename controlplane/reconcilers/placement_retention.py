"""Retention of decisions, permits and receipts.

The evidence log, which proves locations, has documents of its own (audit/retention.py); these rows serve current work
and explanations.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings

from controlplane.audit.models import EvidenceRecord, Kind
from controlplane.kernel import retention
from controlplane.kernel.names import as_uuid
from controlplane.operations.fair_queue import LIVE

# The highest number of a node stays, since its next receipts follow it; a receipt without a valid signature is an
# incident, and stays.
RECEIPTS = """
SELECT id FROM {table} AS old
WHERE id > %(after)s AND id < %(first)s AND created_at < %(before)s AND is_genuine
AND EXISTS (SELECT FROM {table} WHERE {signer} = old.{signer} AND number > old.number)
ORDER BY id LIMIT %(portion)s
"""
TABLES = {"nodes_receipt": "node_id", "storage_clusters_storagereceipt": "cluster_id"}
# The last permit of a project on a node stays: it shows which images in the node's cache are the project's.
PERMITS = f"""
SELECT id FROM placement_permit AS old
WHERE id > %(after)s AND id < %(first)s AND created_at < %(before)s AND state NOT IN ('requested', 'cosigning')
AND NOT EXISTS (
    SELECT FROM operations_operation
    WHERE id = old.operation_id AND {LIVE}
)
AND (state <> 'signed' OR EXISTS (
    SELECT FROM placement_permit AS later
    WHERE later.node_id = old.node_id AND later.project_id = old.project_id AND later.state = 'signed'
    AND later.id > old.id
))
ORDER BY id LIMIT %(portion)s
"""
DECISIONS = """
SELECT id FROM placement_decision AS old
WHERE id > %(after)s AND id < %(first)s AND created_at < %(before)s
AND NOT EXISTS (SELECT FROM placement_allocation WHERE decision_id = old.id)
AND NOT EXISTS (SELECT FROM placement_permit WHERE decision_id = old.id)
AND NOT EXISTS (SELECT FROM placement_exemptionuse WHERE decision_id = old.id)
ORDER BY id LIMIT %(portion)s
"""


def reconcile() -> int:
    """Return how many rows were deleted. The order matters: a decision stays as long as a permit rests on it."""
    limit = retention.older_than(settings.PLACEMENT_RETENTION_DAYS)
    count = sum(_delete_receipts(table, signer, limit) for table, signer in TABLES.items())
    for ids in retention.id_batches(PERMITS, limit):
        still_open = _still_open(ids)
        count += retention.delete("placement_permit", [permit for permit in ids if permit not in still_open])
    return count + sum(retention.delete("placement_decision", ids) for ids in retention.id_batches(DECISIONS, limit))


def _delete_receipts(table: str, signer: str, limit: Mapping[str, Any]) -> int:
    query = RECEIPTS.format(table=table, signer=signer)
    return sum(retention.delete(table, ids) for ids in retention.id_batches(query, limit))


class OpenLocation(NamedTuple):
    """A resource on a node that can be open at most once; in a storage cluster `place` has its pool, and of a key the
    node that it is for.
    """

    node: str
    kind: str
    resource: str
    place: str = ""


def _still_open(permits: Sequence[UUID]) -> set[UUID]:
    """Return the permits under which a node still has a resource open, or a storage cluster one in its trash.

    The receipt that closes or erases it will name the permit, and belongs to the permit's owner.
    """
    opened: dict[UUID, dict[OpenLocation, int]] = defaultdict(dict)
    for receipt in _receipts(subject_id__in=permits):
        permit, location = as_uuid(str(receipt.get("jti"))), _place(receipt)
        if permit is None:
            continue
        match receipt.get("event"):
            case "opened":
                opened[permit][location] = int(receipt["number"])
            case "closed":
                opened[permit].pop(location, None)
                if (trash := _trash(receipt)) is not None:
                    opened[permit][trash] = int(receipt["number"])
            case "erased" if (trash := _trash(receipt)) is not None:
                opened[permit].pop(trash, None)
    last = _last_numbers(location for numbers in opened.values() for location in numbers)
    return {
        permit
        for permit, numbers in opened.items()
        if any(last.get(location, number) <= number for location, number in numbers.items())
    }


def _last_numbers(locations: Iterable[OpenLocation]) -> dict[OpenLocation, int]:
    """Return the last receipt numbers about these locations, under any permit. Images open once and need no query."""
    resources = {as_uuid(location.resource) for location in locations} - {None}
    last: dict[OpenLocation, int] = {}
    for receipt in _receipts(resource_id__in=resources):
        location, number = _place(receipt), int(receipt["number"])
        if receipt.get("event") in ("opened", "closed"):
            last[location] = max(number, last.get(location, 0))
    return last


def _receipts(**filters: Any) -> Iterator[Mapping[str, Any]]:
    """Return the contents of the receipts in order; erased ones count as closed."""
    rows = EvidenceRecord.objects.filter(kind=Kind.RECEIPT, **filters).order_by("pk")
    for text in rows.values_list("document", flat=True):
        if text is not None:
            yield json.loads(text)["document"]["p"]


def _place(receipt: Mapping[str, Any]) -> OpenLocation:
    measured = receipt.get("measured", {})
    place = f"{measured.get('pool', '')}/{measured.get('for_node', '')}"
    return OpenLocation(str(receipt.get("node")), str(receipt.get("kind")), str(receipt.get("resource")), place)


def _trash(receipt: Mapping[str, Any]) -> OpenLocation | None:
    """Return the location of a closed or erased resource in the trash of its pool; None: none is stated."""
    measured = receipt.get("measured", {})
    image = measured.get("trash")
    return _place(receipt)._replace(kind="trash", place=f"{measured.get('pool')}/{image}") if image else None
