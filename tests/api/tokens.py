from datetime import timedelta

from controlplane.identity.models import Project
from controlplane.identity.services import membership_set, token_issue, user_create


def make_token(project: Project | None, *, role: str) -> str:
    """Return the token of a new user, a member in this role; without a project it is an operator's."""
    name = f"{role}-{project.name if project else 'operator'}".replace("_", "-")
    user = user_create(email=f"{name}@example.org", is_operator=project is None)
    if project is not None:
        membership_set(project.organization, user=user, role=role)
    return token_issue(user, project=project, name=name, role=role, lifetime=timedelta(days=1))[1]
