"""Recovery requests: the guests of a fenced node, as drains handle those of a working one.

node_lifecycle/recovery/reconciler.py carries them out; auto_recovery.py begins them where automatic recovery is on. A
recovery is a drain of the kind `recover`, of the same rows: one operation for each guest, by a plan that was shown. The
node stays fenced; it comes back through maintenance, after it has removed the guests that run elsewhere.
"""

from dataclasses import dataclass

from django.db import transaction

from controlplane.audit.services import record
from controlplane.compute.errors import RecoveryPlanChanged
from controlplane.compute.models import Instance
from controlplane.identity.actor import Actor
from controlplane.kernel import clock
from controlplane.kernel.db import move
from controlplane.node_lifecycle.drain.candidates import guests_of, read_recovery_plan
from controlplane.node_lifecycle.drain.drain_plan import Plan
from controlplane.node_lifecycle.drain.drains import NewDrain, create_drain, live_drain
from controlplane.node_lifecycle.recovery.recovery_plan import FALLBACK
from controlplane.nodes.admin_state import require_admin_state
from controlplane.nodes.models import DRAIN, Drain, Node

# An evacuation copies no data, so more of them may run at once.
AT_ONCE = 8
DOWN = "The machine that carried it is lost."


@dataclass(frozen=True)
class NewRecovery:
    """A recovery to begin. `digest`: of the plan that the operator confirms; None for an automatic recovery."""

    digest: str | None
    at_once: int = AT_ONCE
    reason: str = ""


def recover_plan(actor: Actor, node: Node) -> Plan:
    """Return what a recovery would do with the guests of the fenced node now. Nothing is written.

    Raises:
        NodeWrongAdminState: the node is not fenced.
    """
    actor.may_operate()
    require_admin_state(node, "fenced")
    return read_recovery_plan(node)


@transaction.atomic
def recover_begin(actor: Actor, node: Node, new: NewRecovery) -> Drain:
    """Begin a recovery: the guests of the node are evacuated to others.

    While a recovery of the node is not over, the request returns that one, whatever its arguments.

    Raises:
        NodeWrongAdminState: the node is not fenced.
        RecoveryPlanChanged: the plan would be another one now.
    """
    actor.may_operate()
    Node.objects.select_for_update(no_key=True).get(
        pk=node.pk
    )  # the second of two concurrent requests finds the first one's rows
    live = live_drain(node)
    if live is not None and live.kind == "recover":
        return live
    require_admin_state(node, "fenced")
    if live is not None:
        move(live, DRAIN, "cancelled", finished_at=clock.now())  # its guests cannot be migrated away any more
    plan = read_recovery_plan(node)
    if new.digest is not None and plan.digest != new.digest:
        raise RecoveryPlanChanged(field="plan", node=node.name)
    _mark_down(node)
    facts = {"name": node.name, "zone": node.zone_id, "guests": len(plan.entries), "reason": new.reason}
    record(actor, "node.recover", node.pk, project_id=None, **facts)
    return create_drain(actor, node, plan, NewDrain(plan.digest, FALLBACK, new.at_once, new.reason), kind="recover")


def _mark_down(node: Node) -> None:
    """Mark the node's guests as not running: its last report is outdated."""
    ran = Instance.objects.filter(pk__in=guests_of(node), power_state__in=["running", "paused"])
    ran.update(power_state="crashed", power_state_at=clock.now(), power_reason=DOWN, updated_at=clock.now())
