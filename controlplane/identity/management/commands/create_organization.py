from typing import Any

from django.core.management.base import CommandParser

from controlplane.identity.management.base import OperatorCommand
from controlplane.identity.models import Organization
from controlplane.identity.services import organization_create


class Command(OperatorCommand):
    help = "Create an organization unless it exists, and print its id."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        existing = Organization.objects.filter(name=options["name"], deleted_at=None).first()
        organization = existing or organization_create(name=options["name"])
        self.print_message(f"The organization {organization.name} {'exists already' if existing else 'was created'}.")
        self.stdout.write(str(organization.pk))
