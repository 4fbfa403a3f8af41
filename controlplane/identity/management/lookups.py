"""Look-up of a command's arguments; for a missing object the command ends with the way to create it."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand
from controlplane.identity.models import Organization, Project, User
from controlplane.identity.selectors import projects


def organization_named(name: str) -> Organization:
    organization = Organization.objects.filter(name=name, deleted_at=None).first()
    if organization is None:
        raise CommandError(f"There is no organization {name!r}. Create it with create_organization.")
    return organization


def user_with(email: str) -> User:
    user = User.objects.filter(email=email).first()
    if user is None:
        raise CommandError(f"There is no user {email!r}. Create it with create_user.")
    return user


class UserCommand(OperatorCommand):
    """A command about one user, given by address."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        self.act(user_with(options["email"]), options)

    def act(self, user: User, options: dict[str, Any]) -> None:
        raise NotImplementedError


def project_named(ref: str) -> Project:
    """Return the project ORGANIZATION/PROJECT, or a project by its name alone if the name is unique."""
    organization, _, name = ref.rpartition("/")
    matching = projects(SYSTEM).filter(name=name)
    if organization:
        matching = matching.filter(organization__name=organization)
    matches = list(matching[:2])
    if not matches:
        raise CommandError(f"There is no project {ref!r}. Create it with create_project.")
    if len(matches) > 1:
        raise CommandError(f"Several organizations have a project {name!r}: write ORGANIZATION/{name}.")
    return matches[0]
