"""Permits that wait for the signer or the sentinel: the work on the queue, and its records."""

import logging
from collections.abc import Callable
from uuid import UUID

from andromede_core.documents.signed import Signed
from controlplane.audit import evidence_log
from controlplane.kernel.errors import CloudError, StateConflict
from controlplane.kernel.prepared_queries import Prepared
from controlplane.placement.models import Permit

log = logging.getLogger(__name__)

SWEEP_LIMIT = 200


def process_queue(state: str, answer_one: Callable[[UUID], None]) -> int:
    """Answer the permits in the state, oldest first: wake-ups may be lost. Returns how many there were."""
    waiting = Permit.objects.filter(state=state).order_by("created_at")
    ids = list(waiting.values_list("pk", flat=True)[:SWEEP_LIMIT])
    for permit_id in ids:
        answer_one(permit_id)
    return len(ids)


PERMITS = Prepared(
    lambda permit: Permit.objects.select_related("node", "decision").defer("decision__document").filter(pk=permit)
)


def answer_permit(
    permit_id: UUID, *, state: str, by: Callable[[Permit], None], refuse: Callable[[Permit, CloudError], None]
) -> None:
    """Answer a permit, unless it is in another state already, or does not exist.

    A temporary failure (no key, a changing fleet) leaves it as it is, for the next run.
    """
    row = PERMITS.first(permit_id)
    if row is None or row.state != state:
        return
    try:
        by(row)
    except StateConflict:
        log.info("permit %s was answered concurrently, skipped", row.pk)
    except CloudError as exc:
        log.warning("permit %s (%s, %s of %s): %s %s", row.pk, state, row.op, row.resource_id, exc, exc.facts)
        if not exc.retryable:
            refuse(row, exc)
    except Exception:
        log.exception("permit %s (%s) failed unexpectedly", row.pk, state)  # and others must not wait for this one


def record_evidence(kind: str, document: Signed, permit: Permit, *, organization: str) -> None:
    """Record the signed document as evidence of the resource's owner; in the transaction that stores it."""
    evidence_log.append(
        kind,
        document.envelope(),
        organization_id=UUID(organization),
        project_id=permit.project_id,
        resource_id=permit.resource_id,
    )
