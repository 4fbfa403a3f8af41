"""Remediation plans: for all drifted resources of a project, the possible zones, the order, and the deadline."""

from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from andromede_core.documents.parsing import as_rfc3339
from controlplane.audit.services import record
from controlplane.compliance.models import PLAN, Compliance, ImageCopy, LocationCompliance, RemediationPlan, Sweep
from controlplane.compliance.plan_execution import end_plan, finish_items, write_items
from controlplane.compliance.sweep import record_drift
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.kernel import clock
from controlplane.kernel.db import move
from controlplane.kernel.errors import StateConflict
from controlplane.placement import decisions
from controlplane.placement.decisions import PlacementRequest
from controlplane.placement.drift_clauses import STANDING_OPERATION
from controlplane.placement.errors import TooManyClauses
from controlplane.placement.models import Allocation

NOTIFY_WITHIN = timedelta(hours=24)
DEADLINE = timedelta(days=30)
LIVE = ("proposed", "approved")
# A volume goes before the instance that has it: a guest cannot start without its data. Its snapshots stay behind, to be
# deleted. A cached image is deleted with the last disk that was cloned from it.
ORDER = ("volume", "instance", "snapshot", "image")
STAYING = ("snapshot", "image")


@transaction.atomic
def plans_update_if_due() -> int:
    """Update the plans after a sweep, also after one whose caller has not come to it. Of two concurrent callers one
    works. Returns the number of plans written.
    """
    due = Sweep.objects.select_for_update(skip_locked=True).filter(pk=1, plans_are_due=True)
    if due.first() is None:
        return 0
    count = plans_update()
    Sweep.objects.filter(pk=1).update(plans_are_due=False)
    return count


@transaction.atomic
def plans_update() -> int:
    """Update the plans: every project with drifted resources has one live plan that names all of them; a plan whose
    resources have all recovered is done. An approved plan stays while some of its resources recover and no other one
    drifts. Returns the number of plans written.
    """
    rows: dict[UUID, list[LocationCompliance]] = {}
    for model in (Compliance, ImageCopy):
        drifted = model._default_manager.filter(state__in=("drifted", "remediating"))
        for row in drifted.select_related("project", "node").order_by("pk"):
            rows.setdefault(row.project_id, []).append(row)
    plans = RemediationPlan.objects.select_for_update(no_key=True).filter(state__in=LIVE).order_by("pk")
    live = {plan.project_id: plan for plan in plans}
    for project_id in live.keys() - rows.keys():
        end_plan(live[project_id], "done")
    return sum(_plan(drifted, live.get(project_id)) for project_id, drifted in rows.items())


def _plan(drifted: list[LocationCompliance], live: RemediationPlan | None) -> bool:
    ids = sorted(row.resource_id for row in drifted)
    if live is not None and _covers(live, drifted):
        _finish_recovered(live, drifted)
        return False
    if live is not None:
        end_plan(live, "withdrawn")
    now = clock.now()
    first = min(row.since for row in drifted)
    in_order = sorted(drifted, key=lambda row: ORDER.index(row.kind))
    plan = RemediationPlan.objects.create(
        project=drifted[0].project,
        items=[_item(order, row, now) for order, row in enumerate(in_order, 1)],
        resource_ids=ids,
        notify_by=first + NOTIFY_WITHIN,
        deadline_at=max(_deadline(row, now) for row in drifted),
    )
    record(SYSTEM, "remediation.propose", plan.pk, project_id=plan.project_id, resources=len(ids))
    return True


def _covers(live: RemediationPlan, drifted: list[LocationCompliance]) -> bool:
    """Tell if the plan is still right: a proposed one names these resources, an approved one may name more, which have
    recovered. One that drifts again after that is new.
    """
    ids = Counter(row.resource_id for row in drifted)
    if live.state != "approved":
        return ids == Counter(live.resource_ids)
    recovered = {_place(item.kind, item.resource_id, item.zone) for item in live.progress.filter(state="done")}
    drifts_anew = any(_place(row.kind, row.resource_id, row.zone) in recovered for row in drifted)
    return not drifts_anew and ids <= Counter(live.resource_ids)


def _finish_recovered(live: RemediationPlan, drifted: list[LocationCompliance]) -> None:
    """Record the recovered resources of an approved plan."""
    if live.state == "approved" and (len(drifted) < len(live.resource_ids) or live.progress.exists()):
        places = {_place(row.kind, row.resource_id, row.zone) for row in drifted}
        items = write_items(live)
        finish_items([item for item in items if _place(item.kind, item.resource_id, item.zone) not in places])


def _place(kind: str, resource_id: UUID, zone: str) -> tuple[UUID, str]:
    """Return what tells the plan's items apart: an image has a copy in each of several zones."""
    return resource_id, zone if kind == "image" else ""


def _deadline(row: LocationCompliance, now: datetime) -> datetime:
    return max(row.since + DEADLINE, now)


def _item(order: int, row: LocationCompliance, now: datetime) -> dict[str, object]:
    return {
        "order": order,
        "resource_id": str(row.resource_id),
        "kind": row.kind,
        "zone": row.zone,
        "failing": row.failing,
        "targets": [] if row.kind in STAYING else _targets(row),
        "deadline_at": as_rfc3339(_deadline(row, now)),
    }


def _targets(row: LocationCompliance) -> list[dict[str, object]]:
    """Return the possible zones now, with the number of nodes of each; empty: there is none."""
    allocation = Allocation.objects.select_related("project").get(consumer_id=row.resource_id)
    request = PlacementRequest(
        operation=STANDING_OPERATION[row.kind],
        project=row.project,
        consumer_id=row.resource_id,
        kind=row.kind,
        vcpus=allocation.vcpus,
        memory_mib=allocation.memory_mib,
        disk_gib=allocation.disk_gib,
    )
    try:
        decision = decisions.decide_placement(request).decision
    except TooManyClauses:  # too many clauses to evaluate
        return []
    return [{"zone": zone.zone, "nodes": zone.admitted} for zone in decision.zones if zone.admitted]


@transaction.atomic
def plan_approve(actor: Actor, plan: RemediationPlan) -> RemediationPlan:
    """Approve the plan: its resources count as being remediated from now on.

    Raises:
        StateConflict: it is not proposed any more.
    """
    actor.may_write()
    if plan.state != "proposed":
        raise StateConflict(machine="remediation plan")
    move(plan, PLAN, "approved", approved_by=actor.user_id)
    for model in (Compliance, ImageCopy):
        drifted = model._default_manager.filter(resource_id__in=plan.resource_ids, state="drifted").order_by("pk")
        for row in drifted.select_for_update(of=("self",)).select_related("project"):
            was, row.state = row.state, "remediating"
            row.save(update_fields=["state"])
            record_drift(actor, row, was)
    record(actor, "remediation.approve", plan.pk, project_id=plan.project_id)
    return plan
