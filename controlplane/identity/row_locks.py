"""Until the caller's transaction ends, what something is made in is not deleted, and nobody else holds it. Who deletes
it meanwhile waits, and finds what was made; who makes something after that is told that it is gone."""

from controlplane.identity.errors import OrganizationNotFound, ProjectNotFound
from controlplane.identity.models import Organization, Project


def lock_organization(organization: Organization) -> None:
    """Raises OrganizationNotFound: somebody has deleted it."""
    rows = Organization.objects.select_for_update(no_key=True)
    if rows.filter(pk=organization.pk, deleted_at=None).first() is None:
        raise OrganizationNotFound(name=organization.name)


def lock_project(project: Project) -> None:
    """Raises ProjectNotFound: somebody has deleted it."""
    rows = Project.objects.select_for_update(no_key=True)
    if rows.filter(pk=project.pk, deleted_at=None).first() is None:
        raise ProjectNotFound(name=project.name)
