"""Quota owners: a project or an organization. Its own limit applies where there is one, else the default."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings

from controlplane.identity.errors import ProjectNotFound
from controlplane.identity.models import Organization, Project
from controlplane.kernel.prepared_queries import preparing_cursor
from controlplane.quotas.models import Quota, QuotaSet

# Locked until the transaction ends, against other claims and changes of limits of the same organization. A claim also
# waits for a concurrent deletion of the project (identity/row_locks.py), in the same statement.
LOCK = """
SELECT organization_id, pg_advisory_xact_lock(hashtextextended('quota:' || organization_id, 0))
FROM identity_project WHERE id = %s AND deleted_at IS NULL FOR KEY SHARE
"""
LOCK_ORGANIZATION = "SELECT pg_advisory_xact_lock(hashtextextended('quota:' || %s, 0))"


@dataclass(frozen=True)
class QuotaOwner:
    """A project or an organization."""

    organization: Organization
    project: Project | None = None

    @property
    def columns(self) -> dict[str, Any]:
        return {"project_id" if self.project else "organization_id": self.id}

    @property
    def id(self) -> UUID:
        return (self.project or self.organization).pk

    def own_limits(self) -> dict[str, int]:
        """Return the limits that were set, without the defaults."""
        return dict(Quota.objects.filter(**self.columns).values_list("dimension", "limit"))

    def limits(self) -> dict[str, int]:
        return self.defaults() | self.own_limits()

    def defaults(self) -> dict[str, int]:
        return project_defaults() if self.project is not None else organization_defaults()

    def version(self) -> int:
        version = QuotaSet.objects.filter(**self.columns).values_list("version", flat=True).first()
        return version or 0


def project_defaults() -> dict[str, int]:
    return dict(settings.QUOTA_DEFAULTS)


def organization_defaults() -> dict[str, int]:
    """Return the defaults of an organization: a multiple of a project's default, for every dimension."""
    times: int = settings.QUOTA_ORGANIZATION_TIMES
    return {name: limit * times for name, limit in project_defaults().items()}


def lock_project(project_id: UUID) -> UUID:
    """Lock the quotas of the project's organization until the transaction ends; returns the organization.

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
    """Lock the quotas of the organization until the transaction ends."""
    with preparing_cursor() as cursor:
        cursor.execute(LOCK_ORGANIZATION, [str(organization_id)])
