from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from controlplane.identity.actor import SYSTEM
from controlplane.identity.management.base import OperatorCommand
from controlplane.identity.management.lookups import project_named, user_with
from controlplane.identity.models import ApiToken, Membership, Project, Role, User
from controlplane.identity.roles import includes
from controlplane.identity.tokens import TOKEN_LIFETIME_MAX_DAYS, token_issue, tokens_revoke


class Command(OperatorCommand):
    help = "Issue an API token and print its secret, which cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument(
            "--project",
            help="[ORGANIZATION/]PROJECT of the token; default: all projects of the user, and the user's platform role",
        )
        parser.add_argument("--name", required=True)
        parser.add_argument(
            "--role", choices=Role.values, help="role of the token: member in a project; default: the user's own role"
        )
        parser.add_argument("--days", type=int, default=90, help=f"lifetime in days, at most {TOKEN_LIFETIME_MAX_DAYS}")
        parser.add_argument("--replace", action="store_true", help="revoke the user's live token of this name first")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        user = user_with(options["email"])
        project = project_named(options["project"]) if options["project"] else None
        role = options["role"] or (Role.MEMBER if project else "")
        _check_right(user, project, role)
        namesakes = ApiToken.objects.filter(user=user, project=project, name=options["name"], revoked_at__isnull=True)
        if options["replace"]:
            tokens_revoke(SYSTEM, namesakes)
        elif namesakes.exists():
            raise CommandError(
                f"{user.email} has a live token {options['name']!r}. Pass --replace to replace the token."
            )
        lifetime = timedelta(days=min(options["days"], TOKEN_LIFETIME_MAX_DAYS + 1))
        token, secret = token_issue(user, project=project, name=options["name"], role=role, lifetime=lifetime)
        scope = f"the project {project.name}" if project else f"all that {user.email} may"
        most = f", as {token.role} at most" if token.role else ""
        self.print_message(f"A token for {scope}{most}, until {token.expires_at:%Y-%m-%d %H:%M} UTC. Its secret:")
        self.stdout.write(secret)


def _check_right(user: User, project: Project | None, role: str) -> None:
    """Check that the token has at most the role of its user. Raises CommandError."""
    if project is None:
        if not user.platform_role and not Membership.objects.filter(user=user).exists():
            raise CommandError(
                f"{user.email} has no platform role and no membership. Add a membership with add_member."
            )
        return
    membership = Membership.objects.filter(organization=project.organization, user=user).first()
    if membership is None:
        raise CommandError(
            f"{user.email} is not a member of {project.organization.name}. Add the user with add_member."
        )
    if not includes(membership.role, role):
        raise CommandError(f"{user.email} is only {membership.role} of {project.organization.name}, not {role}.")
