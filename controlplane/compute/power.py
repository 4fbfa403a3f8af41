"""Power states that nodes report, and instances whose guest changed its power state by itself.

Apart from services.py, so that the watcher does not load the creation and placement of instances.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from controlplane.compute.models import ON_FAILURE, Instance
from controlplane.events.services import publish_event
from controlplane.kernel import clock
from controlplane.kernel.prepared_queries import preparing_cursor
from controlplane.operations.models import ResourceLock

SETTLE_AFTER = timedelta(seconds=3)


class PowerObservation(NamedTuple):
    """A node's report of a guest, with the generation that the node had last."""

    node_id: UUID
    instance_id: UUID
    power_state: str
    reason: str
    generation: int
    guest_agent: str


# An observation from before the last call to the node may be written at most so much after that call.
STALE_REPORT_GRACE = timedelta(seconds=10)
OBSERVE = """
UPDATE compute_instance AS instance
SET power_state = seen.power_state, guest_agent = seen.guest_agent,
    power_state_at = CASE instance.power_state WHEN seen.power_state THEN instance.power_state_at ELSE %s END,
    power_reason = CASE instance.power_state WHEN seen.power_state THEN instance.power_reason ELSE seen.reason END
FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::bigint[], %s::text[])
    AS seen (id, node_id, power_state, reason, generation, guest_agent)
WHERE instance.id = seen.id AND instance.node_id = seen.node_id
    AND (instance.power_state <> seen.power_state OR instance.guest_agent <> seen.guest_agent)
    AND (seen.generation >= instance.generation OR instance.power_state_at IS NULL OR instance.power_state_at < %s)
"""


def record_power_observations(reports: Sequence[PowerObservation]) -> None:
    """Record the reports of nodes, in each node's order.

    Reports about guests on other nodes are ignored, as are reports from before a call that has just changed the guest.
    """
    last = {(each.instance_id, each.node_id): each for each in reports}
    if not last:
        return
    pairs, observations = zip(*sorted(last.items()), strict=True)
    instances, nodes = zip(*pairs, strict=True)
    states, reasons = [each.power_state for each in observations], [each.reason[:200] for each in observations]
    generations, now = [each.generation for each in observations], clock.now()
    agents, stale = [each.guest_agent for each in observations], now - STALE_REPORT_GRACE
    with preparing_cursor() as cursor:
        cursor.execute(OBSERVE, [now, list(instances), list(nodes), states, reasons, generations, agents, stale])


STATE_AFTER_POWER = {"running": ("stopped", "active"), "off": ("active", "stopped"), "crashed": ("active", "stopped")}
# Guests with a restart policy: compute/guest_restarts.py starts them.
RESTARTED = Q(power_state="crashed", restart_policy=ON_FAILURE)


def power_stable() -> QuerySet[Instance]:
    """Return instances whose guest kept its power state for SETTLE_AFTER, and that have no operation."""
    locks = ResourceLock.objects.filter(resource_id=OuterRef("pk"))
    return Instance.objects.filter(~Exists(locks), power_state_at__lt=clock.now() - SETTLE_AFTER, is_deleting=False)


def reconcile_power() -> int:
    """Set the state of instances whose guest powered off or started by itself. Returns how many changed.

    Only guests that kept their power state for SETTLE_AFTER, without an operation: its own call may still be under way.
    """
    count = 0
    for power_state, (before, after) in STATE_AFTER_POWER.items():
        drifted = power_stable().filter(~RESTARTED, state=before, power_state=power_state)
        count += _set_observed_state(drifted, after)
    return count


@transaction.atomic
def _set_observed_state(drifted: QuerySet[Instance], state: str) -> int:
    """Skip locked rows: an operation that holds one sets its state itself."""
    observed = drifted.select_for_update(of=("self",), skip_locked=True).values_list("pk", "project_id", "name")
    count = 0
    for pk, project_id, name in list(observed):
        if drifted.filter(pk=pk).update(state=state, updated_at=clock.now()):
            publish_event(None, f"instance.{state}", pk, project_id=project_id, name=name)
            count += 1
    return count
