"""Compliance drift: flag data that its policies do not admit in its location any more, and plan where it could go."""

import logging

from controlplane.compliance.plans import plans_update_if_due
from controlplane.compliance.sweep import SweepChanges, sweep_if_due

log = logging.getLogger(__name__)


def reconcile() -> int:
    """Sweep and update the plans, each if it is due. Returns how many states or forecasts have changed."""
    changes = sweep_if_due() or SweepChanges()
    for row in changes.changed:
        log.warning("%s %s in %s: compliance changed to %s", row.kind, row.resource_id, row.zone, row.state)
    for row in changes.warned:
        log.warning("%s %s in %s: compliance ends within %s days", row.kind, row.resource_id, row.zone, row.warned_days)
    plans_update_if_due()
    return len(changes.changed) + len(changes.warned)
