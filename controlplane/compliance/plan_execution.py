"""Execution of approved remediation plans: requests to begin, pause and resume it.

reconcilers/remediation.py carries the plans out.
"""

from collections.abc import Sequence
from dataclasses import replace

from django.db import transaction

from controlplane.audit.services import record
from controlplane.compliance.errors import ExecutorGone, PlanExecuted, PlanNotApproved, PlanNotExecuted, PlanOver
from controlplane.compliance.models import EXECUTION, PLAN, PLAN_ITEM, RemediationItem, RemediationPlan
from controlplane.identity import credentials
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.identity.errors import ServiceAccountDisabled, TokenExpired, TokenRevoked
from controlplane.identity.models import Project
from controlplane.kernel.db import move
from controlplane.kernel.errors import CloudError, StateConflict

PLAN_ACTIONS = ("approve", "execute", "pause")


@transaction.atomic
def plan_execute(actor: Actor, plan: RemediationPlan) -> RemediationPlan:
    """Begin the execution of an approved plan, or resume it: it acts for this actor from now on.

    What stayed is tried again at once. A plan that is carried out already is returned as it is.

    Raises:
        PlanNotApproved: it waits for approval.
        PlanOver: it is done, or withdrawn.
    """
    actor.may_write()
    _lock(plan)
    if (problem := _not_executable(plan)) is not None:
        raise problem
    if plan.execution == "running":
        return plan
    write_items(plan)
    plan.progress.filter(state="stays").update(tries=0, next_try_at=None)
    move(
        plan,
        EXECUTION,
        "running",
        executed_by=actor.user_id,
        executed_credential_id=actor.credential_id,
        executed_request_id=actor.request_id,
        pause_reason=None,
    )
    record(actor, "remediation.execute", plan.pk, project_id=plan.project_id)
    return plan


@transaction.atomic
def plan_pause(actor: Actor, plan: RemediationPlan) -> RemediationPlan:
    """Pause the execution: nothing new begins, and operations that began go on. Idempotent.

    Raises:
        PlanNotExecuted
    """
    actor.may_write()
    _lock(plan)
    if plan.execution == "idle":
        raise PlanNotExecuted()
    if plan.execution == "running":
        pause(actor, plan)
    return plan


def plan_actions(plan: RemediationPlan) -> list[dict[str, object]]:
    """Return each of PLAN_ACTIONS, and the error as a document that it would give now."""
    is_running = plan.state == "approved" and plan.execution == "running"
    problems = (
        StateConflict(machine=PLAN.name) if plan.state != "proposed" else None,
        PlanExecuted() if is_running else _not_executable(plan),
        PlanNotExecuted() if not is_running else None,
    )
    return [
        {"name": name, "is_allowed": problem is None, "problem": problem and problem.as_document()}
        for name, problem in zip(PLAN_ACTIONS, problems, strict=True)
    ]


def _not_executable(plan: RemediationPlan) -> CloudError | None:
    if plan.state == "proposed":
        return PlanNotApproved(state=plan.state)
    return PlanOver(state=plan.state) if plan.state != "approved" else None


def pause(actor: Actor, plan: RemediationPlan, reason: CloudError | None = None) -> None:
    """Pause a running execution. `reason`: why it paused itself."""
    move(plan, EXECUTION, "paused", pause_reason=reason.as_document() if reason is not None else None)
    facts = {"reason": str(reason)} if reason is not None else {}
    record(actor, "remediation.pause", plan.pk, project_id=plan.project_id, **facts)


def lock_running(plan: RemediationPlan) -> bool:
    """Lock the plan until the caller's transaction ends; False: it is not carried out now.

    An execution whose member may not act in the project any more pauses itself.
    """
    _lock(plan)
    if plan.state != "approved" or plan.execution != "running":
        return False
    try:
        executor_of(plan)
    except ExecutorGone as exc:
        pause(SYSTEM, plan, exc)
        return False
    return True


def executor_of(plan: RemediationPlan) -> Actor:
    """Return who began the execution, with the present role in the project.

    Raises:
        ExecutorGone: the membership, account or token is gone, or does not suffice any more.
    """
    actor = _executor(plan, plan.project)
    if actor is None or not actor.is_writer:
        raise ExecutorGone()
    return replace(actor, credential_id=plan.executed_credential_id, request_id=plan.executed_request_id)


def _executor(plan: RemediationPlan, project: Project) -> Actor | None:
    """Return the person with the present membership, or the service account with the present rights of its token."""
    if plan.executed_by is not None:
        person = credentials.acting(plan.executed_by, organization=project.organization)
        return replace(person, project_id=project.pk)
    if plan.executed_credential_id is None:
        return None
    try:
        actor = credentials.refresh_actor(plan.executed_credential_id)
    except (ServiceAccountDisabled, TokenExpired, TokenRevoked):
        return None
    return actor.within(project) if actor is not None else None


def _lock(plan: RemediationPlan) -> None:
    """Read the plan and lock its row until the caller's transaction ends."""
    rows = RemediationPlan.objects.select_for_update(of=("self",), no_key=True)
    plan.refresh_from_db(from_queryset=rows.select_related("project__organization"))


def write_items(plan: RemediationPlan) -> list[RemediationItem]:
    """Return the rows of the plan's items in order, and write those that are missing."""
    known = set(plan.progress.values_list("order", flat=True))
    RemediationItem.objects.bulk_create(
        RemediationItem(plan=plan, **{name: item[name] for name in ("order", "resource_id", "kind", "zone")})
        for item in plan.items
        if item["order"] not in known
    )
    return list(plan.progress.order_by("order"))


def finish_items(items: Sequence[RemediationItem]) -> None:
    """Record that the resources of these items have recovered."""
    for item in items:
        if item.state != "done":
            move(item, PLAN_ITEM, "done", reason=None, next_try_at=None)


def end_plan(plan: RemediationPlan, state: str) -> None:
    """End the plan, and with it its execution. Operations that began go on."""
    if state == "done":
        finish_items(list(plan.progress.all()))
    move(plan, PLAN, state, execution=EXECUTION.initial)
