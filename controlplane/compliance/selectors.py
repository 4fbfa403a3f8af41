"""Compliance queries: compliance drift and plans of the projects that an actor sees."""

from uuid import UUID

from django.db.models import QuerySet

from controlplane.compliance.errors import PlanNotFound
from controlplane.compliance.models import PLAN_ITEM, Compliance, ImageCopy, RemediationItem, RemediationPlan
from controlplane.identity.actor import Actor
from controlplane.identity.models import Membership, Project, Role
from controlplane.identity.selectors import projects
from controlplane.kernel.db import by_id


def drift(actor: Actor) -> QuerySet[Compliance]:
    return Compliance.objects.filter(project__in=projects(actor))


def image_drift(actor: Actor) -> QuerySet[ImageCopy]:
    return ImageCopy.objects.filter(project__in=projects(actor))


def plans(actor: Actor, project: Project) -> QuerySet[RemediationPlan]:
    return RemediationPlan.objects.filter(project=project).prefetch_related("progress")


def officers_of(project: Project) -> list[UUID]:
    """Return the sovereignty officers of the project's organization."""
    memberships = Membership.objects.filter(organization=project.organization_id, role=Role.SOVEREIGNTY_OFFICER)
    return list(memberships.order_by("user_id").values_list("user_id", flat=True))


def items_with_progress(plan: RemediationPlan) -> list[dict[str, object]]:
    """Return the items of the plan, each with its progress. Before the first execution they wait."""
    rows = {row.order: row for row in plan.progress.all()}
    return [{"deadline_at": None, **item, **_progress(plan, rows.get(item["order"]))} for item in plan.items]


def _progress(plan: RemediationPlan, row: RemediationItem | None) -> dict[str, object]:
    if row is None:
        state = "done" if plan.state == "done" else PLAN_ITEM.initial
        return {"state": state, "reason": None, "operation": None, "next_try_at": None}
    next_try_at = row.next_try_at if row.state == "stays" else None
    return {"state": row.state, "reason": row.reason, "operation": row.operation_id, "next_try_at": next_try_at}


def plan_get(actor: Actor, project: Project, ref: str) -> RemediationPlan:
    plan = by_id(plans(actor, project), ref)
    if plan is None:
        raise PlanNotFound(name=ref)
    return plan
