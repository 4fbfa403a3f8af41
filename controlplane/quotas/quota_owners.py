"""Whose limits: a project's or an organization's. The own limit applies where there is one, else the default."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings

from controlplane.identity.errors import ProjectNotFound
from controlplane.identity.models import Organization, Project
from controlplane.kernel.prepared_queries import preparing_cursor
from controlplane.quotas.models import Quota, QuotaSet

# Until the transaction ends. Who claims, and who changes limits, waits here for the others of the same organization.
# Who claims also waits for whoever is deleting the project: identity.holds in the statement that is needed anyway.
LOCK = """
SELECT organization_id, pg_advisory_xact_lock(hashtextextended('quota:' || organization_id, 0))
FROM identity_project WHERE id = %s AND deleted_at IS NULL FOR KEY SHARE
"""
LOCK_ORGANIZATION = "SELECT pg_advisory_xact_lock(hashtextextended('quota:' || %s, 0))"


@dataclass(frozen=True)
class QuotaOwner:
    """One of the two."""

    organization: Organization
    project: Project | None = None

    @property
    def columns(self) -> dict[str, Any]:
        return {"project_id" if self.project else "organization_id": self.id}

    @property
    def id(self) -> UUID:
        return (self.project or self.organization).pk

    def own_limits(self) -> dict[str, int]:
        """The limits that were set for it, without the defaults."""
        return dict(Quota.objects.filter(**self.columns).values_list("dimension", "limit"))

    def limits(self) -> dict[str, int]:
        return self.defaults() | self.own_limits()

    def defaults(self) -> dict[str, int]:
        return project_defaults() if self.project is not None else organization_defaults()

    def version(self) -> int:
        found = QuotaSet.objects.filter(**self.columns).values_list("version", flat=True).first()
        return found or 0


def project_defaults() -> dict[str, int]:
    return dict(settings.QUOTA_DEFAULTS)


def organization_defaults() -> dict[str, int]:
    """Of a project's default so many times, for every dimension."""
    return {name: limit * settings.QUOTA_ORGANIZATION_TIMES for name, limit in project_defaults().items()}


def lock_project(project_id: UUID) -> UUID:
    """Lock the quotas of the project's organization until the transaction ends, and say which one it is.

    Raises:
        ProjectNotFound: it was deleted meanwhile.
    """
    with preparing_cursor() as cursor:
        cursor.execute(LOCK, [project_id])
        row = cursor.fetchone()
    if row is None:
        raise ProjectNotFound(name=str(project_id))
    organization_id: UUID = row[0]
    return organization_id


def lock_organization(organization_id: UUID) -> None:
    """The same, of the organization."""
    with preparing_cursor() as cursor:
        cursor.execute(LOCK_ORGANIZATION, [str(organization_id)])
