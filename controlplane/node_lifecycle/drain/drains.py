"""Drain requests. node_lifecycle/drain/reconciler.py carries them out.

The requests to an existing drain apply to recoveries too, which are drains of another kind
(node_lifecycle/recovery/recoveries.py begins them).

A drain is a plan with one operation for each guest. The request names the plan that was shown: if the node's guests, or
their obstacles, have changed since, nothing begins.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from andromede_core.documents.messages import either
from controlplane.audit.services import record
from controlplane.compute.errors import (
    DrainNotFound,
    DrainPlanChanged,
    DrainWrongState,
    NodeBeingRecovered,
    NodeNotEmpty,
)
from controlplane.compute.migration import DEFAULT_OPTIONS, MigrationOptions
from controlplane.compute.models import EVACUATE, MOVING, Instance, Migration
from controlplane.identity.actor import Actor
from controlplane.kernel import clock
from controlplane.kernel.db import move
from controlplane.node_lifecycle.drain.candidates import (
    expects_arrivals,
    guests_of,
    is_running,
    read_drain_plan,
    read_recovery_plan,
    volumes_of,
    was_reported_running,
)
from controlplane.node_lifecycle.drain.drain_plan import Entry, Plan
from controlplane.node_lifecycle.fencing import violations
from controlplane.node_lifecycle.recovery.evacuation import clear_evacuation_blocked
from controlplane.nodes.admin_state import admin_state_change, require_admin_state
from controlplane.nodes.errors import HeartbeatMissing
from controlplane.nodes.models import DRAIN, DRAIN_GUEST, DRAIN_LIVE, IN_SERVICE, Drain, DrainGuest, Node
from controlplane.nodes.selectors import nodes

AT_ONCE = 2
AT_ONCE_MAX = 32
NAMED = 5


@dataclass(frozen=True)
class NewDrain:
    """A drain to begin. `digest`: of the plan that the operator confirms. `options`: of each migration."""

    digest: str
    fallback: str
    at_once: int = AT_ONCE
    reason: str = ""
    options: MigrationOptions = DEFAULT_OPTIONS


def drain_plan(actor: Actor, node: Node, *, fallback: str) -> Plan:
    """Return what a drain would do with the node's guests now. Nothing is written.

    Raises:
        NodeWrongAdminState, HeartbeatMissing.
    """
    actor.may_operate()
    _need_drainable(node)
    return read_drain_plan(node, fallback=fallback)


def _need_drainable(node: Node) -> None:
    """Refuse a node without heartbeats: it cannot send its guests, whose state is unknown."""
    require_admin_state(node, IN_SERVICE, "cordoned")
    if node.state != "ready":
        raise HeartbeatMissing(node=node.name)


@transaction.atomic
def drain_begin(actor: Actor, node: Node, new: NewDrain) -> Drain:
    """Begin a drain: no new allocations on the node, and its guests migrate.

    While a drain of the node is not over, the request returns that one, whatever its arguments.

    Raises:
        NodeWrongAdminState, HeartbeatMissing.
        DrainPlanChanged: the plan would be another one now.
    """
    actor.may_operate()
    live = live_drain(node)
    if live is not None:
        return live
    _need_drainable(node)
    guests = guests_of(node).count()
    # Comes first, so that no allocation is made on the node between the plan and its start.
    admin_state_change(
        actor, node, "draining", verb="node.drain", reason=new.reason, guests=guests, fallback=new.fallback
    )
    plan = read_drain_plan(node, fallback=new.fallback)
    if plan.digest != new.digest:
        raise DrainPlanChanged(field="plan", node=node.name)
    return create_drain(actor, node, plan, new)


def create_drain(actor: Actor, node: Node, plan: Plan, new: NewDrain, *, kind: str = "drain") -> Drain:
    drain = Drain.objects.create(
        node=node,
        kind=kind,
        digest=plan.digest,
        fallback=new.fallback,
        at_once=new.at_once,
        deadline_s=new.options.deadline_s,
        convergence=new.options.convergence,
        reason=new.reason,
        volumes=volumes_of(node),
        user_id=actor.user_id,
        credential_id=actor.credential_id,
        request_id=actor.request_id,
    )
    DrainGuest.objects.bulk_create(guest_of(drain, entry, order) for order, entry in enumerate(plan.entries, 1))
    return drain


def guest_of(drain: Drain, entry: Entry, order: int) -> DrainGuest:
    """Return the guest's row, not written yet."""
    return DrainGuest(
        drain=drain,
        instance_id=entry.guest.id,
        name=entry.guest.name,
        project_id=entry.guest.project_id,
        order=order,
        **plan_fields(entry),
    )


def plan_fields(entry: Entry) -> dict[str, object]:
    """Return the row's fields for the plan's entry."""
    return {"action": entry.action, "target_id": entry.target, "reasons": [dict(reason) for reason in entry.reasons]}


def live_drain(node: Node) -> Drain | None:
    return Drain.objects.filter(node=node, state__in=DRAIN_LIVE).select_related("node").first()


def drains(actor: Actor) -> QuerySet[Drain]:
    """Return the drains of all nodes. Raises RoleNeeded."""
    rows = Drain.objects.filter(node__in=nodes(actor)).select_related("node")
    return rows.prefetch_related("guests")


