from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.core.validators import validate_email

from controlplane.identity.management.base import OperatorCommand
from controlplane.identity.models import User
from controlplane.identity.roles import PLATFORM
from controlplane.identity.services import user_create


class Command(OperatorCommand):
    help = "Create a user unless one with this address exists, and print the id."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        platform_role = parser.add_mutually_exclusive_group()
        platform_role.add_argument("--operator", action="store_true", help="operator: operates the platform")
        platform_role.add_argument(
            "--support", action="store_true", help="support: reads tenants' resources, but not their content"
        )
        platform_role.add_argument(
            "--auditor", action="store_true", help="auditor: reads the whole platform and writes nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        email = options["email"]
        marks = {f"is_{role}": options[role] for role in PLATFORM}
        try:
            validate_email(email)
        except ValidationError as exc:
            raise CommandError(f"{email!r} is not an e-mail address.") from exc
        existing = User.objects.filter(email=email).first()
        if existing and any(getattr(existing, mark) != value for mark, value in marks.items()):
            raise CommandError(f"{email} exists already, with platform role {existing.platform_role or 'none'}.")
        user = existing or user_create(email=email, **marks)
        self.print_message(f"The user {email} {'exists already' if existing else 'was created'}.")
        self.stdout.write(str(user.pk))
