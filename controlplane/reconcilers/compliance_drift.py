"""Compliance drift: flag data that its policies do not admit in its location any more, and plan where it could go."""

import logging

from controlplane.compliance.plans import plans_update
from controlplane.compliance.sweep import sweep_if_due

log = logging.getLogger(__name__)


def reconcile() -> int:
    """Return how many states or forecasts have changed."""
    changes = sweep_if_due()
    if changes is None:
        return 0
    for row in changes.changed:
        log.warning("%s %s in %s: compliance changed to %s", row.kind, row.resource_id, row.zone, row.state)
    for row in changes.warned:
        log.warning("%s %s in %s: compliance ends within %s days", row.kind, row.resource_id, row.zone, row.warned_days)
    plans_update()
    return len(changes.changed) + len(changes.warned)
