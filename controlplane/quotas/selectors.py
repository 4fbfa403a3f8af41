"""Quota queries: limits and usage of projects and organizations, per dimension."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Sum

from controlplane.identity.models import Project
from controlplane.kernel.db import by_id
from controlplane.quotas import quota_owners
from controlplane.quotas.errors import QuotaRequestNotFound
from controlplane.quotas.models import Quota, QuotaRequest, QuotaUse
from controlplane.quotas.quota_owners import QuotaOwner


def usage(project: Project) -> list[dict[str, Any]]:
    """Return limits and usage of a project, in the order of the settings.

    `available`: the amount left to the project, within what its organization has left; `bound_by`: the owner of the
    limit that restricts it.
    """
    organization = QuotaOwner(project.organization)
    own, whole = QuotaOwner(project.organization, project).limits(), organization.limits()
    uses = _uses(project.organization_id)
    rows = []
    for dimension, limit in own.items():
        used = uses[project.pk][dimension]
        rest = {
            "project": max(limit - used, 0),
            "organization": max(whole[dimension] - _total(uses.values(), dimension), 0),
        }
        bound_by = "organization" if rest["organization"] < rest["project"] else "project"
        row = {"dimension": dimension, "used": used, "limit": limit, "available": rest[bound_by], "bound_by": bound_by}
        rows.append(row)
    return rows


def organization_usage(owner: QuotaOwner, visible: Iterable[Project]) -> list[dict[str, Any]]:
    """Return limits and usage of an organization: of all its projects together, and per project for those that the
    caller sees.
    """
    projects = sorted(visible, key=lambda project: project.name)
    uses = _uses(owner.organization.pk)
    set_for: dict[UUID | None, dict[str, int]] = defaultdict(dict)
    for project_id, dimension, limit in Quota.objects.filter(project__in=projects).values_list(
        "project_id", "dimension", "limit"
    ):
        set_for[project_id][dimension] = limit
    lines = []
    for dimension, limit in owner.limits().items():
        default, total = quota_owners.project_defaults()[dimension], _total(uses.values(), dimension)
        parts = [
            {
                "project": project,
                "used": uses[project.pk][dimension],
                "limit": set_for[project.pk].get(dimension, default),
            }
            for project in projects
        ]
        available = max(limit - total, 0)
        lines.append({"dimension": dimension, "used": total, "limit": limit, "available": available, "projects": parts})
    return lines


def request_get(owner: QuotaOwner, ref: str) -> QuotaRequest:
    """Return a request. Raises QuotaRequestNotFound."""
    quota_request = by_id(QuotaRequest.objects.filter(organization=owner.organization), ref)
    if quota_request is None:
        raise QuotaRequestNotFound(name=ref)
    return quota_request


def _uses(organization_id: UUID) -> dict[UUID, dict[str, int]]:
    """Return project → dimension → usage, of all projects of the organization."""
    uses: dict[UUID, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    rows = QuotaUse.objects.filter(project__organization_id=organization_id).values_list("project_id", "dimension")
    for project_id, dimension, total in rows.annotate(total=Sum("amount")):
        uses[project_id][dimension] = total
    return uses


def _total(uses: Iterable[dict[str, int]], dimension: str) -> int:
    return sum(each[dimension] for each in uses)
