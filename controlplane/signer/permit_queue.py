"""Permits that wait for an answer, the signer's or the sentinel's: how they are worked off, and what is recorded."""

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
    """Those in the state, oldest first: hints get lost. Returns how many there were."""
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
    """A permit that is in another state was answered already, or is none. What may pass (no key, a fleet that changes)
    leaves it as it is, for the next time."""
    row = PERMITS.first(permit_id)
    if row is None or row.state != state:
        return
    try:
        by(row)
    except StateConflict:
        log.info("permit %s was answered by another process meanwhile", row.pk)
    except CloudError as exc:
        log.warning("permit %s (%s, %s of %s): %s %s", row.pk, state, row.op, row.resource_id, exc, exc.facts)
        if not exc.retryable:
            refuse(row, exc)
    except Exception:
        log.exception("permit %s (%s): there is a bug", row.pk, state)  # and others must not wait for this one


def record_evidence(kind: str, document: Signed, permit: Permit, *, organization: str) -> None:
    """What was signed, as evidence of whose resource it is about; in the transaction that keeps it."""
    evidence_log.append(
        kind,
        document.envelope(),
        organization_id=UUID(organization),
        project_id=permit.project_id,
        resource_id=permit.resource_id,
    )