def drain_of(actor: Actor, node: Node) -> Drain:
    """Return the node's open drain or recovery, or else its last one.

    The caller checks that `actor` sees nodes.

    Raises:
        DrainNotFound
    """
    last = Drain.objects.filter(node=node).select_related("node").order_by("-created_at").first()
    drain = live_drain(node) or last
    if drain is None:
        raise DrainNotFound(name=node.name)
    return drain


@transaction.atomic
def drain_pause(actor: Actor, drain: Drain) -> Drain:
    """Pause: no guest is begun; running operations go on. Idempotent.

    Raises:
        DrainWrongState
    """
    actor.may_operate()
    _change(actor, drain, "paused", verb="node.drain-pause", among=("running",))
    return drain


@transaction.atomic
def drain_resume(actor: Actor, drain: Drain) -> Drain:
    """Resume a paused drain. Raises DrainWrongState."""
    actor.may_operate()
    _change(actor, drain, "running", verb="node.drain-resume", among=("paused",))
    return drain


@transaction.atomic
def drain_cancel(actor: Actor, drain: Drain) -> Drain:
    """Cancel: running operations end by themselves, no guest is begun, and the node is cordoned.

    A node that was being recovered stays fenced.

    Raises:
        DrainWrongState
    """
    actor.may_operate()
    is_changed = _change(actor, drain, "cancelled", verb="node.drain-cancel", among=DRAIN_LIVE, finished_at=clock.now())
    if is_changed and drain.kind == "drain":
        admin_state_change(actor, drain.node, "cordoned", verb="node.cordon", reason=drain.reason)
    return drain


@transaction.atomic
def drain_retry(actor: Actor, drain: Drain, *, fallback: str | None = None) -> Drain:
    """Plan the guests that remain again and try them, with another fallback if one is given.

    Raises:
        DrainWrongState
    """
    actor.may_operate()
    _lock_drain(drain)
    if drain.state not in ("running", "blocked"):
        raise DrainWrongState(state=drain.state, wanted=either("running", "blocked"))
    if fallback is not None and fallback != drain.fallback:
        Drain.objects.filter(pk=drain.pk).update(fallback=fallback)
        drain.fallback = fallback
    rows = {row.instance_id: row for row in drain.guests.filter(state__in=("left", "failed"))}
    instances = Instance.objects.filter(pk__in=rows).select_related("project", "image", "affinity_group", "node")
    for entry in replan(drain, instances).entries:
        move(rows[entry.guest.id], DRAIN_GUEST, "waiting", finished_at=None, operation_id=None, **plan_fields(entry))
    if drain.state == "blocked":
        move(drain, DRAIN, "running")
    record(actor, "node.drain-retry", drain.node_id, name=drain.node.name, fallback=drain.fallback)
    return drain


def replan(drain: Drain, instances: Iterable[Instance]) -> Plan:
    """Plan these guests again, as things are now."""
    if drain.kind == "recover":
        return read_recovery_plan(drain.node, instances=instances)
    return read_drain_plan(drain.node, fallback=drain.fallback, instances=instances)


def _change(actor: Actor, drain: Drain, to: str, *, verb: str, among: tuple[str, ...], **fields: object) -> bool:
    """Change the drain's state; False when it has that state already."""
    _lock_drain(drain)
    if drain.state == to:
        return False
    if drain.state not in among:
        raise DrainWrongState(state=drain.state, wanted=either(*among))
    move(drain, DRAIN, to, **fields)
    record(actor, verb, drain.node_id, name=drain.node.name)
    return True


def _lock_drain(drain: Drain) -> None:
    """Read the drain and lock its row until the caller's transaction ends."""
    drain.refresh_from_db(from_queryset=Drain.objects.select_for_update(of=("self",)).select_related("node"))


@transaction.atomic
def node_maintain(actor: Actor, node: Node, *, reason: str) -> None:
    """Put a node without running guests into maintenance: nothing starts there until it is returned.

    A fenced node has no running guests unless its heartbeats report some. Its guests that were to run and are on no
    other node are started again when it is returned.

    Raises:
        NodeWrongAdminState: the node drains, or is retired.
        NodeNotEmpty: guests run there.
        NodeBeingRecovered: its guests are being evacuated.
    """
    actor.may_operate()
    require_admin_state(node, IN_SERVICE, "cordoned", "maintenance", "fenced")
    _require_no_evacuations(node)
    was_fenced = node.admin_state == "fenced"
    admin_state_change(actor, node, "maintenance", verb="node.maintain", reason=reason)
    if was_fenced:
        violations.end_violations(node)
        clear_evacuation_blocked(node)
    running = [guest.name for guest in guests_of(node) if _blocks_maintenance(guest, node, was_fenced=was_fenced)]
    if running or expects_arrivals(node):
        names = ", ".join(running[:NAMED]) + (" …" if len(running) > NAMED else "")
        raise NodeNotEmpty(node=node.name, count=len(running), names=names)


def _blocks_maintenance(guest: Instance, node: Node, *, was_fenced: bool) -> bool:
    if was_fenced:
        return node.state == "ready" and was_reported_running(guest)
    return is_running(guest)


def _require_no_evacuations(node: Node) -> None:
    """Refuse while an evacuation relies on the node being fenced. The database checks this too."""
    Node.objects.select_for_update(no_key=True).get(pk=node.pk)
    count = Migration.objects.filter(source=node, kind=EVACUATE, state__in=MOVING).count()
    if count:
        raise NodeBeingRecovered(node=node.name, count=count)
