from typing import Any

from django.core.management.base import CommandParser

from controlplane.identity.management.base import OperatorCommand
from controlplane.identity.management.lookups import organization_named, user_with
from controlplane.identity.models import Role
from controlplane.identity.services import membership_set


class Command(OperatorCommand):
    help = "Add a user to an organization in this role, or replace the user's role."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization")
        parser.add_argument("email")
        parser.add_argument("role", choices=Role.values)

    def handle(self, *args: Any, **options: Any) -> None:
        organization, user = organization_named(options["organization"]), user_with(options["email"])
        membership_set(organization, user=user, role=options["role"])
        self.print_message(f"{user.email} is {options['role']} of {organization.name}.")
