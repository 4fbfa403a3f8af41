"""Row locks on organizations and projects, until the end of the caller's transaction.

A concurrent deletion waits, and then finds the resource that was created; a creation after the deletion fails.
"""

from controlplane.identity.errors import OrganizationNotFound, ProjectNotFound
from controlplane.identity.models import Organization, Project


def lock_organization(organization: Organization) -> None:
    """Lock the organization. Raises OrganizationNotFound: it was deleted."""
    rows = Organization.objects.select_for_update(no_key=True)
    if rows.filter(pk=organization.pk, deleted_at=None).first() is None:
        raise OrganizationNotFound(name=organization.name)


def lock_project(project: Project) -> None:
    """Lock the project. Raises ProjectNotFound: it was deleted."""
    rows = Project.objects.select_for_update(no_key=True)
    if rows.filter(pk=project.pk, deleted_at=None).first() is None:
        raise ProjectNotFound(name=project.name)
