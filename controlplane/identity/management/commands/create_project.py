from typing import Any

from django.core.management.base import CommandParser

from controlplane.identity.management.base import OperatorCommand
from controlplane.identity.management.lookups import organization_named
from controlplane.identity.models import Project
from controlplane.identity.services import project_create


class Command(OperatorCommand):
    help = "Create a project of an organization unless it exists, and print its id."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization")
        parser.add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = organization_named(options["organization"])
        existing = Project.objects.filter(organization=organization, name=options["name"], deleted_at=None).first()
        project = existing or project_create(organization, name=options["name"])
        outcome = "exists already" if existing else "was created"
        self.print_message(f"The project {organization.name}/{project.name} {outcome}.")
        self.stdout.write(str(project.pk))
